"""Progress: whoever watches a task learns how far it is, and not too often."""

import json
import logging
import os
from types import SimpleNamespace

import luigi
import pytest

from etl import events, progress
from etl.progress import Progress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def watched(monkeypatch):
    """What came through the pipe so far, as events."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    monkeypatch.setenv(events.PIPE, str(writing))

    def read() -> list[dict]:
        try:
            return [json.loads(line) for line in os.read(reading, 1 << 16).splitlines()]
        except BlockingIOError:
            return []

    yield SimpleNamespace(read=read, reading=reading)
    for descriptor in (reading, writing):
        os.close(descriptor)


class Watched(luigi.Task):
    """A task while a worker runs it."""

    set_status_message = None
    set_progress_percentage = None


def test_it_counts_rows_and_bytes(clock):
    counter = Progress("ExtractVenues {}", total=4000)
    counter.add(1500, 2_000_000)
    counter.add(500, 500_000)
    clock.now += 1.5
    assert (counter.rows, counter.bytes) == (2000, 2_500_000)
    assert str(counter) == "read 2,000 of 4,000 rows, 2.5 MB in 1.5 s"


def test_what_is_not_known_is_not_said(clock):
    assert str(Progress("x", verb="loaded")) == "loaded 0 rows in 0.0 s"


def test_a_watcher_is_told_at_most_twice_a_second(clock, watched):
    counter = Progress("ExtractVenues {}", total=100)
    for _ in range(10):
        clock.now += 0.125
        counter.add(1, 10)
    told = watched.read()
    assert [event["rows"] for event in told] == [4, 8]
    assert (told[0]["verb"], told[0]["bytes"], told[0]["total"]) == ("read", 40, 100)


def test_without_a_watcher_nothing_happens(clock, monkeypatch):
    monkeypatch.delenv(events.PIPE, raising=False)
    counter = Progress("x")
    clock.now += 1
    counter.add(1)
    assert counter.rows == 1


def test_a_watcher_that_went_away_does_not_stop_the_work(clock, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setenv(events.PIPE, str(writing))
    counter = Progress("x")
    for _ in range(2):
        clock.now += 1
        counter.add(1)
    os.close(writing)
    assert counter.rows == 2
    assert events.PIPE not in os.environ


def test_luigid_is_told_while_a_worker_runs_the_task(clock):
    task, told = Watched(), []
    task.set_status_message = told.append
    task.set_progress_percentage = told.append
    counter = Progress("x", task, total=10)
    for rows in (5, 7):
        clock.now += 1
        counter.add(rows)
    assert told == ["read 5 of 10 rows in 1.0 s", 50, "read 12 of 10 rows in 2.0 s", 100]


def test_the_last_word_is_the_total_or_the_tasks_own(clock):
    task, told = Watched(), []
    task.set_status_message = told.append
    task.set_progress_percentage = told.append
    counter = Progress("x", task)
    counter.add(3)
    counter.done()
    counter.done("3 rows staged")
    assert told == ["read 3 rows in 0.0 s", 100, "3 rows staged", 100]


def test_a_task_that_no_worker_runs(clock):
    counter = Progress("x", Watched(), total=10)
    clock.now += 1
    counter.add(5)
    assert counter.rows == 5


def test_the_log_gets_a_line_now_and_then(clock, caplog):
    logger = logging.getLogger("luigi-interface.etl")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger.name):
            counter = Progress("ExtractVenues {}")
            for _ in range(40):
                clock.now += 1
                counter.add(1)
    finally:
        logger.removeHandler(caplog.handler)
    said = [line.partition("ExtractVenues {}: ")[2] for line in caplog.text.splitlines()]
    assert list(dict.fromkeys(said)) == ["read 15 rows in 15.0 s", "read 30 rows in 30.0 s"]
