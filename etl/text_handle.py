"""The text handle of an extract: what a csv.writer writes into it becomes Arrow batches of text."""

import contextlib
import csv
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

import pyarrow as pa
import pyarrow.csv

from etl.errors import DataError
from etl.parts import anonymous

_BLOCK = 1 << 20
_UTF8_BYTES = 4


class TextHandle(io.TextIOBase):
    """A handle for csv's excel dialect, which gives its rows to `publish` when it is closed.

    Leaving it on an exception, or never closing it, publishes nothing. `where` and `columns` are the extract's.
    """

    def __init__(self, publish: Callable[[Iterator[pa.RecordBatch]], object], where: str, columns: tuple[str, ...]):
        self._publish, self._where, self._columns = publish, where, columns
        # The text is spooled on local disk, because it is read again once its width is known.
        self._spool: IO[str] | None = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._row = self._longest = 0

    def writable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._spool is None

    def write(self, text: str) -> int:
        if self._spool is None:
            raise ValueError("the handle is closed")
        self._row += len(text)
        self._longest = max(self._longest, self._row)
        if text.endswith("\n"):
            self._row = 0
        try:
            return self._spool.write(text)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self._where}: {text!r:.200} is not Unicode text ({error.reason}); mend it before it is written"
            ) from None

    def close(self) -> None:
        if self._spool is None:
            return
        spool, self._spool = self._spool, None
        with contextlib.closing(spool):
            spool.flush()
            self._publish(_batches(spool, self._where, self._columns, self._longest))

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._discard()
        self.close()

    def __del__(self) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def _batches(spool: IO[str], where: str, columns: tuple[str, ...], longest: int) -> Iterator[pa.RecordBatch]:
    """What a csv.writer wrote, as text columns and nothing else: 02134 stays 02134.

    No row has more than `longest` characters.
    """
    first = None
    for _, first in _rows(spool):
        if first:
            break
    if first is None:
        return
    if columns and tuple(first) == columns:
        raise DataError(f"{where}: line 1 is a header ({', '.join(first)}); write the rows without it")
    names = columns or anonymous(len(first) or 1)
    raw = spool.buffer  # type: ignore[attr-defined]
    raw.seek(0)
    # Arrow reads 32 blocks ahead, and takes no row that is longer than a block.
    block = max(_BLOCK, _UTF8_BYTES * longest)
    try:
        yield from pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(column_names=list(names), block_size=block, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{where}: {_width_error(spool, len(names)) or error}") from None


def _width_error(spool: IO[str], width: int) -> str | None:
    for line, row in _rows(spool):
        if row and len(row) != width:
            return f"line {line} has {len(row)} fields, expected {width}: {','.join(row)[:200]}"
    return None


def _rows(spool: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Its rows as csv reads them, each with its line; a blank line has no fields."""
    spool.seek(0)
    # csv's own limit of 128 KiB a field is the process's.
    before = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader(spool)
        for row in reader:
            yield reader.line_num, row
    finally:
        csv.field_size_limit(before)
