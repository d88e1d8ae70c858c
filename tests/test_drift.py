"""Drift: what becomes of a mirror when the columns of its source change, overnight or while they are read."""

import contextlib
import csv
import io
import multiprocessing
import os
import re
import signal
import threading
import uuid

import luigi
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from luigi.task_register import Register

from etl.compare import compare
from etl.errors import DataError, Locked, SourceError
from etl.mirror import MirrorTable
from etl.sources import mysql as mysql_source
from etl.sources import mysql_catalogue
from etl.sources.mysql import ExtractTable
from etl.testing import drawn, postgres_query
from etl.warehouse import connect
from tests import pipeline
from tests.pipeline import day, session, until

pytest_plugins = ("tests.nights",)


def night(number, table="sales"):
    mysql_catalogue.forget()
    pipeline.night(MirrorTable(table=table, date=day(number)))


def refused(number, kind=DataError, table="sales"):
    mysql_catalogue.forget()
    return pipeline.refused(MirrorTable(table=table, date=day(number)), kind)


def columns(warehouse, table="raw.sales"):
    with connect("test") as db:
        there = db.table(*table.split("."))
    return [(name, kind, name in there.required) for name, kind in there.columns.items()]


def by_engine(warehouse, postgres, redshift):
    return {"postgres": postgres, "redshift": redshift}[warehouse.engine]


def changes(warehouse, table="raw.sales"):
    return warehouse.query(
        "SELECT column_name, change, was, became FROM etl.schema_changes WHERE target = %s AND change <> 'stopped' "
        "ORDER BY noticed_at, column_name",
        (table,),
    )


def run(warehouse, message, after="run: ", before="; then load"):
    """Do what a message says, as the person who may: the statement between the two words."""
    perform(warehouse, message.rpartition(after)[2].partition(before)[0])


def perform(warehouse, statement):
    if warehouse.engine == "redshift":
        postgres_query(warehouse.url, statement)
    else:
        warehouse.query(statement)


@pytest.fixture
def sales(nights, mysql):
    """One night of a table of two rows."""
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, price INT, note VARCHAR(9))")
    mysql.execute("INSERT INTO sales VALUES (1, 10, 'a'), (2, 20, 'b')")
    night(1)
    return mysql


# ---- what a mirror follows by itself


def test_an_unchanged_source_leaves_no_word(sales, warehouse):
    night(2)
    assert changes(warehouse) == []


def test_an_added_column_goes_last_and_is_noted(sales, warehouse):
    sales.execute("ALTER TABLE sales ADD fee DECIMAL(5,2) NOT NULL DEFAULT 0.5 AFTER id, ADD sold DATETIME")
    night(2)
    night(3)
    fee = by_engine(warehouse, "numeric", "numeric(5,2)")
    assert columns(warehouse)[3:] == [("fee", fee, False), ("sold", "timestamp without time zone", False)]
    drawn.shows(warehouse, "raw.sales", "id|price|note|fee|sold\n1|10|a|0.50|NULL\n2|20|b|0.50|NULL")
    assert changes(warehouse) == [
        ("fee", "added", None, fee),
        ("sold", "added", None, "timestamp without time zone"),
    ]
    ((noticed, loaded),) = warehouse.query(
        "SELECT DISTINCT c.run_id, l.run_id FROM etl.schema_changes c, etl.loads l WHERE l.target = 'raw.sales'"
    )
    assert noticed == loaded


def test_a_removed_column_is_kept_and_null_and_noted_once(sales, warehouse):
    warehouse.query("CREATE VIEW public.v AS SELECT id, note FROM raw.sales")
    sales.execute("ALTER TABLE sales DROP note")
    night(2)
    sales.execute("INSERT INTO sales VALUES (3, 30)")
    night(3)
    drawn.shows(warehouse, "raw.sales", "id|price|note\n1|10|NULL\n2|20|NULL\n3|30|NULL")
    drawn.shows(warehouse, "public.v", "id|note\n1|NULL\n2|NULL\n3|NULL")
    assert changes(warehouse) == [("note", "removed", note_is(warehouse), None)]


def note_is(warehouse):
    return by_engine(warehouse, "text", "character varying(36)")


@pytest.mark.engines("redshift", reason="ALTER COLUMN DROP NOT NULL, which it does not have")
def test_a_removed_column_that_a_person_requires_stops_a_table_of_redshift(sales, warehouse):
    warehouse.query("ALTER TABLE raw.sales ALTER note SET NOT NULL")
    sales.execute("ALTER TABLE sales DROP note")
    message = refused(2)
    assert message.startswith("raw.sales: note is NOT NULL, and its source has it no more")
    run(warehouse, message)
    night(2)
    assert columns(warehouse)[2] == ("note", "character varying(36)", False)
    assert changes(warehouse) == [("note", "removed", "character varying(36)", None)]


@pytest.mark.engines("postgres", reason="ALTER COLUMN DROP NOT NULL")
def test_a_removed_column_that_a_person_required_is_required_no_more(sales, warehouse):
    warehouse.query("ALTER TABLE raw.sales ALTER note SET NOT NULL")
    sales.execute("ALTER TABLE sales DROP note")
    night(2)
    assert columns(warehouse)[2] == ("note", "text", False)


def test_a_column_that_comes_back(sales, warehouse):
    sales.execute("ALTER TABLE sales DROP note")
    night(2)
    sales.execute("ALTER TABLE sales ADD note VARCHAR(9) DEFAULT 'c'")
    night(3)
    night(4)
    drawn.shows(warehouse, "raw.sales", "id|price|note\n1|10|c\n2|20|c")
    note = note_is(warehouse)
    assert changes(warehouse) == [("note", "removed", note, None), ("note", "returned", None, note)]
    sales.execute("ALTER TABLE sales DROP note")
    night(5)
    assert changes(warehouse)[2:] == [("note", "removed", note, None)]


def test_a_removed_column_that_a_person_has_dropped_is_added_when_it_comes_back(sales, warehouse):
    sales.execute("ALTER TABLE sales DROP note")
    night(2)
    warehouse.query("ALTER TABLE raw.sales DROP note")
    night(3)
    sales.execute("ALTER TABLE sales ADD note VARCHAR(9)")
    night(4)
    assert [change for _, change, _, _ in changes(warehouse)] == ["removed", "added"]


def test_names_that_sql_keeps_for_itself(nights, mysql, warehouse, settings):
    settings.set("etl", "retry_seconds", 60)
    narrow, wide, was, becomes, text = by_engine(
        warehouse,
        ("SMALLINT", "INT", "smallint", "integer", "text"),
        ("VARCHAR(9)", "VARCHAR(10)", "character varying(36)", "character varying(40)", "character varying(65535)"),
    )
    mysql.execute(f'CREATE TABLE `order` (`select` INT PRIMARY KEY, `100 %s` INT, `a "b"` {narrow})')
    mysql.execute("INSERT INTO `order` VALUES (1, 2, 3)")
    night(1, "order")
    mysql.execute(f'ALTER TABLE `order` DROP `100 %s`, ADD `%d` TEXT, MODIFY `a "b"` {wide}')
    night(2, "order")
    assert sorted(changes(warehouse, "raw.order")) == [
        ("%d", "added", None, text),
        ("100 %s", "removed", "integer", None),
        ('a "b"', "widened", was, becomes),
    ]


WIDENED = [
    ("TINYINT", "INT", "smallint", "integer", 7),
    ("SMALLINT", "BIGINT", "smallint", "bigint", 7),
    ("INT", "INT UNSIGNED", "integer", "bigint", 7),
    ("BIGINT", "BIGINT UNSIGNED", "bigint", "numeric(20,0)", 7),
    ("INT", "DECIMAL(12,2)", "integer", "numeric", 7),
    ("BIGINT UNSIGNED", "DECIMAL(30,0)", "numeric(20,0)", "numeric", 18446744073709551615),
]


@pytest.mark.engines("postgres", reason="Redshift widens no numbers: below, and RETYPED")
def test_widened_columns_are_widened(nights, mysql, warehouse):
    listed = ", ".join(f"v{number} {was}" for number, (was, *_) in enumerate(WIDENED))
    mysql.execute(f"CREATE TABLE sales (id INT PRIMARY KEY, {listed})")
    values = tuple(value for *_, value in WIDENED)
    mysql.execute(f"INSERT INTO sales VALUES (1, {', '.join(map(str, values))})")
    night(1)
    warehouse.query("CREATE INDEX ON raw.sales (v0, v1)")
    warehouse.query("CREATE STATISTICS raw.s ON v0, v1 FROM raw.sales")
    warehouse.query("ALTER TABLE raw.sales ALTER v0 SET DEFAULT 5, ADD CHECK (v0 > 0)")
    warehouse.query("CREATE VIEW public.v AS SELECT id FROM raw.sales")
    wider = ", ".join(f"MODIFY v{number} {becomes}" for number, (_, becomes, *_) in enumerate(WIDENED))
    mysql.execute(f"ALTER TABLE sales {wider}")
    night(2)
    night(3)
    assert [kind for _, kind, _ in columns(warehouse)[1:]] == [kind for *_, kind, _ in WIDENED]
    assert changes(warehouse) == [
        (f"v{number}", "widened", was, becomes) for number, (_, _, was, becomes, _) in enumerate(WIDENED)
    ]
    assert warehouse.query("SELECT * FROM raw.sales") == [(1, *values)]


@pytest.mark.engines("redshift", reason="raw of Postgres has no lengths")
def test_a_longer_text_is_widened_and_a_shorter_one_left(nights, mysql, warehouse, settings):
    """Outside of the load, which begins anew."""
    settings.set("etl", "retry_seconds", 60)
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, note VARCHAR(80), word VARCHAR(80), size ENUM('s'))")
    mysql.execute("INSERT INTO sales VALUES (1, 'a', 'b', 's')")
    night(1)
    warehouse.query("CREATE VIEW public.v AS SELECT id FROM raw.sales")
    mysql.execute("ALTER TABLE sales MODIFY note VARCHAR(255), MODIFY word VARCHAR(9), MODIFY size ENUM('s', 'medium')")
    mysql.execute("ALTER TABLE sales ADD fee INT DEFAULT 5")
    mysql.execute("INSERT INTO sales VALUES (2, REPEAT('€', 255), 'c', 'medium', 6)")
    night(2)
    night(3)
    assert columns(warehouse)[1:] == [
        ("note", "character varying(1020)", False),
        ("word", "character varying(320)", False),
        ("size", "character varying(24)", False),
        ("fee", "integer", False),
    ]
    assert changes(warehouse) == [
        ("note", "widened", "character varying(320)", "character varying(1020)"),
        ("size", "widened", "character varying(4)", "character varying(24)"),
        ("fee", "added", None, "integer"),
    ]
    drawn.shows(warehouse, "raw.sales", f"id|note|word|size|fee\n1|a|b|s|5\n2|{'€' * 255}|c|medium|6")


@pytest.mark.engines("postgres", reason="it is about what is widened in place")
@pytest.mark.parametrize(
    ("said", "becomes", "type_becomes"),
    [("numeric(8,2)", "numeric(10,3)", "numeric(10,3)"), ("numeric(8,2)", None, "numeric")],
)
def test_a_decimal_whose_owner_gives_it_more_room(nights, mysql, warehouse, said, becomes, type_becomes):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, v DECIMAL(20,4))")
    mysql.execute("INSERT INTO sales VALUES (1, 1.5)")
    for number, word in enumerate((said, becomes), start=1):
        extract = type("ExtractSaid", (ExtractTable,), {"read_as": {"v": word} if word else {}})
        task = type(
            "MirrorSaid", (MirrorTable,), {"requires": lambda self, by=extract: by(table="sales", date=self.date)}
        )
        mysql_catalogue.forget()
        Register.clear_instance_cache()
        pipeline.night(task(table="sales", date=day(number)))
    assert changes(warehouse) == [("v", "widened", "numeric(8,2)", type_becomes)]
    assert columns(warehouse)[1][1] == type_becomes


@pytest.mark.engines("postgres", reason="raw of Redshift has lengths")
def test_what_text_and_decimals_hold_is_no_matter_of_their_length(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, note VARCHAR(9), price DECIMAL(5,2), size ENUM('s'))")
    night(1)
    mysql.execute("ALTER TABLE sales MODIFY note TEXT, MODIFY price DECIMAL(30,9), MODIFY size ENUM('s', 'm')")
    mysql.execute("ALTER TABLE sales MODIFY id INT AFTER note")
    night(2)
    assert changes(warehouse) == []


def test_a_widened_key(sales, warehouse):
    """Where the server cannot widen it, the statements make a key of it again."""
    sales.execute("ALTER TABLE sales MODIFY id BIGINT")
    sales.execute("INSERT INTO sales VALUES (3000000000, 1, 'c')")
    if warehouse.engine == "redshift":
        run(warehouse, refused(2))
    night(2)
    assert ("id", "bigint", True) in columns(warehouse)
    with connect("test") as db:
        assert db.table("raw", "sales").key == ("id",)
    assert warehouse.query("SELECT max(id) FROM raw.sales") == [(3000000000,)]


def changed(number):
    """A night of a mirror that reads only the rows that are new by their column `at`."""
    mysql_catalogue.forget()
    Register.clear_instance_cache()
    pipeline.night(MirrorTable(table="sales", changed="at", date=day(number)))


def test_a_mirror_that_reads_what_has_changed(nights, mysql, warehouse):
    """A new column is read of all rows; and an extract from before it, when it is loaded again, takes it from none."""
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, at DATETIME)")
    mysql.execute("INSERT INTO sales VALUES (1, '2014-02-03'), (2, '2014-02-03')")

    changed(1)
    mysql.execute("ALTER TABLE sales ADD fee INT DEFAULT 5")
    changed(2)
    warehouse.query("DELETE FROM etl.loads WHERE business_date = '2014-02-01'")
    changed(1)
    drawn.shows(warehouse, "raw.sales", "id|fee\n1|5\n2|5")
    assert changes(warehouse) == [("fee", "added", None, "integer")]


# ---- what a person has to decide


@pytest.mark.engines("postgres", reason="what depends on a column keeps no VARCHAR of Redshift from growing")
def test_what_depends_on_a_widened_column_stops_it_and_the_script_mends_it(sales, warehouse):
    warehouse.query("CREATE VIEW public.v AS SELECT id, price * 2 AS twice FROM raw.sales")
    warehouse.query("CREATE VIEW public.w AS SELECT twice FROM public.v")
    warehouse.query("GRANT SELECT ON public.w TO bi_reader")
    sales.execute("ALTER TABLE sales MODIFY price BIGINT")
    message = refused(2)
    assert message == (
        "raw.sales: price is integer in the warehouse and bigint at the source now, and view v would not let it be "
        "widened; run: BEGIN; DROP VIEW w; DROP VIEW v; "
        'ALTER TABLE raw.sales ALTER COLUMN "price" TYPE bigint; '
        "CREATE VIEW v AS SELECT id, (price * 2) AS twice FROM raw.sales; "
        'ALTER VIEW v OWNER TO "postgres"; '
        "CREATE VIEW w AS SELECT twice FROM v; "
        'ALTER VIEW w OWNER TO "postgres"; GRANT SELECT ON w TO bi_reader; COMMIT; then load it again'
    )
    assert columns(warehouse)[1] == ("price", "integer", False)
    assert changes(warehouse) == []
    run(warehouse, message)
    night(2)
    assert postgres_query(warehouse.reader_url, "SELECT sum(twice) FROM public.w") == [(60,)]


@pytest.mark.engines("postgres", reason="what depends on a column keeps no VARCHAR of Redshift from growing")
@pytest.mark.parametrize(
    ("statement", "described"),
    [
        ("CREATE MATERIALIZED VIEW public.m AS SELECT price FROM raw.sales", "materialized view m"),
        ("ALTER TABLE raw.sales ADD twice INT GENERATED ALWAYS AS (price * 2) STORED", "column twice of table"),
        (
            "CREATE FUNCTION public.f() RETURNS BIGINT BEGIN ATOMIC SELECT sum(price) FROM raw.sales; END",
            "function f()",
        ),
        ("CREATE RULE r AS ON UPDATE TO raw.sales WHERE new.price < 0 DO INSTEAD NOTHING", "rule r"),
    ],
)
def test_what_else_depends_on_a_widened_column_is_named(sales, warehouse, statement, described):
    warehouse.query(statement)
    sales.execute("ALTER TABLE sales MODIFY price BIGINT")
    message = refused(2)
    assert described in message
    assert 'which use it, then ALTER TABLE raw.sales ALTER COLUMN "price" TYPE bigint, and make' in message


RETYPED = [
    ("BIGINT", "INT", "7"),
    ("INT UNSIGNED", "INT", "7"),
    ("BIGINT UNSIGNED", "BIGINT", "7"),
    ("DECIMAL(9,2)", "INT", "7"),
    ("INT", "DOUBLE", "7"),
    ("DOUBLE", "DECIMAL(9,2)", "7"),
    ("INT", "VARCHAR(9)", "7"),
    ("VARCHAR(9)", "INT", "'7'"),
    ("VARCHAR(10)", "DATE", "'2014-02-03'"),
    ("VARCHAR(19)", "TIMESTAMP NULL", "'2014-02-03 04:05:06'"),
    ("BIT(1)", "TINYINT", "b'1'"),
    ("BIT(1)", "BIGINT UNSIGNED", "b'1'"),
    ("TINYINT", "BIT(1)", "1"),
    ("DATE", "DATETIME", "'2014-02-03'"),
    ("DATETIME", "DATE", "'2014-02-03 00:00:00'"),
    ("DATETIME", "TIMESTAMP NULL", "'2014-02-03 04:05:06'"),
    ("TIMESTAMP NULL", "DATETIME", "'2014-02-03 04:05:06'"),
    ("DATE", "TIMESTAMP NULL", "'2014-02-03'"),
    ("TIMESTAMP NULL", "DATE", "'2014-02-03 00:00:00'"),
    ("DATE", "VARCHAR(10)", "'2014-02-03'"),
    ("DATE", "INT", "'2014-02-03'"),
    ("INT", "DATE", "20140203"),
]


def test_retyped_columns_stop_the_table_until_somebody_runs_the_statements(nights, mysql, warehouse):
    listed = ", ".join(f"v{number} {was}" for number, (was, *_) in enumerate(RETYPED))
    mysql.execute(f"CREATE TABLE sales (id INT PRIMARY KEY, {listed})")
    mysql.execute(f"INSERT INTO sales VALUES (1, {', '.join(value for *_, value in RETYPED)})")
    mysql.execute("INSERT INTO sales (id) VALUES (2)")
    night(1)
    before, rows = columns(warehouse), warehouse.query("SELECT * FROM raw.sales ORDER BY id")
    other = ", ".join(f"MODIFY v{number} {becomes}" for number, (_, becomes, _) in enumerate(RETYPED))
    mysql.execute(f"SET STATEMENT sql_mode='' FOR ALTER TABLE sales {other}")
    message = refused(2)
    assert (columns(warehouse), warehouse.query("SELECT * FROM raw.sales ORDER BY id")) == (before, rows)
    said = re.findall(
        r"(v\d+) is (.+?) in the warehouse and (.+?) at the source now; run: (.+?)(?=; v\d+ is |; then load)", message
    )
    assert [(name, was) for name, was, _, _ in said] == [(name, kind) for name, kind, _ in before[1:]]
    for *_, statement in said:
        perform(warehouse, statement)
    night(2)
    assert sorted(columns(warehouse)[1:]) == sorted((name, becomes, False) for name, _, becomes, _ in said)
    assert changes(warehouse) == []
    assert compare("sales").equal


def test_what_stops_a_table_is_noted_once(sales, warehouse):
    stopped = "SELECT column_name, was, became FROM etl.schema_changes WHERE change = 'stopped' ORDER BY noticed_at"
    sales.execute("ALTER TABLE sales MODIFY price VARCHAR(9)")
    refused(2)
    refused(3)
    assert warehouse.query(stopped) == [("price", "integer", note_is(warehouse))]
    sales.execute("ALTER TABLE sales MODIFY price INT, CHANGE note remark VARCHAR(9)")
    refused(4)
    assert warehouse.query(stopped)[1:] == [("remark", "note", "remark")]


def test_a_text_that_became_a_number_needs_no_text_to_be_one(sales, warehouse):
    """Yesterday's may be none; the next load brings those of today."""
    sales.execute("UPDATE sales SET note = '7'")
    sales.execute("ALTER TABLE sales MODIFY note INT")
    warehouse.query("UPDATE raw.sales SET note = 'none'")
    run(warehouse, refused(2))
    night(2)
    assert set(warehouse.query("SELECT note FROM raw.sales")) == {(7,)}


def test_all_retyped_columns_are_named_at_once(sales, warehouse):
    sales.execute("UPDATE sales SET note = 1")
    sales.execute("ALTER TABLE sales MODIFY price VARCHAR(9), MODIFY note INT, ADD fee INT")
    message = refused(2)
    price, note = by_engine(
        warehouse,
        (
            'ALTER TABLE raw.sales ALTER COLUMN "price" TYPE text;',
            'ALTER TABLE raw.sales ALTER COLUMN "note" TYPE integer USING NULL;',
        ),
        (
            'ALTER TABLE "raw"."sales" ADD COLUMN "price_new" character varying(36); '
            'UPDATE "raw"."sales" SET "price_new" = CAST("price" AS character varying(36)); '
            'ALTER TABLE "raw"."sales" DROP COLUMN "price"; '
            'ALTER TABLE "raw"."sales" RENAME COLUMN "price_new" TO "price";',
            'ALTER TABLE "raw"."sales" ADD COLUMN "note_new" integer; UPDATE "raw"."sales" SET "note_new" = NULL;',
        ),
    )
    assert f"run: {price}" in message
    assert f"run: {note}" in message
    assert [name for name, _, _ in columns(warehouse)] == ["id", "price", "note"], "nothing is altered"


@pytest.mark.engines("postgres", reason="Redshift's statements leave views to a person")
def test_a_retyped_column_with_a_view(sales, warehouse):
    warehouse.query("CREATE VIEW public.v AS SELECT price FROM raw.sales")
    sales.execute("ALTER TABLE sales MODIFY price VARCHAR(9)")
    run(warehouse, refused(2))
    night(2)
    assert sorted(warehouse.query("SELECT price FROM public.v")) == [("10",), ("20",)]


def test_what_looks_like_a_rename_is_asked(sales, warehouse):
    sales.execute("ALTER TABLE sales CHANGE price `the price` INT")
    name = by_engine(warehouse, "raw.sales", '"raw"."sales"')
    assert refused(2) == (
        "raw.sales: the source has lost price and gained the price, of the same type (integer), which looks like a "
        f'rename; if it is one, run: ALTER TABLE {name} RENAME COLUMN "price" TO "the price"; '
        f'if it is not: ALTER TABLE {name} ADD COLUMN "the price" integer; then load it again'
    )
    assert [name for name, _, _ in columns(warehouse)] == ["id", "price", "note"]
    assert changes(warehouse) == []


def test_a_rename_that_is_one(sales, warehouse):
    warehouse.query("CREATE VIEW public.v AS SELECT price FROM raw.sales")
    sales.execute("ALTER TABLE sales CHANGE price `the price` INT")
    run(warehouse, refused(2), "if it is one, run: ", "; if it is not")
    night(2)
    drawn.shows(warehouse, "raw.sales", "id|the price|note\n1|10|a\n2|20|b")
    assert sorted(warehouse.query("SELECT price FROM public.v")) == [(10,), (20,)]
    assert changes(warehouse) == []


def test_a_rename_that_is_none(sales, warehouse):
    sales.execute("ALTER TABLE sales DROP price, ADD fee INT DEFAULT 1")
    run(warehouse, refused(2), "if it is not: ")
    night(2)
    drawn.shows(warehouse, "raw.sales", "id|price|note|fee\n1|NULL|a|1\n2|NULL|b|1")
    assert changes(warehouse) == [("price", "removed", "integer", None)]


def test_a_column_of_another_type_or_of_another_night_is_no_rename(sales, warehouse):
    sales.execute("ALTER TABLE sales DROP price, ADD fee BIGINT")
    night(2)
    sales.execute("ALTER TABLE sales ADD tax INT")
    night(3)
    assert changes(warehouse) == [
        ("fee", "added", None, "bigint"),
        ("price", "removed", "integer", None),
        ("tax", "added", None, "integer"),
    ]


@pytest.mark.parametrize(
    ("key", "statement", "said", "statement_to_run"),
    [
        (
            "PRIMARY KEY (line, id)",
            "DROP PRIMARY KEY, DROP line, ADD PRIMARY KEY (id)",
            "(line, id), and at the source it is (id)",
            'ALTER TABLE raw.sales DROP CONSTRAINT "sales_pkey", ADD PRIMARY KEY ("id")',
        ),
        (
            "PRIMARY KEY (id)",
            "DROP PRIMARY KEY, ADD PRIMARY KEY (line, id)",
            "(id), and at the source it is (line, id)",
            'ALTER TABLE raw.sales DROP CONSTRAINT "sales_pkey", ADD PRIMARY KEY ("line", "id")',
        ),
        (
            "PRIMARY KEY (id)",
            "DROP PRIMARY KEY, ADD place BIGINT AUTO_INCREMENT PRIMARY KEY",
            "(id), and at the source it is (place)",
            'BEGIN; DELETE FROM raw.sales; ALTER TABLE raw.sales ADD COLUMN "place" bigint, '
            'DROP CONSTRAINT "sales_pkey", ADD PRIMARY KEY ("place"); COMMIT',
        ),
        (
            "PRIMARY KEY (id)",
            "DROP PRIMARY KEY",
            "(id), and at the source it is (none)",
            'ALTER TABLE raw.sales DROP CONSTRAINT "sales_pkey"',
        ),
        (
            "INDEX (id)",
            "ADD PRIMARY KEY (id)",
            "(none), and at the source it is (id)",
            'ALTER TABLE raw.sales ADD PRIMARY KEY ("id")',
        ),
    ],
)
def test_another_key(nights, mysql, warehouse, key, statement, said, statement_to_run):
    mysql.execute(f"CREATE TABLE sales (id INT, line INT NOT NULL, price INT, {key})")
    mysql.execute("INSERT INTO sales VALUES (1, 1, 10), (2, 1, 20)")
    night(1)
    mysql.execute(f"ALTER TABLE sales {statement}")
    message = refused(2)
    assert message.startswith(f"raw.sales: its key is {said} now; run: ")
    if warehouse.engine == "postgres":
        assert message.endswith(f"; run: {statement_to_run}; then load it again")
    assert changes(warehouse) == []
    run(warehouse, message)
    night(2)
    assert sorted(warehouse.query("SELECT id, price FROM raw.sales")) == [(1, 10), (2, 20)]
    with connect("test") as db:
        assert f"({', '.join(db.table('raw', 'sales').key) or 'none'})" == said.rpartition("it is ")[2]


def test_a_key_that_the_old_rows_cannot_have(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, seat INT)")
    mysql.execute("INSERT INTO sales VALUES (1, 7), (2, 7)")
    night(1)
    mysql.execute("UPDATE sales SET seat = id")
    mysql.execute("ALTER TABLE sales DROP PRIMARY KEY, ADD PRIMARY KEY (seat)")
    message = refused(2)
    name = by_engine(warehouse, "raw.sales", '"raw"."sales"')
    assert f"run: BEGIN; DELETE FROM {name}; ALTER TABLE {name} DROP CONSTRAINT" in message
    run(warehouse, message)
    night(2)
    assert sorted(warehouse.query("SELECT id, seat FROM raw.sales")) == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("statement", "after", "shown"),
    [
        ("MODIFY v VARCHAR(9)", "run: ", "id|at|v\n1|2014-02-03 00:00:00|7\n2|2014-02-03 00:00:00|8"),
        ("MODIFY v INT UNSIGNED", "run: ", "id|at|v\n1|2014-02-03 00:00:00|7\n2|2014-02-03 00:00:00|8"),
        ("DROP v, ADD w INT DEFAULT 5", "if it is not: ", "id|w\n1|5\n2|5"),
        ("DROP PRIMARY KEY, ADD PRIMARY KEY (v)", "run: ", "id|v\n1|7\n2|8"),
        ("DROP PRIMARY KEY, ADD place INT AUTO_INCREMENT PRIMARY KEY", "run: ", "id|place\n1|1\n2|2"),
    ],
)
def test_a_mirror_that_reads_what_has_changed_reads_it_all_after_the_statement(
    nights, mysql, warehouse, statement, after, shown
):
    """Also where it is run so late that the night which said so is over: no row says that it has another value."""
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, at DATETIME, v INT)")
    mysql.execute("INSERT INTO sales VALUES (1, '2014-02-03', 7), (2, '2014-02-03', 8)")
    changed(1)
    changed(2)
    if warehouse.engine == "postgres":
        warehouse.query("CREATE VIEW public.v AS SELECT v FROM raw.sales")
    mysql.execute(f"ALTER TABLE sales {statement}")
    mysql_catalogue.forget()
    message = pipeline.refused(MirrorTable(table="sales", changed="at", date=day(3)), DataError)
    run(warehouse, message, after)
    changed(4)
    drawn.shows(warehouse, "raw.sales", shown)


def test_a_table_that_stops_stops_no_other(sales, mysql, warehouse):
    mysql.execute("CREATE TABLE venues (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO venues VALUES (1)")
    sales.execute("ALTER TABLE sales MODIFY price VARCHAR(9)")
    mysql_catalogue.forget()
    tables = [MirrorTable(table=table, date=day(2)) for table in ("sales", "venues")]
    done = luigi.build(tables, local_scheduler=True, detailed_summary=True, log_level="CRITICAL")
    assert done.status == luigi.LuigiStatusCode.FAILED
    assert [table.complete() for table in tables] == [False, True]
    drawn.shows(warehouse, "raw.sales", "id|price|note\n1|10|a\n2|20|b")
    drawn.shows(warehouse, "raw.venues", "id\n1")


# ---- readers, and death


def waits_for_a_lock(warehouse):
    return warehouse.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE \"raw\"%'"
    )


def test_who_keeps_a_column_from_being_added_is_named(sales, warehouse, settings):
    settings.set("warehouse", "lock_timeout", 3)
    sales.execute("ALTER TABLE sales ADD fee INT")
    url = by_engine(warehouse, warehouse.admin_url, warehouse.url)
    with session(f"{url}?application_name=Looker") as reader:
        reader.execute("SELECT pg_backend_pid()")
        ((pid,),) = reader.fetchall()
        reader.execute('SELECT 1 FROM "raw".sales')
        message = refused(2, Locked)
    begins, names = by_engine(
        warehouse,
        (
            "there was no moment in which nobody",
            f"; it is open in pid {pid} \\(postgres, Looker, since .+\\); end what reads",
        ),
        ("it was held by", f'"raw"."sales" by session {pid} of etl_load, since .+; end what reads there'),
    )
    assert message.startswith(f"raw.sales: its columns are to change, and for 3 s {begins}")
    assert re.search(names, message)
    assert [name for name, _, _ in columns(warehouse)] == ["id", "price", "note"]
    assert changes(warehouse) == []
    night(2)
    assert changes(warehouse) == [("fee", "added", None, "integer")]


@pytest.mark.engines("postgres", reason="Redshift's transaction cannot step back: it would be all of the load")
def test_a_column_that_waits_for_a_reader_makes_no_other_wait_with_it(sales, warehouse):
    """The second reader is answered although the first is not done: the change has stepped back."""
    sales.execute("ALTER TABLE sales ADD fee INT")
    mysql_catalogue.forget()
    task = MirrorTable(table="sales", date=day(2))
    pipeline.night(task.requires())
    with session(warehouse.admin_url) as first, session(warehouse.admin_url, "SET statement_timeout = '15s'") as second:
        first.execute("SELECT 1 FROM raw.sales")
        with pipeline.meanwhile(task.run) as raised:
            until(lambda: waits_for_a_lock(warehouse))
            second.execute("SELECT count(*) FROM raw.sales")
            assert second.fetchone() == (2,)
            second.connection.rollback()
            first.connection.rollback()
    assert raised == []
    assert changes(warehouse) == [("fee", "added", None, "integer")]


def test_what_needs_no_change_of_the_table_waits_for_no_reader(sales, warehouse, settings):
    settings.set("warehouse", "lock_timeout", 1)
    sales.execute("ALTER TABLE sales DROP note")
    with session(warehouse.admin_url) as reader:
        reader.execute("SELECT 1 FROM raw.sales")
        night(2)
    assert changes(warehouse) == [("note", "removed", note_is(warehouse), None)]


def dies(number, failpoint):
    os.environ["ETL_FAILPOINT"] = failpoint
    night(number)


def killed(number, failpoint):
    dying = multiprocessing.get_context("fork").Process(target=dies, args=(number, failpoint))
    dying.start()
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL


@pytest.mark.engines("redshift", reason="there all but a VARCHAR is altered by the load's own transaction")
@pytest.mark.parametrize("failpoint", ["commit.before", "commit.after", "load.copied"])
def test_a_death_before_the_load_is_committed_leaves_no_more_than_a_wider_text(sales, warehouse, settings, failpoint):
    settings.set("etl", "retry_seconds", 60)
    sales.execute("ALTER TABLE sales ADD fee BIGINT DEFAULT 5, DROP price, MODIFY note VARCHAR(20)")
    killed(2, failpoint)
    wider = ("note", "widened", "character varying(36)", "character varying(80)")
    whole = [wider, ("fee", "added", None, "bigint"), ("price", "removed", "integer", None)]
    done = failpoint == "commit.after"
    assert [name for name, _, _ in columns(warehouse)] == ["id", "price", "note", *["fee"] * done]
    assert changes(warehouse) == (whole if done else [wider])
    night(2)
    drawn.shows(warehouse, "raw.sales", "id|price|note|fee\n1|NULL|a|5\n2|NULL|b|5")
    assert changes(warehouse) == whole


@pytest.mark.engines("postgres", reason="it alters the table in a transaction of its own, and widens numbers")
@pytest.mark.parametrize("failpoint", ["commit.before", "commit.after", "load.copied"])
def test_a_death_around_the_change_is_made_good_by_the_next_night(sales, warehouse, failpoint):
    """Before its commit, right after it, and with rows in the stage."""
    sales.execute("ALTER TABLE sales ADD fee INT DEFAULT 5, DROP note, MODIFY price BIGINT")
    killed(2, failpoint)
    altered = [name for name, _, _ in columns(warehouse)] == ["id", "price", "note", "fee"]
    assert altered == (failpoint != "commit.before") == bool(changes(warehouse))
    night(2)
    drawn.shows(warehouse, "raw.sales", "id|price|note|fee\n1|10|NULL|5\n2|20|NULL|5")
    assert changes(warehouse) == [
        ("fee", "added", None, "integer"),
        ("note", "removed", "text", None),
        ("price", "widened", "integer", "bigint"),
    ]


# ---- a change while the table is read


@pytest.fixture(params=["connectorx", "pymysql"])
def plane(request, monkeypatch):
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0 if request.param == "connectorx" else float("inf"))
    Register.clear_instance_cache()
    return request.param


def extracted(task):
    """Columns, types, key and rows of what the task writes."""
    task.run()
    target = task.output()
    manifest = target.manifest()
    rows = []
    for part in manifest.parts:
        with contextlib.closing(target.open_part(part, manifest)) as reader:
            rows += csv.reader(io.StringIO(reader.read().decode()))
    return manifest.columns, manifest.types, manifest.findings["key"], rows


ALTERED = [
    ("DROP b", ("a", "c"), ("INTEGER", "INTEGER"), ["a"], ["1", "3"]),
    ("ADD z INT DEFAULT 9 FIRST", ("z", "a", "b", "c"), ("INTEGER",) * 4, ["a"], ["9", "1", "2", "3"]),
    ("MODIFY c INT AFTER a", ("a", "c", "b"), ("INTEGER",) * 3, ["a"], ["1", "3", "2"]),
    ("CHANGE b c INT, CHANGE c b INT", ("a", "c", "b"), ("INTEGER",) * 3, ["a"], ["1", "2", "3"]),
    ("MODIFY b VARCHAR(9)", ("a", "b", "c"), ("INTEGER", "TEXT", "INTEGER"), ["a"], ["1", "2", "3"]),
    ("DROP PRIMARY KEY, ADD PRIMARY KEY (c)", ("a", "b", "c"), ("INTEGER",) * 3, ["c"], ["1", "2", "3"]),
]
BEFORE = (("a", "b", "c"), ("INTEGER",) * 3, ["a"], [["1", "2", "3"]])


@pytest.fixture
def letters(mysql, lake, plane):
    """A table whose schema is known."""
    mysql.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT, c INT)")
    mysql.execute("INSERT INTO t VALUES (1, 2, 3)")
    assert extracted(ExtractTable(table="t", date=day(1))) == BEFORE
    return mysql


def becomes(found, columns, types, key, row):
    assert (tuple(found[0]), tuple(found[1]), found[2], found[3]) == (columns, types, key, [row])


@pytest.mark.parametrize(("statement", "columns", "types", "key", "row"), ALTERED)
def test_a_table_altered_after_its_schema_was_read(letters, statement, columns, types, key, row):
    letters.execute(f"ALTER TABLE t {statement}")
    becomes(extracted(ExtractTable(table="t", date=day(2))), columns, types, key, row)


def altered_by(mysql, statement):
    """The ALTER runs while the block does, which begins when it is done or waits for whoever reads the table."""
    thread = threading.Thread(target=lambda: mysql.execute(f"ALTER TABLE t {statement}"), daemon=True)
    thread.start()
    waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'Waiting for table metadata lock'"
    until(lambda: not thread.is_alive() or mysql.query(waiting))
    return thread


@pytest.mark.parametrize(("statement", "columns", "types", "key", "row"), ALTERED)
def test_a_table_altered_while_it_is_read(letters, plane, statement, columns, types, key, row):
    """What PyMySQL reads stays locked until it is read; connectorx has read it all before the first row is taken."""
    altering = []

    class Disturbed(ExtractTable):
        def batches(self):
            for batch in super().batches():
                if batch.num_rows and not altering:
                    altering.append(altered_by(letters, statement))
                yield batch

    found = extracted(Disturbed(table="t", date=day(2)))
    altering[0].join(20)
    if plane == "pymysql":
        assert found == BEFORE
        mysql_catalogue.forget()
        found = extracted(ExtractTable(table="t", date=day(3)))
    becomes(found, columns, types, key, row)


@pytest.mark.parametrize(("statement", "columns", "types", "key", "row"), ALTERED)
def test_a_table_altered_after_its_snapshot_began(letters, monkeypatch, statement, columns, types, key, row):
    begin_snapshot, altered = mysql_source.begin_snapshot, []

    def begin_and_alter(connection):
        begin_snapshot(connection)
        if not altered:
            altered.append(letters.execute(f"ALTER TABLE t {statement}"))

    monkeypatch.setattr(mysql_source, "begin_snapshot", begin_and_alter)
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", float("inf"))
    becomes(extracted(ExtractTable(table="t", date=day(2))), columns, types, key, row)
    assert altered


def test_a_table_that_was_dropped_and_made_anew_after_its_snapshot_began(letters, monkeypatch, caplog):
    """MySQL itself refuses to read it: its snapshot is older than the table."""
    begin_snapshot, altered = mysql_source.begin_snapshot, []

    def begin_and_swap(connection):
        begin_snapshot(connection)
        if not altered:
            letters.execute("CREATE TABLE other LIKE t")
            letters.execute("INSERT INTO other VALUES (7, 8, 9)")
            altered.append(letters.execute("RENAME TABLE t TO gone, other TO t"))

    monkeypatch.setattr(mysql_source, "begin_snapshot", begin_and_swap)
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", float("inf"))
    with caplog.at_level("WARNING", "luigi-interface.etl"):
        found = extracted(ExtractTable(table="t", date=day(2)))
    becomes(found, *BEFORE[:3], ["7", "8", "9"])
    assert "t: was altered after its snapshot began; read again" in caplog.text


@pytest.mark.parametrize("times", [3, 4])
def test_a_table_that_is_altered_at_every_read(letters, bucket, times):
    """Three times it is read again, and no more."""
    reads = []

    class Disturbed(ExtractTable):
        def batches(self):
            reads.append(self)
            if len(reads) <= times:
                with mysql_source.connected(mysql_source.address()) as connection:
                    mysql_catalogue.catalogue(connection)
                letters.execute(f"ALTER TABLE t ADD c{len(reads)} INT DEFAULT {len(reads)}")
            return super().batches()

    task = Disturbed(table="t", date=day(2))
    if times == 3:
        assert extracted(task)[3] == [["1", "2", "3", "1", "2", "3"]]
    else:
        with pytest.raises(SourceError, match=r"\.t: was altered .*\(c4 is new\), and so it was each time"):
            task.run()
        assert not task.complete()
    assert len(reads) == 4


# ---- a season of it


ADDED = ("SMALLINT", "INT", "VARCHAR(9)", "DATE", "DECIMAL(9,2)")
WIDER = {
    "postgres": {"SMALLINT": "INT", "INT": "BIGINT", "BIGINT": "DECIMAL(30,0)"},
    "redshift": {"VARCHAR(9)": "VARCHAR(20)", "VARCHAR(20)": "VARCHAR(80)"},
}
SHARED_TYPES = {"SMALLINT": "smallint", "INT": "integer", "BIGINT": "bigint", "DATE": "date"}
TYPES = {
    "postgres": SHARED_TYPES | {"DECIMAL(30,0)": "numeric", "DECIMAL(9,2)": "numeric", "VARCHAR(9)": "text"},
    "redshift": SHARED_TYPES
    | {"DECIMAL(9,2)": "numeric(9,2)"}
    | {f"VARCHAR({n})": f"character varying({4 * n})" for n in (9, 20, 80)},
}
VALUES = {f"VARCHAR({n})": "'x'" for n in (9, 20, 80)} | {"DATE": "'2014-02-03'"}


@st.composite
def seasons(draw):
    """For each night its ALTERs: ('add', type), ('drop', column) or ('widen', column), by the columns' numbers."""
    return draw(
        st.lists(
            st.lists(
                st.tuples(st.sampled_from(["add", "drop", "widen", "back"]), st.integers(0, 99)), min_size=0, max_size=3
            ),
            min_size=2,
            max_size=4,
        )
    )


@pytest.mark.exam_on("redshift")
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(season=seasons())
def test_a_season_of_changes(nights, mysql, warehouse, settings, season):
    """A model that knows nothing of the mirror says what each night has to find, and what it has to note."""
    settings.set("etl", "retry_seconds", 60)
    types, wider = TYPES[warehouse.engine], WIDER[warehouse.engine]
    table = f"season_{uuid.uuid4().hex[:8]}"
    mysql.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
    mysql.execute(f"INSERT INTO {table} VALUES (1), (2)")
    night(1, table)
    source, kept, noted = {}, {}, []
    for number, steps in enumerate(season, start=2):
        before, had = dict(source), dict(kept)
        for step, pick in steps:
            match step:
                case "add":
                    name, kind = f"c{len(kept)}", ADDED[pick % len(ADDED)]
                    # One that is gone the same night and of this type would be a rename.
                    gone = {types[before[other]] for other in before if other not in source}
                    if types[kind] in gone:
                        continue
                    mysql.execute(f"ALTER TABLE {table} ADD {name} {kind} DEFAULT {VALUES.get(kind, '7')} FIRST")
                    source[name] = kept[name] = kind
                case "back":
                    away = [name for name in kept if name not in source and name not in before]
                    if away:
                        name = away[pick % len(away)]
                        mysql.execute(
                            f"ALTER TABLE {table} ADD {name} {kept[name]} DEFAULT {VALUES.get(kept[name], '7')}"
                        )
                        source[name] = kept[name]
                case "drop":
                    new = {types[source[name]] for name in source if name not in had}
                    droppable = [name for name in before if name in source and types[source[name]] not in new]
                    if droppable:
                        name = droppable[pick % len(droppable)]
                        mysql.execute(f"ALTER TABLE {table} DROP {name}")
                        kept[name] = before[name]
                        del source[name]
                case "widen":
                    narrow = [name for name in source if source[name] in wider]
                    if narrow:
                        name = narrow[pick % len(narrow)]
                        source[name] = kept[name] = wider[source[name]]
                        mysql.execute(f"ALTER TABLE {table} MODIFY {name} {source[name]} DEFAULT 7")
        mysql.execute(f"INSERT INTO {table} (id) VALUES ({number + 1})")
        night(number, table)
        noted += sorted(expected(before, source, had, types))
        shared = ["id", *source]
        listed = ", ".join(shared)
        assert sorted(mysql.query(f"SELECT {listed} FROM {table}")) == sorted(
            warehouse.query(f"SELECT {listed} FROM raw.{table}")
        )
        found = {name: kind for name, kind, _ in columns(warehouse, f"raw.{table}")}
        assert found == {"id": "integer"} | {name: types[kind] for name, kind in kept.items()}
        for name in kept.keys() - source.keys():
            assert warehouse.query(f"SELECT count({name}) FROM raw.{table}") == [(0,)]
    per_night = [(name, change) for name, change, _, _ in changes(warehouse, f"raw.{table}")]
    assert sorted(per_night) == sorted(noted)


def expected(before, source, had, types):
    for name, kind in source.items():
        if name not in had:
            yield name, "added"
        elif name not in before:
            yield name, "returned"
        if name in had and types[kind] != types[had[name]]:
            yield name, "widened"
    for name in before:
        if name not in source:
            yield name, "removed"
