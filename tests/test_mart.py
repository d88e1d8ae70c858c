"""Mart: a SELECT becomes a table for people, of which only rows that differ are written."""

import re

import pytest

from etl.errors import DataError, WarehouseError
from etl.mart import Mart
from etl.testing import drawn, postgres_query
from etl.warehouse import connect
from tests.pipeline import day, loader, night, receipts, refused

pytest_plugins = ("tests.nights",)

SUMS = "SELECT city, sum(price) AS price FROM public.fact_sale GROUP BY city -- of all days"


@pytest.fixture
def marts(nights, warehouse):
    nights.table("public.fact_sale", "id INTEGER PRIMARY KEY, city TEXT, price INTEGER")
    (nights.path / "marts").mkdir()
    return nights


def mart(nights, date, text, select=SUMS, **said):
    """The mart of a day, and what it is computed from loaded before."""
    nights.write("marts", "sums", select)
    sales = loader("fact_sale", text, name="LoadSales")
    requires = {"requires": lambda self: sales(date=self.date)} if text else {"requires": lambda self: []}
    return type("Sums", (Mart,), {"table": "sums", "key": ("city",)} | requires | said)(date=day(date))


def test_a_mart_follows_its_select_and_writes_only_what_differs(marts, warehouse):
    night(mart(marts, 1, "id|city|price\n1|Rome|10\n2|Rome|5\n3|Oslo|1"))
    drawn.shows(warehouse, "mart.sums", "city|price\nRome|15\nOslo|1")
    rows = dict(warehouse.query("SELECT city, ctid::text FROM mart.sums"))
    night(mart(marts, 2, "id|city|price\n1|Rome|10\n3|Oslo|2\n2|Rome|5"))
    drawn.shows(warehouse, "mart.sums", "city|price\nRome|15\nOslo|2")
    after = dict(warehouse.query("SELECT city, ctid::text FROM mart.sums"))
    assert after["Rome"] == rows["Rome"] and after["Oslo"] != rows["Oslo"]
    assert receipts(warehouse, "mart.sums") == [(2, 2, 0, 0, 2), (2, 0, 1, 0, 2)]


def test_analysts_read_it_and_know_its_day(marts, warehouse):
    night(mart(marts, 1, "id|city|price\n1|Rome|10"))
    assert postgres_query(warehouse.reader_url, "SELECT * FROM mart.sums") == [("Rome", 10)]
    as_of = "SELECT business_date, rows FROM etl.data_as_of WHERE table_name = 'mart.sums'"
    assert postgres_query(warehouse.reader_url, as_of) == [(day(1), 1)]


def test_a_key_is_the_tables_and_is_proved(marts, warehouse):
    both = "SELECT city, price FROM public.fact_sale"
    night(mart(marts, 1, "id|city|price\n1|Rome|10", both))
    with connect("test") as db:
        there = db.table("mart", "sums")
    assert (there.key, there.required) == (("city",), {"city"})
    message = refused(mart(marts, 2, "id|city|price\n1|Rome|10\n2|Rome|11", both), DataError)
    assert message == "mart.sums: the key (city) is not unique: Rome 2 times"


def test_a_mart_without_a_key(marts, warehouse):
    for date in (1, 2):
        night(mart(marts, date, "id|city|price\n1|Rome|10", key=()))
    drawn.shows(warehouse, "mart.sums", "city|price\nRome|10")
    assert receipts(warehouse, "mart.sums") == [(1, 1, 0, 0, 1), (1, 0, 0, 0, 1)]


def test_a_mart_may_become_empty(marts, warehouse):
    night(mart(marts, 1, "id|city|price\n1|Rome|10"))
    night(mart(marts, 2, "id|city|price\n1|Rome|10", SUMS.replace("GROUP", "WHERE price > 99 GROUP")))
    drawn.shows(warehouse, "mart.sums", "city|price")


def test_columns_that_change_are_followed_by_hand(marts, warehouse):
    """A count that became an average would otherwise be rounded into the old column."""
    text = "id|city|price\n1|Rome|10\n2|Rome|11"
    night(mart(marts, 1, text))
    average = "CAST(avg(CAST(price AS DECIMAL(8,2))) AS DECIMAL(8,2))"
    changed = f"SELECT city, {average} AS price, 1 AS one FROM public.fact_sale GROUP BY city"
    message = refused(mart(marts, 2, text, changed), DataError)
    with connect("test") as db:
        added = db.altering("mart.sums", ['ADD COLUMN "one" integer'])
        becomes = {"postgres": "numeric", "redshift": "numeric(8,2)"}
        retyped = db.retyping("mart", "sums", "price", becomes[warehouse.engine], "")
    assert message == (f"mart.sums: its SELECT has other columns than the table; to follow it, {added}; {retyped}")
    drawn.shows(warehouse, "mart.sums", "city|price\nRome|21")
    postgres_query(warehouse.url, message.partition("to follow it, ")[2])
    night(mart(marts, 2, text, changed))
    drawn.shows(warehouse, "mart.sums", "city|price|one\nRome|10.50|1")
    message = refused(mart(marts, 3, text), DataError)
    with connect("test") as db:
        dropped = db.altering("mart.sums", ['DROP COLUMN "one"'])
        assert message.endswith(f"{dropped}; {db.retyping('mart', 'sums', 'price', 'bigint', '')}")
    if warehouse.engine == "postgres":
        assert message.endswith(
            'ALTER TABLE mart.sums DROP COLUMN "one"; ALTER TABLE mart.sums ALTER COLUMN "price" TYPE bigint'
        )


def test_a_table_that_is_missing_is_named(marts, warehouse):
    message = refused(mart(marts, 1, None, "SELECT 1 AS city FROM public.nothing"), WarehouseError)
    said = 'relation "public.nothing" does not exist'
    if warehouse.engine == "postgres":
        assert message == f"mart.sums: {said}, near: public.nothing"
    else:
        assert re.fullmatch(rf"mart\.sums: warehouse \S+: {said}", message)


def test_a_value_that_cannot_be_computed(marts, warehouse):
    night(mart(marts, 1, "id|city|price\n1|Rome|10"))
    message = refused(
        mart(marts, 2, "id|city|price\n1|Rome|0", SUMS.replace("sum(price)", "sum(7 / price)")), DataError
    )
    assert message == "mart.sums: division by zero"
    drawn.shows(warehouse, "mart.sums", "city|price\nRome|10")
