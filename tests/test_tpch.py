"""TPC-H mirrored from MySQL: its 22 queries, asked of raw.* as they are written, give the published answers.

Data, queries and answers are those of DuckDB's tpch extension, which publishes them for a few scales.
"""

import contextlib
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_tpch
import psycopg2
import pymysql
import pytest

from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue
from tests.pipeline import day, night, receipts

pytest_plugins = ("tests.nights",)

# The specification's own column types and primary keys.
TABLES = {
    "region": "r_regionkey INT PRIMARY KEY, r_name CHAR(25), r_comment VARCHAR(152)",
    "nation": "n_nationkey INT PRIMARY KEY, n_name CHAR(25), n_regionkey INT, n_comment VARCHAR(152)",
    "supplier": "s_suppkey INT PRIMARY KEY, s_name CHAR(25), s_address VARCHAR(40), s_nationkey INT, s_phone CHAR(15), "
    "s_acctbal DECIMAL(15,2), s_comment VARCHAR(101)",
    "part": "p_partkey INT PRIMARY KEY, p_name VARCHAR(55), p_mfgr CHAR(25), p_brand CHAR(10), p_type VARCHAR(25), "
    "p_size INT, p_container CHAR(10), p_retailprice DECIMAL(15,2), p_comment VARCHAR(23)",
    "partsupp": "ps_partkey INT, ps_suppkey INT, ps_availqty INT, ps_supplycost DECIMAL(15,2), "
    "ps_comment VARCHAR(199), PRIMARY KEY (ps_partkey, ps_suppkey)",
    "customer": "c_custkey INT PRIMARY KEY, c_name VARCHAR(25), c_address VARCHAR(40), c_nationkey INT, "
    "c_phone CHAR(15), c_acctbal DECIMAL(15,2), c_mktsegment CHAR(10), c_comment VARCHAR(117)",
    "orders": "o_orderkey BIGINT PRIMARY KEY, o_custkey INT, o_orderstatus CHAR(1), o_totalprice DECIMAL(15,2), "
    "o_orderdate DATE, o_orderpriority CHAR(15), o_clerk CHAR(15), o_shippriority INT, o_comment VARCHAR(79)",
    "lineitem": "l_orderkey BIGINT, l_partkey INT, l_suppkey INT, l_linenumber INT, l_quantity DECIMAL(15,2), "
    "l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2), l_tax DECIMAL(15,2), l_returnflag CHAR(1), "
    "l_linestatus CHAR(1), l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE, l_shipinstruct CHAR(25), "
    "l_shipmode CHAR(10), l_comment VARCHAR(44), PRIMARY KEY (l_orderkey, l_linenumber)",
}

# What yesterday's source had otherwise: rows that were added, changed and deleted since.
YESTERDAY = (
    "DELETE FROM lineitem WHERE l_orderkey % 7 = 0",
    "DELETE FROM orders WHERE o_orderkey % 7 = 0",
    "UPDATE lineitem SET l_extendedprice = l_extendedprice + 0.01, l_shipdate = NULL WHERE l_orderkey % 11 = 0",
    "UPDATE customer SET c_acctbal = -c_acctbal, c_phone = '' WHERE c_custkey % 3 = 0",
    "UPDATE supplier SET s_comment = 'Customer Complaints' WHERE s_suppkey % 2 = 0",
    "UPDATE orders SET o_orderkey = -o_orderkey WHERE o_orderkey % 13 = 0",
    "INSERT INTO partsupp SELECT ps_partkey, ps_suppkey + 1000000, ps_availqty, ps_supplycost, NULL FROM partsupp",
)

SMALL = 0.01
EPSILON = sys.float_info.epsilon


@pytest.fixture(scope="module", params=[SMALL, pytest.param(0.1, marks=pytest.mark.exam)])
def tpch(request: pytest.FixtureRequest) -> Iterator[tuple[float, duckdb.DuckDBPyConnection]]:
    """The scale, and the data at it."""
    (extension,) = Path(duckdb_extension_tpch.__file__).parent.rglob("tpch.duckdb_extension")
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as data:
        data.execute(f"LOAD '{extension}'")
        data.execute("CALL dbgen(sf = $1)", [request.param])
        yield request.param, data


@pytest.mark.exam_on("redshift")
def test_the_queries_give_the_published_answers_after_a_first_load_and_after_changes(
    tpch, nights, mysql, warehouse, tmp_path
):
    scale, data = tpch
    for table, columns in TABLES.items():
        mysql.execute(f"CREATE TABLE {table} ({columns})")
    if scale == SMALL:
        fill(mysql, data, tmp_path)
        for statement in YESTERDAY:
            mysql.execute(statement)
        mirror(1)
        assert different(warehouse, data, scale), "yesterday's answers are others"
    fill(mysql, data, tmp_path)
    mirror(2)
    for table in TABLES:
        rows = data.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert rows is not None and receipts(warehouse, f"raw.{table}")[-1][-1] == rows[0]
    assert different(warehouse, data, scale) == {}


def fill(mysql, data: duckdb.DuckDBPyConnection, folder: Path) -> None:
    parts = urlsplit(mysql.app_url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=mysql.name,
        local_infile=True,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for table in TABLES:
            file = folder / f"{table}.tbl"
            data.execute(f"COPY {table} TO '{file}' (DELIMITER '|', HEADER false, QUOTE '')")
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} FIELDS TERMINATED BY '|' ESCAPED BY ''")
            assert cursor.execute("SHOW WARNINGS") == 0, cursor.fetchall()
            file.unlink()


def mirror(date: int) -> None:
    mysql_catalogue.forget()
    night(*(MirrorTable(table=table, date=day(date)) for table in TABLES))


def different(warehouse, data: duckdb.DuckDBPyConnection, scale: float) -> dict[int, list]:
    """By query, the rows that were answered and published where the two differ, and how many rows each has."""
    found = {}
    queries = data.execute("SELECT query_nr, query FROM tpch_queries() ORDER BY 1").fetchall()
    published = "SELECT answer FROM tpch_answers() WHERE query_nr = $1 AND scale_factor = $2"
    assert len(queries) == 22
    with contextlib.closing(psycopg2.connect(warehouse.admin_url)) as connection, connection.cursor() as cursor:
        # Queries 17 and 20 look into lineitem once a part.
        cursor.execute("SET search_path = raw; CREATE INDEX IF NOT EXISTS by_part ON lineitem (l_partkey, l_suppkey)")
        cursor.execute("ANALYZE")
        for number, query in queries:
            (text,) = data.execute(published, [number, scale]).fetchone() or ("",)
            # The first line names the columns.
            expected = [line.split("|") for line in text.splitlines()[1:]]
            cursor.execute(query)
            rows = cursor.fetchall()
            pairs = [pair for pair in zip(rows, expected, strict=False) if not agree(*pair)]
            if pairs or len(rows) != len(expected):
                found[number] = [len(rows), len(expected), *pairs[:3]]
    return found


def agree(row: tuple[Any, ...], expected: list[str]) -> bool:
    return len(row) == len(expected) and all(map(same, row, expected))


def same(value: Any, text: str) -> bool:
    """Equal in value; of an average or a quotient, equal to the 15th digit.

    Sums are published as decimals, of 6 places at most, and must be equal to the last of them. An average is
    published as a double: two sums that were rounded to doubles, divided and rounded again.
    """
    if value is None:
        return text == ""
    if not isinstance(value, Decimal):
        return str(value) == text
    _, _, places = text.partition(".")
    return value == Decimal(text) if len(places) <= 6 else math.isclose(value, float(text), rel_tol=2 * EPSILON)
