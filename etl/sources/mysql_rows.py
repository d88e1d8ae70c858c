"""Rows of bytes, as MySQL sends them, into Arrow record batches of bounded size."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from etl.errors import DataError
from etl.findings import Findings, Sieve
from etl.sources.mysql_types import Reading, as_text

Row = tuple[bytes | None, ...]

_ROWS_A_BATCH = 10_000
_BYTES_A_BATCH = 16 << 20
_ROWS_A_FETCH = 100


def chunked(cursor: Any) -> Iterator[list[Row]]:
    """The cursor's rows, in chunks that stay small in memory also where single values are large."""
    rows: list[Row] = []
    size = 0
    while fetched := cursor.fetchmany(_ROWS_A_FETCH):
        rows += fetched
        size += sum(map(len, filter(None, chain.from_iterable(fetched))))
        if len(rows) >= _ROWS_A_BATCH or size >= _BYTES_A_BATCH:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


class Decoder:
    """Makes a record batch of columns whose first are `fields`, and settles what is lost in `findings`.

    `keys` are the places, in a row, of the values that say which row it is; they may lie behind the fields.
    """

    def __init__(self, table: str, fields: list[tuple[str, Reading]], keys: list[int], findings: Findings):
        self._table, self._fields, self._keys, self._findings = table, fields, keys, findings

    def rows(self, rows: list[Row]) -> pa.RecordBatch:
        """Rows of bytes, as PyMySQL gives them."""
        values = list(zip(*rows, strict=True)) or [()] * max(len(self._fields), *(place + 1 for place in self._keys), 1)
        return self.columns([pa.array(column, pa.binary()) for column in values])

    def columns(self, columns: list[pa.Array]) -> pa.RecordBatch:
        """Columns of bytes, or in the types that the server gave them."""
        names = [name for name, _ in self._fields]
        read = pa.record_batch(columns[: len(names)], names=names)
        shown = {name: reading.shown for name, reading in self._fields if reading.shown}
        sieve = Sieve(self._findings, read, [columns[place] for place in self._keys], shown)
        arrays, fields = [], []
        for (name, reading), column in zip(self._fields, columns, strict=False):
            array = self._finished(name, reading, column, sieve)
            arrays.append(array)
            said = {"warehouse_type": reading.warehouse_type, "warehouse_bound": reading.bound}
            fields.append(pa.field(name, array.type, metadata=said))
        return sieve.kept(pa.record_batch(arrays, schema=pa.schema(fields)))

    def _finished(self, name: str, reading: Reading, array: pa.Array, sieve: Sieve) -> pa.Array:
        def lose(reason: str, mask: pa.Array, default: str) -> str:
            return sieve.lose(name, reason, mask, default)

        try:
            # PyMySQL's bytes, and connectorx's.
            raw = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
            if raw and not pa.types.is_binary(reading.arrow):
                array = as_text(array, lose)
            return reading.finish(array.cast(reading.arrow), lose)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{self._table}.{name}: a value is no {reading.warehouse_type} ({error}); the column's type changed "
                f"while it was read, run again"
            ) from None
