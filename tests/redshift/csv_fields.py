"""CSV by RFC 4180 and by nothing wider: text in, whole records out, and the fields in them.

A chunk whose every quote stands where the RFC puts it goes to Arrow's reader, which is quick and finds the same
fields there; in all others each record is read by itself, and its fault named.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.csv

LONGEST_ROW = 4 << 20
_READ = 1 << 20
_LF, _CR = 10, 13


@dataclass(frozen=True)
class Chunk:
    """Whole records of a file, from its line `line`, counted from 1, and its byte `offset`.

    `blank` says that there are empty lines among them.
    """

    data: bytes
    line: int
    offset: int
    regular: bool
    blank: bool = False


@dataclass(frozen=True)
class Record:
    """`fields` without quotes, and where in `raw` each starts; `fault` is a load error's number, reason and place.

    Of a faulty record there are the fields before the fault, and the start of that which has it.
    """

    raw: bytes
    line: int
    offset: int
    fields: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    fault: tuple[int, str, int] | None = None


class Csv:
    """Files of one delimiter and one quote, both a single ASCII character."""

    def __init__(self, delimiter: str, quote: str):
        self._delimiter, self._quote = delimiter, quote
        mark = re.escape(quote.encode())
        blank = b"|".join(re.escape(sign) for sign in (b" ", b"\t") if sign not in (delimiter.encode(), quote.encode()))
        blank = b"(?:%b)*" % blank
        self._quoted = re.compile(blank + mark + b"([^%b]*(?:%b[^%b]*)*)" % (mark, mark * 2, mark) + mark + blank)
        self._bare = re.compile(b"[^%b%b\r\n]*" % (mark, re.escape(delimiter.encode())))
        self._opening = re.compile(blank + mark)

    def chunks(self, read: Callable[[int], bytes], header: int) -> Iterator[Chunk]:
        """The file's records but for its first `header` lines, in the file's order."""
        buffer, line, offset, final = b"", 1, 0, False
        while not final or buffer:
            if not final:
                more = read(_READ)
                buffer, final = buffer + more, not more
            while line <= header and (end := buffer.find(b"\n") + 1 or (len(buffer) if final else 0)):
                buffer, line, offset = buffer[end:], line + 1, offset + end
            if line <= header or not buffer:
                continue
            codes = np.frombuffer(buffer, np.uint8)
            quotes = np.flatnonzero(codes == ord(self._quote))
            end = len(buffer) if final else _last_end(codes, quotes)
            if not end and len(buffer) <= LONGEST_ROW:
                continue
            # Past a quote that is out of place nobody knows which of the others open a field and which close one.
            if end == 0 or not self._is_regular(codes[:end], quotes[quotes < end]):
                yield Chunk(buffer + b"".join(iter(lambda: read(_READ), b"")), line, offset, False)
                return
            data, buffer = buffer[:end], buffer[end:]
            yield Chunk(data, line, offset, end <= LONGEST_ROW, _has_blank_line(data, quotes))
            line, offset = line + data.count(b"\n"), offset + end

    def columns(self, chunk: Chunk, width: int, ignore_blank_lines: bool) -> list[pa.Array] | None:
        """The chunk's fields, a column each; None where rows are not of that width, or not of UTF-8."""
        # Arrow passes over a byte order mark, and takes an empty line for a row of that width.
        if chunk.data.startswith(codecs.BOM_UTF8):
            return None
        if chunk.blank and width > 1 and not ignore_blank_lines:
            return None
        names = [str(i) for i in range(width)]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(chunk.data),
                pyarrow.csv.ReadOptions(column_names=names, block_size=len(chunk.data) + 1, use_threads=False),
                pyarrow.csv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char=self._quote,
                    newlines_in_values=True,
                    ignore_empty_lines=ignore_blank_lines,
                ),
                pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
            )
        except pa.ArrowInvalid:
            return None
        return [column.combine_chunks() for column in table.columns]

    def records(self, chunk: Chunk) -> Iterator[Record]:
        """Each record, also a faulty one: after its fault the next one starts at the next line."""
        at, line = 0, chunk.line
        while at < len(chunk.data):
            record, end = self._record(chunk.data, at, line, chunk.offset)
            yield record
            line += chunk.data.count(b"\n", at, end)
            at = end

    def _is_regular(self, codes: np.ndarray, quotes: np.ndarray) -> bool:
        size = len(codes)
        returns = np.flatnonzero(codes == _CR)
        if len(returns):
            outside = returns[np.searchsorted(quotes, returns) % 2 == 0]
            if len(outside) and (outside[-1] == size - 1 or np.any(codes[outside + 1] != _LF)):
                return False
        if len(quotes) % 2:
            return False
        ends = (ord(self._delimiter), _LF)
        opening, closing = quotes[::2], quotes[1::2]
        before = codes[np.maximum(opening - 1, 0)]
        doubled = np.zeros(len(opening), bool)
        doubled[1:] = opening[1:] - 1 == closing[:-1]
        if not np.all((opening == 0) | np.isin(before, ends) | doubled):
            return False
        after = codes[np.minimum(closing + 1, size - 1)]
        doubled[:-1], doubled[-1:] = doubled[1:], False
        return bool(np.all((closing == size - 1) | np.isin(after, (*ends, _CR)) | doubled))

    def _record(self, data: bytes, start: int, line: int, offset: int) -> tuple[Record, int]:
        """The record that starts there, and where the next one does."""
        mark, delimiter = self._quote.encode(), self._delimiter.encode()
        fields: list[bytes] = []
        starts: list[int] = []
        at, rest = start, 0
        while True:
            starts.append(at - start)
            if match := self._quoted.match(data, at):
                value = match[1].replace(mark * 2, mark)
            elif self._opening.match(data, at):
                code, reason, rest = 1214, f"{_QUOTES} Unterminated quote", len(data)
                break
            else:
                match = self._bare.match(data, at)
                assert match is not None
                value = match[0]
            at = match.end()
            follows = data[at : at + 1]
            if follows == delimiter:
                fields.append(value)
                at += 1
            elif end := _end_of_line(data, at):
                raw = data[start:at]
                fault = (1216, f"Input row exceeds {LONGEST_ROW} bytes", 0) if len(raw) > LONGEST_ROW else None
                return Record(raw, line, offset + start, [*fields, value], starts, fault), end
            elif follows == b"\r":
                found = f"0x{data[at + 1 : at + 2].hex()}"
                code, reason = 1216, f"Missing newline: Unexpected character {found} found at location {at - start + 1}"
                break
            else:
                quoted = match.re is self._quoted
                code, reason = 1214, f"{_QUOTES} {'Invalid text after a quote' if quoted else 'Unterminated quote'}"
                break
        rest = rest or data.find(b"\n", at) + 1 or len(data)
        raw = data[start:rest].rstrip(b"\r\n")
        return Record(raw, line, offset + start, fields, starts, (code, reason, at - start)), rest


_QUOTES = "Invalid quote formatting for CSV."


def _last_end(codes: np.ndarray, quotes: np.ndarray) -> int:
    """Behind the last line end that is not within quotes, 0 where there is none."""
    lines = np.flatnonzero(codes == _LF)
    ends = lines[np.searchsorted(quotes, lines) % 2 == 0]
    return int(ends[-1]) + 1 if len(ends) else 0


def _has_blank_line(data: bytes, quotes: np.ndarray) -> bool:
    if not (data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data):
        return False
    lines = np.flatnonzero(np.frombuffer(data, np.uint8) == _LF)
    ends = lines[np.searchsorted(quotes, lines) % 2 == 0]
    lengths = np.diff(ends, prepend=-1)
    # Two bytes from line end to line end are an empty line too where the first is a CR.
    return bool(np.any(lengths == 1) or any(data[end - 1] == _CR for end in ends[lengths == 2]))


def _end_of_line(data: bytes, at: int) -> int:
    """Where the next line starts if this one ends here, else 0. A file may do without its last line end."""
    rest = data[at : at + 2]
    if rest[:1] == b"\n":
        return at + 1
    return len(rest) + at if rest in (b"\r\n", b"", b"\r") else 0
