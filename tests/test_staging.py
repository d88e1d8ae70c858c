"""Staging: a manifest's rows come into the stage by COPY, shaped or not, and every one of them."""

import random

import pyarrow as pa
import pytest

from etl.errors import DataError, WarehouseError
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.parts import anonymous
from etl.testing import drawn
from tests.pipeline import load, loader, night, receipts, refused

pytest_plugins = ("tests.nights",)


def batches_of(*batches, columns=()):
    extract = type("ExtractBatches", (BaseExtractor,), {"columns": columns, "batches": lambda self: iter(batches)})
    return lambda table, **said: type("LoadBatches", (BaseLoader,), {"table": table, "extractor": extract} | said)()


def test_an_extract_without_columns_is_in_the_tables_order(nights, warehouse):
    nights.table("public.fact_sale", "id INTEGER, price INTEGER")
    night(batches_of(pa.record_batch([[1, 2], [10, 20]], names=anonymous(2)))("fact_sale"))
    drawn.shows(warehouse, "fact_sale", "id|price\n1|10\n2|20")


def test_an_extract_of_another_width_than_the_table(nights):
    nights.table("public.fact_sale", "id INTEGER, price INTEGER")
    task = batches_of(pa.record_batch([[1], [10], [100]], names=anonymous(3)))("fact_sale")
    assert refused(task, DataError) == (
        f"public.fact_sale: the table has 2 columns, the rows of {task.requires().output().url} have 3; "
        "write them in the table's order: id, price"
    )


def test_an_extract_without_rows_has_no_width(nights, warehouse):
    nights.table("public.fact_sale", "id INTEGER, price INTEGER")
    night(batches_of()("fact_sale"))
    assert receipts(warehouse, "public.fact_sale") == [(0, 0, 0, 0, 0)]


def test_rows_land_in_the_types_of_the_manifest_before_they_are_shaped(nights, warehouse):
    """Half of a large whole number is one only where it is a BIGINT, and a DOUBLE PRECISION has no places."""
    nights.table("public.fact_sale", "i BIGINT, d DOUBLE PRECISION, t VARCHAR(9)")
    nights.write("loads", "sale", "SELECT i / 2 AS i, d / 3 AS d, t || 'y' AS t FROM {stage}")
    batch = pa.record_batch({"i": [(1 << 60) + 1], "d": pa.array([1.0]), "t": ["x"]})
    night(batches_of(batch)("fact_sale", sql="sale.sql"))
    drawn.shows(warehouse, "fact_sale", f"i|d|t\n{1 << 59}|{1 / 3!r}|xy")


def test_a_select_may_filter_and_multiply_and_its_rows_are_counted(nights, warehouse):
    nights.table("public.fact_sale", "id INTEGER, n INTEGER")
    nights.write(
        "loads",
        "sale",
        "SELECT id::integer AS id, n FROM {stage}, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) q WHERE id <> '2'",
    )
    load("fact_sale", "id\n1\n2\n3", sql="sale.sql")
    assert receipts(warehouse, "public.fact_sale") == [(6, 6, 0, 0, 6)]


def test_a_select_may_end_in_a_comment(nights, warehouse):
    nights.table("public.fact_sale", "id INTEGER")
    nights.write("loads", "sale", "SELECT 7 AS id FROM {stage} -- as ever")
    load("fact_sale", "id\n1", sql="sale.sql")
    drawn.shows(warehouse, "fact_sale", "id\n7")


def test_a_select_with_columns_of_another_name(nights):
    nights.table("public.fact_sale", "id INTEGER, price INTEGER")
    nights.write("loads", "sale", "SELECT 1 AS id, 2 AS cost FROM {stage}")
    assert refused(loader("fact_sale", "id\n1", sql="sale.sql")(), DataError) == (
        "public.fact_sale: its SELECT lacks price and has cost, which the table does not; "
        "the table's columns are id, price"
    )


def test_a_select_that_is_no_sql(nights):
    nights.table("public.fact_sale", "id INTEGER")
    nights.write("loads", "sale", "SELECT 1 AS id\nFORM {stage}")
    message = refused(loader("fact_sale", "id\n1", sql="sale.sql")(), WarehouseError)
    assert message.startswith('public.fact_sale: syntax error at or near "')


def test_every_part_is_loaded(nights, settings, warehouse, lake):
    """One megabyte is the smallest part, and these rows do not shrink."""
    settings.set("lake", "part_mb", 1)
    nights.table("public.fact_sale", "id INTEGER PRIMARY KEY, noise VARCHAR(1000)")
    nights.write("loads", "sale", "SELECT id::integer AS id, noise FROM {stage}")
    noise = random.Random(1)
    batches = [
        pa.record_batch({"id": range(n, n + 1000), "noise": [f"{noise.getrandbits(4000):x}" for _ in range(1000)]})
        for n in range(0, 6000, 1000)
    ]
    night(batches_of(*batches)("fact_sale"))
    made = lake.keys()
    assert sum("/part-" in key for key in made) > 1
    assert warehouse.query("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM fact_sale") == [
        (6000, 6000, 0, 5999)
    ]


@pytest.mark.parametrize("value", ["\\N", "", " ", "NULL", 'a"b', "a\nb", "a\r\nb", "\ufeffx", "\\.", "日本 🎫", ","])
def test_a_text_arrives_as_it_left(nights, warehouse, value):
    nights.table("public.fact_sale", "id INTEGER, note TEXT")
    night(batches_of(pa.record_batch({"id": [1, 2], "note": [value, None]}))("fact_sale"))
    assert warehouse.query("SELECT note FROM fact_sale ORDER BY id") == [(value,), (None,)]
