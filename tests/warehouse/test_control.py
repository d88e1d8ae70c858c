"""The control tables: made once, markers, what analysts may see, and which extracts may go."""

import datetime
import threading

import psycopg2
import pytest

from etl import warehouse as connections
from etl.testing import postgres_query
from etl.warehouse import control
from tests.pipeline import day

pytest_plugins = ("tests.nights",)


@pytest.fixture
def db(warehouse, sql):
    with connections.connect("test") as db:
        control.prepare(db)
        yield db


# But for those that are locked.
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'etl' AND tablename NOT LIKE 'lock%'"


def receipt(key="LoadA {}", date=None, **said):
    return control.Receipt(key, "public.a", date, "run-1", "0.1", **said)


def test_many_first_nights_at_once_prepare_once(warehouse, sql):
    """Every one of them finds an empty warehouse, and every one succeeds."""
    barrier, failures = threading.Barrier(4), []

    def prepare():
        try:
            with connections.connect("test") as db:
                barrier.wait(10)
                control.prepare(db)
                db.ensure_schema("stage", readable=False)
                db.ensure_schema("mart", readable=True)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert warehouse.query(TABLES) == [(9,)]


def test_a_table_that_a_later_version_adds_comes_to_a_warehouse_that_has_the_others(db, warehouse):
    control.record(db, receipt(), [], [])
    warehouse.query("DROP TABLE etl.quarantine")
    with connections.connect("later") as later:
        assert control.is_loaded(later, "LoadA {}")
        later.seen.clear()
        control.prepare(later)
        assert control.is_loaded(later, "LoadA {}")
    assert warehouse.query("SELECT count(*) FROM etl.quarantine") == [(0,)]


def test_a_marker_is_there_when_it_was_recorded(db):
    assert not control.is_loaded(db, "LoadA {}")
    control.record(db, receipt(), [], [])
    assert control.is_loaded(db, "LoadA {}")
    assert control.loaded(db, ["LoadA {}", "LoadB {}"]) == {"LoadA {}"}
    assert control.loaded(db, []) == set()


@pytest.mark.engines("postgres", reason="a primary key that is enforced; with Redshift the lock sees to it")
def test_work_is_recorded_once(db):
    control.record(db, receipt(), [], [])
    with pytest.raises(Exception, match="loads_pkey"):
        control.record(db, receipt(), [], [])


def test_an_empty_warehouse_has_no_marker(warehouse, sql):
    with connections.connect("test") as db:
        assert control.loaded(db, ["LoadA {}"]) == set()


@pytest.mark.parametrize(
    ("whole", "left"), [(True, ["LoadB {}", "LoadC {}"]), (False, ["LoadA {}", "LoadB {}", "LoadC {}"])]
)
def test_what_is_held_back_replaces_what_was(db, warehouse, whole, left):
    """Of a whole table that is all that was held back of it, otherwise only what the same work held back."""
    db.execute(
        "CREATE TABLE public.aside AS SELECT '[1]'::text AS source_key, 'c'::text AS column_name, 'r'::text AS reason, "
        "'{}'::text AS source_row"
    )
    for key in ("LoadA {}", "LoadC {}"):
        control.hold(db, receipt(key, day(2), rows_rejected=1), "public.aside", whole=False)
    other = receipt("LoadB {}", rows_rejected=1)
    other.target = "public.b"
    control.hold(db, other, "public.aside", whole=True)
    control.hold(db, receipt("LoadC {}", rows_rejected=1), "public.aside", whole=whole)
    held = "SELECT task_key FROM etl.quarantine ORDER BY 1"
    assert warehouse.query(held) == [(key,) for key in left]
    other.rows_rejected = 0
    control.hold(db, other, "public.aside", whole=True)
    assert warehouse.query(held) == [(key,) for key in left if key != "LoadB {}"]


def test_inputs_are_the_loads_that_the_rows_come_from(db):
    control.record(db, receipt("LoadA {}"), [], [])
    assert control.loads_of(db, ["LoadA {}", "LoadB {}"]) == [{"task": "LoadA {}", "run": "run-1", "table": "public.a"}]
    assert control.loads_of(db, []) == []


def test_data_as_of_never_goes_back(db, warehouse):
    as_of = "SELECT business_date, rows FROM etl.data_as_of WHERE table_name = 'public.a'"
    control.publish_day(db, "public.a", None, 1)
    assert warehouse.query(as_of) == [(None, 1)]
    for date, rows, expected in ((day(2), 10, day(2)), (day(1), 11, day(2)), (None, 12, day(2)), (day(3), 13, day(3))):
        control.publish_day(db, "public.a", date, rows)
        assert warehouse.query(as_of) == [(expected, rows)]


@pytest.mark.parametrize("table", ["loads", "receipts", "losses", "quarantine", "files", "extracts"])
def test_analysts_may_not_read_what_is_ours(db, warehouse, table):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        postgres_query(warehouse.reader_url, f"SELECT * FROM etl.{table}")


def test_analysts_may_read_data_as_of_and_not_write_it(db, warehouse):
    assert postgres_query(warehouse.reader_url, "SELECT * FROM etl.data_as_of") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        postgres_query(warehouse.reader_url, "DELETE FROM etl.data_as_of")


def test_an_extract_may_go_when_the_last_of_its_loads_has_committed(db):
    control.expect(db, "s3://a/manifest.json", ["LoadA {}", "LoadB {}"])
    control.record(db, receipt("LoadA {}"), [], [])
    assert control.sweepable(db, 0) == []
    control.record(db, receipt("LoadB {}"), [], [])
    assert control.sweepable(db, 0) == ["s3://a/manifest.json"]
    control.swept(db, "s3://a/manifest.json")
    assert control.sweepable(db, 0) == []


def test_days_are_counted_from_the_last_load(db, warehouse):
    control.expect(db, "s3://a/manifest.json", ["LoadA {}", "LoadB {}"])
    control.record(db, receipt("LoadA {}"), [], [])
    control.record(db, receipt("LoadB {}"), [], [])
    ago = "UPDATE etl.loads SET loaded_at = now() - %s WHERE task_key = %s"
    warehouse.query(ago, (datetime.timedelta(days=9), "LoadA {}"))
    warehouse.query(ago, (datetime.timedelta(days=6.9), "LoadB {}"))
    assert control.sweepable(db, 7) == []
    warehouse.query(ago, (datetime.timedelta(days=7.1), "LoadB {}"))
    assert control.sweepable(db, 7) == ["s3://a/manifest.json"]


def test_an_extract_that_was_written_again_is_swept_again(db, warehouse):
    control.record(db, receipt("LoadA {}"), [], [])
    control.expect(db, "s3://a/manifest.json", ["LoadA {}"])
    control.swept(db, "s3://a/manifest.json")
    control.expect(db, "s3://a/manifest.json", ["LoadA {}"])
    assert control.sweepable(db, 0) == ["s3://a/manifest.json"]
    assert warehouse.query("SELECT count(*) FROM etl.extracts") == [(1,)]


def test_work_that_is_undone_takes_all_of_its_source_anew(db):
    when = datetime.datetime(2014, 2, 3, tzinfo=datetime.timezone.utc)
    for reader in ("public.a", "public.ab"):
        control.note_seen(db, reader, "raw.s", when, "run-1")
    assert control.seen(db, "public.a", "raw.s") == "TIMESTAMPTZ '2014-02-03 00:00:00+00'"
    with db.transaction():
        control.record(db, receipt(), [], [])
        control.undo(db, ["LoadA {}"], ["public.a"])
    assert not control.is_loaded(db, "LoadA {}")
    assert control.seen(db, "public.a", "raw.s") == "TIMESTAMPTZ '0001-01-01 00:00:00+00'"
    assert control.seen(db, "public.ab", "raw.s") == "TIMESTAMPTZ '2014-02-03 00:00:00+00'"


def test_nothing_makes_a_table_older(db):
    for moment in ("2014-02-03T01:00:00+00:00", "2014-02-02T01:00:00+00:00"):
        control.note_extract(db, "public.a", moment, "run-1")
    assert str(control.standing(db, "public.a").extracted_at) == "2014-02-03 01:00:00+00:00"
