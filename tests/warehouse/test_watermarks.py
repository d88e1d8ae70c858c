"""Watermarks: written beside what else is known of a table, and read as they were written."""

import datetime

import pytest

from etl import warehouse as connections
from etl.warehouse import control, watermarks
from etl.warehouse.watermarks import Watermark

pytest_plugins = ("tests.nights",)

MOMENT = datetime.datetime(2014, 2, 3, 4, 5, 6, 7)


@pytest.fixture
def db(warehouse, sql):
    with connections.connect("test") as db:
        control.prepare(db)
        yield db


def test_an_empty_warehouse_has_no_mark(warehouse, sql):
    with connections.connect("test") as db:
        assert watermarks.read(db, "raw.a") is None


def test_a_mark_is_as_it_was_written(db):
    for mark in (Watermark("updated_at", MOMENT), Watermark("x", MOMENT, datetime.datetime.min)):
        watermarks.write(db, "raw.a", mark, "run-1")
        assert watermarks.read(db, "raw.a") == mark
    assert watermarks.read(db, "raw.b") is None


def test_what_else_is_known_of_the_table_stays(db, warehouse):
    control.note_extract(db, "raw.a", "2014-02-03 00:00:00+00", "run-1")
    assert watermarks.read(db, "raw.a") is None
    watermarks.write(db, "raw.a", Watermark("updated_at", MOMENT), "run-2")
    control.note_extract(db, "raw.a", "2014-02-04 00:00:00+00", "run-3")
    assert watermarks.read(db, "raw.a") == Watermark("updated_at", MOMENT)
    assert warehouse.query("SELECT extracted_at::date::text, run_id FROM etl.watermarks") == [("2014-02-04", "run-3")]
