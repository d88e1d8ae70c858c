"""MirrorTable: raw.<table> is the MySQL table, its columns and types and key, and follows it when it grows."""

import json
import multiprocessing
import re

import psycopg2
import pytest
from luigi.task_register import Register

from etl.errors import DataError
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue
from etl.sources.mysql import ExtractTable
from etl.sources.mysql_connection import address, connected
from etl.testing import drawn, postgres_query
from etl.warehouse import connect
from tests import pipeline
from tests.pipeline import day, receipts, refused

pytest_plugins = ("tests.nights",)


def night(task):
    """In a process of its own, as it were: the source's catalogue is read once a process."""
    mysql_catalogue.forget()
    pipeline.night(task)


def by_engine(warehouse, postgres, redshift):
    return {"postgres": postgres, "redshift": redshift}[warehouse.engine]


def columns(warehouse, table):
    return warehouse.query(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (table,),
    )


def mirror(date, table="sales"):
    return MirrorTable(table=table, date=day(date))


def test_a_table_becomes_what_it_is(nights, mysql, warehouse):
    mysql.execute(
        "CREATE TABLE sales (id BIGINT UNSIGNED, line INT, price DECIMAL(10,2), note VARCHAR(9), sold DATE, ok BIT(1), "
        "PRIMARY KEY (line, id))"
    )
    mysql.execute("INSERT INTO sales VALUES (18446744073709551615, 1, 9.50, 'x', '2014-02-03', b'1')")
    mysql.execute("INSERT INTO sales VALUES (2, 1, NULL, '', NULL, NULL)")
    night(mirror(1))
    assert columns(warehouse, "raw.sales") == [
        ("id", "numeric(20,0)", True),
        ("line", "integer", True),
        ("price", by_engine(warehouse, "numeric", "numeric(10,2)"), False),
        ("note", by_engine(warehouse, "text", 'redshift."varchar"(36)'), False),
        ("sold", "date", False),
        ("ok", "boolean", False),
    ]
    drawn.shows(
        warehouse,
        "raw.sales",
        """
        id                   | line | price | note | sold       | ok
        18446744073709551615 | 1    | 9.50  | x    | 2014-02-03 | true
        2                    | 1    | NULL  | ''   | NULL       | NULL
        """,
    )
    with connect("test") as db:
        assert db.table("raw", "sales").key == ("line", "id")
    (counts,) = warehouse.query("SELECT rows_read, rows_written FROM etl.receipts")
    assert counts == (2, 2)


def test_rows_follow_the_source(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, price INT)")
    mysql.execute("INSERT INTO sales VALUES (1, 10), (2, 20), (3, 30)")
    night(mirror(1))
    mysql.execute("DELETE FROM sales WHERE id = 1")
    mysql.execute("UPDATE sales SET price = NULL WHERE id = 2")
    mysql.execute("INSERT INTO sales VALUES (4, 40)")
    night(mirror(2))
    drawn.shows(warehouse, "raw.sales", "id|price\n2|NULL\n3|30\n4|40")
    assert receipts(warehouse, "raw.sales")[1] == (3, 1, 1, 1, 3)


def test_a_table_without_a_key(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (a INT)")
    mysql.execute("INSERT INTO sales VALUES (1), (1), (NULL)")
    night(mirror(1))
    night(mirror(2))
    drawn.shows(warehouse, "raw.sales", "a\n1\n1\nNULL")


def test_names_that_sql_keeps_for_itself(nights, mysql, warehouse):
    mysql.execute('CREATE TABLE `order` (`select` INT PRIMARY KEY, `a "b" c` INT, `Größe` INT)')
    mysql.execute("INSERT INTO `order` VALUES (1, 2, 3)")
    night(mirror(1, "order"))
    mysql.execute("UPDATE `order` SET `Größe` = 4")
    mysql.execute("ALTER TABLE `order` ADD `user` INT DEFAULT 5")
    night(mirror(2, "order"))
    assert warehouse.query('SELECT "select", "a ""b"" c", "Größe", "user" FROM raw."order"') == [(1, 2, 4, 5)]


def test_a_column_that_the_source_gains_goes_last(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, price INT)")
    mysql.execute("INSERT INTO sales VALUES (1, 10)")
    night(mirror(1))
    warehouse.query("CREATE VIEW public.v AS SELECT id FROM raw.sales")
    mysql.execute("ALTER TABLE sales ADD fee DECIMAL(5,2) NOT NULL DEFAULT 0.5 AFTER id")
    night(mirror(2))
    fee = by_engine(warehouse, "numeric", "numeric(5,2)")
    assert columns(warehouse, "raw.sales")[1:] == [("price", "integer", False), ("fee", fee, False)]
    drawn.shows(warehouse, "raw.sales", "id|price|fee\n1|10|0.50")
    assert warehouse.query("SELECT * FROM public.v") == [(1,)]


def test_a_table_whose_name_is_not_plain(nights, mysql):
    mysql.execute("CREATE TABLE `Sales` (id INT PRIMARY KEY)")
    assert "'Sales': not a table's name" in refused(mirror(1, "Sales"), DataError)


def test_analysts_do_not_read_raw(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY)")
    night(mirror(1))
    rights = (
        "has_schema_privilege('bi_reader', 'raw', 'USAGE'), has_table_privilege('bi_reader', 'raw.sales', 'SELECT')"
    )
    assert warehouse.query(f"SELECT {rights}") == [(False, False)]


def test_an_emptied_source_is_let_through_when_somebody_says_so(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO sales VALUES (1), (2)")
    night(mirror(1))
    mysql.execute("DELETE FROM sales")
    mysql_catalogue.forget()
    message = refused(mirror(2), DataError)
    assert "raw.sales: the source gave 0 rows and the table has 2" in message
    assert warehouse.query("SELECT count(*) FROM raw.sales") == [(2,)]
    Register.clear_instance_cache()
    night(MirrorTable(table="sales", date=day(2), on_empty="replace"))
    assert warehouse.query("SELECT count(*) FROM raw.sales") == [(0,)]
    assert mirror(2).complete(), "it is the same night"


def test_a_row_that_no_warehouse_holds_goes_to_quarantine_and_comes_back(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE articles (id INT PRIMARY KEY, body MEDIUMTEXT)")
    mysql.execute("INSERT INTO articles VALUES (1, REPEAT('é', 40000)), (2, 'short')")
    night(mirror(1, "articles"))
    assert warehouse.query("SELECT id, body FROM raw.articles") == [(2, "short")]
    held = warehouse.query("SELECT target, source_key, column_name, reason, source_row FROM etl.quarantine")
    assert [row[:4] for row in held] == [("raw.articles", '["1"]', "body", "longer than 65535 bytes")]
    assert json.loads(held[0][4]) == {"id": "1", "body": "é" * 16383 + "… (40,000 characters)"}
    counts = "SELECT rows_read, rows_written, rows_rejected, rows_staged FROM etl.receipts ORDER BY loaded_at"
    assert warehouse.query(counts) == [(2, 1, 1, 1)]

    mysql.execute("UPDATE articles SET body = 'mended' WHERE id = 1")
    night(mirror(2, "articles"))
    assert warehouse.query("SELECT id, body FROM raw.articles ORDER BY id") == [(1, "mended"), (2, "short")]
    assert warehouse.query("SELECT * FROM etl.quarantine") == []


@pytest.mark.parametrize("table", ["quarantine", "losses", "receipts"])
def test_analysts_do_not_read_what_was_lost(nights, mysql, warehouse, table):
    mysql.execute("CREATE TABLE articles (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO articles VALUES (1)")
    night(mirror(1, "articles"))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        postgres_query(warehouse.reader_url, f"SELECT * FROM etl.{table}")


def known_columns():
    with connected(address()) as connection:
        return [column.name for column in mysql_catalogue.catalogue(connection)["sales"]]


def forked(work):
    with multiprocessing.get_context("fork").Pool(1) as worker:
        return worker.apply(work)


def test_workers_know_the_schema_that_was_read_while_luigi_planned(nights, mysql):
    mysql_catalogue.read_ahead.cache_clear()
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY)")
    mirror(1).deps()
    mysql.execute("ALTER TABLE sales ADD COLUMN note TEXT")
    assert forked(known_columns) == ["id"]


def test_what_one_worker_finds_outdated_the_next_reads_again(nights, mysql):
    mysql_catalogue.read_ahead.cache_clear()
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY)")
    mirror(1).deps()
    mysql.execute("ALTER TABLE sales ADD COLUMN note TEXT")
    forked(mysql_catalogue.forget)
    assert forked(known_columns) == ["id", "note"]


def test_a_source_that_is_down_is_no_error_of_the_plan(nights, settings):
    mysql_catalogue.read_ahead.cache_clear()
    settings.set("mysql", "url", "mysql://etl_extract:x@127.0.0.1:1/shop")
    assert [task.get_task_family() for task in mirror(1).deps()] == ["ExtractTable"]


class ExtractKept(ExtractTable):
    on_loss = {"body": "keep"}


class MirrorKept(MirrorTable):
    table = "articles"

    def requires(self):
        return ExtractKept(table="articles", date=self.date)


@pytest.mark.engines("redshift", reason="a text of Postgres has no limit")
def test_a_kept_text_that_is_too_long_is_refused_with_its_file_and_line(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE articles (id INT PRIMARY KEY, body MEDIUMTEXT)")
    mysql.execute("INSERT INTO articles VALUES (1, REPEAT('x', 65535)), (2, 'short')")
    night(MirrorKept(date=day(1)))
    mysql.execute("UPDATE articles SET body = REPEAT('x', 65536) WHERE id = 1")
    mysql.execute("UPDATE articles SET body = 'changed' WHERE id = 2")
    mysql_catalogue.forget()
    message = refused(MirrorKept(date=day(2)), DataError)
    assert re.match(
        r"raw\.articles: s3://\S+/part-00000\.csv\.zst, line 1, column body \(varchar\): String length exceeds DDL",
        message,
    )
    assert warehouse.query("SELECT id, length(body::text) FROM raw.articles ORDER BY id") == [(1, 65535), (2, 5)]
    assert receipts(warehouse, "raw.articles") == [(2, 2, 0, 0, 2)]
