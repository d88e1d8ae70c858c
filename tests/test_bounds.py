"""How much room a value needs: what a manifest says of it fits whatever the source may have, on real servers."""

import contextlib
import csv
import dataclasses
import io
import json

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from luigi.task_register import Register

from etl import cli
from etl.errors import DataError
from etl.manifest import Manifest, ManifestTarget
from etl.parts import LONGEST_TEXT, warehouse_bounds
from etl.sources import mysql as mysql_source
from etl.sources.mysql import ExtractTable, MySQLExtractor
from etl.sources.mysql_bounds import of_text
from etl.warehouse.redshift_types import type_of

REDSHIFT = "redshift://etl:secret@cluster.example.com:5439/dwh"
LONGEST = f"VARCHAR({LONGEST_TEXT})"


@pytest.fixture(autouse=True)
def fresh_tasks():
    """luigi gives the same object for the same parameters, and with it what an earlier test found."""
    Register.clear_instance_cache()


@pytest.fixture(params=["connectorx", "pymysql"])
def plane(request, monkeypatch):
    """Every table that connectorx can read is read by it too, however small."""
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0 if request.param == "connectorx" else float("inf"))


@pytest.fixture
def redshift(settings):
    settings.set("warehouse", "url", REDSHIFT)


def extracted(task):
    """Run the task; give its manifest and the rows of all its parts, NULL as the token."""
    task.run()
    target = task.output()
    manifest = target.manifest()
    text = b""
    for part in manifest.parts:
        with contextlib.closing(target.open_part(part, manifest)) as reader:
            text += reader.read()
    csv.field_size_limit(1 << 24)
    return manifest, list(csv.reader(io.StringIO(text.decode(), newline="")))


def table(**read_as):
    """An extractor of the table t with other types for its columns."""
    return type("ExtractAs", (ExtractTable,), {"read_as": read_as})(table="t")


def query(sql):
    return type("ExtractSql", (MySQLExtractor,), {"sql": sql})()


def widest(rows, place):
    """The bytes of the longest value of a column."""
    return max(len(row[place].encode()) for row in rows)


def room(bound):
    return int(bound.removeprefix("VARCHAR(").removesuffix(")"))


# ---- what is said of each declaration


@pytest.mark.parametrize(
    ("declaration", "kind", "bound", "on_redshift"),
    [
        ("VARCHAR(80) CHARACTER SET utf8mb4", "TEXT", "VARCHAR(320)", "VARCHAR(320)"),
        ("VARCHAR(80) CHARACTER SET utf8mb3", "TEXT", "VARCHAR(240)", "VARCHAR(240)"),
        ("VARCHAR(80) CHARACTER SET latin1", "TEXT", "VARCHAR(240)", "VARCHAR(240)"),
        ("VARCHAR(80) CHARACTER SET ascii", "TEXT", "VARCHAR(240)", "VARCHAR(240)"),
        ("VARCHAR(80) CHARACTER SET ucs2", "TEXT", "VARCHAR(240)", "VARCHAR(240)"),
        ("VARCHAR(80) CHARACTER SET utf16", "TEXT", "VARCHAR(320)", "VARCHAR(320)"),
        ("VARCHAR(0)", "TEXT", "VARCHAR(1)", "VARCHAR(1)"),
        ("VARCHAR(16383) CHARACTER SET utf8mb4", "TEXT", "VARCHAR(65532)", "VARCHAR(65532)"),
        ("VARCHAR(30000) CHARACTER SET latin1", "TEXT", LONGEST, LONGEST),
        ("CHAR(36) CHARACTER SET utf8mb4", "TEXT", "VARCHAR(144)", "VARCHAR(144)"),
        ("TINYTEXT", "TEXT", "VARCHAR(765)", "VARCHAR(765)"),
        ("TINYTEXT CHARACTER SET latin1", "TEXT", "VARCHAR(765)", "VARCHAR(765)"),
        ("TEXT", "TEXT", LONGEST, LONGEST),
        ("MEDIUMTEXT", "TEXT", LONGEST, LONGEST),
        ("LONGTEXT", "TEXT", LONGEST, LONGEST),
        ("JSON", "TEXT", LONGEST, LONGEST),
        ("ENUM('a', 'three', 'ünï')", "TEXT", "VARCHAR(20)", "VARCHAR(20)"),
        ("SET('a', 'bb', 'ünï')", "TEXT", "VARCHAR(32)", "VARCHAR(32)"),
        ("BINARY(16)", "TEXT", "VARCHAR(32)", "VARCHAR(32)"),
        ("VARBINARY(300)", "TEXT", "VARCHAR(600)", "VARCHAR(600)"),
        ("TINYBLOB", "TEXT", "VARCHAR(510)", "VARCHAR(510)"),
        ("BLOB", "TEXT", LONGEST, LONGEST),
        ("LONGBLOB", "TEXT", LONGEST, LONGEST),
        ("POINT", "TEXT", LONGEST, LONGEST),
        ("UUID", "TEXT", "VARCHAR(36)", "VARCHAR(36)"),
        ("INET4", "TEXT", "VARCHAR(15)", "VARCHAR(15)"),
        ("INET6", "TEXT", "VARCHAR(39)", "VARCHAR(39)"),
        ("DECIMAL(10,2)", "NUMERIC", "DECIMAL(10,2)", "DECIMAL(10,2)"),
        ("DECIMAL(10,2) UNSIGNED ZEROFILL", "NUMERIC", "DECIMAL(10,2)", "DECIMAL(10,2)"),
        ("DECIMAL(19,0)", "NUMERIC", "DECIMAL(19,0)", "DECIMAL(20,0)"),
        ("DECIMAL(38,37)", "NUMERIC", "DECIMAL(38,37)", "DECIMAL(38,37)"),
        ("TIME", "NUMERIC", "DECIMAL(7,0)", "DECIMAL(7,0)"),
        ("TIME(6)", "NUMERIC", "DECIMAL(13,6)", "DECIMAL(13,6)"),
        ("BIGINT", "BIGINT", "", "BIGINT"),
        ("BIGINT UNSIGNED", "NUMERIC(20,0)", "", "NUMERIC(20,0)"),
        ("TINYINT(1)", "SMALLINT", "", "SMALLINT"),
        ("BIT(1)", "BOOLEAN", "", "BOOLEAN"),
        ("BIT(64)", "NUMERIC(20,0)", "", "NUMERIC(20,0)"),
        ("FLOAT", "DOUBLE PRECISION", "", "DOUBLE PRECISION"),
        ("DATE", "DATE", "", "DATE"),
        ("DATETIME(6)", "TIMESTAMP", "", "TIMESTAMP"),
        ("TIMESTAMP NULL", "TIMESTAMPTZ", "", "TIMESTAMPTZ"),
        ("YEAR", "SMALLINT", "", "SMALLINT"),
    ],
)
def test_each_declaration_has_its_room(mysql, redshift, declaration, kind, bound, on_redshift):
    mysql.execute(f"CREATE TABLE t (v {declaration})")
    ((_, reading),) = table().plan().fields
    assert (reading.warehouse_type, reading.bound) == (kind, bound)
    assert type_of(kind, bound) == on_redshift


@pytest.mark.parametrize(
    ("declaration", "said", "kind", "bound"),
    [
        ("TINYINT", "boolean", "BOOLEAN", ""),
        ("BINARY(16)", "uuid", "TEXT", "VARCHAR(36)"),
        ("CHAR(36)", "uuid", "TEXT", "VARCHAR(36)"),
        ("UUID", "uuid", "TEXT", "VARCHAR(36)"),
        ("DECIMAL(65,30)", "numeric(12,2)", "NUMERIC(12,2)", "DECIMAL(12,2)"),
        ("INT", "numeric(38,0)", "NUMERIC(38,0)", "DECIMAL(38,0)"),
        ("TIME", "time", "TIME", ""),
        ("TIME", "text", "TEXT", "VARCHAR(255)"),
        ("DECIMAL(65,30)", "text", "TEXT", "VARCHAR(255)"),
        ("DOUBLE", "text", "TEXT", "VARCHAR(255)"),
        ("VARCHAR(80)", "text", "TEXT", "VARCHAR(320)"),
        ("BINARY(16)", "text", "TEXT", "VARCHAR(48)"),
        ("VARBINARY(80)", "text", "TEXT", "VARCHAR(240)"),
        ("VARBINARY(80)", "hex", "TEXT", "VARCHAR(160)"),
        ("VARCHAR(80) CHARACTER SET latin1", "utf8", "TEXT", "VARCHAR(240)"),
        ("VARCHAR(80) CHARACTER SET latin1", "hex", "TEXT", "VARCHAR(160)"),
        ("VARCHAR(80) CHARACTER SET utf8mb4", "hex", "TEXT", "VARCHAR(640)"),
    ],
)
def test_what_read_as_says_has_its_room(mysql, redshift, declaration, said, kind, bound):
    mysql.execute(f"CREATE TABLE t (v {declaration})")
    ((_, reading),) = table(v=said).plan().fields
    assert (reading.warehouse_type, reading.bound) == (kind, bound)


# ---- that every value has it


TEXTS = ["CHAR(255)", "VARCHAR(80)", "VARCHAR(5000)", "TINYTEXT"]
# Of each character set those that are longest in UTF-8: at the end NUL, of which U+FFFD is made.
CHARACTERS = {
    "utf8mb4": ["a", "ü", "€", "\U0001f600", "\0"],
    "utf8mb3": ["a", "ü", "€", "\uffee", "\0"],
    "latin1": ["a", "ü", "€", "\0"],
}
# Those that fill what is said of a column exactly.
FULL = {"utf8mb4": "\U0001f600", "utf8mb3": "€", "latin1": "€"}


@pytest.mark.parametrize("charset", CHARACTERS)
def test_the_longest_text_of_each_type_fits(mysql, lake, plane, charset):
    columns = ", ".join(f"v{place} {kind} CHARACTER SET {charset}" for place, kind in enumerate(TEXTS))
    mysql.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
    lengths = [255, 80, 5000]
    for number, character in enumerate(CHARACTERS[charset]):
        stored = len(character.encode()) if charset != "latin1" else 1
        values = [character * length for length in (*lengths, 255 // stored)]
        mysql.execute("INSERT INTO t VALUES (%s, %s, %s, %s, %s)", [(number, *values)])
    manifest, rows = extracted(table())
    assert manifest.rows == len(CHARACTERS[charset])
    for place in range(1, len(TEXTS) + 1):
        assert widest(rows, place) <= room(manifest.bounds[place]), TEXTS[place - 1]
    full = rows[CHARACTERS[charset].index(FULL[charset])]
    assert [len(value.encode()) for value in full[1:4]] == [room(bound) for bound in manifest.bounds[1:4]]


@pytest.mark.parametrize("charset", CHARACTERS)
def test_text_that_no_varchar_has_room_for_is_put_aside(mysql, lake, plane, charset):
    mysql.execute(f"CREATE TABLE t (id INT PRIMARY KEY, v TEXT CHARACTER SET {charset})")
    # 65,535 bytes at the source, and three times that where each has become U+FFFD.
    mysql.execute("INSERT INTO t VALUES (1, REPEAT('x', 65535)), (2, REPEAT(CHAR(0), 65535))")
    manifest, rows = extracted(table())
    assert (manifest.rows, manifest.rows_rejected) == (1, 1)
    assert widest(rows, 1) == room(manifest.bounds[1]) == LONGEST_TEXT


def test_the_longest_labels_bytes_and_addresses_fit(mysql, lake, plane):
    mysql.execute(
        "CREATE TABLE t (e ENUM('a', '\U0001f600\U0001f600') CHARACTER SET utf8mb4, s SET('€', 'ü'), b BINARY(16), "
        "w VARBINARY(300), y TINYBLOB, u UUID, f INET6, g INET4)"
    )
    mysql.execute(
        "INSERT INTO t VALUES ('\U0001f600\U0001f600', '€,ü', '', REPEAT(x'ff', 300), REPEAT(x'ff', 255), UUID(), "
        "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '255.255.255.255')"
    )
    manifest, rows = extracted(table())
    widths = [widest(rows, place) for place in range(len(manifest.columns))]
    assert widths == [8, 6, 32, 600, 510, 36, 39, 15]
    assert all(width <= room(bound) for width, bound in zip(widths, manifest.bounds, strict=True))


@pytest.mark.parametrize(
    ("declaration", "said", "literal"),
    [
        ("VARBINARY(80)", "text", "REPEAT(x'ff', 80)"),
        ("BINARY(16)", "text", "REPEAT(x'ff', 16)"),
        ("VARCHAR(80) CHARACTER SET latin1", "utf8", "REPEAT(x'ff', 80)"),
        ("VARCHAR(80) CHARACTER SET utf8mb4", "utf8", "REPEAT('\U0001f600', 80)"),
        ("VARCHAR(80) CHARACTER SET utf8mb4", "hex", "REPEAT('\U0001f600', 80)"),
        ("TINYTEXT", "hex", "REPEAT('x', 255)"),
        ("INT(255) ZEROFILL", "text", "1"),
        ("DECIMAL(65,38)", "text", "-123456789012345678901234567.00000000000000000000000000000000000001"),
        ("DOUBLE", "text", "-2.2250738585072014e-308"),
        ("DOUBLE(255,30)", "text", "1.7976931348623157e207"),
        ("FLOAT", "text", "-1.1754943508222875e-38"),
        ("DATETIME(6)", "text", "'9999-12-31 23:59:59.999999'"),
        ("TIME(6)", "text", "'-838:59:59.999999'"),
        ("BIT(64)", "text", "b'" + "1" * 64 + "'"),
    ],
)
def test_the_longest_value_fits_as_it_is_read(mysql, lake, plane, declaration, said, literal):
    mysql.execute(f"CREATE TABLE t (v {declaration})")
    mysql.execute(f"INSERT INTO t VALUES ({literal})")
    manifest, rows = extracted(table(v=said))
    assert 0 < widest(rows, 0) <= room(manifest.bounds[0])


@pytest.mark.parametrize(("declaration", "bound"), [("TIME(6)", "DECIMAL(13,6)"), ("TIME", "DECIMAL(7,0)")])
def test_the_longest_duration_fits(mysql, lake, plane, declaration, bound):
    mysql.execute(f"CREATE TABLE t (v {declaration})")
    mysql.execute("INSERT INTO t VALUES ('-838:59:59.999999'), ('838:59:59.999999')")
    manifest, rows = extracted(table())
    assert manifest.bounds == (bound,)
    before, _, after = rows[0][0].lstrip("-").partition(".")
    assert (len(before), len(after)) == (7, 6 if declaration == "TIME(6)" else 0)


def test_no_character_of_any_set_takes_more_than_is_allowed_for(mysql):
    """One byte and two of each character set of the server, as far as they are characters of it."""
    for charset, longest in mysql.query(
        "SELECT CHARACTER_SET_NAME, MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME <> 'binary'"
    ):
        allowed = room(of_text(1, 4, charset))
        for digits, last in ((2, 255), (4, 65535)) if longest > 1 else ((2, 255),):
            value = f"CONVERT(UNHEX(LPAD(HEX(seq), {digits}, '0')) USING {charset})"
            ((most,),) = mysql.query(
                f"SELECT MAX(LENGTH(CONVERT({value} USING utf8mb4)) - {allowed} * CHAR_LENGTH({value})) "
                f"FROM seq_0_to_{last}"
            )
            assert most <= 0, charset


# Python's names of MySQL's character sets.
CODECS = {"latin1": "cp1252", "latin2": "iso8859_2", "greek": "iso8859_7", "cp1251": "cp1251",
          "gbk": "gbk", "big5": "big5", "utf8mb4": "utf-8", "ucs2": "utf-16-be",
          "utf16": "utf-16-be", "gb18030": "gb18030", "never heard of": "utf-32"}  # fmt: skip


@pytest.mark.parametrize("charset", CODECS)
@given(data=st.data(), characters=st.integers(1, 60))
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
def test_text_of_a_character_set_fits(charset, data, characters):
    highest = "\uffff" if charset == "ucs2" else "\U0010ffff"
    letters = st.characters(codec=CODECS[charset], max_codepoint=ord(highest), exclude_categories=("Cs",))
    text = data.draw(st.text(letters, min_size=0, max_size=characters))
    bound = room(of_text(characters, 4 * characters, charset))
    assert len(text.replace("\0", "\ufffd").encode()) <= bound


# ---- results of queries


def test_results_of_a_query(mysql, lake):
    mysql.execute("CREATE TABLE t (v VARCHAR(80), l VARCHAR(9) CHARACTER SET latin1, d DECIMAL(10,2), b BINARY(16))")
    manifest, _ = extracted(
        query(
            "SELECT v, CONCAT(v, l) AS vl, LEFT(v, 3) AS three, b, CONCAT(v, b) AS vb, d, SUM(d) AS total, "
            "AVG(d) AS a, SEC_TO_TIME(1) AS t, GROUP_CONCAT(v) AS g, NULL AS n, COUNT(*) AS c, 1.5 AS x FROM t "
            "GROUP BY v, l, b, d"
        )
    )
    assert dict(zip(manifest.columns, manifest.bounds, strict=True)) == {
        "v": "VARCHAR(320)",
        "vl": "VARCHAR(356)",
        "three": "VARCHAR(12)",
        "b": LONGEST,
        "vb": LONGEST,
        "d": "DECIMAL(10,2)",
        "total": "DECIMAL(32,2)",
        "a": "DECIMAL(14,6)",
        "t": "VARCHAR(17)",
        "g": LONGEST,
        "n": LONGEST,
        "c": "",
        "x": "DECIMAL(2,1)",
    }


@pytest.mark.parametrize(
    "expression",
    [
        "v", "CONCAT(v, l, e)", "CONCAT(v, b)", "CONCAT(b, l)", "ELT(1, v, b)", "COALESCE(NULL, v, d)", "b", "w",
        "REPEAT(v, 3)", "REPLACE(v, '€', '\U0001f600')", "LPAD(v, 200, '€')", "HEX(v)", "QUOTE(v)", "TO_BASE64(v)",
        "IF(d > 0, v, d)", "FORMAT(d, 4)", "e", "s", "j", "UPPER(v)", "LOWER(v)", "CAST(v AS CHAR(90))",
        "CAST(d AS CHAR)", "CAST(v AS BINARY)", "DATE_FORMAT('2024-09-30', '%W %M')", "GROUP_CONCAT(v, l)",
        "JSON_OBJECT('v', v)", "MAX(v)", "SUBSTRING(v, 2)", "CONCAT_WS('€', v, l, d, e)", "TRIM(v)", "REVERSE(v)",
        "t", "TIMEDIFF(t, t)", "INSERT(v, 1, 0, l)", "CONV(d, 10, 2)", "SHA2(v, 512)", "(SELECT v)", "u",
        "CHAR(255, 255)", "x'ffff'",
    ],
)  # fmt: skip
def test_the_longest_result_fits(mysql, lake, expression):
    mysql.execute(
        "CREATE TABLE t (v VARCHAR(80), l VARCHAR(90) CHARACTER SET latin1, d DECIMAL(38,10), b BINARY(60), "
        "w VARBINARY(60), e ENUM('\U0001f600'), s SET('€', '\U0001f600'), j JSON, t TIME(6), u UUID)"
    )
    mysql.execute(
        "INSERT INTO t VALUES (REPEAT('\U0001f600', 80), REPEAT('€', 90), -1234567890123456789012345678.0123456789, "
        "REPEAT(x'ff', 60), REPEAT(x'ff', 60), '\U0001f600', '€,\U0001f600', '[1]', '-838:59:59.999999', UUID())"
    )
    for sql in (f"SELECT {expression} AS x FROM t", f"SELECT x FROM (SELECT {expression} AS x FROM t) AS inner_t"):
        extract = query(sql)
        manifest, rows = extracted(extract)
        extract.output().remove(manifest)
        assert 0 < widest(rows, 0) <= room(manifest.bounds[0]), sql


@pytest.mark.parametrize(
    "expression",
    ["d", "d * d", "d / 3", "SUM(d)", "AVG(d)", "d - 1.55", "-d", "ROUND(d, 1)", "d % 7", "MAX(d)", "GREATEST(d, i)",
     "i * 1.5", "COALESCE(d, 0)", "CASE WHEN i THEN d ELSE 0.12345 END", "z", "z * z", "SUM(i)"],
)  # fmt: skip
def test_the_digits_of_a_result_fit(mysql, lake, expression):
    mysql.execute("CREATE TABLE t (d DECIMAL(12,3), i INT, z DECIMAL(9,2) UNSIGNED ZEROFILL)")
    mysql.execute("INSERT INTO t VALUES (-999999999.999, -2147483648, 9999999.99), (999999999.999, 2147483647, 0.01)")
    manifest, rows = extracted(query(f"SELECT {expression} AS x FROM t ORDER BY 1"))
    precision, scale = (int(digits) for digits in manifest.bounds[0][len("DECIMAL(") : -1].split(","))
    for (value,) in rows:
        whole, _, decimals = value.lstrip("-").partition(".")
        assert len(decimals) <= scale
        assert len(whole.lstrip("0")) <= precision - scale


# ---- what Redshift has no column for


def test_a_decimal_of_too_many_digits_is_refused_before_it_is_read(mysql, lake, redshift, plane):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, rate DECIMAL(65,30))")
    mysql.execute("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(DataError) as refused:
        table().run()
    assert str(refused.value) == (
        "t.rate: a DECIMAL(65,30) has up to 65 digits, 30 of them after the point, and a column of Redshift 38 and 37; "
        "write read_as = {'rate': 'text'} in its extractor, or 'numeric(p,s)' where its values have fewer digits; "
        "in sql CAST(rate AS CHAR), or AS DECIMAL(p,s)"
    )
    assert lake.keys() == []


def test_more_decimals_than_redshift_has_are_refused(mysql, lake, redshift):
    mysql.execute("CREATE TABLE t (rate DECIMAL(38,38))")
    with pytest.raises(DataError, match=r"^t.rate: a DECIMAL\(38,38\) has up to 38 digits, 38 of them after the point"):
        table().run()


@pytest.mark.parametrize(
    ("said", "written"),
    [("text", '"1.000000000000000000000000000000"'), ("numeric(38,10)", "1.000000000000000000000000000000")],
)
def test_what_the_refusal_says_helps(mysql, lake, redshift, said, written):
    mysql.execute("CREATE TABLE t (rate DECIMAL(65,30))")
    mysql.execute("INSERT INTO t VALUES (1)")
    manifest, rows = extracted(table(rate=said))
    assert rows == [[written.strip('"')]]
    assert type_of(manifest.types[0], manifest.bounds[0]) == {"text": "VARCHAR(255)"}.get(said, said.upper())


def test_a_column_that_is_not_read_is_not_refused(mysql, lake, redshift):
    mysql.execute("CREATE TABLE t (id INT, rate DECIMAL(65,30))")
    extract = type("ExtractSome", (MySQLExtractor,), {"table": "t", "columns": ("id",)})
    assert extracted(extract())[0].types == ("INTEGER",)


def test_a_result_of_too_many_digits_is_refused_before_it_is_read(mysql, lake, redshift):
    mysql.execute("CREATE TABLE t (n BIGINT)")
    mysql.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(DataError, match=r"ExtractSql.total: a DECIMAL\(\d+,0\) has.*in sql CAST\(total AS CHAR\)"):
        query("SELECT SUM(n) AS total FROM t").run()
    assert lake.keys() == []
    manifest, rows = extracted(query("SELECT CAST(SUM(n) AS DECIMAL(38,0)) AS total FROM t"))
    assert (manifest.bounds, rows) == (("DECIMAL(38,0)",), [["1"]])


def test_a_plan_refuses_it_too(mysql, lake, redshift):
    mysql.execute("CREATE TABLE t (rate DECIMAL(65,30))")
    said = CliRunner().invoke(cli.main, ["plan", "MirrorTable", "--table", "t"])
    assert said.exit_code != 0
    assert "t.rate: a DECIMAL(65,30)" in said.output


@pytest.mark.parametrize("url", ["", "postgresql://u:p@127.0.0.1/dwh", "embedded", "${NOT_SET_ANYWHERE}"])
def test_postgres_and_an_unknown_warehouse_take_all(mysql, lake, settings, url):
    if url:
        settings.set("warehouse", "url", url)
    mysql.execute("CREATE TABLE t (rate DECIMAL(65,30))")
    manifest, _ = extracted(table())
    assert (manifest.types, manifest.bounds) == (("NUMERIC",), ("DECIMAL(65,30)",))


# ---- in the manifest


def test_other_sources_say_what_arrow_knows():
    schema = pa.schema(
        [
            pa.field("a", pa.decimal128(12, 2)),
            pa.field("b", pa.decimal256(50, 2)),
            pa.field("c", pa.string()),
            pa.field("d", pa.int64()),
            pa.field("e", pa.decimal128(12, 2), metadata={"warehouse_type": "TEXT"}),
            pa.field("f", pa.string(), metadata={"warehouse_type": "TEXT", "warehouse_bound": "VARCHAR(5)"}),
        ]
    )
    assert warehouse_bounds(schema) == ["DECIMAL(12,2)", "DECIMAL(50,2)", "", "", "", "VARCHAR(5)"]


@pytest.fixture
def target(lake):
    return ManifestTarget("extract/t/2014-02-03")


def test_a_manifest_keeps_them(target):
    field = pa.field("name", pa.string(), metadata={"warehouse_type": "TEXT", "warehouse_bound": "VARCHAR(320)"})
    written = target.write([pa.record_batch([["a"], [1]], schema=pa.schema([field, pa.field("n", pa.int64())]))])
    assert written.bounds == ("VARCHAR(320)", "")
    assert target.manifest() == written


def test_an_extract_without_a_batch_has_none(target):
    assert target.write([]).bounds == ()


def test_a_fingerprint_is_what_it_was(target):
    written = target.write([pa.record_batch([[1]], names=["n"])])
    assert dataclasses.replace(written, bounds=("VARCHAR(9)",)).fingerprint == written.fingerprint


def test_a_manifest_of_an_earlier_version_has_none(target):
    document = json.loads(target.write([pa.record_batch([[1]], names=["n"])]).to_json())
    del document["meta"]["bounds"], document["meta"]["sha256"]
    assert Manifest.from_json(json.dumps(document).encode(), "here").bounds == ()
