r"""COPY of the emulated Redshift: its options, its manifest, its files, its types and its error rows."""

import bz2
import contextlib
import datetime
import decimal
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence

import psycopg2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl import parts
from etl.findings import Findings
from etl.testing import Bucket
from tests.redshift.column_types import BadValue, Field, NotPlain, TableColumn
from tests.redshift.copy_load import Loaded, LoadFailed, chosen, load, s3_client, upstream_copy
from tests.redshift.copy_statement import CopyStatement, parse_copy
from tests.redshift.csv_fields import Csv
from tests.redshift.errors import Refused
from tests.test_csv_spectrum import CASES

ENGINE = (
    'COPY stage."Fact" ("a", "b") FROM \'s3://lake/x/manifest.json\' IAM_ROLE default MANIFEST FORMAT AS CSV '
    "QUOTE AS '\"' NULL AS '\\N' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF "
    "STATUPDATE OFF ZSTD REGION 'us-east-1'"
)
OTHER_ROLE = "IAM_ROLE 'arn:aws:iam::123456789012:role/loader'"
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UTC = datetime.timezone.utc


def copy(options: str = "", start: str = "COPY t FROM 's3://lake/part' IAM_ROLE default CSV") -> CopyStatement:
    return parse_copy(f"{start} {options}")


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_copy(text)
    return caught.value


# The statement


def test_what_the_engine_sends():
    statement = parse_copy(ENGINE)
    assert (statement.schema, statement.table, statement.columns) == ("stage", "Fact", ("a", "b"))
    assert statement.manifest and statement.round_decimals and statement.compression == "zstd"
    assert (statement.null, statement.region, statement.dateformat) == (r"\N", "us-east-1", "auto")
    assert parse_copy(ENGINE.replace("IAM_ROLE default", OTHER_ROLE)).authorization.endswith("role/loader")


def test_names_fold_unless_they_are_quoted():
    statement = copy(start='copy Stage."The ""T" (A, "B") from \'s3://lake/p\' iam_role DEFAULT format csv;')
    assert (statement.schema, statement.table, statement.columns) == ("stage", 'The "T', ("a", "B"))


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("MAXERROR 10", "max_error", 10),
        ("MAXERROR AS 10", "max_error", 10),
        ("IGNOREHEADER 1", "ignore_header", 1),
        (r"DELIMITER '\t'", "delimiter", "\t"),
        (r"DELIMITER AS '\001'", "delimiter", "\1"),
        ("QUOTE AS '%'", "quote", "%"),
        ("NULL AS 'it''s null'", "null", "it's null"),
        (r"NULL '\000'", "null", "\0"),
        (r"NULL AS '\N'", "null", r"\N"),
        (r"NULL AS '\\N'", "null", r"\N"),
        (r"NULL AS '\\N#a1'", "null", r"\N#a1"),
        (r"NULL AS '\N#a1'", "null", "N#a1"),
        (r"NULL AS 'it\'s'", "null", "it's"),
        (r"DELIMITER '\\t'", "delimiter", "\t"),
        ("BZIP2", "compression", "bz2"),
        ("GZIP", "compression", "gzip"),
        ("NOLOAD", "no_load", True),
        ("ACCEPTINVCHARS", "accept_invalid", "?"),
        ("ACCEPTINVCHARS AS '^'", "accept_invalid", "^"),
        ("TIMEFORMAT 'epochsecs'", "timeformat", "epochsecs"),
        ("DATEFORMAT AS 'MON-DD-YYYY'", "dateformat", "MON-DD-YYYY"),
        ("ENCODING AS ISO88591", "encoding", "ISO88591"),
        ("COMPUPDATE PRESET", "compression", ""),
        ("STATUPDATE", "compression", ""),
        ("EXPLICIT_IDS", "explicit_ids", True),
    ],
)
def test_option(option, field, value):
    assert getattr(copy(option), field) == value


@pytest.mark.parametrize(
    "word", ["HEADER", "FREEZE", "FORCE_NULL", "ON_ERROR", "MAXERRORS", "SKIPHEADER", "EMPTYISNULL"]
)
def test_an_unknown_option_is_refused_by_name(word):
    refused = refusal(f"{ENGINE} {word}")
    assert refused.sqlstate == "42601"
    assert refused.message == f'syntax error at or near "{word}"'
    assert refused.position == len(ENGINE) + 2


def authorised(text: str) -> CopyStatement:
    return parse_copy(f"COPY t FROM 's3://lake/p' {text} CSV")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", "42601"),
        (f"IAM_ROLE default {OTHER_ROLE}", "42601"),
        ("IAM_ROLE default CREDENTIALS 'aws_access_key_id=a;aws_secret_access_key=b'", "42601"),
        ("CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/r' IAM_ROLE default", "42601"),
        ("IAM_ROLE default ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b'", "42601"),
        ("ACCESS_KEY_ID 'a'", "42601"),
        ("CREDENTIALS 'aws_access_key_id=a; aws_secret_access_key=b'", "22023"),
        ("IAM_ROLE 'default'", "22023"),
        ("IAM_ROLE 'arn:aws:iam::12:role/r'", "22023"),
    ],
)
def test_exactly_one_authorisation(text, state):
    with pytest.raises(Refused) as caught:
        authorised(text)
    assert caught.value.sqlstate == state


@pytest.mark.parametrize(
    "text",
    [
        "CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/r'",
        "WITH CREDENTIALS AS 'aws_access_key_id=a;aws_secret_access_key=b;token=c'",
        "ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b' SESSION_TOKEN 'c'",
        "IAM_ROLE 'arn:aws:iam::123456789012:role/a,arn:aws:iam::210987654321:role/b'",
    ],
)
def test_other_authorisations(text):
    assert authorised(text).authorization


@pytest.mark.parametrize(
    ("options", "state", "named"),
    [
        ("GZIP ZSTD", "42601", "GZIP and ZSTD"),
        ("MANIFEST MANIFEST", "42601", "MANIFEST"),
        ("ESCAPE", "42601", "ESCAPE"),
        ("REMOVEQUOTES", "42601", "REMOVEQUOTES"),
        ("FORMAT AS PARQUET", "0A000", "PARQUET"),
        ("LZOP", "0A000", "LZOP"),
        ("ENCODING UTF16", "0A000", "UTF16"),
        ("ENCODING LATIN9", "42601", "LATIN9"),
        ("DELIMITER ',,'", "22023", "delimiter"),
        ("QUOTE AS 'ä'", "22023", "quote"),
        ("DELIMITER '\"'", "42601", "different"),
        ("MAXERROR 100001", "22023", "100000"),
        ("MAXERROR 'a'", "42601", "'a'"),
        ("MAXERROR -1", "42601", "-"),
        ("DATEFORMAT 'AUTO'", "22023", "AUTO"),
        ("DATEFORMAT 'epochsecs'", "22023", "epochsecs"),
        ("TIMEFORMAT 'YYYY-MM-DD HH:MI:SSOF'", "22023", "time zone"),
        ("REGION 'here'", "22023", "here"),
        ("NULL", "42601", "end of input"),
        ("; SELECT 1", "42601", "SELECT"),
    ],
)
def test_a_bad_value_is_refused(options, state, named):
    refused = refusal(f"COPY t FROM 's3://lake/p' IAM_ROLE default CSV {options}")
    assert refused.sqlstate == state
    assert named in refused.message


@pytest.mark.parametrize(
    "text",
    [
        "COPY t FROM 's3://lake/p' IAM_ROLE default",
        "COPY t FROM '/tmp/file' IAM_ROLE default CSV",
        "COPY t FROM STDIN WITH (FORMAT csv)",
        "COPY t TO 's3://lake/p' IAM_ROLE default CSV",
        "COPY t (a, a) FROM 's3://lake/p' IAM_ROLE default CSV",
        "COPY (SELECT 1) FROM 's3://lake/p' IAM_ROLE default CSV",
        "COPY t FROM 's3://lake/p' IAM_ROLE default 'csv'",
    ],
)
def test_what_is_no_copy_of_redshift_is_refused(text):
    refusal(text)


# The load


class Target:
    """A table in a real Postgres, and COPY into it."""

    def __init__(self, cursor, bucket: Bucket):
        self.cursor, self.bucket = cursor, bucket
        self.columns: list[TableColumn] = []

    def create(self, *columns: TableColumn) -> None:
        self.columns = list(columns)
        defaults = [f"{c.name} {c.type}" + (f" DEFAULT {c.default}" if c.default else "") for c in columns]
        self.cursor.execute(f"CREATE TEMP TABLE target ({', '.join(defaults)}) ON COMMIT DROP")

    def copy(self, options: str = "", path: str = "part", names: str = "") -> Loaded:
        url = f"{self.bucket.url}/{path}"
        statement = parse_copy(f"COPY target {names} FROM '{url}' IAM_ROLE default FORMAT AS CSV {options}")
        columns = chosen(statement, self.columns)
        written: list[bytes] = []
        loaded = load(statement, columns, self.bucket.client, written.append)
        self.cursor.copy_expert(upstream_copy(statement, columns), io.BytesIO(b"".join(written)))
        return loaded

    def rows(self) -> list[tuple]:
        self.cursor.execute("SELECT * FROM target")
        return self.cursor.fetchall()

    def load(self, file: bytes, options: str = "", names: str = "") -> list[tuple]:
        """The table's rows after one file was loaded."""
        self.bucket.put("part", file)
        self.copy(options, names=names)
        return self.rows()

    def errors(self, file: bytes, options: str = "") -> list:
        self.bucket.put("part", file)
        with pytest.raises(LoadFailed) as caught:
            self.copy(options)
        assert caught.value.sqlstate == "XX000"
        return caught.value.errors

    def failure(self, options: str = "", path: str = "part") -> LoadFailed:
        with pytest.raises(LoadFailed) as caught:
            self.copy(options, path)
        assert not caught.value.errors
        return caught.value

    def manifest(self, *entries: dict, **extra: object) -> None:
        self.bucket.put("manifest.json", json.dumps({"entries": entries} | extra).encode())

    def entry(self, key: str, **extra: object) -> dict:
        return {"url": f"{self.bucket.url}/{key}"} | extra


@pytest.fixture
def target(postgres, bucket) -> Iterator[Target]:
    made = psycopg2.connect(postgres.url("postgres", "postgres"), options="-c timezone=UTC")
    with contextlib.closing(made) as connection, connection.cursor() as cursor:
        yield Target(cursor, bucket)


@pytest.fixture
def texts(target) -> Target:
    target.create(TableColumn("a", "character varying(20)"), TableColumn("b", "character varying(20)"))
    return target


def test_a_manifest_loads_what_it_lists(texts):
    texts.bucket.put("part-1", b'1,"a"\n')
    texts.bucket.put("part-10", b'10,"a"\n')
    texts.manifest(texts.entry("part-1", mandatory=True, meta={"content_length": 6}, own=1), columns=["a"])
    assert texts.copy("MANIFEST", "manifest.json").rows == 1
    assert texts.rows() == [("1", "a")]


def test_without_manifest_a_path_is_a_prefix(texts):
    texts.bucket.put("part-1", b"1,a\n")
    texts.bucket.put("part-10", b"10,a\n")
    texts.bucket.put("part-2", b"2,a\n")
    assert texts.copy("", "part-1").rows == 2
    assert texts.rows() == [("1", "a"), ("10", "a")]


def test_a_manifest_without_the_word_is_data(texts):
    texts.manifest(texts.entry("part-1"))
    with pytest.raises(LoadFailed, match="Load into table 'target' failed"):
        texts.copy("", "manifest.json")


def test_a_file_listed_twice_is_loaded_twice(texts):
    texts.bucket.put("part-1", b"1,a\n")
    texts.manifest(texts.entry("part-1", mandatory=True), texts.entry("part-1", mandatory=True))
    assert texts.copy("MANIFEST", "manifest.json").rows == 2


@pytest.mark.parametrize("flag", [{}, {"mandatory": False}])
def test_a_missing_file_that_is_not_mandatory_is_skipped(texts, flag):
    texts.bucket.put("part-1", b"1,a\n")
    texts.manifest(texts.entry("part-1"), texts.entry("part-2", **flag))
    assert texts.copy("MANIFEST", "manifest.json").rows == 1


def test_a_missing_mandatory_file_is_an_error(texts):
    texts.bucket.put("part-1", b"1,a\n")
    texts.manifest(texts.entry("part-1"), texts.entry("part-2", mandatory=True))
    failed = texts.failure("MANIFEST", "manifest.json")
    assert failed.message == "Mandatory url is not present in manifest file."
    assert "code:      8001" in failed.detail and "/part-2" in failed.detail


def test_an_entry_is_a_whole_key_and_no_prefix(texts):
    texts.bucket.put("part-10", b"1,a\n")
    texts.manifest(texts.entry("part-1", mandatory=True))
    assert "Mandatory url" in texts.failure("MANIFEST", "manifest.json").message


def test_no_file_at_all_is_an_error(texts):
    texts.manifest(texts.entry("part-1"))
    assert "No files" in texts.failure("MANIFEST", "manifest.json").message
    texts.manifest()
    assert "No files" in texts.failure("MANIFEST", "manifest.json").message
    assert "does not exist" in texts.failure("", "part").message


@pytest.mark.parametrize(
    "text",
    [
        b"1,2\n",
        b"[]",
        b'{"entries": [{"mandatory": true}]}',
        b'{"entries": [{"url": "part-1"}]}',
        b'{"entries": [{"url": "s3://lake/part-1", "mandatory": "yes"}]}',
        gzip.compress(b'{"entries": []}', mtime=0),
    ],
)
def test_what_is_not_a_manifest(texts, text):
    texts.bucket.put("manifest.json", text)
    failed = texts.failure("MANIFEST GZIP", "manifest.json")
    assert failed.message.startswith("Problem reading manifest file - ")
    assert "8001" in failed.detail


def test_a_manifest_that_is_not_there(texts):
    failed = texts.failure("MANIFEST", "manifest.json")
    assert "Status 404,Error NoSuchKey" in failed.message


def test_a_bucket_that_is_not_there(texts):
    texts.bucket.url = "s3://no-such-bucket-of-ours"
    assert "NoSuchBucket" in texts.failure().message


def test_the_clusters_own_client(texts):
    texts.bucket.client = s3_client(texts.bucket.endpoint_url)
    assert texts.load(b"1,a\n") == [("1", "a")]


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "GZIP": gzip.compress,
    "BZIP2": bz2.compress,
    "ZSTD": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("option", PACKED)
def test_compression(texts, option):
    assert texts.load(PACKED[option](b"1,a\n2,b\n"), option) == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize("option", PACKED)
def test_a_file_that_is_not_compressed_so(texts, option):
    texts.bucket.put("part", b"1,a\n2,b\n")
    assert texts.failure(option).message == f"Cannot read {texts.bucket.url}/part"


@pytest.mark.parametrize("option", PACKED)
def test_a_compressed_file_that_ends_early(texts, option):
    texts.bucket.put("part", PACKED[option](os.urandom(30_000).hex().encode())[:-500])
    with pytest.raises(LoadFailed):
        texts.copy(option)


def test_a_gzip_file_of_two_members(texts):
    assert len(texts.load(gzip.compress(b"1,a\n") + gzip.compress(b"2,b\n"), "GZIP")) == 2


def test_a_compressed_file_is_no_csv(texts):
    assert texts.errors(gzip.compress(b"1,a\n2,b\n"))


def test_columns_in_any_order_and_defaults(target):
    target.create(TableColumn("a", "integer"), TableColumn("b", "text"), TableColumn("c", "integer", default="7"))
    assert target.load(b"x,1\n", names='("b", "a")') == [(1, "x", 7)]


def test_a_column_that_is_not_there(texts):
    with pytest.raises(Refused, match='column "z" of relation "target" does not exist'):
        texts.load(b"1\n", names="(z)")


def test_an_identity_column(target):
    target.create(TableColumn("id", "bigint", default="77", identity=True), TableColumn("b", "text"))
    assert target.load(b"1,a\n") == [(77, "a")]
    with pytest.raises(Refused, match="EXPLICIT_IDS"):
        target.load(b"1,a\n", names="(id, b)")
    with pytest.raises(Refused, match="EXPLICIT_IDS"):
        target.load(b"a\n", "EXPLICIT_IDS", names="(b)")
    assert target.load(b"5,a\n", "EXPLICIT_IDS", names="(id, b)")[-1] == (5, "a")


# Fields


@pytest.mark.parametrize("name", CASES)
def test_csv_spectrum(target, name):
    case = CASES[name]
    target.create(*(TableColumn(column, "text") for column in case.columns))
    assert target.load(case.file, "IGNOREHEADER 1") == case.rows


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_line_ends(texts, end):
    assert texts.load(b"1,a\r\n2,b" + end) == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (b'"a","b"', ("a", "b")),
        (b' "a" ,\t"b"\t', ("a", "b")),
        (b'"a""b",""""', ('a"b', '"')),
        (b'"a\nb",","', ("a\nb", ",")),
        (b' a , b ', (" a ", " b ")),
        (b"a\tb,\\", ("a\tb", "\\")),
        (b'"a\rb","\r\n"', ("a\rb", "\r\n")),
    ],
)  # fmt: skip
def test_fields(texts, row, fields):
    assert texts.load(row + b"\n" + row + b"\n") == [fields, fields]


@pytest.mark.parametrize(
    ("row", "code", "reason", "position"),
    [
        (b'a"b,c', 1214, "Invalid quote formatting for CSV. Unterminated quote", 1),
        (b'a,b"', 1214, "Invalid quote formatting for CSV. Unterminated quote", 3),
        (b'a,"b', 1214, "Invalid quote formatting for CSV. Unterminated quote", 2),
        (b'"a"b,c', 1214, "Invalid quote formatting for CSV. Invalid text after a quote", 3),
        (b'"a""b","c" "d"', 1214, "Invalid quote formatting for CSV. Invalid text after a quote", 11),
        (b"a\rb,c", 1216, "Missing newline: Unexpected character 0x62 found at location 2", 1),
        (b"a,b,c", 1202, "Extra column(s) found", 3),
        (b"a", 1203, "Input data had fewer columns than were defined in the DDL", 1),
        (b"", 1211, "Input line contained no data", 0),
        (b"a,b\0", 1216, "Missing newline: Unexpected character 0x00 found at location 3", 3),
    ],
)
def test_a_faulty_row(texts, row, code, reason, position):
    error, *others = texts.errors(b'1,"x\ny"\n' + row + b"\n3,z\n")
    assert not others
    assert (error.error_code, error.error_message, error.position) == (code, reason, position)
    assert (error.line_number, error.start_offset) == (3, 8)
    assert error.column_name == ("b" if b"," in row[: position + 1] else "a")
    assert error.raw_line.startswith(row.decode().replace("\0", "\ufffd"))


def test_a_row_of_more_than_4_mb(target):
    target.create(*(TableColumn(f"c{i}", "text") for i in range(80)))
    row = ",".join(["x" * 65_000] * 80)
    error = target.errors(b"a" + b"," * 79 + b"\n" + row.encode() + b"\n")[0]
    assert (error.error_code, error.line_number) == (1216, 2)
    assert "4194304" in error.error_message
    assert len(target.load(",".join(["x" * 50_000] * 80).encode())) == 1


def test_other_marks(texts):
    assert texts.load(b"%a|%%%|b\n", "DELIMITER '|' QUOTE AS '%'") == [("a|%", "b")]
    assert texts.load(b'a\t "b" \n', r"DELIMITER '\t'")[-1] == ("a", "b")
    assert texts.load(b'a "b"\t\n', "DELIMITER ' '")[-1] == ("a", "b")


def test_a_header_is_skipped_in_every_file(texts):
    texts.bucket.put("part-1", b"a,b\n1,x\n")
    texts.bucket.put("part-2", b"a,b\n2,y\n")
    texts.bucket.put("part-3", b"a,b")
    texts.copy("IGNOREHEADER 1")
    assert texts.rows() == [("1", "x"), ("2", "y")]


def test_blank_lines_and_short_rows(texts):
    assert texts.load(b"\n1,a\n\n2,b\n", "IGNOREBLANKLINES") == [("1", "a"), ("2", "b")]
    assert texts.load(b"3\n", "FILLRECORD")[-1] == ("3", None)


def test_an_empty_file_has_no_rows(texts):
    assert texts.load(b"") == []


def test_a_byte_order_mark_is_text(texts):
    assert texts.load("\ufeffa,b\n".encode()) == [("\ufeffa", "b")]


def test_latin_1(texts):
    assert texts.load("é,ß\n".encode("latin-1"), "ENCODING ISO88591") == [("é", "ß")]


# NULL


@pytest.mark.parametrize(
    ("options", "field", "text", "number"),
    [
        ("", "", "", None),
        ("", '""', "", None),
        ("", "   ", "   ", None),
        ("", r"\N", None, None),
        # The documentation excepts no quoted token, so a loader must not count on one.
        ("", r'"\N"', None, None),
        ("NULL AS 'no'", "no", None, None),
        ("NULL AS 'no'", '"no"', None, None),
        ("NULL AS '-1'", "-1", None, None),
        ("EMPTYASNULL", "", None, None),
        ("EMPTYASNULL", '""', None, None),
        ("EMPTYASNULL", "   ", "   ", None),
        ("BLANKSASNULL", "   ", None, None),
        ("BLANKSASNULL", "", "", None),
        ("BLANKSASNULL", "\v", None, None),
        ("NULL AS 'no'", "7", "7", 7),
        (r"NULL AS '\000'", "\0", None, None),
    ],
)
# A second column, so that both ways of reading are taken: at once, and one by one for its blanks around quotes.
@pytest.mark.parametrize("other", ["x", ' "x" '])
def test_null(target, options, field, text, number, other):
    target.create(TableColumn("t", "text"), TableColumn("i", "integer"), TableColumn("x", "text"))
    assert target.load(f"{field},{field},{other}\n".encode(), options) == [(text, number, "x")]


@pytest.mark.parametrize("field", ["", r"\N", r'"\N"', " "])
def test_null_in_a_required_column(target, field):
    target.create(TableColumn("a", "text"), TableColumn("i", "integer", nullable=False))
    error = target.errors(f"a,1\nb,{field}\n".encode())[0]
    assert (error.error_code, error.error_message) == (1213, "Missing data for not-null field")
    assert (error.column_name, error.column_type, error.position, error.line_number) == ("i", "int4", 2, 2)


def test_only_what_c_calls_blank_is_blank(texts):
    assert texts.load("\u00a0,\u2003\n".encode(), "BLANKSASNULL") == [("\u00a0", "\u2003")]


def test_a_date_that_is_let_pass_as_null_in_a_required_column(target):
    target.create(TableColumn("d", "date", nullable=False))
    assert target.errors(b"junk\n", "ACCEPTANYDATE DATEFORMAT 'auto'")[0].error_code == 1213


def test_nul_within_a_field_where_it_is_null(texts):
    assert texts.errors(b"a\0,b\n", r"NULL AS '\0'")[0].error_code == 1218


# Types

NUMERIC = "numeric(6,2)"
STAMP, ZONED = "timestamp without time zone", "timestamp with time zone"


@pytest.mark.parametrize(
    ("kind", "field", "options", "expected"),
    [
        ("smallint", "-32768", "", "-32768"),
        ("integer", "+5", "", "5"),
        ("bigint", "9223372036854775807", "", "9223372036854775807"),
        (NUMERIC, "9999.99", "", "9999.99"),
        (NUMERIC, ".5", "", "0.50"),
        (NUMERIC, "-20.259", "", "-20.25"),
        (NUMERIC, "-20.259", "ROUNDEC", "-20.26"),
        (NUMERIC, "20.255", "ROUNDEC", "20.26"),
        (NUMERIC, "0009999.999", "", "9999.99"),
        ("numeric(38,0)", "9" * 38, "", "9" * 38),
        ("numeric(38,10)", f"{'9' * 28}.{'9' * 10}", "", f"{'9' * 28}.{'9' * 10}"),
        ("double precision", "1e-3", "", "0.001"),
        ("double precision", "NaN", "", "NaN"),
        ("double precision", "-0.0e99", "", "-0"),
        ("double precision", "-Infinity", "", "-Infinity"),
        ("real", "1.5", "", "1.5"),
        ("boolean", "T", "", "t"),
        ("boolean", "no", "", "f"),
        ("date", "2024-02-29", "", "2024-02-29"),
        ("date", "29/02/2024", "DATEFORMAT 'DD/MM/YYYY'", "2024-02-29"),
        ("date", "Feb-29-2024", "DATEFORMAT 'MON-DD-YYYY'", "2024-02-29"),
        ("date", "20240229", "DATEFORMAT 'auto'", "2024-02-29"),
        ("date", "2024-02-29 10:11:12", "DATEFORMAT 'auto'", "2024-02-29"),
        ("date", "junk", "DATEFORMAT 'auto' ACCEPTANYDATE", None),
        (STAMP, "2024-02-29 10:11:12", "", "2024-02-29 10:11:12"),
        (STAMP, "2024-02-29 10:11:12.123456", "", "2024-02-29 10:11:12.123456"),
        (STAMP, "2024-02-29T10:11:12.5Z", "TIMEFORMAT 'auto'", "2024-02-29 10:11:12.5"),
        (STAMP, "2024-02-29", "TIMEFORMAT 'auto'", "2024-02-29 00:00:00"),
        (STAMP, "29.2.2024 1:11:12 PM", "TIMEFORMAT 'DD.MM.YYYY HH12:MI:SS AM'", "2024-02-29 13:11:12"),
        (STAMP, "1709201472", "TIMEFORMAT 'epochsecs'", "2024-02-29 10:11:12"),
        (STAMP, "1709201472123", "TIMEFORMAT 'epochmillisecs'", "2024-02-29 10:11:12.123"),
        (ZONED, "2024-02-29 10:11:12+00", "", "2024-02-29 10:11:12+00"),
        (ZONED, "2024-02-29 10:11:12.5-08:30", "", "2024-02-29 18:41:12.5+00"),
        (ZONED, "2024-02-29 10:11:12", "", "2024-02-29 10:11:12+00"),
        (ZONED, "2024-02-29T10:11:12Z", "TIMEFORMAT 'auto'", "2024-02-29 10:11:12+00"),
        ("time without time zone", "23:59:59.5", "", "23:59:59.5"),
        ("time with time zone", "23:59:59+01", "", "23:59:59+01"),
        ("jsonb", '"{""a"": [1, null]}"', "", '{"a": [1, null]}'),
        ("bytea", "00ff", "", r"\x00ff"),
        ("character(3)", "ab", "", "ab "),
        ("character varying(3)", "日", "", "日"),
        ("character varying(4)", "日本", "TRUNCATECOLUMNS", "日"),
        ("character varying(4)", '"ab  "', "TRIMBLANKS", "ab"),
    ],
)
def test_a_value(target, kind, field, options, expected):
    target.create(TableColumn("v", kind))
    target.load(field.encode() + b"\n", options)
    target.cursor.execute("SELECT pg_catalog.concat(v) FROM target WHERE v IS NOT NULL")
    assert target.cursor.fetchall() == ([] if expected is None else [(expected,)])


@pytest.mark.parametrize(
    ("kind", "field", "options", "code", "reason"),
    [
        ("integer", "x", "", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"),
        ("integer", "12.5", "", 1207, "Invalid digit, Value '.', Pos 2, Type: Integer"),
        ("integer", "-", "", 1207, "Invalid digit, Value '-', Pos 0, Type: Integer"),
        ("integer", "0x1F", "", 1207, "Invalid digit, Value 'x', Pos 1, Type: Integer"),
        ("integer", "1_000", "", 1207, "Invalid digit, Value '_', Pos 1, Type: Integer"),
        ("bigint", "٣", "", 1207, "Invalid digit, Value '٣', Pos 0, Type: Long"),
        ("smallint", "32768", "", 1222, "Overflow, Value '32768', Type: Short"),
        ("integer", "2147483648", "", 1222, "Overflow, Value '2147483648', Type: Integer"),
        ("bigint", "9223372036854775808", "", 1222, "Overflow, Value '9223372036854775808', Type: Long"),
        (NUMERIC, "12,5", "", 1202, "Extra column(s) found"),
        (NUMERIC, "1e3", "", 1207, "Invalid digit, Value 'e', Pos 1, Type: Decimal"),
        (NUMERIC, "12a", "", 1207, "Invalid digit, Value 'a', Pos 2, Type: Decimal"),
        (NUMERIC, "NaN", "", 1207, "Invalid digit, Value 'N', Pos 0, Type: Decimal"),
        (NUMERIC, "10000", "", 1209, "Overflow, Value '10000', Type: Decimal(6,2)"),
        (NUMERIC, "9999.995", "ROUNDEC", 1209, "Overflow, Value '9999.995', Type: Decimal(6,2)"),
        ("double precision", "1,5", "", 1202, "Extra column(s) found"),
        ("double precision", "1.5x", "", 1208, "Invalid float format or value '1.5x'"),
        ("double precision", "1e999", "", 1204, "Float value is out of range: '1e999'"),
        ("double precision", "-1e-999", "", 1204, "Float value is out of range: '-1e-999'"),
        ("real", "1e39", "", 1204, "Float value is out of range: '1e39'"),
        ("real", "1e-50", "", 1204, "Float value is out of range: '1e-50'"),
        ("boolean", "maybe", "", 1210, "Unknown boolean format 'maybe'"),
        ("date", "2024-2-9", "", 1205, "Invalid Date Format - length must be 10 or more"),
        ("date", "2023-02-29", "", 1205, "Invalid date format or value [YYYY-MM-DD]"),
        ("date", "0000-00-00", "", 1205, "Invalid date format or value [YYYY-MM-DD]"),
        ("date", "0000-01-01", "DATEFORMAT 'auto'", 1205, "Invalid date format or value [auto]"),
        ("date", "2024-02-29", "DATEFORMAT 'DD/MM/YYYY'", 1205, "Invalid date format or value [DD/MM/YYYY]"),
        (STAMP, "2024-02-29", "", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        (STAMP, "2024-02-29T10:11:12", "", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        (STAMP, "2024-02-29 25:00:00", "", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        (STAMP, "1709201472", "TIMEFORMAT 'auto'", 1206, "Invalid timestamp format or value [auto]"),
        (ZONED, "2024-02-29 10:11:12Z", "", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SSOF]"),
        ("time without time zone", "24:00:00", "", 1206, "Invalid time format or value [HH24:MI:SS]"),
        ("jsonb", "{a}", "", 1224, "Invalid JSON for a SUPER column"),
        ("bytea", "0g", "", 1219, "Invalid hexadecimal value for VARBYTE"),
        ("character(3)", "abcd", "", 1204, "Char length exceeds DDL length"),
        ("character(9)", "日本", "",
         1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: e6 97 a5"),
        ("character varying(8)", "日本語", "", 1204, "String length exceeds DDL length"),
    ],
)  # fmt: skip
def test_a_bad_value(target, kind, field, options, code, reason):
    target.create(TableColumn("v", kind))
    error = target.errors(field.encode() + b"\n", options)[0]
    assert (error.error_code, error.error_message) == (code, reason)


@pytest.mark.parametrize(
    ("raw", "shown", "replaced"),
    [
        (b"a\xa4b", "a4 (error 3)", "a?b"),
        (b"a\xe6\x97", "e6 97 (error 2)", "a??"),
        (b"a\xe6bc", "e6 (error 4)", "a?bc"),
        (b"\xf4\x8f\xbf\xbf\xff", "ff (error 3)", "?????"),
    ],
)
def test_text_that_is_not_utf_8(texts, raw, shown, replaced):
    error = texts.errors(b"x,y\nx," + raw + b"\n")[0]
    assert error.error_code == 1220
    assert error.error_message.endswith(f"Bad UTF8 hex sequence: {shown}")
    texts.bucket.put("part", b"x,y\nx," + raw + b"\n")
    loaded = texts.copy("ACCEPTINVCHARS")
    assert texts.rows() == [("x", "y"), ("x", replaced)]
    assert loaded.replaced == 1 and "ACCEPTINVCHARS" in loaded.notices("target")[-1]


def test_noncharacters_pass_unless_they_are_to_be_replaced(texts):
    assert texts.load("a,\ufdd0\n".encode()) == [("a", "\ufdd0")]
    assert texts.load("a,\ufdd0\U0010ffff\n".encode(), "ACCEPTINVCHARS AS '^'")[-1] == ("a", "^^^^^^^")


def test_a_type_that_no_table_of_redshift_has(target):
    with pytest.raises(Refused, match="uuid"):
        Field(TableColumn("v", "uuid"), copy())


@pytest.mark.parametrize(
    "name", ["redshift.super", 'redshift."varchar"(10)', "varchar(10)", '"varchar"(10)', "varbyte"]
)
def test_types_by_their_names_upstream(name):
    Field(TableColumn("v", name), copy())


# Both ways of reading


KINDS = ["smallint", "integer", "bigint", NUMERIC, "numeric(2,2)", "real", "double precision", "boolean", "date", STAMP,
         ZONED, "time without time zone", "jsonb", "bytea", "character(3)", "character varying(5)"]  # fmt: skip
ODD = st.one_of(
    # Of NUL a row never gets as far as its columns.
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.from_regex(r"\A[+-]?[0-9]{0,5}(\.[0-9]{0,4})?(e[0-9])?\Z"),
    st.from_regex(
        r"\A[0-9]{4}-[0-9]{1,2}-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?(Z|[+-][0-9]{2})?)?\Z"
    ),
    st.sampled_from(["t", "F", "yes", r"\N", "", " ", "0.1", "-0", "[1]", "00ff"]),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", ["", "DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC EMPTYASNULL BLANKSASNULL"])
@QUICK
@given(values=st.lists(ODD, min_size=1, max_size=3))
def test_a_column_at_once_is_read_as_value_by_value(kind, options, values):
    reader = Field(TableColumn("v", kind), copy(options))
    try:
        one_by_one = [reader.one(value.encode())[0] for value in values]
    except BadValue:
        with pytest.raises(NotPlain):
            reader.many(pa.array(values, pa.string()))
        return
    at_once = reader.many(pa.array(values, pa.string())).to_pylist()
    assert [same(kind, text) for text in at_once] == [same(kind, text) for text in one_by_one]


@pytest.mark.parametrize("kind", KINDS)
@QUICK
@given(value=ODD)
def test_postgres_takes_what_a_type_takes(target, kind, value):
    """So that a fault is a load error, as in Redshift, and never an answer of Postgres."""
    reader = Field(TableColumn("v", kind), copy("DATEFORMAT 'auto' TIMEFORMAT 'auto'"))
    with contextlib.suppress(BadValue):
        text, _ = reader.one(value.encode())
        target.cursor.execute(f"SELECT CAST(%s AS {kind})", (text,))


def same(kind: str, text: str | None) -> object:
    """What Postgres makes of the text, as far as two spellings of it are the same."""
    if text is None:
        return None
    if "int" in kind or kind.startswith("numeric"):
        return decimal.Decimal(text)
    if kind.startswith("timestamp"):
        return datetime.datetime.fromisoformat(
            text + ":00" if text[-3] in "+-" else text.ljust(26, "0") if "." in text else text
        )
    return text


@QUICK
@given(data=st.text('a,"\n\r\t \\é', max_size=30), header=st.integers(0, 1))
@example('"a"\n"b"', 0)
@example('a,"b', 0)
@example("\n", 0)
@example("a,b\n\nc,d\n", 0)
@example("a,b\r\n\r\nc,d\r\n", 0)
@example("a,b\n\n", 1)
def test_arrow_reads_a_regular_chunk_as_the_records_do(data, header):
    csv = Csv(",", '"')
    for chunk in csv.chunks(io.BytesIO(data.encode()).read, header):
        if not chunk.regular:
            continue
        records = list(csv.records(chunk))
        assert not any(record.fault for record in records)
        width = len(records[0].fields)
        columns = csv.columns(chunk, width, ignore_blank_lines=False)
        if any(len(record.fields) != width for record in records):
            assert columns is None
        else:
            assert columns is not None
            found = [[value.encode() for value in column.to_pylist()] for column in columns]
            assert found == [list(column) for column in zip(*(record.fields for record in records), strict=True)]


@QUICK
@given(
    st.lists(st.lists(st.text('a,"\n\r é', max_size=6), min_size=3, max_size=3), min_size=1, max_size=30),
    st.integers(1, 40),
)
def test_chunks_end_where_records_do(rows, size):
    """However a file comes in, its records are the same, with the same line and offset."""

    text = "".join(
        ",".join(f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row) + "\n" for row in rows
    ).encode()
    file, csv = io.BytesIO(text), Csv(",", '"')
    records = [record for chunk in csv.chunks(lambda _: file.read(size), 0) for record in csv.records(chunk)]
    assert [[value.decode() for value in record.fields] for record in records] == rows
    for record in records:
        assert text[record.offset :].startswith(record.raw)
        assert record.line == text.count(b"\n", 0, record.offset) + 1


# What our own writer writes


class Sink(io.BytesIO):
    """Keeps what was written after it was closed."""

    def close(self) -> None:
        self.written = self.getvalue()
        super().close()


COLUMNS = (
    TableColumn("i", "bigint"),
    TableColumn("n", "numeric(12,4)"),
    TableColumn("f", "double precision"),
    TableColumn("b", "boolean"),
    TableColumn("d", "date"),
    TableColumn("t", STAMP),
    TableColumn("z", ZONED),
    TableColumn("s", "character varying(65535)"),
)
SCHEMA = pa.schema(
    [
        ("i", pa.int64()),
        ("n", pa.decimal128(12, 4)),
        ("f", pa.float64()),
        ("b", pa.bool_()),
        ("d", pa.date32()),
        ("t", pa.timestamp("us")),
        ("z", pa.timestamp("us", "UTC")),
        ("s", pa.string()),
    ]
)
MOMENTS = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))
ROWS = st.tuples(
    *(
        st.none() | values
        for values in (
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-(10**12) + 1, 10**12 - 1).map(lambda number: decimal.Decimal(number).scaleb(-4)),
            st.floats(allow_nan=False, allow_subnormal=False),
            st.booleans(),
            st.dates(),
            MOMENTS,
            MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
            # Not the token, which stands for NULL however it is written; the writer takes another one then.
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(
                lambda text: text != parts.NULL
            ),
        )
    )
)


@pytest.mark.parametrize(("option", "compression"), [("ZSTD", "zstd"), ("GZIP", "gzip")])
@QUICK
@given(rows=st.lists(ROWS, min_size=1, max_size=10))
@example([(None,) * 8])
@example(
    [(0, decimal.Decimal("0.0000"), -0.0, False, datetime.date.min, datetime.datetime(1, 1, 2), None, '"\\.\r\n,')]
)
def test_what_we_write_is_what_is_loaded(target, option, compression, rows):
    target.cursor.connection.rollback()
    target.create(*COLUMNS)
    assert target.load(written(rows, compression), f"{option} DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC") == rows


def written(rows: Sequence[tuple], compression: str) -> bytes:
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    batch = parts.canonical(pa.record_batch(columns, schema=SCHEMA), Findings())
    sink = Sink()
    writer = parts.PartWriter(sink, batch.schema, compression, parts.NULL)
    writer.write(batch)
    writer.close()
    return sink.written


def test_a_string_that_equals_the_token_is_lost(texts):
    sink = Sink()
    batch = pa.record_batch({"a": ["x"], "b": [parts.NULL]})
    writer = parts.PartWriter(sink, batch.schema, "zstd", parts.NULL)
    writer.write(batch)
    writer.close()
    assert texts.load(sink.written, "ZSTD") == [("x", None)]


# Errors


def test_without_maxerror_the_first_error_is_the_last(target):
    target.create(TableColumn("a", "integer"))
    errors = target.errors(b"1\nx\ny\n")
    assert [error.line_number for error in errors] == [2]


def test_below_maxerror_the_rest_is_loaded(target):
    target.create(TableColumn("a", "integer"), TableColumn("b", "text"))
    target.bucket.put("part", b'1,a\nx,a\n2,"a"b\n3,b\n')
    loaded = target.copy("MAXERROR 3")
    assert target.rows() == [(1, "a"), (3, "b")]
    assert [error.error_code for error in loaded.errors] == [1207, 1214]
    assert "2 record(s) could not be loaded" in loaded.notices("target")[-1]


@pytest.mark.parametrize("number", [1, 2])
def test_maxerror_errors_fail_the_load(target, number):
    target.create(TableColumn("a", "integer"))
    assert len(target.errors(b"1\nx\ny\nz\n", f"MAXERROR {number}")) == number


def test_ignoreallerrors(target):
    target.create(TableColumn("a", "integer"))
    assert target.load(b"x\n" * 50 + b"1\n", "IGNOREALLERRORS") == [(1,)]


def test_noload_only_checks(target):
    target.create(TableColumn("a", "integer"))
    target.bucket.put("part", b"1\nx\n2\n")
    loaded = target.copy("NOLOAD MAXERROR 1000")
    assert loaded.rows == 0 and len(loaded.errors) == 1
    assert target.rows() == []


def test_an_error_row(target):
    target.create(TableColumn("name", "text"), TableColumn("price", "numeric(18,0)"))
    error = target.errors(b"a,1\n" * 3 + b'"b, c",1x\n')[0]
    stl = error.stl()
    lengths = {key: len(value) for key, value in stl.items() if isinstance(value, str)}
    assert lengths == {
        "filename": 256,
        "colname": 127,
        "type": 10,
        "col_length": 10,
        "raw_line": 1024,
        "raw_field_value": 1024,
        "err_reason": 100,
    }
    assert {key: value.strip() if isinstance(value, str) else value for key, value in stl.items()} == {
        "filename": f"{target.bucket.url}/part",
        "line_number": 4,
        "colname": "price",
        "type": "numeric",
        "col_length": "18, 0",
        "position": 7,
        "raw_line": '"b, c",1x',
        "raw_field_value": "1x",
        "err_code": 1207,
        "err_reason": "Invalid digit, Value 'x', Pos 1, Type: Decimal",
        "is_partial": 0,
        "start_offset": 12,
    }
    assert error.sys() == {
        "file_name": f"{target.bucket.url}/part",
        "line_number": 4,
        "column_name": "price",
        "column_type": "numeric",
        "column_length": "18, 0",
        "position": 7,
        "error_code": 1207,
        "error_message": "Invalid digit, Value 'x', Pos 1, Type: Decimal",
    }


def test_the_message_to_the_client(target):
    target.create(TableColumn("a", "integer"))
    target.bucket.put("part", b"x\n")
    with pytest.raises(LoadFailed) as caught:
        target.copy()
    told = "Load into table 'target' failed.  Check 'stl_load_errors' system table for details."
    assert caught.value.message == told


def test_an_error_in_the_last_file_of_many(target):
    target.create(TableColumn("a", "integer"))
    for number in range(3):
        target.bucket.put(f"part-{number}", b"1\n" * 1000 + (b"x\n" if number == 2 else b""))
    with pytest.raises(LoadFailed) as caught:
        target.copy("", "part-")
    error = caught.value.errors[0]
    assert error.file_name.endswith("/part-2") and error.line_number == 1001


def test_an_error_deep_in_a_large_file(target):
    target.create(TableColumn("a", "integer"), TableColumn("b", "text"))
    file = b'1,"a line\nand more"\n' * 100_000
    assert len(file) > 1 << 20
    error = target.errors(file + b"x,y\n" + file)[0]
    assert (error.line_number, error.start_offset, error.raw_line) == (200_001, len(file), "x,y")
