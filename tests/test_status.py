"""How every table stands, from receipts that real loads wrote."""

import json

from etl import status
from etl.run import run_id
from etl.warehouse import connect
from tests.pipeline import day, load, loader, night

pytest_plugins = ["tests.nights"]

FIRST = """
id | name
1  | ada
2  | bob
"""
SECOND = """
id | name
1  | eve
3  | cyd
"""


def test_an_empty_warehouse_has_nothing_to_say(nights):
    with connect("test") as db:
        assert status.tables(db) == []


def test_the_last_load_of_each_table_and_what_it_did(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST, date=1)
    load("people", SECOND, date=2)
    with connect("test") as db:
        (people,) = status.tables(db)
        assert status.tables(db, run_id()) == [people]
        assert status.tables(db, "another run") == []
    assert (people.table, str(people.business_date), people.rows) == ("public.people", "2014-02-02", 2)
    assert (people.staged, people.inserted, people.updated, people.deleted, people.lost) == (2, 1, 1, 1, 0)
    assert json.loads(json.dumps(people.as_json(), default=str))["rows"] == 2


def test_lost_values_are_counted(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST.replace("ada", "a\0a"))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert people.lost == 1


def test_rows_that_are_held_back_are_counted(nights, warehouse):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    said = loader("people", FIRST.replace("ada", "a\0a"))
    said.extractor.on_loss = {"name": "quarantine"}
    night(said(date=day(1)))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert (people.rows, people.lost, people.held, people.as_json()["held"]) == (1, 1, 1, 1)


def test_a_warehouse_of_an_earlier_version_holds_nothing_back(nights, warehouse):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST)
    warehouse.query("DROP TABLE etl.quarantine")
    with connect("test") as db:
        db.seen.clear()
        assert [people.held for people in status.tables(db)] == [0]


def test_an_older_night_that_is_caught_up_with_does_not_make_the_table_older(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", SECOND, date=2)
    load("people", FIRST, date=1, strategy="upsert", key=("id",))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert (str(people.business_date), people.rows) == ("2014-02-02", 3)


def test_members_that_a_fact_infers_are_no_load_of_the_dimension(nights):
    nights.table(
        "public.dim_user",
        "user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, "
        "is_inferred BOOLEAN NOT NULL DEFAULT FALSE",
    )
    nights.table("public.fact_sale", "user_key BIGINT NOT NULL")
    sql = (
        "-- infer: public.dim_user (user_id) from {stage} (user_id)\nSELECT u.user_key FROM {stage} s "
        "JOIN public.dim_user u ON u.user_id = CAST(s.user_id AS BIGINT)"
    )
    load("dim_user", "user_id\n7\n8", strategy="scd1", key=("user_id",), name="LoadUsers")
    load("fact_sale", "user_id\n9", sql=nights.write("loads", "fact_sale", sql))
    with connect("test") as db:
        users, _ = status.tables(db)
    assert (users.table, users.rows, users.staged, users.inserted) == ("public.dim_user", 4, 2, 3)
