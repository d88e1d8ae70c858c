"""The stage: what it accepts, what its audit finds, how it becomes a table, and that none is left behind."""

import re

import pytest

from etl import warehouse as connections
from etl.errors import DataError
from etl.testing import drawn
from etl.warehouse.definition import Definition
from etl.warehouse.stage import Stage, drop_stages
from tests.pipeline import VENUE, day, load, loader, refused, stages

pytest_plugins = ("tests.nights",)

SALES = "sale_id INTEGER NOT NULL PRIMARY KEY, date_key INTEGER NOT NULL, price NUMERIC(8,2)"


def indexes(warehouse, table):
    return dict(
        warehouse.query(
            "SELECT c.relname, string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE i.indrelid = %s::regclass GROUP BY 1",
            (table,),
        )
    )


@pytest.mark.engines("postgres", reason="tables that are not logged, indexes")
def test_the_first_stage_becomes_a_logged_table_as_if_it_had_been_created_there(nights, warehouse):
    nights.table("public.dim_venue", VENUE, "postgres: INDEX (city)", "redshift: DISTSTYLE ALL")
    load("dim_venue", "venue_id|city\n1|Rome", key=("venue_id",))
    made = "SELECT relpersistence, relnamespace::regnamespace::text FROM pg_class WHERE relname = 'dim_venue'"
    assert warehouse.query(made) == [("p", "public")]
    assert indexes(warehouse, "public.dim_venue") == {
        "dim_venue_pkey": "venue_key",
        "dim_venue_venue_id_key": "venue_id",
        "dim_venue_city_idx": "city",
    }


@pytest.mark.engines("postgres", reason="names of constraints, CHECK")
def test_constraints_have_the_names_that_postgres_gives(nights, warehouse):
    """Also those of long names, which it cuts."""
    checked = f"{SALES} CHECK (price >= 0), CONSTRAINT ours CHECK (1 = 1)"
    columns = f"{checked}, ticket_number_of_the_partner_who_sold_it INTEGER NOT NULL UNIQUE"
    nights.table("public.fact_sale_of_a_partner_by_the_day", columns)
    load(
        "fact_sale_of_a_partner_by_the_day", "sale_id|date_key|price|ticket_number_of_the_partner_who_sold_it\n1|2|3|4"
    )
    warehouse.query(f"CREATE SCHEMA other CREATE TABLE fact_sale_of_a_partner_by_the_day ({columns})")
    names = (
        "SELECT conname FROM pg_constraint WHERE conrelid = '{}.fact_sale_of_a_partner_by_the_day'::regclass ORDER BY 1"
    )
    ours, theirs = ([name for (name,) in warehouse.query(names.format(schema))] for schema in ("public", "other"))
    assert "fact_sale_of_a_partner_by_the_day_pkey" in ours
    assert [name for name in ours if len(name) < 63] == [name for name in theirs if len(name) < 63]
    assert len(ours) == len(theirs)


def test_first_loads_of_one_name_in_two_schemas_do_not_meet(nights, warehouse):
    """Two workers load raw.venue and public.venue for the first time, and both are keyed before either ends."""
    body = "(id INTEGER PRIMARY KEY)"
    with (
        connections.connect("a") as one,
        connections.connect("b") as other,
        Stage(one, Definition("raw", "venue", body), "run-1") as first,
        Stage(other, Definition("public", "venue", body), "run-1") as second,
    ):
        first.audit([first.key])
        second.audit([second.key])
        one.become(first.table, "raw", "venue", f'CREATE TABLE "raw".venue {body}', ())
        other.become(second.table, "public", "venue", f"CREATE TABLE public.venue {body}", ())
        assert one.table("raw", "venue").key == other.table("public", "venue").key == ("id",)


@pytest.mark.engines("postgres", reason="its hints, which are INDEX alone")
def test_a_hint_that_is_none(nights):
    nights.table("public.fact_sale", SALES, "postgres: CLUSTER BY (price)")
    message = refused(loader("fact_sale", "sale_id|date_key|price\n1|2|3")(), DataError)
    assert message == "public.fact_sale: '-- postgres: CLUSTER BY (price)' is no hint; write INDEX (column, …)"


def test_columns_that_lack_and_columns_that_are_too_many_are_named(nights):
    nights.table("public.fact_sale", SALES)
    message = refused(loader("fact_sale", "sale_id|cost|fee\n1|2|3")(), DataError)
    assert message.startswith("public.fact_sale: the manifest s3://")
    assert message.endswith(
        " lacks date_key, price and has cost, fee, which the table does not; "
        "the table's columns are sale_id, date_key, price"
    )


def test_columns_come_in_any_order(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    load("fact_sale", "price|sale_id|date_key\n3|1|2")
    drawn.shows(warehouse, "fact_sale", "sale_id|date_key|price\n1|2|3.00")


def test_only_a_dimension_is_numbered(nights):
    nights.table("public.fact_sale", SALES)
    assert "lacks sale_id" in refused(loader("fact_sale", "date_key|price\n2|3", key=("date_key",))(), DataError)


def test_numbers_need_a_natural_key(nights):
    nights.table("public.dim_venue", VENUE)
    message = refused(loader("dim_venue", "venue_id|city\n1|Rome")(), DataError)
    assert message == "public.dim_venue: numbers venue_key by a natural key; declare `key`"


def test_a_dimension_that_cannot_hold_the_unknown_member(nights):
    nights.table("public.dim_venue", "venue_key BIGINT NOT NULL PRIMARY KEY, city TEXT NOT NULL")
    message = refused(loader("dim_venue", "venue_key|city\n1|Rome")(), DataError)
    assert message.startswith('public.dim_venue: cannot hold the unknown member (-1): null value in column "city"')
    assert message.endswith("give the column a DEFAULT")


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_not_unique_shows_some(nights, warehouse, first):
    nights.table("public.dim_venue", VENUE)
    said = {"strategy": "upsert", "key": ("venue_id",)}
    if not first:
        load("dim_venue", "venue_id|city\n1|Rome", **said)
    twice = "venue_id|city\n" + "".join(f"{number % 7}|Rome\n" for number in range(15))
    message = refused(loader("dim_venue", twice, **said)(date=day(2)), DataError)
    assert message == (
        "public.dim_venue: the key (venue_id) is not unique: 0 3 times; 1 2 times; 2 2 times; 3 2 times; 4 2 times"
    )
    assert stages(warehouse) == []


def test_a_primary_key_that_is_not_unique(nights):
    nights.table("public.fact_sale", "a INTEGER, b TEXT, PRIMARY KEY (b, a)")
    message = refused(loader("fact_sale", "a|b\n1|x\n1|y\n1|x")(), DataError)
    assert message == "public.fact_sale: the key (b, a) is not unique: x, 1 2 times"


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_null(nights, first):
    nights.table("public.fact_sale", "code TEXT, price INTEGER")
    said = {"strategy": "upsert", "key": ("code",)}
    if not first:
        load("fact_sale", "code|price\na|1", **said)
    message = refused(loader("fact_sale", "code|price\nNULL|1\nNULL|2\nb|3", **said)(date=day(2)), DataError)
    assert message == "public.fact_sale: 2 rows have no code, which is the key"


def test_rows_that_point_nowhere(nights, warehouse):
    nights.table("public.dim_venue", VENUE)
    nights.table(
        "public.fact_gig", "id INTEGER PRIMARY KEY, venue INTEGER", "foreign key: venue -> public.dim_venue (venue_key)"
    )
    load("dim_venue", "venue_id|city\n1|Rome", key=("venue_id",))
    load("fact_gig", "id|venue\n1|1\n2|-1", name="LoadGigs")
    gigs = "id|venue\n1|7\n2|8\n3|8\n4|NULL\n5|1"
    message = refused(loader("fact_gig", gigs, name="LoadGigs")(date=day(2)), DataError)
    assert message == (
        "public.fact_gig: 4 rows have a venue that is not in public.dim_venue: 8, 7, NULL; "
        "point them at the unknown member (-1)"
    )
    drawn.shows(warehouse, "fact_gig", "id|venue\n1|1\n2|-1")


def test_a_foreign_key_to_a_table_that_is_not_there(nights):
    nights.table("public.fact_gig", "id INTEGER PRIMARY KEY", "foreign key: id -> public.dim_gig (gig_key)")
    message = refused(loader("fact_gig", "id\n1")(), Exception)
    assert re.match(r'(warehouse \S+: )?relation "public\.dim_gig" does not exist', message)


@pytest.mark.parametrize("text", ["id|price\n1|1\n2|x", "id|price\n1|1\n1|1"])
def test_no_stage_is_left_after_success_or_failure(nights, warehouse, text):
    nights.table("public.fact_sale", "id INTEGER PRIMARY KEY, price INTEGER")
    nights.write("loads", "sale", "SELECT id::integer AS id, price::integer AS price FROM {stage}")
    refused(loader("fact_sale", text, sql="sale.sql")(date=day(1)), DataError)
    assert stages(warehouse) == []
    load("fact_sale", "id|price\n1|1", date=2, sql="sale.sql")
    assert stages(warehouse) == []
    load("fact_sale", "id|price\n1|2", date=3, sql="sale.sql")
    assert stages(warehouse) == []


def test_stages_of_dead_runs_are_dropped_and_no_others(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    for target, run in (("fact_sale", "run-dead"), ("fact_other", "run-busy")):
        with connections.connect("dead") as db:
            db.ensure_schema("stage", readable=False)
            Stage(db, Definition("public", target, f"({SALES})"), run).__enter__()
    assert len(stages(warehouse)) == 2
    load("fact_sale", "sale_id|date_key|price\n1|2|3")
    (busy,) = stages(warehouse)
    assert "fact_other" in busy
    with connections.connect("next") as db:
        drop_stages(db, "public.fact_other")
    assert stages(warehouse) == []


def test_readers_may_not_look_into_stages(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    load("fact_sale", "sale_id|date_key|price\n1|2|3")
    assert warehouse.query("SELECT has_schema_privilege('bi_reader', 'stage', 'USAGE')") == [(False,)]
