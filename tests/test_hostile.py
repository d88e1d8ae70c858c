"""Hostile values from every way into the lake, loaded in both ways of COPY, read back from the warehouse equal.

Equal means: text exact, but for NUL characters, which become U+FFFD and are counted; numbers and times in value.
"""

import csv
import datetime
import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.errors import DataError
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue
from etl.sources.mysql import MySQLExtractor
from etl.testing import drawn, mysql_cursor
from etl.warehouse.definition import read_definition
from tests.hostile import KINDS, KINDS_OF, NAUGHTY, ODD, UTC, Kind
from tests.pipeline import day, load, night

pytest_plugins = ("tests.nights",)

Row = tuple[Any, ...]
NAMES = ("n", *KINDS)
TEXTS = [text.replace("\0", "") for text in NAUGHTY + ODD if len(text) < 1000]
DAYS = (datetime.date(2014, 2, 3) + datetime.timedelta(days=number) for number in itertools.count())


def by_handle(rows: Sequence[Row], kinds: dict[str, Kind]) -> type[BaseExtractor]:
    def run(self: BaseExtractor) -> None:
        with self.output().open("w") as outfile:
            csv.writer(outfile).writerows(rows)

    return type("ExtractByHandle", (BaseExtractor,), {"columns": NAMES, "run": run})


def by_rows(rows: Sequence[Row], kinds: dict[str, Kind]) -> type[BaseExtractor]:
    return type("ExtractByRows", (BaseExtractor,), {"columns": NAMES, "rows": lambda self: iter(rows)})


def by_batches(rows: Sequence[Row], kinds: dict[str, Kind]) -> type[BaseExtractor]:
    schema = pa.schema({"n": pa.int32()} | {name: kind.arrow for name, kind in kinds.items()})

    def batches(self: BaseExtractor) -> list[pa.RecordBatch]:
        return [
            pa.record_batch(
                [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema
            )
            for columns in (list(zip(*rows[i : i + 30], strict=True)) for i in range(0, len(rows), 30))
        ]

    return type("ExtractByBatches", (BaseExtractor,), {"columns": NAMES, "batches": batches})


def by_frames(rows: Sequence[Row], kinds: dict[str, Kind]) -> type[BaseExtractor]:
    dtypes = ["int64", *(kind.pandas for kind in kinds.values())]

    def batches(self: BaseExtractor) -> list[pd.DataFrame]:
        columns = zip(NAMES, zip(*rows, strict=True), dtypes, strict=True)
        return [pd.DataFrame({name: pd.Series(values, dtype=kind) for name, values, kind in columns})]

    return type("ExtractByFrames", (BaseExtractor,), {"columns": NAMES, "batches": batches})


class ExtractSource(MySQLExtractor):
    table = "source"


# None is MySQL, mirrored.
WAYS: dict[str, Callable[[Sequence[Row], dict[str, Kind]], type[BaseExtractor]] | None] = {
    "handle": by_handle,
    "rows": by_rows,
    "batches": by_batches,
    "frames": by_frames,
    "mysql": None,
}


@pytest.fixture
def carried(nights, mysql, warehouse):
    """What two tables hold after the rows were loaded by COPY alone, and by COPY and a SELECT."""
    kinds = KINDS_OF[warehouse.engine]
    columns = {"n": "INTEGER"} | {name: kind.warehouse for name, kind in kinds.items()}
    for table in ("fact_straight", "fact_shaped"):
        nights.table(f"public.{table}", ", ".join(f"{name} {kind}" for name, kind in columns.items()))
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns.items())
    sql = nights.write("loads", "shaped", f"SELECT {casts} FROM {{stage}}")
    types = ", ".join(f"{name} {kind.mysql}" for name, kind in kinds.items())

    def carry(way: str, rows: Sequence[Row]) -> list[list[Row]]:
        date, make = next(DAYS), WAYS[way]
        for table in (straight := "raw.source" if make is None else "fact_straight", "fact_shaped"):
            warehouse.query(f"DROP TABLE IF EXISTS {table}")
        if make is None:
            mysql.execute(f"CREATE OR REPLACE TABLE source (n INT PRIMARY KEY, {types}) CHARACTER SET utf8mb4")
            mysql.execute(
                f"INSERT INTO source VALUES ({', '.join(['%s'] * len(NAMES))})", [in_utc(row) for row in rows]
            )
            mysql_catalogue.forget()
            night(MirrorTable(table="source", date=date), loader("fact_shaped", ExtractSource, sql=sql)(date=date))
        else:
            extract = make(
                rows if warehouse.engine == "postgres" or way not in ("handle", "rows") else plain(rows), kinds
            )
            night(loader(straight, extract)(date=date), loader("fact_shaped", extract, sql=sql)(date=date))
        return [warehouse.query(f"SELECT * FROM {table} ORDER BY n") for table in (straight, "fact_shaped")]

    return carry


def loader(table: str, extract: type[BaseExtractor], **said: str) -> type[BaseLoader]:
    return type(f"Load_{table}", (BaseLoader,), {"table": table, "extractor": extract} | said)


def plain(rows: Sequence[Row]) -> list[Row]:
    """Without what Redshift's COPY does not read: decimals with an exponent, and offsets with seconds."""
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and (offset := value.utcoffset()) and offset.seconds % 60:
        return value.astimezone(UTC)
    return f"{value:f}" if isinstance(value, Decimal) else value


def in_utc(row: Row) -> Row:
    return tuple(
        value.astimezone(UTC) if isinstance(value, datetime.datetime) and value.tzinfo else value for value in row
    )


def arrived(way: str, row: Row) -> Row:
    """What should be there for a row that was given."""
    return tuple(_arrived(way, value) for value in row)


def _arrived(way: str, value: Any) -> Any:
    if isinstance(value, str):
        # A csv.writer writes '' as it writes None.
        return value.replace("\0", "\ufffd") if value or way != "handle" else None
    # A frame has one word for a number that is missing and for one that is none.
    return None if way == "frames" and value != value else value


def exact(rows: Sequence[Row]) -> list[Row]:
    """Rows of which those are equal that are the same: -0.0 is not 0.0, and nan is nan; an hour shown twice is two."""
    return [tuple(repr(value) if isinstance(value, float) else value for value in in_utc(row)) for row in rows]


def rows_of(kinds: dict[str, Kind], mysql: bool) -> st.SearchStrategy[list[Row]]:
    values = [kind.values(mysql) for kind in kinds.values()]
    lists = st.lists(st.tuples(*values), min_size=40, max_size=80)
    return lists.map(lambda rows: [(n, *row) for n, row in enumerate(rows)])


def fixed_rows(kinds: dict[str, Kind], mysql: bool) -> list[Row]:
    """Every fixed value once, beside others."""
    columns = itertools.zip_longest(*(kind.fixed(mysql) for kind in kinds.values()))
    return [(n, *row) for n, row in enumerate(columns)]


def check(tables: list[list[Row]], expected: list[Row]) -> None:
    for found in tables:
        assert len(found) == len(expected)
        different = [
            (row[0], name, there, given)
            for row, wanted in zip(exact(found), exact(expected), strict=True)
            for name, there, given in zip(NAMES, row, wanted, strict=True)
            if there != given
        ]
        assert different[:3] == []


BATCHED = hypothesis_settings(
    max_examples=10,
    deadline=None,
    # A smaller example says no more than the first rows that differ, and takes minutes to find.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)


@pytest.mark.exam_on("redshift")
@BATCHED
@given(data=st.data())
@pytest.mark.parametrize("way", [way for way in WAYS if way != "mysql"])
def test_whatever_an_extract_gives_arrives(carried, engine, way, data):
    rows = data.draw(rows_of(KINDS_OF[engine], mysql=False))
    check(carried(way, rows), [arrived(way, row) for row in rows])


@pytest.mark.exam_on("redshift")
@BATCHED
@given(data=st.data())
def test_whatever_mysql_holds_arrives(carried, engine, data):
    rows = data.draw(rows_of(KINDS_OF[engine], mysql=True))
    check(carried("mysql", rows), [arrived("mysql", row) for row in rows])


@pytest.mark.parametrize("way", WAYS)
def test_what_others_have_tripped_over_arrives(carried, warehouse, way):
    rows = fixed_rows(KINDS_OF[warehouse.engine], way == "mysql")
    check(carried(way, rows), [arrived(way, row) for row in rows])
    nuls = sum("\0" in (row[1] or "") for row in rows)
    assert nuls and warehouse.query("SELECT DISTINCT column_name, occurrences FROM etl.losses ORDER BY 1") == [
        ("note", nuls), ("other", nuls),
    ]  # fmt: skip


def test_bytes_arrive_as_hex_and_as_bytes(nights, mysql, warehouse):
    values = [bytes(range(256)), b"", b"\0", b"\\N", b"\xff\xfe", b"\xc3\x28", None]
    mysql.execute("CREATE TABLE source (n INT PRIMARY KEY, v BLOB)")
    mysql.execute("INSERT INTO source VALUES (%s, %s)", list(enumerate(values)))
    kind, decoded = {
        "postgres": ("BYTEA", "decode(v, 'hex')"),
        "redshift": ("VARBYTE(65535)", "FROM_HEX(v)"),
    }[warehouse.engine]
    nights.table("public.fact_bytes", f"n INTEGER, v {kind}")
    sql = nights.write("loads", "bytes", f"SELECT CAST(n AS INTEGER) AS n, {decoded} AS v FROM {{stage}}")
    night(MirrorTable(table="source", date=day(1)), loader("fact_bytes", ExtractSource, sql=sql)(date=day(1)))
    hexes = [value and bytes.fromhex(value) for (value,) in warehouse.query("SELECT v FROM raw.source ORDER BY n")]
    arrived = [value and bytes(value) for (value,) in warehouse.query("SELECT v FROM fact_bytes ORDER BY n")]
    assert arrived == values and [value if value != "" else b"" for value in hexes] == values


@pytest.mark.parametrize("way", ["handle", "rows", "frames"])
def test_half_a_character_is_refused_and_leaves_nothing(nights, lake, way):
    make = WAYS[way]
    assert make is not None
    task = make([(0, "good", "half \ud83d", *[None] * (len(KINDS) - 2))], KINDS)()
    with pytest.raises(DataError, match="surrogate"):
        task.run()
    assert not task.complete() and lake.keys() == []


def test_keys_that_others_have_tripped_over_follow_the_source(nights, mysql, warehouse):
    """Rows are added, changed and deleted by their keys; utf8mb4_bin takes keys that differ in last blanks for one."""
    keys = list({key.rstrip(" "): key for key in TEXTS}.values())
    mysql.execute("CREATE TABLE source (k VARCHAR(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, v INT)")
    changes = [
        ("INSERT INTO source VALUES (%s, 1)", keys[::2]),
        ("INSERT INTO source VALUES (%s, 2)", keys[1::2]),
        ("UPDATE source SET v = 3 WHERE k = %s", keys[::3]),
        ("DELETE FROM source WHERE k = %s", keys[::5]),
    ]
    for date, (statement, changed) in enumerate(changes, start=1):
        mysql.execute(statement, [(key,) for key in changed])
        night(MirrorTable(table="source", date=day(date)))
        there = sorted(warehouse.query("SELECT k, v FROM raw.source"))
        assert there == sorted(mysql.query("SELECT k, v FROM source"))
    counts = warehouse.query("SELECT rows_inserted, rows_updated, rows_deleted FROM etl.receipts ORDER BY loaded_at")
    new, more, other, gone = (len(changed) for _, changed in changes)
    assert counts == [(new, 0, 0), (more, 0, 0), (0, other, 0), (0, 0, gone)]


def test_names_and_remarks_that_others_have_tripped_over_at_mysql(nights, mysql, warehouse):
    """Names that both servers take; remarks of which MySQL takes what its own character set has."""
    names = list({folded(name): name for name in TEXTS if is_name(name)}.values())
    assert len(names) > 200
    remarks = itertools.cycle(text for text in TEXTS if is_plane_0(text))
    with mysql_cursor(mysql.app_url) as cursor:
        literal = cursor.connection.escape
        columns = ", ".join(f"{quoted(name)} INT COMMENT {literal(next(remarks)[:1024])}" for name in names)
        said = literal("".join(itertools.islice(remarks, 100))[:2048])
        cursor.execute(f"CREATE TABLE source (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4 COMMENT {said}")
        cursor.execute(f"INSERT INTO source VALUES (1{', %s' * len(names)})", list(range(len(names))))
    night(MirrorTable(table="source", date=day(1)))
    mysql.execute(f"UPDATE source SET {quoted(names[0])} = -1")
    night(MirrorTable(table="source", date=day(2)))
    assert warehouse.query("SELECT * FROM raw.source") == [(1, -1, *range(1, len(names)))]
    columns_there = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'raw.source'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert [name for (name,) in warehouse.query(columns_there)] == ["id", *names]


def is_plane_0(text: str) -> bool:
    return all(character < "\U00010000" for character in text)


def is_name(text: str) -> bool:
    return is_plane_0(text) and text == text.rstrip() and 0 < len(text.encode()) < 64


def folded(name: str) -> str:
    """What MySQL compares names by: without case and accents."""
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def test_remarks_that_others_have_tripped_over_in_our_own_sql(nights, warehouse):
    """Around and within a table's definition and a SELECT; none of them is taken for a hint."""
    remarks = "".join(f"-- {line}\n" for text in TEXTS for line in re.split("[\r\n]", text))
    nights.write("tables", "fact_x", f"{remarks}CREATE TABLE public.fact_x (\n{remarks}a TEXT\n{remarks});\n{remarks}")
    sql = nights.write("loads", "x", f"{remarks}SELECT a\n{remarks}FROM {{stage}}\n{remarks}")
    load("fact_x", "a\nx", sql=sql)
    drawn.shows(warehouse, "fact_x", "a\nx")
    definition = read_definition("public", "fact_x")
    assert (definition.hints, definition.foreign_keys) == ((), ())
