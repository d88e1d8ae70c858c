"""Checks of COPY: what becomes of files in the lake, and of those that should not be loaded."""

import datetime
import gzip
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from etl.conformance.ground import UNDERSTOOD, Ground, Like, Said, check
from etl.conformance.statements import HARD
from etl.errors import EtlError

# As the parts of an extract are written: NULL bare, texts in quotes, quotes doubled, lines ended by LF.
_FAILED = Like("refused: Load into table … failed", r"(?i)^refused.*load into table.*load_error")


@check("COPY counts its rows", (3, 3))
def copy_count(ground: Ground) -> Any:
    """A load fails unless COPY took as many rows as the manifest says: pg_last_copy_count(), in the transaction."""
    table = ground.table("n INT")
    statement = ground.copying(table, ["n"], ground.put([b"1\n2\n", b"3\n"]))
    with ground.db.transaction():
        ground.db.execute(statement)
        counted = ground.one("SELECT pg_last_copy_count()")
    return counted, ground.one(f"SELECT count(*) FROM {table}")


@check("COPY is rolled back", 0)
def copy_rolled_back(ground: Ground) -> Any:
    """A load that dies after its COPY leaves nothing."""
    table = ground.table("n INT")
    statement = ground.copying(table, ["n"], ground.put([b"1\n2\n"]))
    with ground.undone():
        ground.db.execute(statement)
    return ground.one(f"SELECT count(*) FROM {table}")


@check("COPY into a table of its transaction", 2)
def copy_into_new(ground: Ground) -> Any:
    """The stage is created, filled and dropped in the load's transaction."""
    table, manifest = ground.name(), ground.put([b"1\n2\n"])
    with ground.db.transaction():
        ground.db.execute(f"CREATE TABLE {table} (n INT)")
        ground.db.execute(ground.copying(table, ["n"], manifest))
    return ground.one(f"SELECT count(*) FROM {table}")


@check("COPY is found by pg_last_copy_id", True)
def copy_id(ground: Ground) -> Any:
    """After a COPY has failed and was rolled back, its errors are asked for by this id, on the same session."""
    before = ground.one("SELECT pg_last_copy_id()")
    _fail(ground)
    after = ground.one("SELECT pg_last_copy_id()")
    return (after > 0 and after != before) or Said(f"{before}, then {after}")


@check("SYS_LOAD_ERROR_DETAIL shows our error", ("v", 1207, 2))
def sys_load_errors(ground: Ground) -> Any:
    """The message of a failed load names file, line and column; asked for by session, as a user without rights."""
    _fail(ground)
    found = ground.db.query(
        "SELECT TRIM(column_name), error_code, line_number FROM sys_load_error_detail "
        "WHERE query_id = pg_last_copy_id() AND session_id = pg_backend_pid()"
    )
    return found[0] if found else Said("no row")


@check("columns of SYS_LOAD_ERROR_DETAIL", Said("file_name, column_type, position, error_message"))
def sys_load_error_columns(ground: Ground) -> Any:
    """As above, what else the message is made of."""
    wanted = "file_name, column_type, position, error_message"
    ground.db.query(f"SELECT {wanted} FROM sys_load_error_detail LIMIT 1")
    return Said(wanted)


@check("STL_LOAD_ERRORS shows our error", ("v", 1207, 2))
def stl_load_errors(ground: Ground) -> Any:
    """What is asked where SYS_LOAD_ERROR_DETAIL has nothing; a serverless workgroup does not have it."""
    _fail(ground)
    found = ground.db.query(
        "SELECT TRIM(colname), err_code, line_number FROM stl_load_errors "
        "WHERE query = pg_last_copy_id() AND session = pg_backend_pid()"
    )
    return found[0] if found else Said("no row")


@check("a file that fails, fails its COPY", (_FAILED.words, 0))
def copy_fails(ground: Ground) -> Any:
    """One bad row and nothing is loaded; the client learns no more than where to look."""
    table = ground.table("n INT, v INT")
    statement = ground.copying(table, ["n", "v"], ground.put([b"1,1\n", b"1,1\n2,x\n"]))
    said = ground.refused(statement)
    words = _FAILED.words if "load into table" in said.lower() else said
    return words, ground.one(f"SELECT count(*) FROM {table}")


@check("a file that is missing, fails its COPY", UNDERSTOOD)
def missing_file(ground: Ground) -> Any:
    """Entries of a manifest are mandatory; without a part there is no load."""
    table = ground.table("n INT")
    there = ground.lake.url("there.csv")
    ground.lake.put_new("there.csv", b"1\n")
    manifest = ground.listed([there, ground.lake.url("gone.csv")])
    return ground.refused(ground.copying(table, ["n"], manifest))


@check("keys of our own in a manifest", 1)
def own_keys(ground: Ground) -> Any:
    """A manifest says more than COPY asks: columns, rows, checksums. COPY has to pass over them."""
    ground.lake.put_new("own.csv", b"1\n")
    entry = {
        "url": ground.lake.url("own.csv"),
        "mandatory": True,
        "meta": {"content_length": 2, "record_count": 1, "sha256": "0" * 64},
    }
    meta = {"columns": ["n"], "rows": 1, "null": r"\N", "sha256": "0" * 64, "rejected": []}
    ground.lake.put_new("own.json", json.dumps({"entries": [entry], "meta": meta}).encode())
    table = ground.table("n INT")
    ground.db.execute(ground.copying(table, ["n"], ground.lake.url("own.json")))
    return ground.one(f"SELECT count(*) FROM {table}")


@check("parts in ZSTD", 2)
def zstd(ground: Ground) -> Any:
    """The parts of an extract are compressed so, unless [lake] compression says otherwise."""
    table = ground.table("n INT")
    part = pa.Codec("zstd").compress(b"1\n2\n", asbytes=True)
    ground.db.execute(ground.copying(table, ["n"], ground.put([part]), "ZSTD"))
    return ground.one(f"SELECT count(*) FROM {table}")


@check("parts in GZIP", 2)
def gzipped(ground: Ground) -> Any:
    """[lake] compression = gzip."""
    table = ground.table("n INT")
    ground.db.execute(ground.copying(table, ["n"], ground.put([gzip.compress(b"1\n2\n")]), "GZIP"))
    return ground.one(f"SELECT count(*) FROM {table}")


@check("columns of a COPY in another order", [(1, "a", "x")])
def column_list(ground: Ground) -> Any:
    """Columns go by their names; one that is not listed gets its default."""
    table = ground.table("n INT, v VARCHAR(8), w VARCHAR(8) DEFAULT 'x'")
    ground.db.execute(ground.copying(table, ["v", "n"], ground.put([b'"a",1\n'])))
    return ground.db.query(f"SELECT n, v, w FROM {table}")


@check(r"a bare \N is NULL, of every type", [None] * 7)
def bare_null(ground: Ground) -> Any:
    """NULL is written so, whatever the column."""
    kinds = ("VARCHAR(8)", "INT", "DECIMAL(8,2)", "FLOAT8", "BOOLEAN", "DATE", "TIMESTAMPTZ")
    columns = ", ".join(f"v{number} {kind}" for number, kind in enumerate(kinds))
    table = ground.copy(f"n INT, {columns}", "1," + ",".join([r"\N"] * len(kinds)) + "\n")
    names = ", ".join(f"v{number}" for number in range(len(kinds)))
    return list(ground.db.query(f"SELECT {names} FROM {table}")[0])


@check(r"a quoted \N is NULL", [None])
def quoted_null(ground: Ground) -> Any:
    """Nothing of ours relies on it: where a value reads so, the extract takes another token. As the emulator does."""
    return ground.copied("VARCHAR(8)", r'"\N"')


@check("a token of our own is NULL", [None, r"\N", "N#a1b2"])
def own_token(ground: Ground) -> Any:
    r"""Where a value reads \N, another token stands for NULL: \N and some digits, in NULL AS with two backslashes."""
    table = ground.table("n INT, v VARCHAR(8)")
    manifest = ground.put([b'1,\\N#a1b2\n2,"\\N"\n3,"N#a1b2"\n'])
    ground.db.execute(ground.copying(table, ["n", "v"], manifest, null=r"\N#a1b2"))
    return [value for (value,) in ground.db.query(f"SELECT v FROM {table} ORDER BY n")]


@check("the text N is no NULL", ["N", "N"])
def letter_n(ground: Ground) -> Any:
    r"""Were the backslash of \N swallowed somewhere, every text N would be lost."""
    return ground.copied("VARCHAR(8)", '"N"', "N")


@check("an empty text stays one", ["", ""])
def empty_text(ground: Ground) -> Any:
    """Empty texts are written in quotes, and are not NULL; the second is one without quotes."""
    return ground.copied("VARCHAR(8)", '""', "")


@check("an empty number is NULL", [None])
def empty_number(ground: Ground) -> Any:
    """Nothing of ours writes one; a partner's file may."""
    return ground.copied("INT", "")


@check("texts survive COPY", list(HARD))
def texts(ground: Ground) -> Any:
    """Quotes, line ends, backslashes, blanks at both ends, UTF-8 of four bytes: a text is loaded as it was read."""
    return ground.copied("VARCHAR(64)", *('"' + text.replace('"', '""') + '"' for text in HARD))


@check("DECIMAL is rounded", [Decimal("20.26"), Decimal("-20.26"), Decimal("0.01")])
def rounded(ground: Ground) -> Any:
    """COPY cuts what is too precise unless ROUNDEC says otherwise; INSERT rounds, and so does Postgres."""
    return ground.copied("DECIMAL(8,2)", "20.259", "-20.259", "0.005")


@check("DECIMAL(38,10) from a file", [Decimal("1234567890123456789012345678.0123456789")])
def long_decimal(ground: Ground) -> Any:
    """The longest number that a column holds."""
    return ground.copied("DECIMAL(38,10)", "1234567890123456789012345678.0123456789")


@check("dates by DATEFORMAT 'auto'", [datetime.date(1, 1, 1), datetime.date(2024, 2, 29), datetime.date(9999, 12, 31)])
def dates(ground: Ground) -> Any:
    """Dates are written YYYY-MM-DD; the first and the last are the ends of a version of a dimension."""
    return ground.copied("DATE", "0001-01-01", "2024-02-29", "9999-12-31")


@check("a date that no calendar has", _FAILED)
def no_date(ground: Ground) -> Any:
    """Nothing becomes NULL silently."""
    return ground.copy_refused("n INT, v DATE", "1,2022-02-31\n")


@check(
    "times by TIMEFORMAT 'auto'",
    [datetime.datetime(2024, 2, 29, 23, 59, 59, 123456), datetime.datetime(2024, 2, 29, 12, 0)],
)
def times(ground: Ground) -> Any:
    """Times are written with a blank and up to six digits of a second."""
    return ground.copied("TIMESTAMP", "2024-02-29 23:59:59.123456", "2024-02-29 12:00:00")


@check("times with a zone", [datetime.datetime(2024, 2, 29, 23, 59, 59, 123456, datetime.timezone.utc)] * 2)
def zoned_times(ground: Ground) -> Any:
    """Moments are written in UTC with +00; the second is one of another zone."""
    return ground.copied("TIMESTAMPTZ", "2024-02-29 23:59:59.123456+00", "2024-03-01 01:59:59.123456+02")


@check("booleans", [True, False, True, False])
def booleans(ground: Ground) -> Any:
    """Parts say true and false; t and f are what Postgres writes."""
    return ground.copied("BOOLEAN", "true", "false", "t", "f")


@check("doubles", [0.1, 1 / 3, 1e300, -1.7976931348623157e308, 1e-300])
def doubles(ground: Ground) -> Any:
    """A number is loaded as it was read, to its last bit."""
    return ground.copied("FLOAT8", "0.1", repr(1 / 3), "1e300", "-1.7976931348623157e308", "1e-300")


@check("the smallest double", [2.2250738585072014e-308])
def smallest_double(ground: Ground) -> Any:
    """MySQL and Postgres have such numbers, at the very edge of what Redshift's documentation names."""
    return ground.copied("FLOAT8", "2.2250738585072014e-308")


@check("VARCHAR(n) in a file counts bytes", (["日本語"], _FAILED.words))
def varchar_bytes(ground: Ground) -> Any:
    """What is too long fails the load, and is not cut."""
    fits = ground.copied("VARCHAR(9)", '"日本語"')
    said = ground.copy_refused("n INT, v VARCHAR(8)", '1,"日本語"\n')
    return fits, _FAILED.words if "load into table" in said.lower() else said


@check("NULL for NOT NULL", _FAILED)
def null_for_not_null(ground: Ground) -> Any:
    """Required columns are not counted again after COPY."""
    return ground.copy_refused("n INT, v INT NOT NULL", "1,\\N\n")


@check("a field too many", _FAILED)
def extra_field(ground: Ground) -> Any:
    """A part that is not of the manifest's columns is not loaded in part."""
    return ground.copy_refused("n INT, v INT", "1,2,3\n")


@check("a field too few", _FAILED)
def missing_field(ground: Ground) -> Any:
    """As above; FILLRECORD is not said."""
    return ground.copy_refused("n INT, v INT", "1\n")


@check("bytes that are not UTF-8", _FAILED)
def not_utf8(ground: Ground) -> Any:
    """Extracts write none; ACCEPTINVCHARS, which would change data, is not said."""
    return ground.copy_refused("n INT, v VARCHAR(8)", b'1,"\xe4"\n')


@check("a NUL character", _FAILED)
def nul(ground: Ground) -> Any:
    """Extracts write none, and count what they replaced."""
    return ground.copy_refused("n INT, v VARCHAR(8)", b'1,"a\x00b"\n')


@check("a byte order mark before a number", _FAILED)
def byte_order_mark(ground: Ground) -> Any:
    """Extracts write none; what becomes of one is not documented."""
    return ground.copy_refused("n INT", b"\xef\xbb\xbf1\n")


@check("a quote inside a bare field", _FAILED)
def inner_quote(ground: Ground) -> Any:
    """Texts are written in quotes; a file of somebody else's that breaks the rule is not guessed at."""
    return ground.copy_refused("n INT, v VARCHAR(8)", '1,a"b"c\n')


def _fail(ground: Ground) -> None:
    """A COPY that fails at line 2 of its file, in a transaction that is rolled back."""
    table = ground.table("n INT, v INT")
    statement = ground.copying(table, ["n", "v"], ground.put([b"1,1\n2,x\n"]))
    try:
        with ground.db.transaction():
            ground.db.execute(statement)
    except EtlError:
        return
    raise AssertionError("COPY took a text for a number")
