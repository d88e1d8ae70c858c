"""A command that runs tasks: however it ends, the ledger says so, it is told of, and the exit code stays."""

import datetime
import logging

import click
import pytest

from etl import ledger
from etl.errors import ConfigError, Locked, WarehouseError
from etl.ledger import Book
from etl.night import night

DAY = datetime.date(2014, 2, 3)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ETL_RUN_ID", raising=False)


def ends(work) -> int:
    return night("Nightly 2014-02-03", "Nightly", DAY, work)


def raises(error: BaseException):
    def work(book: Book) -> int:
        raise error

    return work


def test_what_the_work_says_is_the_exit_code(lake):
    assert ends(lambda book: 20) == 20
    (run,) = ledger.runs()
    assert (run.state, run.code, run.day, run.error) == ("failed", 20, "2014-02-03", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("[warehouse] url: set the environment variable WAREHOUSE_PASSWORD"), 2),
        (WarehouseError("warehouse: refuses us"), 30),
        (KeyError("a bug"), 40),
        (KeyboardInterrupt(), 1),
    ],
)
def test_what_ends_it_early_is_in_the_ledger(lake, error, code):
    with pytest.raises(type(error)):
        ends(raises(error))
    (run,) = ledger.runs()
    assert (run.state, run.code) == ("failed", code)
    assert str(error) in run.error


def test_what_was_asked_for_wrongly_was_never_begun(lake):
    with pytest.raises(click.UsageError):
        ends(raises(click.UsageError("--from 2014-02-04 is after --to 2014-02-03")))
    assert ledger.runs() == []


def test_a_second_one_is_refused_and_leaves_no_trace(lake):
    def work(book: Book) -> int:
        with pytest.raises(Locked, match="Nightly is being run already"):
            ends(lambda book: 0)
        return 0

    assert ends(work) == 0
    assert [run.code for run in ledger.runs()] == [0]


def test_the_copy_in_the_lake_is_whole(lake):
    assert ends(lambda book: 0) == 0
    (run,) = ledger.runs()
    assert lake.get(f"runs/{run.id}.jsonl") == (ledger.FOLDER / f"{run.id}.jsonl").read_bytes()


def test_a_lake_that_does_not_answer_changes_nothing_and_is_said(settings, caplog):
    for key, value in {"url": "s3://lake", "endpoint_url": "http://127.0.0.1:9", "access_key_id": "a"}.items():
        settings.set("lake", key, value)
    settings.set("lake", "secret_access_key", "b")
    with caplog.at_level(logging.WARNING, "luigi-interface.etl"):
        assert ends(lambda book: 0) == 0
    assert "its exit code stands, but its copy in the lake failed" in caplog.text
    assert ledger.runs()[0].state == "done"
