"""An analyst who looks every 50 ms, whatever happens to the loads, and remembers what there was to see."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg2

from etl.testing import WarehouseDatabase
from tests.pipeline import until

PERIOD = 0.05
# But for the one that a fault renames: who asks for it by name would have to stop.
COLUMNS = {
    "public.dim_fan": ("fan_key", "fan_id", "name", "email", "city"),
    "public.fact_visit": ("visit_id", "date_key", "fan_key", "gate", "seconds"),
    "public.price": ("id", "seat", "price"),
}
TABLES = tuple(COLUMNS)


def _sum(engine: str, table: str) -> str:
    """Of a hash of each row."""
    if engine == "postgres":
        return "sum(hash_record_extended(t, 7))"
    row = " || '|' || ".join(f"COALESCE(CAST({column} AS VARCHAR(200)), '-')" for column in COLUMNS[table])
    return f"SUM(CAST(STRTOL(LEFT(MD5({row}), 12), 16) AS DECIMAL(38,0)))"


def _look(engine: str) -> str:
    """One statement, so all of it is of one instant."""
    tables = ", ".join(f"(SELECT {said} FROM {t} t)" for t in TABLES for said in ("count(*)", _sum(engine, t)))
    return (
        f"SELECT {tables}, (SELECT count(*) FROM public.fact_visit f LEFT JOIN public.dim_fan d "
        "ON d.fan_key = f.fan_key WHERE d.fan_key IS NULL)"
    )


_LOOK = {engine: _look(engine) for engine in ("postgres", "redshift")}


@dataclass(frozen=True)
class Sight:
    """Of each table its number of rows and a sum of their hashes; and how many facts point at nothing."""

    tables: dict[str, tuple[int, int]]
    orphans: int


def look(database: WarehouseDatabase) -> Sight:
    with _analyst(database) as query:
        return _seen(database, query)


def _seen(database: WarehouseDatabase, query: Callable[[str], list[tuple]]) -> Sight:
    ((*numbers, orphans),) = query(_LOOK[database.engine])
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return Sight({name: (int(rows), int(hashes)) for name, (rows, hashes) in zip(TABLES, pairs, strict=True)}, orphans)


@contextlib.contextmanager
def _analyst(database: WarehouseDatabase) -> Iterator[Callable[[str], list[tuple]]]:
    with contextlib.closing(psycopg2.connect(database.reader_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def query(sql: str) -> list[tuple]:
            cursor.execute(sql)
            return cursor.fetchall()

        yield query


@contextlib.contextmanager
def watched(database: WarehouseDatabase) -> Iterator[list[Sight]]:
    """The sights of the block, each change once; a server that is away is waited for."""
    sights: list[Sight] = []
    stop, looked, raised = threading.Event(), threading.Event(), []

    def watch() -> None:
        try:
            while not stop.is_set():
                with contextlib.suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
                    _watch_a_session(database, sights, stop, looked)
                stop.wait(PERIOD)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        until(lambda: looked.is_set() or raised)
        yield sights
        # What the block ended with is seen as well.
        looked.clear()
        until(lambda: looked.is_set() or raised)
    finally:
        stop.set()
        thread.join(30)
    if raised:
        raise raised[0]


def _watch_a_session(
    database: WarehouseDatabase, sights: list[Sight], stop: threading.Event, looked: threading.Event
) -> None:
    with _analyst(database) as query:
        while not stop.is_set():
            sight = _seen(database, query)
            if not sights or sights[-1] != sight:
                sights.append(sight)
            looked.set()
            stop.wait(PERIOD)
