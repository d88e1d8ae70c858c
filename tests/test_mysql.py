"""The MySQL source, against a real MariaDB: every type, every loss, every way in which a read can fail."""

import contextlib
import csv
import datetime
import io
import json
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

import botocore
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from luigi.task_register import Register

from etl import cli
from etl.errors import ConfigError, DataError, SourceError
from etl.findings import Findings
from etl.manifest import ManifestTarget
from etl.sources import mysql as mysql_source
from etl.sources import mysql_catalogue, mysql_types
from etl.sources.mysql import ExtractTable, MySQLExtractor
from etl.sources.mysql_connection import Address, address, begin_snapshot, connected
from etl.testing import mysql_cursor


@pytest.fixture(autouse=True)
def fresh_tasks():
    """luigi gives the same object for the same parameters, and with it what an earlier test found."""
    Register.clear_instance_cache()


@pytest.fixture(autouse=True, params=["connectorx", "pymysql"])
def plane(request, monkeypatch):
    """Every table that connectorx can read is read by it too, however small."""
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0 if request.param == "connectorx" else float("inf"))
    return request.param


def write(task):
    """Run the task; give its manifest and the text of all its parts."""
    task.run()
    target = task.output()
    manifest = target.manifest()
    text = b""
    for part in manifest.parts:
        with contextlib.closing(target.open_part(part, manifest)) as reader:
            text += reader.read()
    return manifest, text.decode()


def read_as(**said):
    """An extractor of the table t with other types for its columns."""
    return type("ExtractAs", (ExtractTable,), {"read_as": said})(table="t")


def read_values(mysql, declaration, *literals, said="", sql_mode="STRICT_ALL_TABLES"):
    """The warehouse type of a column `v`, and its values as they stand in the CSV, one for each SQL literal."""
    mysql.execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declaration})")
    for number, literal in enumerate(literals):
        mysql.execute(f"SET STATEMENT sql_mode='{sql_mode}' FOR INSERT INTO t VALUES ({number}, {literal})")
    manifest, text = write(read_as(v=said) if said else ExtractTable(table="t"))
    rows = sorted((line.partition(",") for line in text.splitlines()), key=lambda row: int(row[0]))
    assert [row[0] for row in rows] == [str(number) for number in range(len(literals))]
    return manifest.types[1], [value for _, _, value in rows], manifest.findings["losses"]


def kept(mysql, declaration, *literals, **options):
    """As `read_values`, for values of which nothing may be lost."""
    warehouse_type, values, losses = read_values(mysql, declaration, *literals, **options)
    assert losses == []
    return warehouse_type, values


@pytest.mark.parametrize(
    ("declaration", "lowest", "highest", "warehouse_type"),
    [
        ("TINYINT", -128, 127, "SMALLINT"),
        ("TINYINT UNSIGNED", 0, 255, "SMALLINT"),
        ("SMALLINT", -32768, 32767, "SMALLINT"),
        ("SMALLINT UNSIGNED", 0, 65535, "INTEGER"),
        ("MEDIUMINT", -8388608, 8388607, "INTEGER"),
        ("MEDIUMINT UNSIGNED", 0, 16777215, "INTEGER"),
        ("INT", -2147483648, 2147483647, "INTEGER"),
        ("INT UNSIGNED", 0, 4294967295, "BIGINT"),
        ("BIGINT", -9223372036854775808, 9223372036854775807, "BIGINT"),
        ("BIGINT UNSIGNED", 0, 18446744073709551615, "NUMERIC(20,0)"),
    ],
)
def test_integers_keep_their_whole_range(mysql, lake, declaration, lowest, highest, warehouse_type):
    read = kept(mysql, declaration, lowest, highest, "NULL")
    assert read == (warehouse_type, [str(lowest), str(highest), r"\N"])


def test_tinyint_1_is_a_number(mysql, lake):
    assert kept(mysql, "TINYINT(1)", -128, 0, 1, 2, 127) == ("SMALLINT", ["-128", "0", "1", "2", "127"])


def test_zerofill_is_display_and_not_value(mysql, lake):
    assert kept(mysql, "INT(8) ZEROFILL", 42) == ("BIGINT", ["42"])


def test_bit_1_is_boolean(mysql, lake):
    assert kept(mysql, "BIT(1)", "b'0'", "b'1'", "NULL") == ("BOOLEAN", ["false", "true", r"\N"])


def test_bit_2_to_63_is_a_number(mysql, lake):
    assert kept(mysql, "BIT(63)", "b'0'", "9223372036854775807") == ("BIGINT", ["0", "9223372036854775807"])


def test_bit_64_is_a_number_beyond_bigint(mysql, lake):
    assert kept(mysql, "BIT(64)", "18446744073709551615") == ("NUMERIC(20,0)", ["18446744073709551615"])


def test_decimal_65_30_keeps_every_digit(mysql, lake):
    number = "-" + "9" * 35 + "." + "9" * 29 + "1"
    warehouse_type, values = kept(mysql, "DECIMAL(65,30)", number, "0.000000000000000000000000000001", "NULL")
    assert warehouse_type == "NUMERIC"
    assert values == [f'"{number}"', '"0.000000000000000000000000000001"', r"\N"]


def test_float_is_the_number_that_is_stored(mysql, lake):
    # As text MySQL would send 0.1 and 16777200.
    warehouse_type, values = kept(mysql, "FLOAT", 0.1, 16777216, "-3.4028234663852886e38", "NULL")
    assert warehouse_type == "DOUBLE PRECISION"
    assert [float(value) for value in values[:3]] == [0.10000000149011612, 16777216.0, -3.4028234663852886e38]
    assert values[3] == r"\N"


def test_double_keeps_every_bit(mysql, lake):
    numbers = [0.1, 1 / 3, 1.7976931348623157e308, 2.2250738585072014e-308, -9007199254740993.0]
    warehouse_type, values = kept(
        mysql, "DOUBLE", *(f"{number!r}e0" if "e" not in repr(number) else repr(number) for number in numbers)
    )
    assert (warehouse_type, [float(value) for value in values]) == ("DOUBLE PRECISION", numbers)


def test_double_with_display_digits(mysql, lake):
    assert kept(mysql, "DOUBLE(10,2) ZEROFILL", 12.5) == ("DOUBLE PRECISION", ["12.5"])


def test_date(mysql, lake):
    read = kept(mysql, "DATE", "'0001-01-01'", "'2024-02-29'", "'9999-12-31'", "NULL")
    assert read == ("DATE", ["0001-01-01", "2024-02-29", "9999-12-31", r"\N"])


def test_datetime_has_no_zone(mysql, lake):
    read = kept(mysql, "DATETIME(6)", "'2024-03-31 02:30:00'", "'9999-12-31 23:59:59.999999'")
    assert read == ("TIMESTAMP", ['"2024-03-31 02:30:00.000000"', '"9999-12-31 23:59:59.999999"'])


def test_timestamp_is_utc_whatever_the_session_that_wrote_it(mysql, lake):
    mysql.execute("CREATE TABLE t (v TIMESTAMP NULL)")
    mysql.execute("SET STATEMENT time_zone='-05:00' FOR INSERT INTO t VALUES ('2024-07-01 00:30:00')")
    manifest, text = write(ExtractTable(table="t"))
    assert (manifest.types, text) == (("TIMESTAMPTZ",), '"2024-07-01 05:30:00+00"\n')


@pytest.mark.parametrize(
    ("declaration", "zeros"),
    [
        ("DATE", ["'0000-00-00'", "'2022-00-15'", "'2022-11-00'", "'0000-05-01'"]),
        ("DATETIME", ["'0000-00-00'", "'2022-11-00 10:00:00'"]),
        ("TIMESTAMP NULL", ["'0000-00-00 00:00:00'"]),
    ],
)
def test_zero_dates_are_null_and_counted(mysql, lake, declaration, zeros):
    _, values, losses = read_values(mysql, declaration, "'2022-10-11'", *zeros, "NULL", sql_mode="")
    assert values[0].strip('"').startswith("2022-10-11")
    assert values[1:] == [r"\N"] * (len(zeros) + 1)
    samples = [str(number + 1) for number in range(len(zeros))]
    assert losses == [{"column": "v", "reason": "zero date", "count": len(zeros), "samples": samples}]


def test_dates_that_no_calendar_has_are_null_and_counted(mysql, lake):
    _, values, losses = read_values(
        mysql, "DATETIME", "'2022-02-28 01:00:00'", "'2022-02-31 01:00:00'", "NULL", sql_mode="ALLOW_INVALID_DATES"
    )
    assert values == ['"2022-02-28 01:00:00"', r"\N", r"\N"]
    assert losses == [{"column": "v", "reason": "invalid date", "count": 1, "samples": ["1"]}]


def test_time_is_signed_seconds(mysql, lake):
    read = kept(mysql, "TIME", "'-838:59:59'", "'838:59:59'", "'-00:00:01'", "'27:00:00'", "0", "NULL")
    assert read == ("NUMERIC", ['"-3020399"', '"3020399"', '"-1"', '"97200"', '"0"', r"\N"])


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        (3, ['"-3020399.999"', '"-0.001"', '"0.250"']),
        (6, ['"-3020399.999999"', '"-0.001000"', '"0.250000"']),
    ],
)
def test_time_with_fraction(mysql, lake, digits, expected):
    lowest = "'-838:59:59." + "9" * digits + "'"
    assert kept(mysql, f"TIME({digits})", lowest, "'-00:00:00.001'", "'00:00:00.25'") == ("NUMERIC", expected)


def test_year_0_is_null_and_counted(mysql, lake):
    warehouse_type, values, losses = read_values(mysql, "YEAR", 1901, 2155, 0, "NULL", sql_mode="")
    assert (warehouse_type, values) == ("SMALLINT", ["1901", "2155", r"\N", r"\N"])
    assert losses == [{"column": "v", "reason": "zero year", "count": 1, "samples": ["2"]}]


def test_enum_is_its_label(mysql, lake):
    # What is not a label is stored as '' where the server is not strict.
    read = kept(mysql, "ENUM('small', 'large')", "'large'", "'huge'", "NULL", sql_mode="")
    assert read == ("TEXT", ['"large"', '""', r"\N"])


def test_set_is_its_text_in_order_of_declaration(mysql, lake):
    read = kept(mysql, "SET('vip', 'press', 'staff')", "'staff,vip'", "''", "NULL")
    assert read == ("TEXT", ['"vip,staff"', '""', r"\N"])


def test_json_is_text(mysql, lake):
    assert kept(mysql, "JSON", """'{"a": "é"}'""") == ("TEXT", ['"{""a"": ""é""}"'])


@pytest.mark.parametrize("declaration", ["CHAR(20)", "VARCHAR(20)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"])
def test_text(mysql, lake, declaration):
    assert kept(mysql, declaration, "'a \"b\", c'", "NULL") == ("TEXT", ['"a ""b"", c"', r"\N"])


@pytest.mark.parametrize("declaration", ["VARBINARY(9)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"])
def test_binary_is_hex(mysql, lake, declaration):
    assert kept(mysql, declaration, "x'00ff5c4e'", "''", "NULL") == ("TEXT", ['"00FF5C4E"', '""', r"\N"])


def test_fixed_binary_keeps_its_padding(mysql, lake):
    assert kept(mysql, "BINARY(4)", "x'ab'") == ("TEXT", ['"AB000000"'])


def test_blob_whose_hex_exceeds_max_allowed_packet(mysql, lake):
    ((limit,),) = mysql.query("SELECT @@max_allowed_packet")
    size = limit // 2 + 1
    mysql.execute(f"CREATE TABLE t AS SELECT CAST(REPEAT('x', {size}) AS BINARY) AS v")
    assert write(ExtractLong(table="t"))[1] == '"' + "78" * size + '"\n'


def test_spatial_is_well_known_text(mysql, lake):
    read = kept(mysql, "GEOMETRY", "POINT(1, 2.5)", "ST_GeomFromText('LINESTRING(0 0,1 1)')", "NULL")
    assert read == ("TEXT", ['"POINT(1 2.5)"', '"LINESTRING(0 0,1 1)"', r"\N"])


def test_uuid_and_internet_addresses_of_mariadb(mysql, lake):
    mysql.execute("CREATE TABLE t (a UUID, b INET6, c INET4)")
    mysql.execute("INSERT INTO t VALUES ('6ccd780c-baba-1026-9564-5b8c656024db', '2001:db8::1', '10.0.0.1')")
    manifest, text = write(ExtractTable(table="t"))
    assert manifest.types == ("TEXT", "TEXT", "TEXT")
    assert text == '"6ccd780c-baba-1026-9564-5b8c656024db","2001:db8::1","10.0.0.1"\n'


def test_a_type_that_is_not_known_is_refused_by_name():
    column = mysql_catalogue.Column("shop.docs", "embedding", "vector", "vector(3)", True, None, None, None)
    with pytest.raises(
        DataError, match=r"shop.docs.embedding: MySQL type vector\(3\).*read_as = {'embedding': 'text'}"
    ):
        column.reading  # noqa: B018


@pytest.mark.parametrize(
    "declaration", ["TINYINT(1)", "INT(8) UNSIGNED ZEROFILL", "BIGINT", "BIGINT UNSIGNED", "BIT(1)"]
)
def test_read_as_boolean(mysql, lake, declaration):
    assert kept(mysql, declaration, 0, 1, "NULL", said="boolean") == ("BOOLEAN", ["false", "true", r"\N"])


def test_read_as_boolean_counts_what_is_neither_0_nor_1(mysql, lake):
    _, values, losses = read_values(mysql, "TINYINT(1)", 1, 2, -1, "NULL", 0, said="boolean")
    assert values == ["true", r"\N", r"\N", r"\N", "false"]
    assert losses == [{"column": "v", "reason": "not 0 or 1", "count": 2, "samples": ["1", "2"]}]


UUID = "6ccd780c-baba-1026-9564-5b8c656024db"


@pytest.mark.parametrize(
    ("declaration", "literal"),
    [
        ("BINARY(16)", "x'6CCD780CBABA102695645B8C656024DB'"),
        ("CHAR(36)", f"'{UUID}'"),
        ("CHAR(36) CHARACTER SET latin1", f"'{UUID.upper()}'"),
        ("UUID", f"'{UUID.upper()}'"),
    ],
)
def test_read_as_uuid(mysql, lake, declaration, literal):
    assert kept(mysql, declaration, literal, "NULL", said="uuid") == ("TEXT", [f'"{UUID}"', r"\N"])


def test_read_as_uuid_counts_text_that_is_none(mysql, lake):
    literals = [f"'{UUID}'", "''", f"'{UUID[:-1]}'", f"'{UUID.replace('6', 'g')}'", "NULL"]
    _, values, losses = read_values(mysql, "CHAR(36)", *literals, said="uuid")
    assert values == [f'"{UUID}"', *[r"\N"] * 4]
    assert losses == [{"column": "v", "reason": "not a UUID", "count": 3, "samples": ["1", "2", "3"]}]


def test_a_row_is_named_by_its_key_as_the_key_is_read(mysql, lake):
    mysql.execute("CREATE TABLE t (id BINARY(16) PRIMARY KEY, v DATE)")
    mysql.execute(f"SET STATEMENT sql_mode='' FOR INSERT INTO t VALUES (UNHEX(REPLACE('{UUID}', '-', '')), 0)")
    assert write(read_as(id="uuid"))[0].findings["losses"][0]["samples"] == [UUID]


def test_read_as_numeric(mysql, lake):
    read = kept(
        mysql, "DECIMAL(30,6)", "9999999999.99", "-9999999999.990000", "0.01", "0", "NULL", said="numeric(12,2)"
    )
    quoted = ['"9999999999.990000"', '"-9999999999.990000"', '"0.010000"', '"0.000000"', r"\N"]
    assert read == ("NUMERIC(12,2)", quoted)


def test_read_as_numeric_of_integers(mysql, lake):
    largest = 18446744073709551615
    read = kept(mysql, "BIGINT UNSIGNED ZEROFILL", largest, 0, "NULL", said="numeric(38,18)")
    assert read == ("NUMERIC(38,18)", [str(largest), "0", r"\N"])


@pytest.mark.parametrize(
    ("declaration", "fitting", "others"),
    [
        ("DECIMAL(30,6)", "99.99", ["100", "-100.00", "0.001", "-0.000001"]),
        ("DECIMAL(65,30)", "-99.99", ["1e34", "0.000000000000000000000000000001"]),
        ("BIGINT", "-99", ["100", "-9223372036854775808"]),
        ("BIGINT UNSIGNED", "99", ["18446744073709551615"]),
    ],
)
def test_read_as_numeric_counts_what_does_not_fit_and_rounds_nothing(mysql, lake, declaration, fitting, others):
    _, values, losses = read_values(mysql, declaration, fitting, *others, said="numeric(4,2)")
    assert float(values[0].strip('"')) == float(fitting)
    assert values[1:] == [r"\N"] * len(others)
    samples = [str(number + 1) for number in range(len(others))]
    reason = "does not fit numeric(4,2)"
    assert losses == [{"column": "v", "reason": reason, "count": len(others), "samples": samples}]


def test_read_as_time(mysql, lake):
    literals = ["'00:00:00'", "'09:05:00.25'", "'23:59:59.999999'", "'-00:00:00'", "NULL"]
    texts = ['"00:00:00.000000"', '"09:05:00.250000"', '"23:59:59.999999"', '"00:00:00.000000"', r"\N"]
    assert kept(mysql, "TIME(6)", *literals, said="time") == ("TIME", texts)


def test_read_as_time_counts_what_no_day_has(mysql, lake):
    literals = ["'08:30:00'", "'24:00:00'", "'-00:00:01'", "'838:59:59'"]
    _, values, losses = read_values(mysql, "TIME", *literals, said="time")
    assert values == ['"08:30:00"', r"\N", r"\N", r"\N"]
    assert losses == [{"column": "v", "reason": "not a time of day", "count": 3, "samples": ["1", "2", "3"]}]


@pytest.mark.parametrize("declaration", ["VARBINARY(20)", "BLOB", "LONGBLOB", "TEXT", "JSON"])
def test_read_as_text_of_bytes(mysql, lake, declaration):
    assert kept(mysql, declaration, "'\"é🎟️\"'", "NULL", said="text") == ("TEXT", ['"""é🎟️"""', r"\N"])


def test_read_as_text_cuts_the_padding_of_binary(mysql, lake):
    assert kept(mysql, "BINARY(6)", "'aé'", "''", "NULL", said="text") == ("TEXT", ['"aé"', '""', r"\N"])


def test_read_as_text_counts_bytes_that_are_no_text(mysql, lake):
    _, values, losses = read_values(mysql, "VARBINARY(9)", "x'61ff62'", "x'6100'", said="text")
    assert values == ['"a\ufffdb"', '"a\ufffd"']
    assert [(loss["reason"], loss["samples"]) for loss in losses] == [
        ("invalid UTF-8 replaced", ["0"]),
        ("NUL character replaced", ["1"]),
    ]


@pytest.mark.parametrize(
    ("declaration", "literal", "text"),
    [
        ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"),
        ("DECIMAL(65,30)", "0.5", "0.5" + "0" * 29),
        ("FLOAT", "16777216", "16777216"),
        ("DOUBLE", "0.1e0", "0.1"),
        ("BIT(64)", "b'101'", "5"),
        ("DATE", "'2022-11-00'", "2022-11-00"),
        ("DATETIME(3)", "0", "0000-00-00 00:00:00.000"),
        ("TIMESTAMP", "'2024-07-01 05:30:00'", "2024-07-01 05:30:00"),
        ("TIME", "'-838:59:59'", "-838:59:59"),
        ("YEAR", "0", "0000"),
        ("GEOMETRY", "POINT(1, 2.5)", "POINT(1 2.5)"),
        ("ENUM('a', 'b')", "2", "b"),
    ],
)
def test_read_as_text_is_what_mysql_writes(mysql, lake, declaration, literal, text):
    assert kept(mysql, declaration, literal, said="text", sql_mode="") == ("TEXT", [f'"{text}"'])


def test_read_as_text_reads_a_type_that_is_not_known(mysql, lake, monkeypatch):
    monkeypatch.delitem(mysql_types._READINGS, "inet6")
    mysql.execute("CREATE TABLE t (v INET6)")
    mysql.execute("INSERT INTO t VALUES ('2001:db8::1'), (NULL)")
    with pytest.raises(DataError, match=r"t.v: MySQL type inet6 has no place .* read_as = {'v': 'text'}"):
        ExtractTable(table="t").plan()
    assert write(read_as(v="text"))[1] == '"2001:db8::1"\n\\N\n'


@pytest.mark.parametrize(
    ("declaration", "digits"),
    [
        ("VARCHAR(9) CHARACTER SET latin1", "61E92062"),
        ("CHAR(9) CHARACTER SET utf8mb4", "61C3A92062"),
        ("MEDIUMTEXT CHARACTER SET utf8mb4", "61C3A92062"),
        ("VARBINARY(9)", "61C3A92062"),
    ],
)
def test_read_as_hex(mysql, lake, declaration, digits):
    assert kept(mysql, declaration, "'aé b'", "''", "NULL", said="hex") == ("TEXT", [f'"{digits}"', '""', r"\N"])


@pytest.mark.parametrize("declaration", ["VARCHAR(20)", "CHAR(20)", "TINYTEXT", "TEXT", "LONGTEXT"])
def test_read_as_utf8_what_was_stored_as_latin1(mysql, lake, declaration):
    read = kept(mysql, f"{declaration} CHARACTER SET latin1", "x'43616665CC81C3A9F09F8E9F'", "''", "NULL", said="utf8")
    assert read == ("TEXT", ['"Cafe\u0301é🎟"', '""', r"\N"])


def test_read_as_utf8_counts_bytes_that_are_none(mysql, lake):
    _, values, losses = read_values(mysql, "VARCHAR(9) CHARACTER SET latin1", "x'C3A9'", "x'61E9'", said="utf8")
    assert values == ['"é"', '"a\ufffd"']
    assert losses == [{"column": "v", "reason": "invalid UTF-8 replaced", "count": 1, "samples": ["1"]}]


@pytest.mark.parametrize(
    ("declaration", "said", "fitting"),
    [
        ("VARCHAR(5)", "boolean", "text, hex, utf8"),
        ("BIT(2)", "boolean", "text"),
        ("BINARY(15)", "uuid", "text, hex"),
        ("VARCHAR(36)", "uuid", "text, hex, utf8"),
        ("DOUBLE", "numeric(12,2)", "text"),
        ("DECIMAL(9,2)", "numeric(39,0)", "numeric(p,s) with s <= p <= 38, text"),
        ("DECIMAL(9,2)", "numeric(2,3)", "numeric(p,s) with s <= p <= 38, text"),
        ("DECIMAL(9,2)", "numeric(0,0)", "numeric(p,s) with s <= p <= 38, text"),
        ("DECIMAL(9,2)", "numeric", "numeric(p,s) with s <= p <= 38, text"),
        ("DATETIME", "time", "text"),
        ("BLOB", "utf8", "text, hex"),
        ("DATE", "hex", "text"),
        ("INT", "money", "numeric(p,s) with s <= p <= 38, boolean, text"),
    ],
)
def test_read_as_what_does_not_fit_is_refused_before_a_row_is_read(mysql, lake, declaration, said, fitting):
    mysql.execute(f"CREATE TABLE t (v {declaration})")
    for ask in (read_as(v=said).plan, read_as(v=said).run):
        with pytest.raises(DataError, match=r"^t\.v: MySQL type ") as refused:
            ask()
        assert str(refused.value).endswith(f" cannot be read as {said!r}; of it read_as may say: {fitting}")
    assert lake.keys() == []


def test_read_as_of_a_column_that_is_not_there(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT, is_active INT)")
    message = rf"{mysql.name}.t: read_as names a column is_activ; its columns are id, is_active"
    with pytest.raises(DataError, match=message):
        read_as(is_activ="boolean").plan()


class ExtractQueryAs(MySQLExtractor):
    sql = "SELECT 1 AS v"
    read_as = {"v": "boolean"}


def test_read_as_is_not_for_a_query(mysql, lake):
    with pytest.raises(DataError, match="ExtractQueryAs: read_as is for the columns of a `table`"):
        ExtractQueryAs().plan()


class ExtractBooleanOrHeld(ExtractTable):
    read_as = {"v": "boolean"}
    on_loss = {"v": "quarantine"}


def test_what_read_as_loses_is_lost_by_policy(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    mysql.execute("INSERT INTO t VALUES (7, 1), (8, 2)")
    manifest, text = write(ExtractBooleanOrHeld(table="t"))
    assert (text, manifest.rows_rejected) == ("7,true\n", 1)


def test_emoji_and_text_in_other_character_sets(mysql, lake):
    mysql.execute("CREATE TABLE t (a TEXT CHARACTER SET utf8mb4, b TEXT CHARACTER SET latin1)")
    mysql.execute("INSERT INTO t VALUES (%s, %s)", [("🎟️ 東京", "Ünïted £")])
    _, text = write(ExtractTable(table="t"))
    assert text == '"🎟️ 東京","Ünïted £"\n'


def test_utf8_that_was_stored_as_latin1_stays_as_mysql_reads_it(mysql, lake):
    # Nobody but the owner knows that "Ã©" was meant as "é"; it is the text that the application shows.
    mysql.execute("CREATE TABLE t (v VARCHAR(20) CHARACTER SET latin1)")
    mysql.execute("INSERT INTO t VALUES (x'43616665CC81C3A9')")
    _, text = write(ExtractTable(table="t"))
    assert text == '"CafeÌ\u0081Ã©"\n'


def test_invalid_utf8_is_replaced_and_counted(mysql, lake):
    # MariaDB lets no such text in. The definition of a text table, put upon the file of a binary one, gets it there.
    mysql.execute("CREATE TABLE bytes (id INT PRIMARY KEY, v VARBINARY(40)) ENGINE=MyISAM")
    mysql.execute("CREATE TABLE empty (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET utf8mb4) ENGINE=MyISAM")
    mysql.execute("INSERT INTO bytes VALUES (7, x'61ff62'), (8, 'plain'), (9, NULL)")
    mysql.execute("RENAME TABLE bytes TO t")
    ((folder,),) = mysql.query("SELECT CONCAT(@@datadir, DATABASE())")
    shutil.copy(Path(folder) / "empty.frm", Path(folder) / "t.frm")
    manifest, text = write(ExtractTable(table="t"))
    assert text == '7,"a\ufffdb"\n8,"plain"\n9,\\N\n'
    assert manifest.findings["losses"] == [
        {"column": "v", "reason": "invalid UTF-8 replaced", "count": 1, "samples": ["7"]}
    ]


def test_nul_characters_are_replaced_and_counted(mysql, lake):
    _, values, losses = read_values(mysql, "VARCHAR(9)", r"'a\0b'", "'ab'")
    assert values == ['"a\ufffdb"', '"ab"']
    assert [(loss["column"], loss["count"]) for loss in losses] == [("v", 1)]


def test_null_the_token_and_the_empty_string_stay_three_things(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))")
    mysql.execute("INSERT INTO t VALUES (%s, %s)", [(1, None), (2, r"\N"), (3, ""), (4, "NULL")])
    manifest, text = write(ExtractTable(table="t"))
    assert manifest.null not in ("", "NULL", r"\N")
    assert text == f'1,{manifest.null}\n2,"\\N"\n3,""\n4,"NULL"\n'


def test_a_string_of_70000_bytes(mysql, lake):
    long = "é" * 35_000
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, v MEDIUMTEXT CHARACTER SET utf8mb4)")
    mysql.execute("INSERT INTO t VALUES (%s, %s)", [(1, long), (2, "short")])
    manifest, text = write(ExtractTable(table="t"))
    assert text == '2,"short"\n'
    assert (manifest.findings["counted"], manifest.rows, manifest.rows_rejected) == (2, 1, 1)
    with contextlib.closing(ExtractTable(table="t").output().open_part(manifest.rejected[0], manifest)) as reader:
        ((key, column, reason, row),) = csv.reader(io.StringIO(reader.read().decode()))
    assert (key, column, reason) == ('["1"]', "v", "longer than 65535 bytes")
    # So that a warehouse can hold it beside the others.
    assert len(row.encode()) <= 65_535
    held = json.loads(row)
    assert held["id"] == "1"
    assert re.fullmatch(r"é{16000,}… \(35,000 characters\)", held["v"])


class ExtractLong(ExtractTable):
    on_loss = {"v": "keep"}


def test_a_string_of_70000_bytes_is_kept_where_the_owner_says_so(mysql, lake):
    long = "é" * 35_000
    mysql.execute("CREATE TABLE t (v MEDIUMTEXT CHARACTER SET utf8mb4)")
    mysql.execute("INSERT INTO t VALUES (%s)", [(long,)])
    assert write(ExtractLong(table="t"))[1] == f'"{long}"\n'


class ExtractStrict(ExtractTable):
    on_loss = {"v": "fail"}


class ExtractHeld(ExtractTable):
    on_loss = {"v": "quarantine"}


def test_a_policy_a_column(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, v DATE)")
    mysql.execute("SET STATEMENT sql_mode='' FOR INSERT INTO t VALUES (7, '2022-11-00'), (8, '2022-11-01')")
    with pytest.raises(DataError, match=r"column v: zero date in the row with the key \[\"7\"\]; mend it"):
        write(ExtractStrict(table="t"))
    manifest, text = write(ExtractHeld(table="t"))
    assert (text, manifest.findings["counted"], manifest.rows_rejected) == ("8,2022-11-01\n", 2, 1)
    with contextlib.closing(ExtractHeld(table="t").output().open_part(manifest.rejected[0], manifest)) as reader:
        ((_, _, _, row),) = csv.reader(io.StringIO(reader.read().decode()))
    assert json.loads(row) == {"id": "7", "v": "2022-11-00"}


def test_the_days_of_ten_thousand_years(mysql, lake):
    mysql.execute("CREATE TABLE t (v DATE)")
    mysql.execute("INSERT INTO t SELECT '0001-01-01' + INTERVAL seq DAY FROM seq_0_to_3652058_step_61")
    mysql.execute("INSERT INTO t VALUES ('2000-02-29'), ('1900-02-28'), ('9999-12-31'), ('1969-12-31'), (NULL)")
    expected = mysql.query("SELECT COALESCE(CAST(v AS CHAR), '\\\\N') FROM t")
    manifest, text = write(ExtractTable(table="t"))
    assert text.splitlines() == [day for (day,) in expected]
    assert manifest.findings["losses"] == []


@pytest.mark.parametrize(
    ("declaration", "literal", "expected"),
    [("DATE", "0", "7,\\N\n"), ("VARCHAR(9)", r"'a\0b'", '7,"a\ufffdb"\n'), ("YEAR", "0", "7,\\N\n")],
)
def test_what_no_warehouse_stores_cannot_be_kept_and_is_counted(mysql, lake, declaration, literal, expected):
    mysql.execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declaration})")
    mysql.execute(f"SET STATEMENT sql_mode='' FOR INSERT INTO t VALUES (7, {literal})")
    manifest, text = write(ExtractLong(table="t"))
    assert text == expected
    assert [(loss["column"], loss["count"]) for loss in manifest.findings["losses"]] == [("v", 1)]


class ExtractMisspelt(ExtractTable):
    on_loss = {"v": "ignore"}


def test_a_policy_that_is_none(mysql, lake):
    mysql.execute("CREATE TABLE t (v DATE)")
    with pytest.raises(ConfigError, match="ExtractMisspelt: on_loss says 'ignore'; write one of keep, null"):
        write(ExtractMisspelt(table="t"))


def test_generated_and_invisible_columns_are_read_in_their_place(mysql, lake):
    mysql.execute(
        "CREATE TABLE t (price INT, secret INT INVISIBLE, gross INT AS (price * 2) VIRTUAL, "
        "kept INT AS (price + 1) STORED)"
    )
    mysql.execute("INSERT INTO t (price, secret) VALUES (10, 99)")
    manifest, text = write(ExtractTable(table="t"))
    assert manifest.columns == ("price", "secret", "gross", "kept")
    assert text == "10,99,20,11\n"


def test_reserved_mixed_case_and_odd_names(mysql, lake):
    names = ("row", "Order", "a`b", "per cent %s", "{0}", "naïve")
    listed = ", ".join("`" + name.replace("`", "``") + "` INT" for name in names)
    mysql.execute(f"CREATE TABLE `Select {{%s` ({listed})")
    mysql.execute("INSERT INTO `Select {%s` VALUES (1, 2, 3, 4, 5, 6)")
    manifest, text = write(ExtractTable(table="Select {%s"))
    assert (manifest.columns, text) == (names, "1,2,3,4,5,6\n")


def test_a_column_named_like_sql(mysql, lake):
    mysql.execute("CREATE TABLE `x FROM y` (`a FROM b` INT PRIMARY KEY)")
    mysql.execute("INSERT INTO `x FROM y` VALUES (1)")
    manifest, text = write(ExtractTable(table="x FROM y"))
    assert (manifest.columns, text) == (("a FROM b",), "1\n")


def test_a_view_is_read_as_a_table(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO t VALUES (1), (2)")
    mysql.execute("CREATE SQL SECURITY INVOKER VIEW v AS SELECT id, id * 2 AS twice FROM t WHERE id > 1")
    manifest, text = write(ExtractTable(table="v"))
    assert (manifest.columns, text) == (("id", "twice"), "2,4\n")


def test_an_empty_table_still_says_columns_and_types(mysql, lake):
    mysql.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, price DECIMAL(9,2), at TIMESTAMP NULL)")
    manifest, _ = write(ExtractTable(table="t"))
    assert (manifest.rows, manifest.parts, manifest.findings["counted"]) == (0, (), 0)
    assert manifest.columns == ("id", "price", "at")
    assert manifest.types == ("BIGINT", "NUMERIC", "TIMESTAMPTZ")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("a INT, b INT, c INT, PRIMARY KEY (c, a)", ["c", "a"]),
        ("a INT NOT NULL, b INT NOT NULL, c INT NOT NULL, UNIQUE (a, b), UNIQUE (c)", ["c"]),
        ("a INT NULL, b INT NOT NULL, UNIQUE (a, b)", []),
        ("a INT NOT NULL, KEY (a)", []),
    ],
)
def test_the_key_of_a_row(mysql, lake, definition, expected):
    mysql.execute(f"CREATE TABLE t ({definition})")
    assert write(ExtractTable(table="t"))[0].findings["key"] == expected


class ExtractNames(MySQLExtractor):
    table = "people"
    columns = ("born", "name")


def test_some_columns_in_an_order_of_ones_own(mysql, lake):
    mysql.execute("CREATE TABLE people (id INT PRIMARY KEY, name TEXT, born DATE)")
    mysql.execute("SET STATEMENT sql_mode='' FOR INSERT INTO people VALUES (41, 'Ann', '1990-05-17'), (42, 'Bo', 0)")
    manifest, text = write(ExtractNames())
    assert (manifest.columns, text) == (("born", "name"), '1990-05-17,"Ann"\n\\N,"Bo"\n')
    # The key is not part of the extract, and so not a key of it, but still says which row lost its date.
    assert manifest.findings["key"] == []
    assert manifest.findings["losses"][0]["samples"] == ["42"]


class ExtractQuery(MySQLExtractor):
    sql = """
        SELECT d.day, d.at, d.length, COUNT(*) AS n, SUM(d.price) AS total, AVG(d.price) * 1e0 AS average,
               d.name, d.code, CAST(18446744073709551615 AS UNSIGNED) AS big, NULL AS nothing
        FROM days AS d GROUP BY d.id ORDER BY d.id  -- a query may end in a comment
    """


def test_a_query(mysql, lake):
    mysql.execute(
        "CREATE TABLE days (id INT, day DATE, at DATETIME, length TIME, price DECIMAL(9,2), name TEXT, code BLOB)"
    )
    mysql.execute(
        "SET STATEMENT sql_mode='' FOR INSERT INTO days VALUES "
        "(1, '2024-02-29', '2024-02-29 10:00:00', '-27:00:00', 9.50, 'Ünï', x'ff'), (2, 0, 0, 0, 0, NULL, NULL)"
    )
    manifest, text = write(ExtractQuery())
    assert manifest.columns == ("day", "at", "length", "n", "total", "average", "name", "code", "big", "nothing")
    assert list(csv.reader(io.StringIO(text))) == [
        [
            "2024-02-29",
            "2024-02-29 10:00:00",
            "-27:00:00",
            "1",
            "9.50",
            "9.5",
            "Ünï",
            "FF",
            "18446744073709551615",
            r"\N",
        ],
        [r"\N", r"\N", "00:00:00", "1", "0.00", "0", r"\N", r"\N", "18446744073709551615", r"\N"],
    ]
    assert manifest.types[3:6] == ("BIGINT", "NUMERIC", "DOUBLE PRECISION")
    assert manifest.findings["counted"] == 2
    assert {loss["column"]: loss["count"] for loss in manifest.findings["losses"]} == {"day": 1, "at": 1}


class ExtractFloat(MySQLExtractor):
    sql = "SELECT weight FROM t;"


class ExtractTwice(MySQLExtractor):
    sql = "SELECT * FROM (SELECT 1 AS id) AS a, (SELECT 2 AS id) AS b"


def test_a_query_that_would_lose_digits_is_refused(mysql, lake):
    mysql.execute("CREATE TABLE t (weight FLOAT)")
    with pytest.raises(
        DataError, match=r"column weight: MySQL sends a FLOAT with 6 digits only; write x \* 1e0 AS `weight`"
    ):
        write(ExtractFloat())


def test_a_plan_names_types_select_and_driver(mysql, lake, plane):
    mysql.execute("CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, price DECIMAL(9,2), born DATE)")
    planned = ExtractTable(table="t").plan().as_json()
    assert planned == {
        "table": f"{mysql.name}.t",
        "driver": {"connectorx": "connectorx", "pymysql": "PyMySQL"}[plane],
        "select": "SELECT `id`, CAST(`price` AS CHAR), (`born` + 0) FROM `t`",
        "columns": [
            {"column": "id", "type": "BIGINT", "read_as": None, "expression": "`id`"},
            {"column": "price", "type": "NUMERIC", "read_as": None, "expression": "CAST(`price` AS CHAR)"},
            {"column": "born", "type": "DATE", "read_as": None, "expression": "(`born` + 0)"},
        ],
    }
    assert lake.keys() == []


def test_a_plan_says_what_is_read_as_something_else(mysql, lake):
    mysql.execute("CREATE TABLE t (ok INT, note TEXT)")
    assert read_as(ok="boolean", note="utf8").plan().as_json()["columns"] == [
        {"column": "ok", "type": "BOOLEAN", "read_as": "boolean", "expression": "`ok`"},
        {"column": "note", "type": "TEXT", "read_as": "utf8", "expression": "CAST(`note` AS BINARY)"},
    ]


def test_a_plan_on_the_command_line(mysql, lake, plane):
    mysql.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, price DECIMAL(9,2))")
    said = CliRunner().invoke(cli.main, ["plan", "MirrorTable", "--table", "t"], env={"COLUMNS": "80"})
    assert said.exit_code == 0, said.output
    first, *lines, select, _ = said.output.splitlines()
    assert first == f"{mysql.name}.t, by {'connectorx' if plane == 'connectorx' else 'PyMySQL'}:"
    assert [line.split() for line in lines[1:]] == [
        ["id", "BIGINT", "`id`"],
        ["price", "NUMERIC", "CAST(`price`", "AS", "CHAR)"],
    ]
    assert select == "SELECT `id`, CAST(`price` AS CHAR) FROM `t`"
    said = CliRunner().invoke(cli.main, ["plan", "MirrorTable", "--table", "t", "--json"])
    assert [column["type"] for column in json.loads(said.output)[0]["columns"]] == ["BIGINT", "NUMERIC"]
    assert lake.keys() == []


def test_a_plan_of_what_cannot_be_read(mysql, lake):
    missing = CliRunner().invoke(cli.main, ["plan", "MirrorTable", "--table", "nowhere"])
    assert (missing.exit_code, "no such table" in missing.output) == (30, True)
    assert CliRunner().invoke(cli.main, ["plan", "MirrorTable", "--tables", "t"]).exit_code == 2


def test_a_plan_of_a_query(mysql, lake):
    mysql.execute("CREATE TABLE t (weight FLOAT)")
    with pytest.raises(DataError, match="column weight: MySQL sends a FLOAT with 6 digits only"):
        ExtractFloat().plan()


def test_a_value_that_connectorx_cannot_hold_is_read_again_by_pymysql(mysql, lake, plane, caplog):
    mysql.execute("CREATE TABLE bytes (id INT PRIMARY KEY, v VARBINARY(40)) ENGINE=MyISAM")
    mysql.execute("CREATE TABLE empty (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET utf8mb4) ENGINE=MyISAM")
    mysql.execute("INSERT INTO bytes VALUES (7, x'61ff62')")
    mysql.execute("RENAME TABLE bytes TO t")
    ((folder,),) = mysql.query("SELECT CONCAT(@@datadir, DATABASE())")
    shutil.copy(Path(folder) / "empty.frm", Path(folder) / "t.frm")
    with caplog.at_level("WARNING", "luigi-interface.etl"):
        assert write(ExtractTable(table="t"))[1] == '7,"a\ufffdb"\n'
    assert ("read again by PyMySQL" in caplog.text) == (plane == "connectorx")


def test_a_query_with_two_columns_of_one_name_is_refused(mysql, lake):
    with pytest.raises(SourceError, match=r"ExtractTwice: .*Duplicate column name 'id'"):
        write(ExtractTwice())


def test_a_value_that_mysql_makes_null_because_it_is_too_large_is_refused(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT)")
    mysql.execute("INSERT INTO t VALUES (1)")
    ((limit,),) = mysql.query("SELECT @@max_allowed_packet")
    mysql.execute(f"CREATE SQL SECURITY INVOKER VIEW v AS SELECT REPEAT('x', {limit} + id) AS x FROM t")
    with pytest.raises(SourceError, match=r"\.v: MySQL warns: Result of repeat\(\) was larger than max_allowed_packet"):
        write(ExtractTable(table="v"))


def test_a_division_by_zero_in_a_view_is_null_as_mysql_says(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT)")
    mysql.execute("INSERT INTO t VALUES (0)")
    mysql.execute("CREATE SQL SECURITY INVOKER VIEW v AS SELECT id, 1 / id AS share FROM t")
    assert write(ExtractTable(table="v"))[1] == "0,\\N\n"


class ExtractForbidden(MySQLExtractor):
    sql = "SELECT host FROM mysql.global_priv"


def test_a_refused_select_says_what_to_grant(mysql, lake):
    user = urlsplit(mysql.url).username
    with pytest.raises(SourceError, match=rf"ExtractForbidden: {user} may not read it .*global_priv.*; GRANT SELECT"):
        write(ExtractForbidden())


class ExtractNothing(MySQLExtractor):
    pass


def test_an_extract_that_says_neither_table_nor_sql(mysql, lake):
    with pytest.raises(DataError, match="ExtractNothing: says both or neither"):
        write(ExtractNothing())


def test_rows_written_after_the_snapshot_began_are_not_read(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO t SELECT seq FROM seq_1_to_1000")
    task = ExtractTable(table="t")
    batches = task.batches()
    assert next(batches).num_rows == 0
    mysql.execute("INSERT INTO t VALUES (5000)")
    mysql.execute("DELETE FROM t WHERE id = 1000")
    assert [row["id"] for batch in batches for row in batch.to_pylist()] == list(range(1, 1001))
    assert task.findings.counted == 1000


def test_the_snapshot_begins_before_anything_is_read(mysql):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    with connected(address()) as connection, connection.cursor() as cursor:
        begin_snapshot(connection)
        for number in range(2):
            mysql.execute(f"INSERT INTO t VALUES ({number})")
            cursor.execute("SELECT COUNT(*) FROM t")
            assert cursor.fetchone() == (b"0",)


def test_batches_are_small_where_values_are_large(mysql, lake):
    mysql.execute("CREATE TABLE t (v MEDIUMTEXT)")
    mysql.execute("INSERT INTO t SELECT REPEAT('x', 100000) FROM seq_1_to_1000")
    sizes = [batch.nbytes for batch in ExtractTable(table="t").batches()]
    assert sum(sizes) > 100_000_000
    assert max(sizes) < 32_000_000


class ExtractKilled(ExtractTable):
    """Has its connection killed when the first rows have come."""

    def batches(self):
        for batch in super().batches():
            yield batch
            if batch.num_rows:
                kill_readers(address())


def kill_readers(of: Address):
    url = f"mysql://{of.user}:{of.password}@{of.host}:{of.port}/{of.database}"
    with mysql_cursor(url) as cursor:
        cursor.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()")
        for (connection,) in cursor.fetchall():
            cursor.execute(f"KILL {connection}")


def test_a_connection_that_is_killed_while_it_is_read_publishes_nothing(mysql, lake):
    mysql.execute("CREATE TABLE t (v MEDIUMTEXT)")
    mysql.execute("INSERT INTO t SELECT REPEAT('x', 100000) FROM seq_1_to_1000")
    task = ExtractKilled(table="t")
    with pytest.raises(SourceError, match=rf"{mysql.name}.t: the connection to .* was lost .*nothing is published"):
        task.run()
    assert not task.output().exists()
    assert lake.keys() == []


def test_wrong_password(mysql, lake, settings):
    url = urlsplit(mysql.url)
    settings.set("mysql", "url", f"mysql://{url.username}:hunter2@{url.hostname}:{url.port}{url.path}")
    with pytest.raises(SourceError, match=f"{url.hostname}:{url.port} refuses user {url.username}") as raised:
        write(ExtractTable(table="t"))
    assert "hunter2" not in str(raised.value)


def test_server_that_is_down(mysql, lake, settings):
    settings.set("mysql", "url", "mysql://someone:hunter2@127.0.0.1:1/shop")
    with pytest.raises(SourceError, match=r"MySQL at 127.0.0.1:1 cannot be reached \(.*refused\)"):
        write(ExtractTable(table="t"))


def test_unknown_database(mysql, lake, settings):
    settings.set("mysql", "url", mysql.url.replace(mysql.name, "shop_nowhere"))
    with pytest.raises(SourceError, match="no database shop_nowhere"):
        write(ExtractTable(table="t"))


def test_missing_table_names_the_near_ones(mysql, lake):
    mysql.execute("CREATE TABLE venues (id INT)")
    with pytest.raises(SourceError, match=rf"{mysql.name}.venue: no such table .*near it: venues\."):
        write(ExtractTable(table="venue"))


def test_missing_column_lists_the_columns(mysql, lake):
    mysql.execute("CREATE TABLE people (id INT, name TEXT)")
    with pytest.raises(SourceError, match="has no column born; its columns are id, name"):
        write(ExtractNames())


def test_a_column_that_has_gone_since_the_schema_was_read(mysql, lake):
    mysql.execute("CREATE TABLE t (id INT, name TEXT)")
    write(ExtractTable(table="t", date=datetime.date(2024, 1, 1)))
    mysql.execute("ALTER TABLE t DROP COLUMN name")
    assert write(ExtractTable(table="t", date=datetime.date(2024, 1, 2)))[0].columns == ("id",)


def test_the_schema_of_all_tables_is_read_once(mysql, lake):
    mysql.execute("CREATE TABLE a (id INT PRIMARY KEY, v DECIMAL(9,2))")
    mysql.execute("CREATE TABLE b (at TIMESTAMP(3))")
    with connected(address()) as connection:
        tables = mysql_catalogue.catalogue(connection)
        assert {name: [column.name for column in columns] for name, columns in tables.items()} == {
            "a": ["id", "v"],
            "b": ["at"],
        }
        assert (tables["a"][1].precision, tables["a"][1].scale, tables["b"][0].fraction) == (9, 2, 3)
    with connected(address()) as connection:
        assert mysql_catalogue.catalogue(connection) is tables


@pytest.mark.parametrize(
    "url",
    [
        "mysql://someone@127.0.0.1:3306",
        "mysql://127.0.0.1/shop",
        "postgresql://someone:hunter2@127.0.0.1/shop",
        "mysql://someone:hunter2@127.0.0.1:port/shop",
        "mysql://someone:hunter2@127.0.0.1/shop?ssl=1",
        "mysql://someone:hunter2/hunter2@127.0.0.1/shop",
    ],
)
def test_a_url_that_is_no_mysql_url(settings, url):
    settings.set("mysql", "url", url)
    with pytest.raises(ConfigError, match="write mysql://user:password@host:port/database") as raised:
        address()
    assert "hunter2" not in str(raised.value)


def test_a_url_is_percent_decoded_and_hides_its_password(settings, tmp_path):
    authority = tmp_path / "my ca.pem"
    authority.touch()
    url = f"mysql://an%40n:p%2F%C3%A9%25@db.example/sh%20op?ssl_ca={quote(str(authority))}"
    settings.set("mysql", "url", url.replace("%", "%%"))
    assert address() == Address("an@n", "p/é%", "db.example", 3306, "sh op", str(authority))
    assert "p/é" not in repr(address())


def test_a_certificate_that_is_not_there(settings):
    settings.set("mysql", "url", "mysql://ann:x@db.example/shop?ssl_ca=missing.pem")
    with pytest.raises(ConfigError, match=r"ssl_ca=missing.pem is not a file"):
        address()


def test_a_server_without_tls_is_refused_where_a_certificate_is_given(mysql, settings):
    authority = Path(botocore.__file__).with_name("cacert.pem")
    settings.set("mysql", "url", f"{mysql.url}?ssl_ca={authority}")
    with pytest.raises(SourceError, match=r"2026: .*SSL"), connected(address()):
        pass


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.none()
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
        | st.sampled_from(["", r"\N", r"\.", '"', '""', "\r", "\n", "\r\n", ",", "\\", "NULL", "\ufffd", "\ufeff"]),
        min_size=1,
        max_size=20,
    )
)
def test_any_text_comes_back_as_it_was(mysql, lake, values):
    mysql.execute("CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, v TEXT CHARACTER SET utf8mb4)")
    mysql.execute("INSERT INTO t VALUES (%s, %s)", list(enumerate(values)))
    target = ManifestTarget(f"property/{uuid.uuid4()}")
    manifest = target.write(ExtractTable(table="t").batches(), Findings())
    with contextlib.closing(target.open_part(manifest.parts[0], manifest)) as reader:
        text = reader.read().decode()
    field = re.compile(r'[0-9]+,(?:"((?:[^"]|"")*)"|' + re.escape(manifest.null) + r")\n")
    assert field.sub("", text) == ""
    assert [quoted and quoted.replace('""', '"') for quoted in (m.group(1) for m in field.finditer(text))] == values
