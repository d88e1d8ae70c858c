"""The sweep: an extract's files go when all that require it have committed, and not before."""

import datetime

import pytest

from etl import warehouse as connections
from etl.sweep import sweep
from tests.pipeline import day, extractor, load, loader, night

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
