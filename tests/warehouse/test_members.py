"""Inferred members: what facts point at until the real row arrives, and that the number stays when it does."""

import pytest

from etl.errors import ConfigError, DataError
from etl.testing import drawn
from tests.pipeline import day, load, loader, night, receipts, refused

pytest_plugins = ("tests.nights",)

USERS = """user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20),
    is_inferred BOOLEAN NOT NULL DEFAULT FALSE"""
PERIOD = """, valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31',
    is_current BOOLEAN NOT NULL DEFAULT TRUE"""
SALES = "sale_id INTEGER NOT NULL PRIMARY KEY, user_key BIGINT NOT NULL"
SELECT = """-- infer: public.dim_user (user_id) from {stage} (user_id)
SELECT CAST(s.sale_id AS INTEGER) AS sale_id, COALESCE(u.user_key, -1) AS user_key
FROM {stage} s LEFT JOIN public.dim_user u ON u.user_id = CAST(s.user_id AS BIGINT)"""
FACT = {"strategy": "upsert", "key": ("sale_id",), "sql": "fact_sale.sql"}


@pytest.fixture(params=["scd1", "scd2"])
def strategy(request, nights):
    nights.table("public.dim_user", USERS + PERIOD * (request.param == "scd2"), "history: city")
    nights.table("public.fact_sale", SALES, "foreign key: user_key -> public.dim_user (user_key)")
    nights.write("loads", "fact_sale", SELECT)
    load("dim_user", "user_id|city\n7|Ulm", strategy=request.param, key=("user_id",), name="LoadUsers")
    return request.param


def members(warehouse, text):
    drawn.shows(warehouse, "dim_user", "user_key|user_id|city|is_inferred\n-1|-1|NULL|false\n" + text)


def test_an_early_fact_gets_a_member_which_the_real_row_overwrites(strategy, warehouse):
    load("fact_sale", "sale_id|user_id\n1|7\n2|9\n3|NULL\n4|9\n5|8", **FACT)
    drawn.shows(warehouse, "fact_sale", "sale_id|user_key\n1|1\n2|3\n3|-1\n4|3\n5|2")
    members(warehouse, "1|7|Ulm|false\n2|8|NULL|true\n3|9|NULL|true")
    load(
        "dim_user", "user_id|city\n7|Ulm\n9|Rom\n10|Bonn", date=2, strategy=strategy, key=("user_id",), name="LoadUsers"
    )
    members(warehouse, "1|7|Ulm|false\n2|8|NULL|true\n3|9|Rom|false\n4|10|Bonn|false")
    assert receipts(warehouse, "public.dim_user") == [(1, 2, 0, 0, 2), (2, 2, 0, 0, 4), (3, 1, 1, 0, 5)]
    assert warehouse.query("SELECT rows FROM etl.data_as_of WHERE table_name = 'public.dim_user'") == [(5,)]


def test_members_are_inferred_once(strategy, warehouse):
    load("fact_sale", "sale_id|user_id\n1|9", **FACT)
    load("fact_sale", "sale_id|user_id\n2|9", date=2, **FACT)
    members(warehouse, "1|7|Ulm|false\n2|9|NULL|true")
    assert len(receipts(warehouse, "public.dim_user")) == 2


def test_a_fact_that_fails_leaves_members_that_are_used_when_it_succeeds(strategy, nights, warehouse):
    nights.write("loads", "fact_sale", SELECT.replace("AS user_key", "/ 0 AS user_key"))
    task = loader("fact_sale", "sale_id|user_id\n1|9", **FACT)(date=day(1))
    refused(task, DataError)
    # With Redshift a load is one transaction.
    left = {"postgres": "\n2|9|NULL|true", "redshift": ""}
    members(warehouse, f"1|7|Ulm|false{left[warehouse.engine]}")
    nights.write("loads", "fact_sale", SELECT)
    night(task)
    drawn.shows(warehouse, "fact_sale", "sale_id|user_key\n1|2")


def test_a_dimension_that_is_not_there(nights):
    nights.table("public.fact_sale", SALES)
    nights.write("loads", "fact_sale", SELECT)
    message = refused(loader("fact_sale", "sale_id|user_id\n1|9", **FACT)(date=day(1)), DataError)
    assert message == "public.dim_user: is not there, and members are to be inferred in it; require its load"


def test_a_dimension_that_cannot_say_so(nights):
    nights.table("public.dim_user", "user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1")
    nights.table("public.fact_sale", SALES)
    nights.write("loads", "fact_sale", SELECT)
    load("dim_user", "user_id\n7", strategy="scd1", key=("user_id",), name="LoadUsers")
    message = refused(loader("fact_sale", "sale_id|user_id\n1|9", **FACT)(date=day(1)), DataError)
    assert "is_inferred BOOLEAN NOT NULL DEFAULT FALSE" in message


def test_a_comment_that_cannot_be_read(nights):
    nights.table("public.fact_sale", SALES)
    nights.write("loads", "fact_sale", SELECT.replace("from {stage}", "{stage}"))
    message = refused(loader("fact_sale", "sale_id|user_id\n1|9", **FACT)(date=day(1)), ConfigError)
    assert "write schema.dimension (its key) from schema.table (column)" in message
