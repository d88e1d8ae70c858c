r"""CSV parts: Arrow record batches in, compressed CSV out, exactly as the loaders expect it.

The contract: UTF-8, LF, no header, no BOM. NULL is a bare token (`\N`) for every type; every string is
quoted and `""` doubles a quote; everything else is bare; decimals are never in exponent form. A NUL
character, which no warehouse stores, becomes U+FFFD and is counted as a loss. A string equal to the token
is counted as a collision, and the writer's owner then writes the dataset with another token.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from etl.errors import DataError
from etl.findings import LONGEST_TEXT, Findings, Sieve

NULL = r"\N"
SUFFIX = {"zstd": ".csv.zst", "gzip": ".csv.gz"}
# In bytes of Arrow: what becomes text at once stays in the processor's cache, and is a small share of a part.
_PIECE = 1 << 19


def plain(schema: pa.Schema) -> pa.Schema:
    """The schema with dictionaries unpacked, and with text of every kind, nulls included, as string."""
    return pa.schema([field.with_type(_plain(field.type)) for field in schema])


def canonical(batch: pa.RecordBatch, findings: Findings) -> pa.RecordBatch:
    """A batch of a plain schema, with every column in a type that CSV can hold exactly; DataError where there is none.

    NUL characters and strings that are too long for a warehouse are lost by their column's policy: counted in
    `findings`, and the rows left out and put aside there where that is quarantine.
    """
    names = batch.schema.names
    keys = [batch.column(name) for name in findings.key] if set(findings.key) <= set(names) else []
    sieve = Sieve(findings, batch, keys)
    columns = [_canonical(batch.column(i), batch.schema.field(i), sieve) for i in range(batch.num_columns)]
    return sieve.kept(pa.record_batch(columns, names=names))


def warehouse_types(schema: pa.Schema) -> list[str]:
    """The type a warehouse column needs to hold each field of a plain schema, in SQL that both engines know.

    A field's metadata `warehouse_type` wins: a source that reads a column as text says there what it is.
    """
    return [(field.metadata or {}).get(b"warehouse_type", b"").decode() or _sql_type(field.type) for field in schema]


def warehouse_bounds(schema: pa.Schema) -> list[str]:
    """How much room the values of each field of a plain schema need, for a warehouse that must be told: VARCHAR(bytes)
    or DECIMAL(p,s). It is '' where nothing is known of them.

    A source that says the type of a field says this too, by the metadata `warehouse_bound`, or leaves it open.
    """
    return [_bound(field) for field in schema]


def collides(batch: pa.RecordBatch, token: str) -> bool:
    # As with NULs, a look at all bytes for the first one of the token settles it for nearly every column.
    first = token[0].encode()
    return any(
        pa.types.is_string(column.type)
        and first in _data(column).to_pybytes()
        and pc.any(pc.equal(column, token)).as_py() is True
        for column in batch.columns
    )


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in slices of half a MiB or less, or of one row."""
    rows = max(1, batch.num_rows * _PIECE // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def retoken(chunks: Iterable[bytes], old: str, new: str) -> Iterator[bytes]:
    """CSV text written with `old` as NULL, with `new` as NULL instead; quoted strings stay as they are."""
    quoted, rest = False, b""
    for chunk in chunks:
        # A token never spans lines, and every row ends with one.
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        pieces = (lines + newline).split(b'"')
        for bare in range(int(quoted), len(pieces), 2):
            pieces[bare] = pieces[bare].replace(old.encode(), new.encode())
        quoted ^= len(pieces) % 2 == 0
        yield b'"'.join(pieces)


def anonymous(width: int) -> tuple[str, ...]:
    """Names for the fields of an extract that names none, which no table has for its columns."""
    return tuple(f"?{i}" for i in range(width))


def is_anonymous(names: tuple[str, ...]) -> bool:
    return names == anonymous(len(names))


class PartWriter:
    """Writes batches of one schema to one sink, compressed; `rows` counts them. Best are `pieces`."""

    def __init__(self, sink: Any, schema: pa.Schema, compression: str, token: str):
        self._compressed = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), compression)
        options = pyarrow.csv.WriteOptions(
            include_header=False, null_string=token, quoting_style="needed", batch_size=_PIECE
        )
        self._csv = pyarrow.csv.CSVWriter(self._compressed, schema, write_options=options)
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._csv.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> None:
        """Close the sink too, as Arrow does."""
        self._csv.close()
        self._compressed.close()


def _plain(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return pa.string()
    return kind


def _canonical(array: pa.Array, field: pa.Field, sieve: Sieve) -> pa.Array:
    kind = array.type
    types = pa.types
    if types.is_string(kind):
        return _text(array, field.name, sieve)
    if types.is_time(kind):
        return _micros(array, pa.time64("us"), field.name)
    if types.is_timestamp(kind):
        return _timestamp(array, field.name)
    if types.is_decimal(kind):
        return _decimal(array)
    if any(known(kind) for known in _WRITTEN_AS_THEY_ARE):
        return array
    raise DataError(f"column {field.name}: CSV cannot hold Arrow type {kind}; cast it to text (bytes as hex) first")


_WRITTEN_AS_THEY_ARE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_date,
)


def _text(array: pa.Array, column: str, sieve: Sieve) -> pa.Array:
    # A look at all bytes at once costs less than one at each value, and what a warehouse cannot hold is rare.
    if b"\0" in _data(array).to_pybytes():
        array = _without_nul(array, column, sieve)
    return _fitting(array, column, sieve) if _data(array).size > LONGEST_TEXT else array


def _without_nul(array: pa.Array, column: str, sieve: Sieve) -> pa.Array:
    mask = pc.fill_null(pc.match_substring(array, "\0"), False)
    if not pc.any(mask).as_py():
        return array
    policy = sieve.lose(column, "NUL character replaced", mask, "replace")
    if policy == "null":
        return pc.if_else(mask, pa.scalar(None, array.type), array)
    return pc.replace_substring(array, "\0", "\ufffd")


def _fitting(array: pa.Array, column: str, sieve: Sieve) -> pa.Array:
    """Text that Redshift has room for in a column; longer text is quarantined, unless another policy is written."""
    lengths = pc.binary_length(array)
    if (pc.max(lengths).as_py() or 0) <= LONGEST_TEXT:
        return array
    mask = pc.fill_null(pc.greater(lengths, LONGEST_TEXT), False)
    if sieve.lose(column, f"longer than {LONGEST_TEXT} bytes", mask, "quarantine") == "null":
        return pc.if_else(mask, pa.scalar(None, array.type), array)
    return array


def _data(array: pa.Array) -> pa.Buffer:
    """The bytes of a string column's values, perhaps with some below its NULLs."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return pa.py_buffer(b"")
    # An array may be a slice of a much larger one, whose offsets and bytes it shares.
    ends = memoryview(offsets).cast("i")
    first, last = ends[array.offset], ends[array.offset + len(array)]
    return data.slice(first, last - first)


def _timestamp(array: pa.Array, column: str) -> pa.Array:
    if array.type.tz is None:
        return _micros(array, pa.timestamp("us"), column)
    # Arrow ends a zoned timestamp with Z, which Redshift's default TIMEFORMAT does not read; strftime is much slower.
    text = _micros(array, pa.timestamp("us", tz="UTC"), column).cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(text, "+00", "")


def _micros(array: pa.Array, kind: pa.DataType, column: str) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        raise DataError(f"column {column}: holds nanoseconds, and a warehouse keeps microseconds; round it") from None


def _decimal(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    if not pc.any(pc.match_substring(text, "E")).as_py():
        return text
    # Arrow prints 0.0000000001 as 1E-10, which Redshift is not known to read.
    return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.string())


def _bound(field: pa.Field) -> str:
    said = field.metadata or {}
    if b"warehouse_type" in said or not pa.types.is_decimal(field.type):
        return str(said.get(b"warehouse_bound", b"").decode())
    return f"DECIMAL({field.type.precision},{field.type.scale})"


def _sql_type(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_uint64(kind):
        return "NUMERIC(20,0)"
    if types.is_integer(kind):
        return "BIGINT"
    if types.is_floating(kind):
        return "DOUBLE PRECISION"
    if types.is_decimal(kind):
        return f"NUMERIC({kind.precision},{kind.scale})"
    if types.is_boolean(kind):
        return "BOOLEAN"
    if types.is_date(kind):
        return "DATE"
    if types.is_timestamp(kind):
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    if types.is_time(kind):
        return "TIME"
    return "TEXT"
