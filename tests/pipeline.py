"""Tiny pipelines for the tests of the loads: extracts of drawn rows, loaders made on the spot, ways to run them."""

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import luigi
import psycopg2
import pytest

from etl import warehouse
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.testing import drawn


def day(number: int) -> datetime.date:
    return datetime.date(2014, 2, number)


def extractor(text: str, name: str = "ExtractDrawn", counted: int | None = None) -> type[BaseExtractor]:
    """An extractor of the drawn rows."""
    columns, values = drawn.rows(text)

    def read(self: BaseExtractor) -> list[drawn.Row]:
        self.findings.counted = counted
        return values

    return type(name, (BaseExtractor,), {"columns": tuple(columns), "rows": read})


def loader(table: str, text: str | None = None, name: str = "LoadDrawn", **said: Any) -> type[BaseLoader]:
    """A loader of schema.table, from the drawn rows where there are some."""
    schema, _, table = table.rpartition(".")
    said |= {"schema": schema or "public", "table": table}
    if text is not None:
        said["extractor"] = extractor(text, name.replace("Load", "Extract"))
    return type(name, (BaseLoader,), said)


def night(*tasks: luigi.Task) -> None:
    """Run the tasks with what they require, as a night does; fails when one of them does."""
    done = luigi.build(tasks, local_scheduler=True, detailed_summary=True, log_level="WARNING")
    assert done.status == luigi.LuigiStatusCode.SUCCESS, done.summary_text


def load(table: str, text: str, date: int | None = 1, **said: Any) -> luigi.Task:
    """One night of a table: the drawn rows, loaded on that day of the month."""
    task = loader(table, text, **said)(date=date and day(date))
    night(task)
    return task


def refused(task: luigi.Task, kind: type[Exception]) -> str:
    """The message with which a load fails, its requirements being done."""
    requirements = luigi.task.flatten(task.requires())
    if requirements:
        night(*requirements)
    with pytest.raises(kind) as failure:
        task.run()
    return str(failure.value)


@contextlib.contextmanager
def session(url: str, *statements: str) -> Iterator[Any]:
    """A cursor of a connection of its own, in a transaction that stays open."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        yield cursor


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[list[BaseException]]:
    """Another thread does the work while the block runs, and has ended after it; what it raised is in the list."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield raised
    thread.join(30)
    assert not thread.is_alive()


@contextlib.contextmanager
def busy(db: warehouse.Engine, url: str) -> Iterator[None]:
    """The session is in the middle of a statement while the block runs, where the engine's sessions need that.

    An idle one of Redshift's is ended by nobody.
    """
    if db.name == "redshift":
        yield
        return
    with contextlib.closing(psycopg2.connect(url)) as gate, gate.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(42)")
        with meanwhile(lambda: db.query("SET lock_timeout = 0; SELECT pg_advisory_lock(42)")) as raised:
            yield
            gate.close()
        db.execute("RESET lock_timeout")
    assert raised == []


@contextlib.contextmanager
def fault(warehouse, *armed: str) -> Iterator[None]:
    """The emulated Redshift does that to whom it meets while the block runs: see tests/redshift/faults.py."""
    with contextlib.closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for one in armed:
            cursor.execute(f"SET emulator.fault TO '{one}'")
        try:
            yield
        finally:
            cursor.execute("SET emulator.fault TO ''")


def stages(warehouse) -> list[str]:
    return [name for (name,) in warehouse.query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")]


def receipts(warehouse, table: str) -> list[tuple[int, ...]]:
    """staged, inserted, updated, deleted and after of each load of a table, in their order."""
    return warehouse.query(
        "SELECT rows_staged, rows_inserted, rows_updated, rows_deleted, rows_after FROM etl.receipts "
        "WHERE target = %s ORDER BY loaded_at",
        (table,),
    )


VENUE = "venue_key BIGINT NOT NULL PRIMARY KEY, venue_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20) DEFAULT 'unknown'"
