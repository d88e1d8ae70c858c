"""What analysts' sessions go through while tables are loaded under them, by every strategy: nothing.

A view, a grant, an open cursor, a prepared query and an old snapshot are on each table before a night that changes
all of them; and a load that has to wait for a session gives up in time, and says for whom it waited.
"""

import contextlib
import itertools
import threading
from collections.abc import Iterator

import psycopg2
import pytest

from etl.errors import Locked, WarehouseError
from etl.testing import drawn
from tests.pipeline import day, load, loader, refused, session, stages

pytest_plugins = ("tests.nights",)

SALE = "sale_id INTEGER NOT NULL PRIMARY KEY, date_key INTEGER NOT NULL, price NUMERIC(8,2)"
MEMBER = """user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20),
    valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31',
    is_current BOOLEAN NOT NULL DEFAULT TRUE"""
FACTS = {
    "replace": ("sale_id",),
    "append": ("sale_id",),
    "upsert": ("sale_id",),
    "partition": ("date_key",),
}
DIMENSIONS = ("scd1", "scd2")
STRATEGIES = (*FACTS, *DIMENSIONS)
# Enough rows that a cursor which has taken one is in the middle of them.
SALES = [f"{number}|20140201|{number}.00" for number in range(1, 2001)]
CHANGED = {
    "replace": [*(line.replace(".00", ".50") for line in SALES[:-5]), "9001|20140202|1.00"],
    "append": [*SALES[:10], "9001|20140202|1.00"],
    "upsert": [*(line.replace(".00", ".50") for line in SALES[:10]), "9001|20140202|1.00"],
    "partition": [*SALES[:10], "9001|20140201|1.00"],
}
USERS = [f"{number}|Ulm" for number in range(1, 2001)]
MOVED = [*(line.replace("Ulm", "Bonn") for line in USERS[:50]), *USERS[50:], "9001|Rom"]


# What of a row changes from one night to the next.
PRICE, CITY = "sale_id * (price + date_key)", "user_key * (CASE WHEN is_current THEN 7 ELSE 3 END + LENGTH(city))"


def table_of(strategy):
    return f"{'dim' if strategy in DIMENSIONS else 'fact'}_{strategy}"


SAID = {table_of(strategy): CITY if strategy in DIMENSIONS else PRICE for strategy in STRATEGIES}


def night(strategy, date):
    if strategy in DIMENSIONS:
        text = "user_id|city\n" + "\n".join(USERS if date == 1 else MOVED)
        key = ("user_id",)
    else:
        text = "sale_id|date_key|price\n" + "\n".join(SALES if date == 1 else CHANGED[strategy])
        key = FACTS[strategy]
    return {
        "table": table_of(strategy),
        "text": text,
        "name": f"Load{strategy.title()}",
        "strategy": strategy,
        "key": key,
    }


@pytest.fixture
def first_night(nights, warehouse):
    for strategy in STRATEGIES:
        history = ("history: city",) if strategy == "scd2" else ()
        nights.table(f"public.{table_of(strategy)}", MEMBER if strategy in DIMENSIONS else SALE, *history)
        load(date=1, **night(strategy, 1))
        table = table_of(strategy)
        warehouse.query(f"CREATE VIEW public.v_{table} AS SELECT * FROM public.{table} WHERE TRUE")
        warehouse.query(f"GRANT SELECT ON public.v_{table} TO bi_reader")


def rows_of(warehouse, table):
    with contextlib.closing(Analyst(warehouse.reader_url)) as analyst:
        return analyst.query(f"SELECT * FROM public.{table} ORDER BY 1")


class Analyst:
    """One connection of bi_reader's."""

    def __init__(self, url: str, *statements: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        for statement in statements:
            self.query(statement)

    def query(self, sql: str) -> list[tuple]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def watching(url: str, tables: list[str]) -> Iterator[list[list[tuple]]]:
    """What each table was seen to be, again and again while the block runs: every state once, in order."""
    seen: list[list[tuple]] = [[] for _ in tables]
    stop = threading.Event()

    def watch() -> None:
        with contextlib.closing(Analyst(url)) as analyst:
            last = None
            for turn in itertools.count():
                for states, table in zip(seen, tables, strict=True):
                    state = analyst.query(
                        f"SELECT count(*), sum({SAID[table]}), max(loaded) FROM public.{table} t, "
                        f"(SELECT business_date AS loaded FROM etl.data_as_of WHERE table_name = 'public.{table}') d"
                    )[0]
                    if state not in states[-1:]:
                        states.append(state)
                # After the block everything is looked at once more.
                if stop.is_set():
                    last = turn if last is None else last
                    if turn > last:
                        return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_no_session_notices_a_night_of_all_strategies(first_night, warehouse):
    tables = [table_of(strategy) for strategy in STRATEGIES]
    before = {table: rows_of(warehouse, table) for table in tables}
    oids = "SELECT relname, oid FROM pg_class WHERE relname ~ '^(v_)?(fact|dim)_' AND relkind IN ('r', 'v') ORDER BY 1"
    grants = warehouse.query("SELECT relname, relacl::text FROM pg_class WHERE relname ~ '^(v_)?(fact|dim)_'")
    there = warehouse.query(oids)
    with contextlib.ExitStack() as stack:

        def analyst(*statements: str) -> Analyst:
            return stack.enter_context(contextlib.closing(Analyst(warehouse.reader_url, *statements)))

        cursors = {
            table: analyst("BEGIN", f"DECLARE c CURSOR FOR SELECT * FROM public.v_{table} ORDER BY 1")
            for table in tables
        }
        begun = {table: cursor.query("FETCH 1 FROM c") for table, cursor in cursors.items()}
        prepared = {table: analyst(f"PREPARE q AS SELECT * FROM public.{table} ORDER BY 1") for table in tables}
        for table, one in prepared.items():
            assert one.query("EXECUTE q") == before[table]
        old = analyst("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM public.fact_replace LIMIT 1")
        with watching(warehouse.reader_url, tables) as seen:
            for strategy in STRATEGIES:
                load(date=2, **night(strategy, 2))
        after = {table: rows_of(warehouse, table) for table in tables}
        for table in tables:
            assert before[table] != after[table]
            assert begun[table] + cursors[table].query("FETCH ALL FROM c") == before[table]
            assert prepared[table].query("EXECUTE q") == after[table]
            assert old.query(f"SELECT * FROM public.v_{table} ORDER BY 1") == before[table]
            assert analyst().query(f"SELECT * FROM public.v_{table} ORDER BY 1") == after[table]
    # Complete, and its day with it; never empty, never between two days.
    for table, states in zip(tables, seen, strict=True):
        assert [(rows, str(loaded)) for rows, _, loaded in states] == [
            (len(before[table]), "2014-02-01"),
            (len(after[table]), "2014-02-02"),
        ], table
    assert warehouse.query(oids) == there
    assert warehouse.query("SELECT relname, relacl::text FROM pg_class WHERE relname ~ '^(v_)?(fact|dim)_'") == grants


def load_of_the_next_day(strategy):
    said = night(strategy, 2)
    return loader(said.pop("table"), said.pop("text"), **said)(date=day(2))


@pytest.mark.engines("postgres", reason="Redshift limits no wait for a lock by itself; the next test is its own")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_load_waits_for_no_session_longer_than_it_may_and_says_for_whom(first_night, warehouse, settings, strategy):
    table = table_of(strategy)
    before = rows_of(warehouse, table)
    settings.set("warehouse", "lock_timeout", 1)
    task = load_of_the_next_day(strategy)
    lock = f"LOCK TABLE public.{table} IN SHARE MODE"
    with session(warehouse.admin_url, "SET application_name = 'quarterly report'", lock):
        message = refused(task, Locked)
    assert f"public.{table}" in message and "quarterly report" in message and "run again" in message
    assert rows_of(warehouse, table) == before
    assert stages(warehouse) == []
    assert not task.complete()
    task.run()
    assert rows_of(warehouse, table) != before


@pytest.mark.engines("redshift", reason="its loads wait as long as any statement may take")
@pytest.mark.parametrize(
    "strategy",
    [pytest.param(strategy, marks=[pytest.mark.exam] if strategy != "scd2" else []) for strategy in STRATEGIES],
)
def test_a_load_on_redshift_waits_no_longer_than_a_statement_may_take(first_night, warehouse, settings, strategy):
    before = rows_of(warehouse, table_of(strategy))
    settings.set("warehouse", "statement_timeout", 3)
    task = load_of_the_next_day(strategy)
    with session(warehouse.url, f"LOCK public.{table_of(strategy)}"):
        assert "statement_timeout is 3 s" in refused(task, WarehouseError)
    assert rows_of(warehouse, table_of(strategy)) == before
    assert stages(warehouse) == []
    assert not task.complete()
    settings.set("warehouse", "statement_timeout", 60)
    task.run()
    assert rows_of(warehouse, table_of(strategy)) != before


@pytest.mark.engines("postgres", reason="on Redshift a load writes to its table, though it be no row")
def test_a_load_that_changes_nothing_waits_for_nobody(first_night, warehouse, settings):
    settings.set("warehouse", "lock_timeout", 1)
    with session(warehouse.admin_url, "LOCK TABLE public.fact_upsert IN SHARE MODE"):
        load(date=2, **night("upsert", 1))
    drawn.shows(warehouse, "etl.data_as_of WHERE table_name = 'public.fact_upsert'", "business_date\n2014-02-02")
