"""The sweep: an extract's files go when all that require it have committed, and not before."""

import datetime
import secrets

import pytest

from etl import warehouse as connections
from etl.sweep import sweep
from etl.warehouse import control
from etl.warehouse.definition import read_definition
from etl.warehouse.stage import Stage
from tests.pipeline import day, extractor, load, loader, night, stages

pytest_plugins = ("tests.nights",)


@pytest.fixture
def table(nights):
    nights.table("public.t", "a INTEGER")
    nights.table("public.u", "a INTEGER")


def swept(warehouse):
    return warehouse.query("SELECT DISTINCT swept_at IS NOT NULL FROM etl.extracts") == [(True,)]


def test_with_no_days_to_keep_files_go_with_their_load(table, settings, lake, warehouse):
    settings.set("lake", "keep_days", 0)
    load("t", "a\n1", name="LoadOnce")
    assert lake.keys() == []
    assert swept(warehouse)


def test_files_stay_until_the_last_of_two_loads(table, settings, lake, warehouse):
    settings.set("lake", "keep_days", 0)
    shared, found = extractor("a\n1", "ExtractShared"), []

    class LoadFirst(loader("t")):
        extractor, priority = shared, 1

    class LoadSecond(loader("u")):
        extractor = shared

        def run(self):
            found.extend(warehouse.query("SELECT task_key FROM etl.loads"))
            found.extend(lake.keys())
            super().run()

    night(LoadFirst(date=day(1)), LoadSecond(date=day(1)))
    assert found[0] == ('LoadFirst {"date": "2014-02-01"}',) and len(found) == 3
    assert lake.keys() == []
    assert swept(warehouse)


def test_files_are_kept_for_days(table, settings, lake, warehouse):
    settings.set("lake", "keep_days", 7)
    load("t", "a\n1", name="LoadKept")
    kept = lake.keys()
    assert len(kept) == 2
    warehouse.query("UPDATE etl.loads SET loaded_at = now() - %s", (datetime.timedelta(days=6.9),))
    with connections.connect("test") as db:
        sweep(db)
        assert lake.keys() == kept
        warehouse.query("UPDATE etl.loads SET loaded_at = now() - %s", (datetime.timedelta(days=7.1),))
        sweep(db)
    assert lake.keys() == []


def test_a_manifest_without_a_marker_is_never_touched(table, settings, lake, warehouse):
    settings.set("lake", "keep_days", 0)
    night(loader("t", "a\n1", name="LoadNever")(date=day(1)).requires())
    waiting = lake.keys()
    lake.put("notes.txt", b"of somebody else")
    load("t", "a\n2", date=2, name="LoadNever")
    assert lake.keys() == [*waiting, "notes.txt"]


def test_an_extract_that_is_loaded_again_is_swept_again(table, settings, lake, warehouse):
    settings.set("lake", "keep_days", 0)
    for _ in range(2):
        load("t", "a\n1", name="LoadTwice")
        warehouse.query("DELETE FROM etl.loads")
    assert lake.keys() == []


def test_a_lake_that_refuses_is_a_warning(table, settings, lake, warehouse, caplog):
    """And the others are swept all the same."""
    settings.set("lake", "keep_days", 7)
    load("t", "a\n1", name="LoadDamaged")
    load("t", "a\n1", date=2, name="LoadDamaged")
    lake.put("ExtractDamaged/date=2014-02-01/manifest.json", b"{}")
    settings.set("lake", "keep_days", 0)
    load("t", "a\n1", date=3, name="LoadDamaged")
    left = lake.keys()
    assert {key.split("/")[1] for key in left} == {"date=2014-02-01"}
    assert any("not a manifest of ours" in record.getMessage() for record in caplog.records)


def test_parts_of_attempts_that_died_go_when_nobody_tries_again(table, settings, lake):
    """And nothing else does: not what may still be written, nor what stands beside an extract, nor another's file."""
    once = loader("t", "a\n1", name="LoadOnce")
    night(once(date=day(2)).requires())
    waiting = lake.keys()
    (part,) = [key for key in waiting if not key.endswith("manifest.json")]
    dead = part.replace("date=2014-02-02", "date=2014-01-31")
    beside = part.replace(part.split("/")[2], "20140203T040506-1a2b3c4d-5e6f70")
    others = ["ExtractOnce/notes.txt", "ExtractOnce/notes/2014/readme.txt", part.replace("ExtractOnce", "ExtractOther")]
    for key in (dead, beside, *others):
        lake.put(key, b"x")
    left = sorted([*waiting, beside, *others])
    settings.set("lake", "keep_days", 0)
    night(once(date=day(1)))
    assert lake.keys() == sorted([*left, dead])
    # The lake's clock cannot be turned; a day less than none is over at once.
    settings.set("lake", "keep_days", -1)
    night(once(date=day(3)))
    assert lake.keys() == left


# ---- what the warehouse remembers

_BOOKS = ("receipts", "losses", "quarantine")


def aged(warehouse, days, of="true"):
    for book in (*_BOOKS, "loads"):
        warehouse.query(f"UPDATE etl.{book} SET loaded_at = loaded_at - INTERVAL '{days} days' WHERE {of}")


def remembered(warehouse, book):
    return [
        f"{target} {date:%d}"
        for target, date in warehouse.query(f"SELECT target, business_date FROM etl.{book} ORDER BY target, 2")
    ]


@pytest.fixture
def remembering(nights, settings, warehouse):
    """Three days of a table by day, each with a loss and a row in quarantine, and two of one that is kept as it is."""
    nights.table("public.fact", "a INTEGER NOT NULL, b VARCHAR(9), PRIMARY KEY (a)")
    nights.table("public.state", "a INTEGER NOT NULL PRIMARY KEY, b VARCHAR(9)")
    settings.set("warehouse", "keep_days", 400)
    # By its name the sweep finds out that it is by day, and luigi knows no two of one name apart.
    by_day = loader("fact", name=f"LoadByDay{secrets.token_hex(4)}", strategy="append", key=("a",))
    state = loader("state", name="LoadState", strategy="upsert", key=("a",))
    for date in (1, 2, 3):
        by_day.extractor = extractor(f"a | b\n{date} | x\0y\n{date + 10} | z", "ExtractByDay")
        by_day.extractor.on_loss = {"b": "quarantine"}
        night(by_day(date=day(date)))
    for date in (1, 2):
        state.extractor = extractor(f"a | b\n{date} | x\0y\n{date + 10} | z", "ExtractState")
        state.extractor.on_loss = {"b": "quarantine"}
        night(state(date=day(date)))
    everything = [*(f"public.fact 0{date}" for date in (1, 2, 3)), "public.state 01", "public.state 02"]
    assert [remembered(warehouse, book) for book in _BOOKS] == [everything] * 3
    return everything


def test_what_is_younger_is_remembered(remembering, warehouse):
    aged(warehouse, 399)
    with connections.connect("test") as db:
        sweep(db)
    assert [remembered(warehouse, book) for book in _BOOKS] == [remembering] * 3


def test_receipts_and_what_they_told_of_are_forgotten_but_for_each_tables_last(remembering, warehouse):
    """Quarantined rows of a table that is kept as it is are missing from it still, whatever their age."""
    marked = warehouse.query("SELECT task_key FROM etl.loads ORDER BY 1")
    warehouse.query("INSERT INTO etl.schema_changes VALUES ('raw.t', 'a', 'added', NULL, 'TEXT', 'r', '2001-01-01')")
    aged(warehouse, 401, of="business_date < '2014-02-03'")
    with connections.connect("test") as db:
        sweep(db)
        assert remembered(warehouse, "receipts") == ["public.fact 03", "public.state 02"]
        assert remembered(warehouse, "losses") == ["public.fact 03", "public.state 02"]
        assert remembered(warehouse, "quarantine") == ["public.fact 03", "public.state 01", "public.state 02"]
        aged(warehouse, 9999)
        sweep(db)
    assert remembered(warehouse, "receipts") == ["public.fact 03", "public.state 02"], "each table's last"
    assert warehouse.query("SELECT task_key FROM etl.loads ORDER BY 1") == marked
    assert warehouse.query("SELECT count(*) FROM etl.schema_changes") == [(1,)]


def test_a_load_sweeps_what_is_old(remembering, warehouse):
    aged(warehouse, 401)
    load("state", "a | b\n5 | v", date=9, name="LoadNext", strategy="upsert", key=("a",))
    assert remembered(warehouse, "receipts") == ["public.fact 03", "public.state 09"]


# ---- stages


def stage_names(table: str, began: datetime.date, run: str) -> list[str]:
    """A Stage's own tables, as its names are made."""
    name = f"0123abcd_{table}_{began:%Y%m%d}_{run}"
    return [f"{name}{suffix}" for suffix in ("", "_in", "_held", "_diff")]


def test_stages_of_dead_runs_go_and_no_others(table, warehouse):
    load("t", "a\n1", name="LoadOnce")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    dead = stage_names("fact_ticket_sale", today - datetime.timedelta(days=3), "1a2b3c4d")
    young = stage_names("fact_ticket_sale", today - datetime.timedelta(days=2), "1a2b3c4d")
    alive = stage_names("fact_ticket_sale", today - datetime.timedelta(days=9), "ffffffff")
    strange = ["mine", "0123abcd_t_1a2b3c4d", "0123abcd_t_20140203_xyz", "zzzzzzzz_t_20140203_1a2b3c4d"]
    warehouse.query("UPDATE etl.receipts SET run_id = '20140203T040506-ffffffff'")
    for name in (*dead, *young, *alive, *strange):
        warehouse.query(f'CREATE TABLE stage."{name}" (a INTEGER); ALTER TABLE stage."{name}" OWNER TO etl_load')
    with connections.connect("test") as db:
        sweep(db)
        assert sorted(stages(warehouse)) == sorted([*young, *alive, *strange])
        warehouse.query("UPDATE etl.receipts SET loaded_at = loaded_at - INTERVAL '4 days'")
        sweep(db)
    assert sorted(stages(warehouse)) == sorted([*young, *strange])


def test_a_stage_is_named_as_the_sweep_expects(table, warehouse):
    """What a load leaves that was killed three days ago, by its own names."""
    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)
    with connections.connect("test") as db:
        control.prepare(db)
        stage = Stage(db, read_definition("public", "t"), f"{began:%Y%m%dT%H%M%S}-1a2b3c4d")
        db.ensure_schema("stage", readable=False)
        for name in (stage.name, stage.landing, stage.held, stage.changes):
            db.execute(f"CREATE TABLE {name} (a INTEGER)")
        assert len(stages(warehouse)) == 4
        sweep(db)
    assert stages(warehouse) == []


def test_losses_of_a_table_that_is_read_by_its_changes_are_remembered(remembering, warehouse):
    """It has the rows of all its loads, so what was lost in the first is still missing from it."""
    warehouse.query("UPDATE etl.watermarks SET high_water = '2014-02-02' WHERE target = 'public.state'")
    aged(warehouse, 401)
    with connections.connect("test") as db:
        sweep(db)
    assert remembered(warehouse, "losses") == ["public.fact 03", "public.state 01", "public.state 02"]
