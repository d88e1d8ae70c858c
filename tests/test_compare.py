"""`etl compare`: raw.<table> against MySQL, on real servers; what differs is found, and nothing else."""

import json
import math
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl import cli
from etl.compare import compare
from etl.comparison import Difference
from etl.errors import DataError, LakeError, MissingData, SourceError, WarehouseError
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue, mysql_checksum
from etl.sources.mysql import ExtractTable
from etl.sweep import sweep
from etl.warehouse import connect
from tests import pipeline
from tests.pipeline import day

pytest_plugins = ("tests.nights",)

TYPES = {
    "ti": "TINYINT",
    "tu": "TINYINT UNSIGNED",
    "si": "SMALLINT",
    "mi": "MEDIUMINT UNSIGNED",
    "i": "INT(8) ZEROFILL",
    "bi": "BIGINT",
    "bu": "BIGINT UNSIGNED",
    "bit1": "BIT(1)",
    "bit9": "BIT(9)",
    "bit64": "BIT(64)",
    "d0": "DECIMAL(20,0)",
    "d2": "DECIMAL(10,2)",
    "d30": "DECIMAL(65,30)",
    "f": "FLOAT",
    "dbl": "DOUBLE",
    "dbl2": "DOUBLE(10,2)",
    "da": "DATE",
    "dt": "DATETIME",
    "dt6": "DATETIME(6)",
    "ts": "TIMESTAMP NULL",
    "ts3": "TIMESTAMP(3) NULL",
    "tm": "TIME",
    "tm3": "TIME(3)",
    "tm6": "TIME(6)",
    "yr": "YEAR",
    "c": "CHAR(9)",
    "v": "VARCHAR(40)",
    "lat": "VARCHAR(40) CHARACTER SET latin1",
    "tt": "TINYTEXT",
    "t": "TEXT",
    "mt": "MEDIUMTEXT",
    "lt": "LONGTEXT CHARACTER SET latin1",
    "en": "ENUM('small', 'lärge')",
    "st": "SET('vip', 'press', 'staff')",
    "js": "JSON",
    "b": "BINARY(4)",
    "vb": "VARBINARY(9)",
    "bl": "BLOB",
    "geo": "GEOMETRY",
    "u": "UUID",
    "i6": "INET6",
    "gen": "INT AS (ti * 2) VIRTUAL",
    "hid": "INT INVISIBLE",
}
ROWS = [
    {
        "ti": "-128", "tu": "255", "si": "-32768", "mi": "16777215", "i": "42", "bi": "-9223372036854775808",
        "bu": "18446744073709551615", "bit1": "b'1'", "bit9": "b'101010101'", "bit64": "18446744073709551615",
        "d0": "1000", "d2": "1.50", "d30": "-99999999999999999999999999999999999.000000000000000000000000000001",
        "f": "0.1", "dbl": "0.1e0", "dbl2": "12.5", "da": "'0001-01-01'", "dt": "'2024-03-31 02:30:00'",
        "dt6": "'9999-12-31 23:59:59.999999'", "ts": "'2024-07-01 05:30:00'", "ts3": "'2024-07-01 05:30:00.120'",
        "tm": "'-838:59:59'", "tm3": "'-00:00:00.001'", "tm6": "'838:59:59.999999'", "yr": "2155", "c": "'a  '",
        "v": "' 🎟️ 東京 '", "lat": "'Ünïted £'", "tt": "'x'", "t": "'a\\nb'", "mt": "REPEAT('é', 30000)",
        "lt": "'£'", "en": "'lärge'", "st": "'staff,vip'", "js": "'{\"a\": \"é\"}'", "b": "x'ab'",
        "vb": "x'00ff5c4e'", "bl": "REPEAT(x'00ff', 10000)", "geo": "POINT(1, 2.5)",
        "u": "'6ccd780c-baba-1026-9564-5b8c656024db'", "i6": "'2001:db8::1'", "hid": "7",
    },
    {
        "ti": "0", "tu": "0", "si": "0", "mi": "0", "i": "0", "bi": "0", "bu": "0", "bit1": "b'0'", "bit9": "0",
        "bit64": "0", "d0": "0", "d2": "0", "d30": "0", "f": "0", "dbl": "-0e0", "dbl2": "0", "tm": "0", "tm3": "0",
        "tm6": "0", "c": "''", "v": "''", "lat": "''", "tt": "''", "t": "''", "mt": "''", "lt": "''", "st": "''",
        "b": "x'00000000'", "da": "'2024-02-29'", "dt": "'2024-03-31 02:30:01'", "dt6": "'9999-12-31 23:59:59.999998'",
        "ts": "'2024-07-01 05:30:01'", "ts3": "'2024-07-01 05:30:00.121'", "yr": "1901", "en": "'small'", "js": "'{}'",
        "geo": "ST_GeomFromText('LINESTRING(0 0,1 1)')", "u": "'6ccd780c-baba-1026-9564-5b8c656024dc'",
        "i6": "'2001:db8::2'", "vb": "''", "bl": "''", "hid": "0",
    },
    {"v": "'NULL'", "tt": r"'\\N'", "t": "'a\"b'", "dbl": "1.7976931348623157e308", "d2": "-0.10"},
    {},
]  # fmt: skip
# What the mirror stores otherwise, by a rule.
LOSSY = {
    "da": ["'0000-00-00'", "'2022-00-15'", "'0000-05-01'", "'2022-02-31'", "'2022-02-28'"],
    "dt6": ["'0000-00-00'", "'2022-11-00 10:00:00'", "'2023-02-29'"],
    "ts": ["'0000-00-00 00:00:00'"],
    "yr": ["0"],
    "v": [r"'a\0b'", "'a\ufffdb'"],
    "t": [r"'\0'"],
}


def insert(mysql, number, values):
    columns = "".join(f", {name}" for name in values)
    mysql.execute(
        "SET STATEMENT sql_mode='ALLOW_INVALID_DATES' FOR "
        f"INSERT INTO t (id{columns}) VALUES ({number}{''.join(f', {text}' for text in values.values())})"
    )


@pytest.fixture
def shop(nights, mysql):
    """The shop's database, a warehouse and a lake; what luigi and the catalogue knew before is forgotten."""
    mysql_catalogue.forget()
    return mysql


def mirrored(date=1, table="t"):
    """As in a process of its own."""
    mysql_catalogue.forget()
    pipeline.night(MirrorTable(table=table, date=day(date)))
    mysql_catalogue.forget()


def many(mysql, rows=50_000):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, price DECIMAL(9,2), note VARCHAR(20), sold DATETIME)")
    mysql.execute(
        f"INSERT INTO t SELECT seq, seq / 7, IF(seq % 10, CONCAT('note ', seq), NULL), "
        f"'2014-02-03' + INTERVAL seq SECOND FROM seq_1_to_{rows}"
    )


def differing(found):
    return [column.name for column in found.columns if not column.equal]


# Whose digits are more than a column of Redshift can have.
TOO_LONG = {"postgres": (), "redshift": ("d30", "d38")}


def of_engine(engine, by_column):
    return {name: said for name, said in by_column.items() if name not in TOO_LONG[engine]}


def test_every_type_is_equal_after_a_mirror(shop, engine):
    types = of_engine(engine, TYPES)
    shop.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'`{n}` {kind}' for n, kind in types.items())})")
    assert set().union(*ROWS) == TYPES.keys() - {"gen"}
    lossy = [{name: literal} for name, literals in LOSSY.items() for literal in literals]
    for number, values in enumerate(ROWS + lossy):
        insert(shop, number, of_engine(engine, values))
    mirrored()
    found = compare("t")
    assert differing(found) == []
    assert (found.equal, found.source_rows, found.warehouse_rows) == (True, len(ROWS + lossy), len(ROWS + lossy))
    assert {column.name for column in found.columns} == {"id", *types}
    assert {column.name for column in found.columns if column.losses} == set(LOSSY)
    assert compare("t", day(1)).equal


# Column -> how it is read, its type, values that stay, and values that are lost.
READ_AS = {
    "ok": ("boolean", "TINYINT(1) ZEROFILL", ["0", "1"], ["2"]),
    "bit": ("boolean", "BIT(1)", ["b'0'", "b'1'"], []),
    "bu": ("uuid", "BINARY(16)", ["x'6CCD780CBABA102695645B8C656024DB'", "REPEAT(x'00', 16)"], []),
    "cu": ("uuid", "CHAR(36)", ["'6CCD780C-baba-1026-9564-5b8c656024db'", "'00000000-0000-0000-0000-000000000000'"],
           ["''", "'6ccd780cbaba102695645b8c656024db'"]),
    "uu": ("uuid", "UUID", ["'6ccd780c-baba-1026-9564-5b8c656024db'"], []),
    "d": ("numeric(12,2)", "DECIMAL(65,30)", ["-9999999999.99", "0", "1.5"], ["10000000000", "0.001"]),
    "d0": ("numeric(20,0)", "DECIMAL(30,2)", ["99999999999999999999", "-7"], ["100000000000000000000", "0.5"]),
    "d38": ("numeric(38,38)", "DECIMAL(65,30)", ["-0.123456789012345678901234567891"], ["1"]),
    "n": ("numeric(12,2)", "INT(8) ZEROFILL", ["42"], []),
    "n1": ("numeric(1,0)", "BIGINT", ["-9"], ["-9223372036854775808", "9223372036854775807"]),
    "n2": ("numeric(38,18)", "BIGINT UNSIGNED", ["18446744073709551615"], []),
    "tm": ("time", "TIME", ["'00:00:00'", "'23:59:59'"], ["'-00:00:01'", "'24:00:00'"]),
    "tm3": ("time", "TIME(3)", ["'10:00:00.500'", "'23:59:59.999'"], ["'838:59:59.999'"]),
    "tb": ("text", "BINARY(6)", ["'aé'", "''"], ["x'ff'"]),
    "tv": ("text", "VARBINARY(20)", ["'aé🎟️'"], ["x'61ff62'", "x'6100'"]),
    "tl": ("text", "LONGBLOB", ["REPEAT('é', 30000)"], ["x'c3'"]),
    "ti": ("text", "BIGINT UNSIGNED", ["18446744073709551615"], []),
    "td": ("text", "DECIMAL(9,2)", ["1.50"], []),
    "tf": ("text", "FLOAT", ["0.1"], []),
    "tbit": ("text", "BIT(9)", ["b'101010101'"], []),
    "tdt": ("text", "DATETIME(3)", ["'0000-00-00'", "'2014-02-03 01:02:03.500'"], []),
    "tts": ("text", "TIMESTAMP NULL", ["'2014-02-03 01:02:03'"], []),
    "ttm": ("text", "TIME(3)", ["'-838:59:59.500'"], []),
    "ty": ("text", "YEAR", ["0", "2014"], []),
    "h": ("hex", "VARCHAR(9) CHARACTER SET latin1", ["'aé'", "''"], []),
    "hl": ("hex", "LONGTEXT", ["REPEAT('é', 10000)"], []),
    "u": ("utf8", "VARCHAR(20) CHARACTER SET latin1", ["x'43616665CC81C3A9'", "'plain'"], ["x'61E9'", "'é'"]),
}  # fmt: skip


class ExtractOtherwise(ExtractTable):
    read_as = {name: said for name, (said, *_) in READ_AS.items()}


class MirrorOtherwise(MirrorTable):
    table = "t"

    def requires(self):
        return ExtractOtherwise(table="t", date=self.date)


class ExtractOtherwiseForRedshift(ExtractTable):
    read_as = of_engine("redshift", ExtractOtherwise.read_as)


class MirrorOtherwiseOnRedshift(MirrorTable):
    table = "t"

    def requires(self):
        return ExtractOtherwiseForRedshift(table="t", date=self.date)


def mirrored_otherwise(mysql, engine):
    """The table t, with a row for each value, and its mirror; gives the rows."""
    said = of_engine(engine, READ_AS)
    columns = ", ".join(f"{name} {declared}" for name, (_, declared, *_) in said.items())
    mysql.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
    rows = [{name: one} for name, (*_, stay, lost) in said.items() for one in (*stay, *lost)]
    for number, values in enumerate(rows):
        insert(mysql, number, values)
    mysql_catalogue.forget()
    mirror = {"postgres": MirrorOtherwise, "redshift": MirrorOtherwiseOnRedshift}[engine]
    pipeline.night(mirror(date=day(1)))
    return rows


def test_every_type_that_read_as_says_is_equal_after_a_mirror(shop, warehouse):
    said_of = of_engine(warehouse.engine, READ_AS)
    rows = mirrored_otherwise(shop, warehouse.engine)
    found = compare("t")
    assert differing(found) == []
    assert (found.equal, found.source_rows) == (True, len(rows))
    lossy = {name for name, (*_, lost) in said_of.items() if lost}
    assert {column.name for column in found.columns if column.losses} == lossy
    assert compare("t", day(1)).equal
    text = {"postgres": "text", "redshift": "character varying"}[warehouse.engine]
    with connect("test") as db:
        there = {name: kind.partition("(")[0] for name, kind in db.columns("raw", "t").items()}
    assert there == {"id": "integer"} | {
        name: {"boolean": "boolean", "time": "time without time zone"}.get(said, "numeric" if "(" in said else text)
        for name, (said, *_) in said_of.items()
    }


def test_a_change_in_any_type_that_read_as_says_is_found(shop, engine):
    rows = mirrored_otherwise(shop, engine)
    changed = {}
    for number, values in enumerate(rows):
        for name in values.keys() - changed.keys():
            changed[name] = number
    for name, number in changed.items():
        shop.execute(f"SET STATEMENT sql_mode='' FOR UPDATE t SET {name} = NULL WHERE id = {number}")
    found = compare("t")
    assert differing(found) == list(of_engine(engine, READ_AS))
    assert {(one.key, one.column) for one in found.differences} <= {
        ((str(number),), name) for name, number in changed.items()
    }


class ExtractTickets(ExtractTable):
    table = "tickets"
    read_as = {"id": "uuid", "ok": "boolean"}


class MirrorTickets(MirrorTable):
    table = "tickets"

    def requires(self):
        return ExtractTickets(date=self.date)


def test_a_key_that_is_read_as_a_uuid(shop, warehouse):
    shop.execute("CREATE TABLE tickets (id BINARY(16) PRIMARY KEY, n INT, ok INT, v MEDIUMTEXT)")
    shop.execute(
        "INSERT INTO tickets SELECT UNHEX(MD5(seq)), seq, 1, IF(seq = 7, REPEAT('x', 70000), '') FROM seq_1_to_1000"
    )
    mysql_catalogue.forget()
    pipeline.night(MirrorTickets(date=day(1)))
    found = compare("tickets")
    assert (found.equal, found.held, found.source_rows) == (True, 1, 999)
    warehouse.query("DELETE FROM raw.tickets WHERE n = 5")
    assert compare("tickets").differences == [
        Difference(("e4da3b7f-bbce-2345-d777-2b0674a318d5",), "only at the source")
    ]


TASKS = """
from etl.mirror import MirrorTable
from etl.sources.mysql import ExtractTable

class ExtractTickets(ExtractTable):
    table = "tickets"
    read_as = {"id": "uuid", "ok": "boolean"}

class MirrorTickets(MirrorTable):
    table = "tickets"

    def requires(self):
        return ExtractTickets(date=self.date)
"""


def test_the_command_takes_read_as_from_the_folder_of_tasks(shop, warehouse, tmp_path):
    shop.execute("CREATE TABLE tickets (id BINARY(16) PRIMARY KEY, ok INT)")
    shop.execute("INSERT INTO tickets VALUES (UNHEX(MD5(1)), 1)")
    mysql_catalogue.forget()
    pipeline.night(MirrorTickets(date=day(1)))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    (tmp_path / "tasks/tickets.py").write_text(TASKS)
    (tmp_path / "luigi.cfg").write_text(f"[mysql]\nurl = {shop.url}\n[warehouse]\nurl = {warehouse.setting}\n")
    etl = Path(sys.executable).with_name("etl")
    done = subprocess.run([etl, "compare", "tickets"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["Equal: 1 rows, 2 columns."]), done.stderr


def test_what_was_loaded_as_another_type_or_by_a_task_that_has_gone_is_said(shop, warehouse, settings):
    settings.set("etl", "retry_seconds", 60)
    shop.execute("CREATE TABLE tickets (id BINARY(16) PRIMARY KEY, ok INT)")
    shop.execute("INSERT INTO tickets VALUES (UNHEX(MD5(1)), 1)")
    mirrored(1, "tickets")
    assert compare("tickets").equal
    loaded_by = "UPDATE etl.receipts SET task_key = replace(task_key, %s, %s)"
    warehouse.query(loaded_by, ('MirrorTable {"date": "2014-02-01", "table": "tickets"}', "MirrorTickets {}"))
    with pytest.raises(
        DataError, match=r"raw.tickets.ok: is integer in the warehouse, and at the source a boolean now"
    ):
        compare("tickets")
    warehouse.query(loaded_by, ("MirrorTickets", "MirrorGone"))
    with pytest.raises(DataError, match=r"raw.tickets: was last loaded by MirrorGone {}, which is no task any more"):
        compare("tickets")
    warehouse.query("ALTER TABLE raw.tickets DROP COLUMN ok")
    mysql_catalogue.forget()
    pipeline.night(MirrorTickets(date=day(2)))
    assert warehouse.query("SELECT id, ok FROM raw.tickets") == [("c4ca4238-a0b9-2382-0dcc-509a6f75849b", True)]
    assert compare("tickets").equal


def test_a_change_in_any_type_is_found(shop, warehouse):
    """Row 1 gets each value of row 0, and then none; `gen` follows `ti` at MySQL."""
    types = of_engine(warehouse.engine, TYPES)
    shop.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'`{n}` {kind}' for n, kind in types.items())})")
    for number, values in enumerate(ROWS):
        insert(shop, number, of_engine(warehouse.engine, values))
    mirrored()
    changes = ", ".join(f"{name} = (SELECT {name} FROM raw.t WHERE id = 0)" for name in types)
    warehouse.query(f"UPDATE raw.t SET {changes} WHERE id = 1")
    found = compare("t")
    assert differing(found) == list(types)
    assert [(one.key, one.column) for one in found.differences] == [(("1",), name) for name in types]
    assert [one.column for one in found.differences if one.source == one.warehouse] == []
    warehouse.query(f"UPDATE raw.t SET {', '.join(f'{name} = NULL' for name in types)} WHERE id = 1")
    assert [one.column for one in compare("t").differences if one.warehouse is None] == list(types)


def test_doubles_are_compared_by_every_bit(shop, warehouse):
    drawn = random.Random(1)
    bits = [struct.unpack("d", struct.pack("Q", drawn.getrandbits(64)))[0] for _ in range(4000)]
    numbers = [number for number in bits if math.isfinite(number) and abs(number) > 1e-307]
    numbers += [drawn.uniform(1, 10) * 10.0**exponent for exponent in range(-30, 45) for _ in range(100)]
    # Where MySQL and Postgres write other digits for one double, and where both leave the plain notation.
    numbers += [6.429560891534334e16, -2.109793591122499e16, 2.0**53, 2.0**100, 1e23, 1e41, 1e22, 5e-324]
    if warehouse.engine == "redshift":
        # Its doubles begin there.
        numbers = [number for number in numbers if abs(number) > 2.3e-308]
    numbers += [base * sign for base in (1e15, 1e14, 999999999999999.9, 1e-4, 9.99e-5) for sign in (1, -1)]
    shop.execute("CREATE TABLE t (id INT PRIMARY KEY, v DOUBLE)")
    shop.execute("INSERT INTO t VALUES " + ", ".join(f"({i}, '{number!r}')" for i, number in enumerate(numbers)))
    mirrored()
    assert compare("t").equal
    # The nearest double to each of three, which 15 digits would not tell apart.
    places = [7, 3999 // 2, len(numbers) - 1]
    for place in places:
        warehouse.query("UPDATE raw.t SET v = %s WHERE id = %s", (math.nextafter(numbers[place], 2.0), place))
    assert [one.key for one in compare("t").differences] == [(str(place),) for place in places]


@pytest.mark.exam_on("redshift")
def test_one_changed_value_one_deleted_row_and_one_extra_row_of_many(shop, warehouse):
    many(shop)
    mirrored()
    assert compare("t").equal
    warehouse.query("UPDATE raw.t SET price = price + 0.01 WHERE id = 31415")
    warehouse.query("DELETE FROM raw.t WHERE id = 17")
    warehouse.query("INSERT INTO raw.t VALUES (99999, 1, 'x', NULL)")
    found = compare("t")
    assert not found.equal
    assert (found.source_rows, found.warehouse_rows, found.complete) == (50_000, 50_000, True)
    assert found.differences == [
        Difference(("17",), "only at the source"),
        Difference(("31415",), "differs", "price", "4487.86", "4487.87"),
        Difference(("99999",), "only in the warehouse"),
    ]
    assert [of.first <= key <= of.last for of, key in zip(found.ranges, (17, 31415, 99999), strict=True)] == [True] * 3
    assert sum(of.source for of in found.ranges) < 5_000


def test_two_values_that_changed_places(shop, warehouse):
    """The sums of a column are the same in any order."""
    many(shop, 1000)
    mirrored()
    warehouse.query(
        "UPDATE raw.t a SET note = b.note FROM raw.t b WHERE a.id IN (3, 4) AND b.id IN (3, 4) AND a.id <> b.id"
    )
    found = compare("t")
    assert differing(found) == ["note"]
    assert [(one.key, one.source, one.warehouse) for one in found.differences] == [
        (("3",), "note 3", "note 4"),
        (("4",), "note 4", "note 3"),
    ]


def test_decimals_are_equal_by_value(shop, warehouse):
    many(shop, 100)
    mirrored()
    warehouse.query("UPDATE raw.t SET price = price * 1.0000")
    assert compare("t").equal


def test_only_so_many_rows_are_looked_for(shop, warehouse):
    many(shop, 5000)
    mirrored()
    warehouse.query("UPDATE raw.t SET note = 'changed' WHERE id > 4000")
    found = compare("t")
    assert (found.complete, len(found.differences)) == (False, 20)
    assert all(int(one.key[0]) > 4000 for one in found.differences)
    (where,) = found.ranges
    assert where.last == 5000
    assert 3900 < where.first <= 4001


@pytest.mark.exam_on("redshift")
@pytest.mark.parametrize(
    ("declared", "keys"),
    [
        ("a INT NOT NULL, b VARCHAR(9) NOT NULL, PRIMARY KEY (a, b)", "seq DIV 10, CONCAT('x', seq % 10)"),
        ("a VARCHAR(30) PRIMARY KEY, b INT", "CONCAT(IF(seq % 2, 'é', 'E'), seq), 1"),
        ("a BINARY(16) PRIMARY KEY, b INT", "UNHEX(MD5(seq)), 1"),
        ("a BIGINT UNSIGNED PRIMARY KEY, b INT", "18446744073709551615 - seq, 1"),
        (
            "a BIGINT PRIMARY KEY, b INT",
            "IF(seq % 2, CAST(seq AS SIGNED) - 9223372036854775807, 9223372036854775807 - CAST(seq AS SIGNED)), 1",
        ),
        ("a DATE PRIMARY KEY, b INT", "'2014-02-03' + INTERVAL seq DAY, 1"),
        ("a DECIMAL(9,3) PRIMARY KEY, b INT", "seq + 0.125, 1"),
    ],
)
def test_keys_of_any_kind(shop, warehouse, declared, keys):
    shop.execute(f"CREATE TABLE t ({declared}, v INT)")
    shop.execute(f"INSERT IGNORE INTO t SELECT {keys}, seq FROM seq_1_to_25000")
    mirrored()
    assert compare("t").equal
    ((gone, *gone_key), (changed, *changed_key)) = warehouse.query(
        "SELECT v, a::text, b::text FROM raw.t WHERE v > 7 ORDER BY v LIMIT 2"
    )
    warehouse.query(f"UPDATE raw.t SET v = -1 WHERE v = {changed}")
    warehouse.query(f"DELETE FROM raw.t WHERE v = {gone}")
    found = compare("t")
    assert found.complete
    width = len(found.key)
    assert {(one.key, one.kind, one.column, one.source, one.warehouse) for one in found.differences} == {
        (tuple(gone_key[:width]), "only at the source", None, None, None),
        (tuple(changed_key[:width]), "differs", "v", str(changed), "-1"),
    }


def test_a_text_key_that_a_collation_takes_for_equal(shop, warehouse):
    shop.execute("CREATE TABLE t (a VARCHAR(30) PRIMARY KEY, v INT)")
    shop.execute("INSERT INTO t VALUES ('Ada', 1)")
    mirrored()
    warehouse.query("UPDATE raw.t SET a = 'ada'")
    assert [(one.key, one.kind) for one in compare("t").differences] == [
        (("Ada",), "only at the source"),
        (("ada",), "only in the warehouse"),
    ]


def test_without_a_key_counts_and_columns_only(shop, warehouse):
    shop.execute("CREATE TABLE t (a INT, b VARCHAR(9))")
    shop.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'y'), (NULL, NULL)")
    mirrored()
    assert compare("t").equal
    warehouse.query("UPDATE raw.t SET b = 'z' WHERE a = 1")
    found = compare("t")
    assert (found.equal, differing(found), found.differences, found.key) == (False, ["b", "(whole rows)"], [], ())
    warehouse.query("UPDATE raw.t SET b = CASE a WHEN 1 THEN 'y' ELSE 'x' END WHERE a IS NOT NULL")
    warehouse.query("DELETE FROM raw.t WHERE ctid = (SELECT max(ctid) FROM raw.t WHERE a = 2)")
    warehouse.query("INSERT INTO raw.t VALUES (2, 'y')")
    assert differing(compare("t")) == ["(whole rows)"], "the values are the same, in other rows"


def test_an_empty_table(shop):
    shop.execute("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)")
    mirrored()
    found = compare("t")
    assert (found.equal, found.source_rows) == (True, 0)
    shop.execute("INSERT INTO t VALUES (1, 'a')")
    assert compare("t").differences == [Difference(("1",), "only at the source")]


def test_text_that_was_replaced_is_explained(shop, warehouse):
    """MariaDB lets no invalid UTF-8 in: the definition of a text table, put upon the file of a binary one, does."""
    shop.execute("CREATE TABLE bytes (id INT PRIMARY KEY, v VARBINARY(40)) ENGINE=MyISAM")
    shop.execute("CREATE TABLE empty (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET utf8mb4) ENGINE=MyISAM")
    shop.execute("INSERT INTO bytes VALUES (7, x'61ff62'), (8, 'plain'), (9, NULL), (10, 'other')")
    shop.execute("RENAME TABLE bytes TO t")
    ((folder,),) = shop.query("SELECT CONCAT(@@datadir, DATABASE())")
    shutil.copy(Path(folder) / "empty.frm", Path(folder) / "t.frm")
    mirrored()
    found = compare("t")
    assert found.equal
    assert [column.losses for column in found.columns] == [[], ["1 invalid UTF-8 replaced"]]
    warehouse.query("UPDATE raw.t SET v = 'pl?in' WHERE id = 8")
    assert [one.key for one in compare("t").differences] == [("8",)]


def test_a_recorded_loss_excuses_no_other_value(shop, warehouse):
    shop.execute("CREATE TABLE t (id INT PRIMARY KEY, v DATE)")
    shop.execute("INSERT INTO t VALUES (1, '0000-00-00'), (2, '2014-02-03')")
    mirrored()
    assert compare("t").equal
    warehouse.query("UPDATE raw.t SET v = NULL WHERE id = 2")
    found = compare("t")
    assert found.differences == [Difference(("2",), "differs", "v", "2014-02-03", None)]
    assert found.columns[1].losses == ["1 zero date"]


@pytest.mark.parametrize(
    ("key", "held", "other"),
    [
        ("a INT PRIMARY KEY", "2", "3"),
        ("a INT, b VARCHAR(9), PRIMARY KEY (b, a)", "2, 'Ä\\'b'", "2, 'ö'"),
        ("a DATE PRIMARY KEY", "'2014-02-03'", "'2014-02-04'"),
        ("a DATETIME PRIMARY KEY", "'2014-02-03 01:02:03'", "'2014-02-03 01:02:04'"),
        ("a TIMESTAMP(3) PRIMARY KEY", "'2014-02-03 01:02:03.5'", "'2014-02-03 01:02:03.6'"),
        ("a DECIMAL(9,2) PRIMARY KEY", "1.50", "1.60"),
        ("a BINARY(16) PRIMARY KEY", "UNHEX(MD5(5))", "UNHEX(MD5(6))"),
    ],
)
def test_rows_in_quarantine_are_held_and_no_difference(shop, warehouse, key, held, other):
    shop.execute(f"CREATE TABLE t ({key}, body MEDIUMTEXT)")
    shop.execute(f"INSERT INTO t VALUES ({held}, REPEAT('x', 70000)), ({other}, 'short')")
    mirrored()
    found = compare("t")
    assert (found.equal, found.held, found.source_rows) == (True, 1, 1)
    assert "1 rows are held in etl.quarantine and take no part" in asked("t").output
    assert compare("t", day(1)).equal
    warehouse.query("DELETE FROM raw.t")
    assert [one.kind for one in compare("t").differences] == ["only at the source"], "the one that is not held"


def test_a_day_is_compared_by_its_extract(shop, warehouse):
    many(shop, 1000)
    mirrored(1)
    shop.execute("UPDATE t SET note = 'later' WHERE id = 5")
    assert [one.key for one in compare("t").differences] == [("5",)], "MySQL has moved on"
    found = compare("t", day(1))
    assert (found.equal, found.source_rows, found.business_date) == (True, 1000, day(1))
    warehouse.query("UPDATE raw.t SET note = 'wrong' WHERE id = 6")
    assert [one.key for one in compare("t", day(1)).differences] == [("6",)]
    mirrored(2)
    assert compare("t", day(2)).equal
    assert [one.key for one in compare("t", day(1)).differences] == [("5",)]


def test_a_day_that_cannot_be_compared(shop, settings):
    many(shop, 10)
    mirrored(1)
    with pytest.raises(MissingData, match=r"raw.t: was never loaded for 2014-02-02.*: 2014-02-01"):
        compare("t", day(2))
    settings.set("lake", "keep_days", 0)
    with connect("test") as db:
        sweep(db)
    with pytest.raises(LakeError, match=r"extract of 2014-02-01 is no longer in the lake.*keep_days"):
        compare("t", day(1))


def test_a_table_that_is_not_there(shop):
    shop.execute("CREATE TABLE sales (id INT PRIMARY KEY)")
    with pytest.raises(SourceError, match=r"no such table.*near it: sales"):
        compare("sale")
    with pytest.raises(WarehouseError, match=r"raw.sales: not in the warehouse; .*MirrorTable --table sales"):
        compare("sales")


def test_columns_that_are_not_the_same_are_listed(shop, warehouse):
    many(shop, 10)
    mirrored()
    shop.execute("ALTER TABLE t ADD fee INT, DROP sold, MODIFY price VARCHAR(20)")
    mysql_catalogue.forget()
    with pytest.raises(DataError, match=r"only at the source: fee; only in the warehouse: sold.*MirrorTable --table t"):
        compare("t")
    shop.execute("ALTER TABLE t DROP fee, ADD sold DATETIME")
    mysql_catalogue.forget()
    with pytest.raises(
        DataError, match=r"t.price: is numeric(\(9,2\))? in the warehouse, and at the source a text now"
    ):
        compare("t")


def test_columns_that_the_source_has_lost_are_left_out_and_mentioned(shop, warehouse):
    many(shop, 10)
    mirrored()
    assert compare("t").removed == []
    shop.execute("ALTER TABLE t DROP sold")
    mirrored(2)
    found = asked("t")
    assert (found.exit_code, found.output.splitlines()[-1]) == (0, "Equal: 10 rows, 3 columns.")
    assert "Left out, since the source has them no more: sold." in found.output
    found = compare("t", day(2))
    assert (found.equal, found.removed) == (True, ["sold"])
    warehouse.query("UPDATE raw.t SET price = 0 WHERE id = 3")
    assert differing(compare("t")) == ["price"]
    shop.execute("ALTER TABLE t ADD sold DATETIME")
    mysql_catalogue.forget()
    found = compare("t")
    assert (differing(found), found.removed) == (["price"], []), "it takes part again once it is back"


def test_who_may_not_read(shop, warehouse):
    many(shop, 10)
    mirrored()
    warehouse.query("ALTER TABLE raw.t OWNER TO postgres")
    with pytest.raises(WarehouseError, match="permission denied for table t; grant it to etl_load"):
        compare("t")


def test_names_that_sql_keeps_for_itself(shop, warehouse):
    shop.execute('CREATE TABLE `order` (`select` INT PRIMARY KEY, `a "b" %s` INT, `Größe {0}` VARCHAR(9))')
    shop.execute("INSERT INTO `order` VALUES (1, 2, 'x')")
    mirrored(1, "order")
    assert compare("order").equal
    warehouse.query('UPDATE raw."order" SET "Größe {0}" = \'y\'')
    assert [one.column for one in compare("order").differences] == ["Größe {0}"]


def test_neither_side_sees_what_is_written_meanwhile_nor_can_write(shop, warehouse):
    many(shop, 10)
    mirrored()
    with mysql_checksum.opened("t", (), (), {}) as source, connect("test") as db, db.snapshot():
        there = db.side('"raw".t', source.fields, source.key)
        assert source.span() == there.span() == (1, 10)
        shop.execute("DELETE FROM t WHERE id = 10")
        warehouse.query("DELETE FROM raw.t WHERE id = 10")
        assert source.span() == there.span() == (1, 10)
        with pytest.raises(WarehouseError, match="read-only transaction"):
            db.execute('DELETE FROM "raw".t')


def asked(*arguments):
    return CliRunner().invoke(cli.main, ["compare", *arguments], env={"COLUMNS": "80"})


def test_for_people_in_80_columns(shop, warehouse):
    name = "a_name_of_which_one_sees_no_end_in_a_terminal"
    shop.execute(f"CREATE TABLE t (id BIGINT PRIMARY KEY, {name} TEXT, v DATETIME)")
    long = "0123456789 " * 80
    shop.execute(f"INSERT INTO t SELECT 9000000000000000000 + seq, '{long}', NULL FROM seq_1_to_3000")
    mirrored()
    equal = asked("t")
    assert (equal.exit_code, equal.output.splitlines()[-1]) == (0, "Equal: 3,000 rows, 3 columns.")
    assert "at 2014-02-01, loaded 20" in equal.output
    warehouse.query(f"UPDATE raw.t SET {name} = overlay({name} PLACING E'[/]\\033[31m' FROM 400) WHERE id % 1500 = 7")
    warehouse.query("DELETE FROM raw.t WHERE id = 9000000000000000009")
    found = asked("t")
    assert found.exit_code == 30
    assert max(map(len, found.output.splitlines())) <= 80, found.output
    assert "\033" not in found.output, "what stands in a table does not reach the terminal as a command"
    for words in ("2,999", "9000000000000000007", "no such row", "[/]", "--date", "differs"):
        assert words in found.output, found.output


def test_for_machines(shop, warehouse):
    many(shop, 100)
    mirrored()
    warehouse.query("UPDATE raw.t SET note = NULL WHERE id = 5")
    said = asked("t", "--json")
    found = json.loads(said.output)
    assert (said.exit_code, found["equal"], found["table"], found["business_date"]) == (
        30,
        False,
        "raw.t",
        "2014-02-01",
    )
    assert found["differences"] == [
        {
            "key": ["5"],
            "kind": "differs",
            "column": "note",
            "source": "note 5",
            "warehouse": None,
        }
    ]
    said = asked("t", "--json", "--date", "2014-02-01")
    assert json.loads(said.output)["source"] == "the extract of 2014-02-01"


def test_another_days_extract_is_said_to_be_another_days(shop):
    many(shop, 10)
    mirrored(1)
    mirrored(2)
    said = asked("t", "--date", "2014-02-01")
    assert said.exit_code == 0
    assert "raw.t is at 2014-02-02" in " ".join(said.output.split())


def test_no_key_and_a_missing_table_are_said(shop):
    shop.execute("CREATE TABLE t (a INT)")
    mirrored()
    assert "Without a key" in asked("t").output
    missing = asked("tt")
    assert missing.exit_code == 30
    assert "near it: t" in missing.output
    assert asked("t", "--date", "2014-02-09").exit_code == 20
    assert asked("t", "--date", "yesterday").exit_code == 2


def test_help_says_the_exit_codes():
    said = asked("--help")
    assert "0 equal" in " ".join(said.output.split())
    assert "30 different" in " ".join(said.output.split())


def test_no_password_is_shown(shop, settings):
    shop.execute("CREATE TABLE t (a INT)")
    secret = shop.url.partition("@")[0].rpartition(":")[2]
    mirrored()
    settings.set("mysql", "url", shop.url.replace(secret, "canary"))
    said = asked("t")
    assert said.exit_code == 30
    assert "canary" not in said.output
