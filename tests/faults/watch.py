"""An analyst who looks every 50 ms, whatever happens to the loads, and remembers what there was to see."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg2

from tests.conftest import WarehouseDatabase
from tests.pipeline import until

PERIOD = 0.05
TABLES = ("public.dim_fan", "public.fact_visit", "public.price")

# One statement, so all of it is of one instant.
_LOOK = (
    "SELECT "
    + ", ".join(f"(SELECT ARRAY[count(*), sum(hash_record_extended(t, 7))] FROM {table} t)" for table in TABLES)
    + ", (SELECT count(*) FROM public.fact_visit f"
    " WHERE NOT EXISTS (SELECT 1 FROM public.dim_fan d WHERE d.fan_key = f.fan_key))"
)


@dataclass(frozen=True)
class Sight:
    """Of each table its number of rows and a sum of their hashes; and how many facts point at nothing."""

    tables: dict[str, tuple[int, int]]
    orphans: int


def look(query: Callable[[str], list[tuple]]) -> Sight:
    ((*tables, orphans),) = query(_LOOK)
    return Sight({name: tuple(map(int, said)) for name, said in zip(TABLES, tables, strict=True)}, orphans)


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
    with contextlib.closing(psycopg2.connect(database.reader_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def query(sql: str) -> list[tuple]:
            cursor.execute(sql)
            return cursor.fetchall()

        while not stop.is_set():
            sight = look(query)
            if not sights or sights[-1] != sight:
                sights.append(sight)
            looked.set()
            stop.wait(PERIOD)
