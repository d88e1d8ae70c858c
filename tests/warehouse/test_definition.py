"""Table files and SELECTs: what is read from warehouse_sql, and what is said of a file that does not fit."""

import pytest

from etl.errors import ConfigError
from etl.warehouse.definition import ForeignKey, read_definition, read_sql

pytest_plugins = ("tests.nights",)


def test_a_table_file_is_one_create_table_with_comments(sql):
    sql.write(
        "tables",
        "fact_sale",
        "-- One row a sale. Money: in dollars.\n"
        "--\n"
        "-- redshift: DISTKEY (event_key)\n"
        "-- postgres: INDEX (sold_on)\n"
        "-- postgres: INDEX (sold_on, event_key)  \n"
        "-- foreign key: event_key -> public.dim_event (event_key)\n"
        "create table public.fact_sale (\n    event_key BIGINT, -- postgres: not a hint\n    sold_on DATE\n);\n",
    )
    definition = read_definition("public", "fact_sale")
    assert definition.name == "public.fact_sale"
    assert definition.hints == ("INDEX (sold_on)", "INDEX (sold_on, event_key)")
    assert definition.foreign_keys == (ForeignKey("event_key", "public", "dim_event", "event_key"),)
    assert definition.create("stage", 'a"b').startswith('CREATE TABLE "stage"."a""b" (\n    event_key BIGINT,')
    assert definition.create("stage", "x").endswith("sold_on DATE\n)")
    assert read_definition("public", "fact_sale", "redshift").hints == ("DISTKEY (event_key)",)


def test_a_remark_that_ends_in_a_colon_swallows_no_hint(sql):
    sql.write("tables", "t", "-- for the analysts:\n-- postgres: INDEX (a)\nCREATE TABLE public.t (a INTEGER);")
    assert read_definition("public", "t").hints == ("INDEX (a)",)


def test_a_file_that_is_not_there_is_named_with_its_folder(sql):
    with pytest.raises(ConfigError, match=r"tables/fact_nothing\.sql: no such file; write it, or set \[etl\] sql"):
        read_definition("public", "fact_nothing")


def test_a_file_without_a_table(sql):
    sql.write("tables", "t", "SELECT 1")
    with pytest.raises(ConfigError, match=r"holds no CREATE TABLE public\.t"):
        read_definition("public", "t")


def test_a_file_that_creates_another_table(sql):
    sql.write("tables", "t", "CREATE TABLE mart.t (a INTEGER)")
    with pytest.raises(ConfigError, match=r"creates mart\.t, its name and the loader say public\.t"):
        read_definition("public", "t")


def test_a_foreign_key_that_cannot_be_read(sql):
    sql.write("tables", "t", "-- foreign key: a = dim_a.a\nCREATE TABLE public.t (a INTEGER)")
    with pytest.raises(ConfigError, match=r"'-- foreign key: a = dim_a\.a': write column -> schema\.table \(column\)"):
        read_definition("public", "t")


def test_names_are_put_into_a_select_and_nothing_else_is(sql):
    sql.write("loads", "t", "SELECT '{other}', '100%' FROM {stage} WHERE day = {date_key};\n")
    assert read_sql("loads", "t.sql", stage="s.t", date_key="20140203") == (
        "SELECT '{other}', '100%' FROM s.t WHERE day = 20140203"
    )


def test_the_schema_raw_is_quoted_wherever_it_is_a_schema(sql):
    """Comments say what to infer, and an apostrophe in one begins no literal."""
    sql.write(
        "loads",
        "t",
        "-- the seller's own\n-- infer: public.d (a) from raw.t (b)\n"
        "SELECT 'raw.x', {since raw.t}, \"it's raw.x\", x.raw.y FROM raw.t JOIN (SELECT 1 FROM raw.u) -- raw.v\n",
    )
    assert read_sql("loads", "t.sql") == (
        '-- the seller\'s own\n-- infer: public.d (a) from "raw".t (b)\n'
        'SELECT \'raw.x\', {since raw.t}, "it\'s raw.x", x.raw.y FROM "raw".t JOIN (SELECT 1 FROM "raw".u) -- "raw".v'
    )
