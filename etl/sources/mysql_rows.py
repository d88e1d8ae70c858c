"""Rows of bytes, as MySQL sends them, into Arrow record batches of bounded size."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError
from etl.findings import Findings
from etl.sources.mysql_types import Reading

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
    """Makes a record batch of rows whose first fields are `fields`, and counts what is lost in `findings`.

    `keys` are the places, in a row, of the values that say which row it is; they may lie behind the fields.
    """

    def __init__(self, table: str, fields: list[tuple[str, Reading]], keys: list[int], findings: Findings):
        self._table, self._fields, self._keys, self._findings = table, fields, keys, findings

    def batch(self, rows: list[Row]) -> pa.RecordBatch:
        values = list(zip(*rows, strict=True)) or [()] * len(self._fields)
        arrays, fields = [], []
        for (name, reading), column in zip(self._fields, values, strict=False):
            array = self._finished(name, reading, pa.array(column, pa.binary()), rows)
            arrays.append(array)
            fields.append(pa.field(name, array.type, metadata={b"warehouse_type": reading.warehouse_type.encode()}))
        return pa.record_batch(arrays, schema=pa.schema(fields))

    def _finished(self, name: str, reading: Reading, array: pa.Array, rows: list[Row]) -> pa.Array:
        try:
            return reading.finish(array, self._loser(name, rows))
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{self._table}.{name}: a value is no {reading.warehouse_type} ({error}); the column's type changed "
                f"while it was read, run again"
            ) from None

    def _loser(self, name: str, rows: list[Row]) -> Callable[[str, pa.Array], None]:
        def lose(reason: str, mask: pa.Array) -> None:
            places = pc.indices_nonzero(mask).to_pylist()
            samples = [self._key(rows[place]) for place in places[: Findings.SAMPLES]] if self._keys else []
            self._findings.loss(name, reason, len(places), samples)

        return lose

    def _key(self, row: Row) -> str:
        return ",".join((row[place] or b"").decode(errors="replace") for place in self._keys)
