"""What a run tells the command that watches it."""

import datetime
import json
import os

import luigi
import pytest
from luigi.task_register import Register

from etl import events
from etl.errors import DataError
from etl.task import EtlTask


@pytest.fixture
def told(monkeypatch, settings):
    """Runs tasks by luigi, once each, and gives what came through the pipe as (task, state, why)."""
    Register.clear_instance_cache()
    settings.set("scheduler", "retry_count", "1")

    def run(*tasks):
        reading, writing = os.pipe()
        monkeypatch.setenv(events.PIPE, str(writing))
        luigi.build(tasks, local_scheduler=True)
        os.close(writing)
        with os.fdopen(reading) as lines:
            seen = [json.loads(line) for line in lines]
        return [(event["task"], event["state"], event.get("why", "")) for event in seen]

    return run


class Fine(EtlTask):
    table = luigi.Parameter(default="users")
    done = False

    def run(self):
        type(self).done = True

    def complete(self):
        return self.done


class Bad(EtlTask):
    def run(self):
        raise DataError("fact_x: 41 rows where 42 are listed")


class Elsewhere(luigi.ExternalTask):
    url = luigi.Parameter()

    def complete(self):
        return False


def test_a_task_is_told_when_it_begins_and_when_it_is_done(told):
    Fine.done = False
    assert told(Fine(table="venues")) == [("Fine venues", "running", ""), ("Fine venues", "done", "")]


def test_a_failure_says_why(told):
    assert told(Bad()) == [("Bad", "running", ""), ("Bad", "failed", "fact_x: 41 rows where 42 are listed")]


def test_what_is_not_there_is_missing_and_named(told):
    (only,) = told(Elsewhere(url="s3://partners/2014/02/03/"))
    assert only[:2] == ("Elsewhere s3://partners/2014/02/03/", "missing")


def test_a_name_leaves_out_the_date_and_what_goes_without_saying():
    day = datetime.date(2014, 2, 3)
    assert events.name_of(Fine(date=day)) == "Fine"
    assert events.name_of(Fine(date=day, table="venues")) == "Fine venues"


def test_a_line_is_never_longer_than_a_pipe_keeps_whole(told):
    class Wordy(EtlTask):
        def run(self):
            raise DataError("€" * 5000)

    ((_, _, _), (_, state, why)) = told(Wordy())
    assert state == "failed"
    assert len(json.dumps({"task": "Wordy", "state": state, "why": why, "at": 1234567890.123456})) < 4096
