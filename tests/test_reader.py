"""What an analyst sees while nights run, are killed and run again: one complete day of each table, and no other.

A reader asks every 50 ms, as the analysts' own role; what it saw is then compared with the two states that a
warehouse has which nobody disturbed and nobody watched.
"""

import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from tests.marketplace import DAY, NEXT, Builder, House, Marketplace, checksums, foreign_keys, orphans, row_sums
from tests.pipeline import until

# Redshift: a random death is in tests/test_chaos.py, and what readers see in tests/test_sessions.py.
pytestmark = pytest.mark.exam_on("redshift")
pytest_plugins = ("tests.marketplace",)

NIGHTLY = "tasks.nightly.Nightly"
SCALE = 0.02
SEEN_BY_ANALYSTS = ("public", "mart")
# Those that are inferred come with the facts that name them, a fact at a time.
MEMBERS = {"public.dim_user": "NOT t.is_inferred"}
PERIOD = 0.05

# Luigi may take the tasks in another order each time: all together these leave some loads to the last run.
FIRST_NIGHT = ("copy.part:3", "publish.after:4", "commit.before:4", "commit.after:3")
SECOND_NIGHT = ("publish.after:3", "copy.part:2", "commit.before:4", "commit.after:2", "publish.after:2")

Tables = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Sight:
    """What a reader saw at one instant: every table's rows, what etl.data_as_of says, and rows that point nowhere."""

    tables: Tables
    as_of: dict[str, tuple[datetime.date | None, int]]
    inferred: int
    orphans: list[tuple]


class Reader:
    """An analyst's session, each of whose transactions has one snapshot."""

    def __init__(self, house: House) -> None:
        self._checksums = row_sums if house.database.engine == "redshift" else checksums
        self._connection = psycopg2.connect(house.database.reader_url)
        self._connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)

    def query(self, sql: str) -> list[tuple]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def look(self) -> Sight:
        """In the transaction that is open, or a new one."""
        as_of, inferred = {}, 0
        tables = self._checksums(self.query, SEEN_BY_ANALYSTS, MEMBERS)
        if "public.dim_user" in tables:
            ((inferred,),) = self.query("SELECT count(*) FROM public.dim_user WHERE is_inferred")
        if self.query("SELECT 1 FROM pg_tables WHERE schemaname = 'etl' AND tablename = 'data_as_of'"):
            as_of = {name: (day, rows) for name, day, rows in self.query(_AS_OF)}
        return Sight(tables, as_of, inferred, orphans(self.query))

    def end(self) -> None:
        """Of the transaction."""
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


_AS_OF = "SELECT table_name, business_date, rows FROM etl.data_as_of WHERE table_name !~ '^raw'"


@dataclass
class Watch:
    """A thread that looks every 50 ms until it is told to stop, and remembers each change of what it saw."""

    house: House
    sights: list[Sight] = field(default_factory=list)
    looks: int = 0
    raised: BaseException | None = None

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
            # What the night ended with is seen as well.
            looks = self.looks
            until(lambda: self.looks > looks + 1 or self.raised)
        finally:
            stop.set()
            thread.join(30)
        if self.raised:
            raise self.raised

    def _watch(self, stop: threading.Event) -> None:
        try:
            with contextlib.closing(Reader(self.house)) as reader:
                while not stop.wait(PERIOD):
                    sight = reader.look()
                    reader.end()
                    self.looks += 1
                    if not self.sights or self.sights[-1] != sight:
                        self.sights.append(sight)
        except BaseException as error:
            self.raised = error


@dataclass(frozen=True)
class Watched:
    """`before` and `after` are the tables as each night leaves them undisturbed."""

    before: Tables
    after: Tables
    first_night: Watch
    second_night: Watch
    old_session: list[Sight]

    @property
    def sights(self) -> list[Sight]:
        return self.first_night.sights + self.second_night.sights


@pytest.fixture(scope="module")
def watched(marketplace: Marketplace, builder: Builder) -> Watched:
    """Two nights, each killed at several places and run again, under the eyes of the reader."""
    marketplace.seed(SCALE)
    calm, house = builder.house(), builder.house()
    states = []
    watches = []
    old_session: list[Sight] = []
    with contextlib.ExitStack() as stack:
        for day, failpoints in ((DAY, FIRST_NIGHT), (NEXT, SECOND_NIGHT)):
            calm.run(NIGHTLY, day, workers=2)
            with contextlib.closing(Reader(calm)) as reader:
                states.append(reader.look().tables)
            watches.append(Watch(house))
            with watches[-1].on():
                for failpoint in failpoints:
                    process = house.start(NIGHTLY, day, failpoint=failpoint)
                    assert process.wait(60) == -signal.SIGKILL, f"{failpoint}:\n{house.log.read_text()[-2000:]}"
                house.run(NIGHTLY, day, workers=2)
            if day == DAY:
                marketplace.a_day_passes()
                patient = stack.enter_context(contextlib.closing(Reader(house)))
                old_session.append(patient.look())
        old_session.append(patient.look())
        patient.end()
        old_session.append(patient.look())
    return Watched(states[0], states[1], watches[0], watches[1], old_session)


def day_of(watched: Watched, table: str, seen: Any) -> datetime.date:
    """Which day's table it is that was seen; fails for one that is neither day's."""
    days = {watched.before[table]: DAY, watched.after[table]: NEXT}
    assert seen in days, f"{table}: {seen[0]} rows, a table of no day; days have {[rows for rows, _ in days]}"
    return days[seen]


def test_the_reader_had_something_to_see(watched):
    """Every table but the calendar differs between the days, and both were seen, and moments in between."""
    differ = {table for table, seen in watched.before.items() if watched.after[table] != seen}
    assert differ == watched.before.keys() - {"public.dim_date"}
    sights = watched.second_night.sights
    for table in differ:
        assert {day_of(watched, table, sight.tables[table]) for sight in sights} == {DAY, NEXT}
    assert len(sights) > 5 and len(watched.first_night.sights) > 5
    assert watched.second_night.looks > len(sights)


def test_each_table_is_wholly_of_one_day(watched):
    for sight in watched.sights:
        for table, seen in sight.tables.items():
            assert seen[0] > 0, f"{table} was empty"
            day_of(watched, table, seen)


def test_a_table_is_there_for_good_and_never_goes_back(watched):
    for watch in (watched.first_night, watched.second_night):
        there: dict[str, datetime.date] = {}
        for sight in watch.sights:
            days = {table: day_of(watched, table, seen) for table, seen in sight.tables.items()}
            assert there.keys() <= days.keys()
            assert all(day <= days[table] for table, day in there.items())
            there = days
    assert watched.second_night.sights[0].tables.keys() == watched.before.keys()
    assert watched.sights[-1].tables == watched.after


def test_no_fact_is_without_its_dimension_at_any_instant(watched):
    assert [sight.orphans for sight in watched.sights if sight.orphans] == []


def test_a_fact_is_never_a_day_ahead_of_its_dimensions(watched):
    for sight in watched.sights:
        for table, _, other, _ in foreign_keys():
            if table in sight.tables and other != "public.dim_date":
                assert day_of(watched, table, sight.tables[table]) <= day_of(watched, other, sight.tables[other])


def test_data_as_of_says_the_day_that_is_there(watched):
    for sight in watched.sights:
        assert sight.as_of.keys() == sight.tables.keys()
        for table, (day, rows) in sight.as_of.items():
            dateless = table == "public.dim_date"
            assert day == (None if dateless else day_of(watched, table, sight.tables[table])), table
            assert rows == sight.tables[table][0] + (sight.inferred if table in MEMBERS else 0), table


def test_an_old_snapshot_stays_as_it_was(watched):
    """A transaction that began before the second night sees the first one's rows after it; the next one does not."""
    began, ended, anew = watched.old_session
    assert began.tables == ended.tables == watched.before
    assert began.as_of == ended.as_of
    assert anew.tables == watched.after
