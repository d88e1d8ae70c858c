"""A partner's file in, batches of text columns out: CSV, JSON lines and Parquet, plain, gzip or zstd.

Files of one extract may be of any of these kinds, so every column is text, in the one form that the warehouse
reads back as the same value. Memory stays flat: CSV and JSON lines are read in blocks, Parquet is spooled to disk.
"""

import contextlib
import csv
import io
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from etl.errors import DataError
from etl.extract import chunked
from etl.findings import Findings
from etl.sources.json_values import as_text, loads, well_formed

# A longer row is a decompression bomb or a quote left open, and must not be held in memory to find that out.
ROW_LIMIT = 4 * 1024 * 1024

# Of ROW_LIMIT bytes. Arrow needs three to go on: the one that it parses, the end of the one before, and the next.
_BLOCKS = 8

_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}


class Bytes(Protocol):
    """What a file is read from: a body of S3, a decompressor or an open file."""

    def read(self, size: int = ..., /) -> bytes: ...

    def close(self) -> None: ...


Reader = Callable[["Source"], Iterator[pa.RecordBatch]]


class Source:
    """One file: its name for messages, how to open it from its beginning, and what is wanted of it."""

    def __init__(self, name: str, open_bytes: Callable[[], Bytes], columns: tuple[str, ...], findings: Findings):
        self.name, self.columns, self.findings = name, columns, findings
        self.unknown: set[str] = set()
        self._open = open_bytes

    @contextlib.contextmanager
    def text(self) -> Iterator[Bytes]:
        """The bytes, decompressed."""
        with contextlib.closing(self._open()) as body:
            compression = next((kind for ending, kind in _COMPRESSED.items() if self.name.endswith(ending)), None)
            if compression:
                yield pa.CompressedInputStream(pa.PythonFile(body, "r"), compression)
            else:
                yield body

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Text columns in the declared order. DataError names the file, and the line where there are lines."""
        try:
            yield from READERS[ending(self.name) or ".csv"](self)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name}: cannot be read ({error}); it is damaged, ask for it again") from None

    def check_names(self, names: Sequence[str]) -> None:
        """A file that says what it holds must hold the declared columns, in any order, and no others."""
        problems = []
        if twice := sorted({name for name in names if names.count(name) > 1}):
            problems.append(f"column {twice[0]!r} twice")
        if missing := [name for name in self.columns if name not in names]:
            problems.append(f"no column {', '.join(map(repr, missing))}")
        if unknown := [name for name in names if name not in self.columns]:
            problems.append(f"unknown column {', '.join(map(repr, unknown))}")
        if problems:
            raise DataError(
                f"{self.name}: has {'; '.join(problems)}; expected {', '.join(self.columns)}: correct `columns`, or "
                f"ask the sender what has changed"
            )


def ending(name: str) -> str | None:
    """The ending that says how the file is read, `.csv` or `.csv.gz`; None where we cannot read it."""
    return next((known for known in READERS if name.endswith(known)), None)


def read_csv(source: Source) -> Iterator[pa.RecordBatch]:
    r"""RFC 4180 with a header. An unquoted empty field is NULL and `""` is ''; blank lines are no rows."""
    with source.text() as stream:
        buffered = io.BufferedReader(_Raw(stream), 1 << 20)
        names = _header(source, buffered)
        if names is None:
            return
        source.check_names(names)
        last = f"end {id(source)}"
        ended = _Ended(buffered, f"\n{last}{',' * (len(names) - 1)}\n".encode())
        try:
            batches = pyarrow.csv.open_csv(
                ended,
                read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=ROW_LIMIT),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            yield from _before_the_end(source, batches, last)
        except pa.ArrowInvalid as error:
            raise DataError(f"{source.name}: {_csv_fault(source) or error}") from None
        finally:
            ended.close()


def read_json_lines(source: Source) -> Iterator[pa.RecordBatch]:
    """One object a line. A missing key is NULL; keys that are not declared are collected in `source.unknown`.

    They are no error, because in JSON lines each object has the keys that it needs and no header says which
    there are.
    """
    wanted = set(source.columns)

    def rows() -> Iterator[list[str | None]]:
        with source.text() as stream:
            for number, line in _lines(source, stream):
                record = _record(source, number, line)
                source.unknown |= record.keys() - wanted
                yield [_value(source, number, column, record.get(column)) for column in source.columns]

    for chunk in chunked(rows()):
        columns = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
        yield pa.record_batch(columns, names=list(source.columns))


def read_parquet(source: Source) -> Iterator[pa.RecordBatch]:
    """Decimals keep their digits and timestamps their microseconds; a zoned timestamp is written in UTC."""
    with tempfile.TemporaryFile() as spool:
        with source.text() as stream:
            shutil.copyfileobj(stream, spool, 1 << 20)
        spool.seek(0)
        # INT96 in nanoseconds, the default, wraps around outside 1677 to 2262.
        file = pyarrow.parquet.ParquetFile(
            spool, pre_buffer=False, buffer_size=1 << 20, coerce_int96_timestamp_unit="us"
        )
        source.check_names(file.schema_arrow.names)
        rows = 0
        for batch in file.iter_batches(batch_size=10_000, columns=list(source.columns), use_threads=False):
            rows += batch.num_rows
            yield pa.record_batch(
                [_arrow_text(source, column, batch.column(column)) for column in source.columns],
                names=list(source.columns),
            )
        if rows != file.metadata.num_rows:
            raise DataError(f"{source.name}: {rows} rows were read, its footer says {file.metadata.num_rows}")


READERS: dict[str, Reader] = {
    **{f"{kind}{packed}": read_csv for kind in (".csv",) for packed in ("", *_COMPRESSED)},
    **{f"{kind}{packed}": read_json_lines for kind in (".jsonl", ".ndjson") for packed in ("", *_COMPRESSED)},
    ".parquet": read_parquet,
}


# ---- CSV


class _Raw(io.RawIOBase):
    """Any stream with read(), for io.BufferedReader."""

    def __init__(self, stream: Bytes):
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Ended(io.RawIOBase):
    """A stream and, after its end, one row more: if that row does not come out again, a quote was left open.

    No more than `_BLOCKS` of what it gave are in memory at a time: the next is read when Arrow has parsed one.
    """

    def __init__(self, stream: "io.BufferedReader[_Raw]", row: bytes):
        self._stream, self._row = stream, row
        # Arrow alone would read 32 blocks ahead, and each has to be as large as a row may be.
        self._room = threading.Semaphore(_BLOCKS)

    def readable(self) -> bool:
        return True

    def read(self, size: int = ROW_LIMIT) -> bytearray:
        self._room.acquire()
        block = _Block(self._room, size)
        length = 0 if self.closed else self._stream.readinto(block)
        del block[length:]
        if not length:
            block[:], self._row = self._row, b""
        return block

    def close(self) -> None:
        # Whoever stops half-way leaves Arrow's thread waiting for room.
        super().close()
        self._room.release()


class _Block(bytearray):
    """Makes room for another when it is no longer in use."""

    def __init__(self, room: threading.Semaphore, size: int):
        super().__init__(size)
        self._room = room

    def __del__(self) -> None:
        self._room.release()


def _header(source: Source, stream: IO[bytes]) -> list[str] | None:
    """The column names, leaving the stream behind them; None for a file without a line."""
    try:
        with _long_fields():
            names = next(csv.reader(_header_lines(source, stream)), None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{source.name}: line 1 is not a CSV header in UTF-8 ({error}); save it as UTF-8") from None
    if names == []:
        raise DataError(f"{source.name}: line 1 is empty and should name the columns {', '.join(source.columns)}")
    return names


def _header_lines(source: Source, stream: IO[bytes]) -> Iterator[str]:
    encoding = "utf-8-sig"
    while line := stream.readline(ROW_LIMIT + 1):
        if len(line) > ROW_LIMIT:
            raise DataError(f"{source.name}: line 1 is longer than {ROW_LIMIT} bytes; is it a CSV file?")
        if text := line.decode(encoding):
            yield text
        encoding = "utf-8"


def _before_the_end(source: Source, batches: Iterator[pa.RecordBatch], last: str) -> Iterator[pa.RecordBatch]:
    """The batches, without the row that was added after the file's end."""
    row = 0
    held: pa.RecordBatch | None = None
    for batch in batches:
        _check_lengths(source, batch, row)
        row += batch.num_rows
        if held is not None:
            yield held.select(source.columns)
        held = batch
    if held is None or held.column(0)[-1].as_py() != last:
        raise DataError(f"{source.name}: {_csv_fault(source) or 'a quote is opened and never closed'}")
    yield held.slice(0, held.num_rows - 1).select(source.columns)


def _check_lengths(source: Source, batch: pa.RecordBatch, before: int) -> None:
    lengths = pc.fill_null(pc.binary_length(batch.column(0)), 0)
    for column in batch.columns[1:]:
        lengths = pc.add(lengths, pc.fill_null(pc.binary_length(column), 0))
    longest = pc.max(lengths).as_py()
    if longest is not None and longest > ROW_LIMIT:
        row = before + pc.index(lengths, longest).as_py() + 1
        raise DataError(f"{source.name}: row {row} has {longest} bytes, more than {ROW_LIMIT}; is a quote left open?")


def _csv_fault(source: Source) -> str | None:
    """What is wrong and in which line, found by reading the file again, slowly: the fast reader knows no lines."""
    line = 0

    def decoded(stream: IO[bytes]) -> Iterator[str]:
        nonlocal line
        while data := stream.readline(ROW_LIMIT + 1):
            line += 1
            yield data.decode("utf-8-sig" if line == 1 else "utf-8")

    with source.text() as stream, _long_fields():
        reader = csv.reader(decoded(io.BufferedReader(_Raw(stream), 1 << 20)), strict=True)
        began = 1
        try:
            width, began = len(next(reader)), line + 1
            for row in reader:
                if row and len(row) != width:
                    return f"line {began} has {len(row)} fields, the header has {width}: {','.join(row)[:200]}"
                began = line + 1
        except UnicodeDecodeError as error:
            return f"line {line} is not UTF-8 ({error.reason} at byte {error.start} of the line)"
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return f"line {began} opens a quote that is never closed"
            if "field larger" in str(error):
                return f"line {began} begins a row of more than {ROW_LIMIT} bytes; is a quote left open?"
            # Text that the fast reader takes and the strict one does not: not what was looked for.
    return None


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """csv's own limit of 128 KiB a field is the process's."""
    before = csv.field_size_limit(ROW_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


# ---- JSON lines


def _lines(source: Source, stream: Bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that hold anything, with their numbers."""
    number, pending = 0, b""
    while True:
        data = stream.read(1 << 20)
        *lines, pending = (pending + data).split(b"\n")
        if not data:
            lines, pending = [pending], b""
        for line in lines:
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            _check_line(source, number, line)
            if line.strip():
                yield number, line
        _check_line(source, number + 1, pending)
        if not data:
            return


def _check_line(source: Source, number: int, line: bytes) -> None:
    if len(line) > ROW_LIMIT:
        raise DataError(f"{source.name}: line {number} is longer than {ROW_LIMIT} bytes; is it one object a line?")


def _record(source: Source, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source.name}: line {number} is not JSON ({error}): {line[:100]!r}") from None
    if not isinstance(record, dict):
        raise DataError(f"{source.name}: line {number} is not an object: {line[:100]!r}")
    return record


def _value(source: Source, number: int, column: str, value: Any) -> str | None:
    written = as_text(value)
    if written is None or written.isascii():
        return written
    kept = well_formed(written)
    if kept is not written:
        source.findings.loss(column, "half a surrogate pair replaced", 1, [f"{source.name}:{number}"])
    return kept


# ---- Parquet


def _arrow_text(source: Source, column: str, array: pa.Array) -> pa.Array:
    try:
        return _cast(array)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise DataError(
            f"{source.name}: column {column}, {array.type}, has no exact text form ({error}); ask for text instead"
        ) from None


def _cast(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _cast(array.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            return pc.strftime(array.cast(pa.timestamp("us")), format="%Y-%m-%d %H:%M:%S")
        # A zoned timestamp is an instant, kept in UTC.
        return pc.strftime(array.cast(pa.timestamp("us", tz="UTC")), format="%Y-%m-%d %H:%M:%S+00")
    if pa.types.is_time(kind):
        return array.cast(pa.time64("us")).cast(pa.string())
    if pa.types.is_decimal(kind):
        # Arrow prints 0.0000000001 as 1E-10, which Redshift is not known to read.
        written = array.cast(pa.string())
        if not pc.any(pc.match_substring(written, "E")).as_py():
            return written
        return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.string())
    if pa.types.is_duration(kind):
        raise ValueError("a duration is no SQL type")
    return array.cast(pa.string())
