"""The CSV contract, held against a real Postgres: what goes in comes out of COPY, equal."""

import contextlib
import datetime
import decimal
import io
import math
from collections.abc import Iterator

import psycopg2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl import parts
from etl.errors import DataError
from etl.findings import Findings

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UTC = datetime.timezone.utc


class Sink(io.BytesIO):
    """Keeps what was written after it was closed."""

    def close(self) -> None:
        self.written = self.getvalue()
        super().close()


@pytest.fixture
def cursor(warehouse) -> Iterator:
    with contextlib.closing(psycopg2.connect(warehouse.admin_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        yield cursor


def csv_text(*batches: pa.RecordBatch, token: str = parts.NULL, compression: str = "zstd") -> bytes:
    sink = Sink()
    canonical = [parts.canonical(batch.cast(parts.plain(batch.schema)), Findings()) for batch in batches]
    writer = parts.PartWriter(sink, canonical[0].schema, compression, token)
    for batch in canonical:
        writer.write(batch)
    writer.close()
    assert writer.rows == sum(batch.num_rows for batch in batches)
    return pa.CompressedInputStream(pa.BufferReader(sink.written), compression).read()


def batch(values: list, kind: pa.DataType | None = None, name: str = "a") -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, kind)], names=[name])


def copied(cursor, text: bytes, types: list[str], token: str = parts.NULL) -> list[tuple]:
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(types))
    cursor.execute(f"DROP TABLE IF EXISTS t; CREATE TEMP TABLE t (row serial, {columns})")
    names = ", ".join(f"c{i}" for i in range(len(types)))
    cursor.execute("SELECT quote_literal(%s)", (token,))
    cursor.copy_expert(f"COPY t ({names}) FROM STDIN WITH (FORMAT csv, NULL {cursor.fetchone()[0]})", io.BytesIO(text))
    cursor.execute(f"SELECT {names} FROM t ORDER BY row")
    return cursor.fetchall()


def through(cursor, values: list, kind: pa.DataType) -> list:
    made = batch(values, kind)
    types = parts.warehouse_types(parts.plain(made.schema))
    return [row[0] for row in copied(cursor, csv_text(made), types)]


# Text that CSV, COPY or a driver might take for something else, more often than chance would have it.
TEXT = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text(st.sampled_from("\0\",\r\n\t\\N.'|#é😀\ufeff \x1a\x7f\u2028"), max_size=8),
    st.sampled_from(["", "\\N", "\\.", '"', '""', ",", "\n", "\r\n", "\r", "NULL", "null", "\\", " ", "02134", "nan"]),
)
ROWS = st.lists(st.tuples(st.none() | TEXT, st.none() | TEXT), min_size=1, max_size=12)


@QUICK
@given(rows=ROWS, compression=st.sampled_from(["zstd", "gzip"]))
@example(rows=[("\\.", None), ("\\N", "\\N"), ("", None), (None, "")], compression="zstd")
def test_any_text_and_null_survive(cursor, rows, compression):
    made = pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=["a", "b"])
    token = r"\N" if not parts.collides(made, r"\N") else "\\N#0000"
    assert not parts.collides(made, token)
    expected = [tuple(value and value.replace("\0", "\ufffd") for value in row) for row in rows]
    assert copied(cursor, csv_text(made, token=token, compression=compression), ["TEXT", "TEXT"], token) == expected


@QUICK
@given(ROWS)
def test_one_column_of_text_survives(cursor, rows):
    """A row that is one empty field is the hardest to tell from no row."""
    column = [row[0] for row in rows]
    expected = [value and value.replace("\0", "\ufffd") for value in column]
    made = batch(column, pa.string())
    assert [row[0] for row in copied(cursor, csv_text(made, token="\\N#1"), ["TEXT"], "\\N#1")] == expected


def test_what_a_part_looks_like():
    made = pa.record_batch(
        {
            "text": pa.array(['say "hi"', "", None, "a\nb"]),
            "number": pa.array([1, -2, None, 0]),
            "day": pa.array([datetime.date(2014, 2, 3), None, None, None]),
            "yes": pa.array([True, False, None, None]),
            "price": pa.array([decimal.Decimal("1.50"), None, None, decimal.Decimal("0.00")]),
        }
    )
    assert csv_text(made).decode() == (
        '"say ""hi""",1,2014-02-03,true,"1.50"\n"",-2,\\N,false,\\N\n\\N,\\N,\\N,\\N,\\N\n"a\nb",0,\\N,\\N,"0.00"\n'
    )


@QUICK
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers(cursor, values):
    assert through(cursor, values, pa.int64()) == values


def test_the_largest_unsigned_number(cursor):
    assert through(cursor, [2**64 - 1, None], pa.uint64()) == [2**64 - 1, None]


@QUICK
@given(st.lists(st.none() | st.floats(), min_size=1))
@example([math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, -0.0, None])
def test_floats(cursor, values):
    out = through(cursor, values, pa.float64())
    assert [repr(value) for value in out] == [repr(value) for value in values]


@QUICK
@given(st.lists(st.none() | st.floats(width=32, allow_nan=False), min_size=1))
def test_single_floats(cursor, values):
    """As the shortest decimal that is the same single float."""
    out = through(cursor, values, pa.float32())
    assert pa.array(out, pa.float32()).to_pylist() == values


@QUICK
@given(st.lists(st.none() | st.decimals(places=10, min_value=-(10**27), max_value=10**27), min_size=1))
@example([decimal.Decimal("1E-10"), decimal.Decimal("0E-10"), decimal.Decimal(10**27), None])
def test_decimals_without_exponents(cursor, values):
    kind = pa.decimal128(38, 10)
    assert through(cursor, values, kind) == values
    assert b"E" not in csv_text(batch(values, kind))


def test_decimals_of_other_widths(cursor):
    wide = [decimal.Decimal("1E-30"), decimal.Decimal(10**34), None]
    assert through(cursor, wide, pa.decimal256(65, 30)) == wide
    thousands = batch([decimal.Decimal("5000"), None], pa.decimal128(10, -3))
    assert csv_text(thousands) == b'"5000"\n\\N\n'


@QUICK
@given(st.lists(st.none() | st.dates(), min_size=1))
def test_dates(cursor, values):
    assert through(cursor, values, pa.date32()) == values
    assert through(cursor, values, pa.date64()) == values


@QUICK
@given(st.lists(st.none() | st.datetimes(), min_size=1))
@example([datetime.datetime.min, datetime.datetime.max, None])
def test_timestamps(cursor, values):
    assert through(cursor, values, pa.timestamp("us")) == values


@QUICK
@given(st.lists(st.none() | st.datetimes(min_value=datetime.datetime(2, 1, 1)), min_size=1))
def test_timestamps_with_a_zone_are_the_same_instant(cursor, values):
    instants = [value and value.replace(tzinfo=UTC) for value in values]
    for zone in ("UTC", "Europe/Berlin", "+05:30"):
        made = batch(instants, pa.timestamp("us", tz=zone))
        # Redshift's default TIMEFORMAT takes neither T nor Z.
        assert b"T" not in csv_text(made) and b"Z" not in csv_text(made)
        assert copied(cursor, csv_text(made), parts.warehouse_types(made.schema)) == [(value,) for value in instants]


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_timestamps_of_other_units(cursor, unit):
    values = [datetime.datetime(2014, 2, 3, 4, 5, 6), None]
    assert through(cursor, values, pa.timestamp(unit)) == values


def test_nanoseconds_are_refused_with_their_column():
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", tz="UTC"), pa.time64("ns")):
        with pytest.raises(DataError, match="column at: holds nanoseconds"):
            parts.canonical(batch([1], kind, "at"), Findings())


@QUICK
@given(st.lists(st.none() | st.times(), min_size=1))
def test_times(cursor, values):
    assert through(cursor, values, pa.time64("us")) == values


def test_times_of_other_units(cursor):
    values = [datetime.time(4, 5, 6), None]
    for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("ns")):
        assert through(cursor, values, kind) == values


@QUICK
@given(st.lists(st.none() | st.booleans(), min_size=1))
def test_booleans(cursor, values):
    assert through(cursor, values, pa.bool_()) == values


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_of_every_kind(cursor, kind):
    assert through(cursor, ["é", "", None], kind) == ["é", "", None]


def test_dictionaries_and_nulls_are_plain_text(cursor):
    values = ["a", None, "a"]
    assert through(cursor, values, pa.dictionary(pa.int8(), pa.large_string())) == values
    assert through(cursor, [1, None], pa.dictionary(pa.int8(), pa.int64())) == [1, None]
    assert through(cursor, [None, None], pa.null()) == [None, None]


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.duration("s"), pa.binary(2)]
)
def test_what_csv_cannot_hold_is_refused_with_its_column(kind):
    with pytest.raises(DataError, match="column odd: CSV cannot hold Arrow type"):
        parts.canonical(batch([None], kind, "odd"), Findings())


def test_nul_characters_are_replaced_and_counted_by_column():
    findings = Findings()
    made = pa.record_batch([pa.array(["a\0b\0", "ok", None, "\0"]), pa.array(["x"] * 4)], names=["bad", "good"])
    assert parts.canonical(made, findings).column("bad").to_pylist() == ["a\ufffdb\ufffd", "ok", None, "\ufffd"]
    assert [(loss.column, loss.count) for loss in findings.losses.values()] == [("bad", 2)]


def test_of_a_slice_only_its_own_values_are_looked_at():
    findings = Findings()
    long = "x" * (parts.LONGEST_TEXT + 1)
    made = batch(["\0", "\\N", long, None, "b\0", "\0", "\\N", long]).slice(3, 2)
    assert parts.canonical(made, findings).column("a").to_pylist() == [None, "b\ufffd"]
    assert [(loss.column, loss.count) for loss in findings.losses.values()] == [("a", 1)]
    assert not parts.collides(made, r"\N")
    assert parts.canonical(batch(["\0"]).slice(1), Findings()).num_rows == 0


def test_text_that_is_too_long_once_its_nul_characters_are_replaced():
    findings = Findings()
    made = batch(["\0" * (parts.LONGEST_TEXT // 3 + 1), "short", None])
    assert parts.canonical(made, findings).column("a").to_pylist() == ["short", None]
    assert [(loss.reason, loss.count) for loss in findings.losses.values()] == [
        ("NUL character replaced", 1), (f"longer than {parts.LONGEST_TEXT} bytes", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("width", [0, 1, 100, 10_000, 1_000_000])
def test_pieces_are_small_and_all_of_the_batch(width):
    made = batch(["x" * width] * min(100_000, 5_000_000 // max(1, width)))
    pieces = list(parts.pieces(made))
    assert pa.Table.from_batches(pieces) == pa.Table.from_batches([made])
    assert max(piece.nbytes for piece in pieces) <= max(1 << 19, width + 100)
    assert len(pieces) <= made.nbytes // (1 << 18) + 1


def test_an_empty_batch_has_no_pieces():
    assert list(parts.pieces(batch([], pa.string()))) == []


def test_a_type_that_the_source_says_wins():
    schema = pa.schema(
        [
            pa.field("a", pa.string(), metadata={"warehouse_type": "NUMERIC(65,30)"}),
            pa.field("b", pa.string()),
            pa.field("c", pa.decimal128(12, 2)),
            pa.field("d", pa.float16()),
        ]
    )
    plain = parts.plain(schema)
    assert parts.warehouse_types(plain) == ["NUMERIC(65,30)", "TEXT", "NUMERIC(12,2)", "DOUBLE PRECISION"]


@pytest.mark.parametrize(
    ("values", "collides"),
    [(["\\N"], True), (["a", None, "\\N"], True), (["\\N "], False), ([None, None], False), ([], False)],
)
def test_a_collision_is_a_value_that_is_the_token(values, collides):
    assert parts.collides(batch(values, pa.string()), r"\N") is collides


def test_numbers_never_collide():
    assert not parts.collides(batch([1, None]), r"\N")


@given(
    rows=st.lists(st.tuples(st.none() | TEXT, st.none() | st.integers(0, 9), st.none() | TEXT), min_size=1, max_size=8),
    size=st.integers(1, 40),
)
def test_a_new_token_replaces_nulls_and_nothing_else_however_the_text_is_cut(rows, size):
    columns = list(zip(*rows, strict=True))
    kinds = (pa.string(), pa.int64(), pa.string())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    made = pa.record_batch(arrays, names=["a", "b", "c"])
    old = csv_text(made)
    cuts = (old[i : i + size] for i in range(0, len(old), size))
    assert b"".join(parts.retoken(cuts, r"\N", r"\N#1")) == csv_text(made, token=r"\N#1")
