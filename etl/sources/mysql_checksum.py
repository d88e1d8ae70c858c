"""A MySQL table as one side of a comparison: what the mirror makes of each type, as an expression of MySQL's."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pymysql

from etl.checksums import HASH_DIGITS, JOINED_BYTES, SEPARATOR, SHOWN_BYTES, Field, Grid, Kind, Side, binary, kind_of
from etl.errors import DataError
from etl.sources.mysql import columns_of
from etl.sources.mysql_catalogue import catalogue, key
from etl.sources.mysql_connection import Address, address, begin_snapshot, connected, explained
from etl.sources.mysql_read_as import overridden
from etl.sources.mysql_types import Column, Reading, quoted

# Texts that stand inside a longer expression as they are. All others do so as their MD5, since MySQL makes NULL of what
# would be longer than max_allowed_packet.
_SHORT = ("char", "varchar", "tinytext", "enum", "set", "uuid", "inet4", "inet6")
_REPLACEMENT = "_utf8mb4 x'EFBFBD'"
_SEPARATOR = f"'{SEPARATOR}'"


class MySQLTable(Side):
    """A table in the snapshot that its connection has begun, its columns read as `read_as` says; its key alone where
    nothing but the `key_only` is asked for.

    Rows whose keys are `held` take no part; values of the columns `replaced` may have U+FFFD for what is no UTF-8.
    `narrow` says that the warehouse is one whose texts have limits, which has no MD5 of bytes, and which does not say
    what digits of a double it writes: the canonical texts are then such as it can write too.
    """

    def __init__(
        self,
        connection: pymysql.Connection,
        to: Address,
        name: str,
        held: Sequence[tuple[str, ...]],
        replaced: Sequence[str],
        read_as: Mapping[str, str],
        key_only: bool = False,
        narrow: bool = False,
    ):
        columns = overridden(columns_of(catalogue(connection), to, name), read_as, f"{to.database}.{name}")
        self._connection, self._held, self._narrow = connection, held, narrow
        self._columns = {column.name: column for column in columns}
        asked = key(columns) if key_only else columns
        fields = [Field(column.name, _kind(column), column.name in replaced) for column in asked]
        super().__init__(quoted(name), fields, [column.name for column in key(columns)])

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _quote(self, name: str) -> str:
        return quoted(name)

    def _value(self, field: Field) -> str:
        return self._columns[field.name].reading.kept.format(quoted(field.name))

    def _canonical(self, field: Field) -> str:
        match field.kind:
            case "double":
                value = f"({quoted(field.name)} * 1e0)"
                return binary(value, _whole, _concatenated) if self._narrow else _double(value)
            case "bytes":
                return self._digest_of_bytes(field)
            case "long text":
                return f"MD5({self._text(field)})"
            case "text" if self._narrow:
                text = self._text(field)
                return f"IF(LENGTH({text}) <= {JOINED_BYTES}, {text}, MD5({text}))"
        return self._text(field)

    def _digest_of_bytes(self, field: Field) -> str:
        return f"MD5(HEX({self._read(field)}))" if self._narrow else f"MD5({self._read(field)})"

    def _readable(self, field: Field) -> str:
        match field.kind:
            case "double":
                return f"CAST({quoted(field.name)} * 1e0 AS CHAR)"
            case "bytes":
                return _short(self._read(field), f"HEX({self._read(field)})", self._digest_of_bytes(field))
            case "long text":
                return _short(self._text(field), self._text(field), f"MD5({self._text(field)})")
        return self._text(field)

    def _read(self, field: Field) -> str:
        """As the extractor selects it."""
        return self._columns[field.name].reading.expression.format(self._value(field))

    def _text(self, field: Field) -> str:
        """What the mirror writes, made equal for equal numbers and times."""
        column, value = self._columns[field.name], self._value(field)
        match field.kind:
            case "boolean":
                return f"CAST({value} AS UNSIGNED)"
            case "integer":
                # ZEROFILL is display; a DECIMAL that is read as an integer has a fraction.
                number = f"({value} + 0)"
                return f"CAST({value} AS UNSIGNED)" if column.data_type == "bit" else _without_zeros(number, column)
            case "decimal":
                return _without_zeros(self._read(field), column)
            case "date":
                return f"CAST({value} AS CHAR)"
            case "time":
                return f"DATE_FORMAT({value}, '%Y-%m-%d %H:%i:%s.%f')"
            case "clock":
                return _without_zeros(self._read(field), column)
        text = f"CONVERT({self._read(field)} USING utf8mb4)"
        if not field.replaced:
            return f"REPLACE({text}, CHAR(0 USING utf8mb4), {_REPLACEMENT})"
        # For each byte that is no UTF-8 MySQL writes a question mark.
        raw = f"CAST({self._read(field)} AS BINARY)"
        broken = f"{raw} <> CAST(CONVERT({raw} USING utf8mb4) AS BINARY)"
        return f"IF({broken} OR LOCATE(x'EFBFBD', {raw}) OR LOCATE(x'00', {raw}), {_REPLACEMENT}, {text})"

    def _joined(self, texts: Sequence[str]) -> str:
        return texts[0] if len(texts) == 1 else f"CONCAT({f', {_SEPARATOR}, '.join(texts)})"

    def _hash(self, text: str) -> str:
        return f"CAST(CONV(LEFT(MD5({text}), {HASH_DIGITS}), 16, 10) AS UNSIGNED)"

    def _cell(self, position: str, grid: Grid) -> str:
        return f"(CAST({position} AS DECIMAL(20)) - {grid.first}) DIV {grid.width}"

    def _excluded(self) -> str:
        if not (self._held and self.key):
            return ""
        read = ", ".join(_as_read(self._columns[name]) for name in self.key)
        keys = ", ".join(self._connection.escape(SEPARATOR.join(values)) for values in self._held)
        # As bytes: a collation would take other keys for equal ones.
        return f"CAST(CONCAT_WS({_SEPARATOR}, {read}) AS BINARY) NOT IN ({keys})"


@contextlib.contextmanager
def opened(
    name: str,
    held: Sequence[tuple[str, ...]],
    replaced: Sequence[str],
    read_as: Mapping[str, str],
    narrow: bool = False,
) -> Iterator[MySQLTable]:
    """A table as it is now; it stays as it is while the comparison lasts."""
    to = address()
    with connected(to) as connection, explained(to, f"{to.database}.{name}"):
        table = MySQLTable(connection, to, name, held, replaced, read_as, narrow=narrow)
        begin_snapshot(connection)
        yield table


def _kind(column: Column) -> Kind:
    if _is_bytes(column.reading):
        return "bytes"
    kind = kind_of(column.reading.warehouse_type)
    if kind is None:
        raise DataError(f"{column.table}.{column.name}: {column.reading.warehouse_type} cannot be compared yet")
    return "long text" if kind == "text" and column.data_type not in _SHORT else kind


def _as_read(column: Column) -> str:
    """A value of a key as the mirror writes it, and with it the quarantine."""
    read = column.reading.expression.format(quoted(column.name))
    if _is_bytes(column.reading):
        return f"HEX({read})"
    return f"CONCAT({read}, '+00')" if column.reading.warehouse_type == "TIMESTAMPTZ" else read


def _is_bytes(reading: Reading) -> bool:
    return bool(pa.types.is_binary(reading.arrow))


def _without_zeros(text: str, column: Column) -> str:
    """Without those at the end of a fraction, where the column has one."""
    fraction = column.fraction if column.data_type == "time" else column.scale
    return f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))" if fraction else text


def _short(value: str, readable: str, digest: str) -> str:
    return f"IF(LENGTH({value}) <= {SHOWN_BYTES}, {readable}, CONCAT(LENGTH({value}), ' bytes with MD5 ', {digest}))"


def _whole(number: str) -> str:
    return f"CAST(CAST({number} AS SIGNED) AS CHAR)"


def _concatenated(texts: Sequence[str]) -> str:
    return f"CONCAT({', '.join(texts)})"


_IS_SCALED = "ABS({}) BETWEEN 1e15 AND 1e41"


def _double(value: str) -> str:
    """See `Side._canonical`; Postgres's twin of this says why."""
    shown = f"CAST(ABS({_scaled(value)}) AS CHAR)"
    mantissa = f"SUBSTRING_INDEX({shown}, 'e', 1)"
    digits = f"REPLACE({mantissa}, '.', '')"
    exponent = (
        f"IF(LOCATE('e', {shown}), CAST(SUBSTRING_INDEX({shown}, 'e', -1) AS SIGNED), 0) "
        f"+ LENGTH(SUBSTRING_INDEX({mantissa}, '.', 1)) - LENGTH({digits}) + LENGTH(TRIM(LEADING '0' FROM {digits}))"
    )
    mark = f"IF({_IS_SCALED.format(value)}, 'b', 'e')"
    written = f"CONCAT(IF({value} < 0, '-', ''), TRIM(BOTH '0' FROM {digits}), {mark}, {exponent})"
    return f"IF({value} = 0 OR ABS({value}) BETWEEN 1e-4 AND 999999999999999e0, CAST({value} AS CHAR), {written})"


def _scaled(value: str) -> str:
    return f"IF({_IS_SCALED.format(value)}, {value} * 7.888609052210118e-31, {value})"
