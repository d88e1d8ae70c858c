"""How each MySQL type is read, and what it is in the warehouse: one `Reading` a type.

An expression in the SELECT list does what only the server can do exactly (`CAST(... AS CHAR)` of a zero
date), and a `finish` mends what came of a column in Arrow. No value changes unless it is counted as lost.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE

from etl.errors import DataError
from etl.sources import mysql_bounds

# Called with the reason, a mask of the values that cannot be kept, and what becomes of them where the column's owner
# says nothing; returns what does become of them.
Lose = Callable[[str, Any, str], str]
Finish = Callable[[pa.Array, Lose], pa.Array]


_STRING = pa.string()


@dataclass(frozen=True)
class Reading:
    """`expression` takes the quoted column name for {}; its values, as `arrow`, are what `finish` takes.

    `whole` says that a value may be megabytes large, or that the server only warns of those that it makes NULL.
    `kept` is, for a comparison, what the server takes for {}: NULL in place of a value of which `finish` makes NULL.
    `said` is what `read_as` says of the column, where it says something. `shown` makes of a value what people know.
    `bound` says how much room a value needs at most, for a warehouse that must be told.
    """

    expression: str
    warehouse_type: str
    finish: Finish
    arrow: pa.DataType = _STRING
    whole: bool = False
    kept: str = "{}"
    said: str = ""
    shown: Callable[[Any], Any] | None = None
    bound: str = ""


@dataclass(frozen=True)
class Column:
    """A column as information_schema describes it; `declared` is its type as CREATE TABLE writes it.

    `precision` and `scale` are those of a DECIMAL, `fraction` the digits of a TIME's, DATETIME's or
    TIMESTAMP's seconds; `characters` and `octets` are the most that a text or bytes may have. `key` counts from 1
    along the columns that identify a row, and is 0 outside of them. `override` is how its owner wants it read.
    """

    table: str
    name: str
    data_type: str
    declared: str
    nullable: bool
    precision: int | None
    scale: int | None
    fraction: int | None
    characters: int | None = None
    octets: int | None = None
    charset: str | None = None
    key: int = 0
    override: Reading | None = None

    @property
    def reading(self) -> Reading:
        """DataError for a type that is not known here: guessing would lose something without a word."""
        return self.override or replace(self._own, bound=self._bound)

    @property
    def _own(self) -> Reading:
        unsigned = "unsigned" in self.declared
        if self.data_type in INTEGERS:
            signed_type, unsigned_type = INTEGERS[self.data_type]
            arrow = pa.uint64() if unsigned_type == "NUMERIC(20,0)" and unsigned else pa.int64()
            return Reading("{}", unsigned_type if unsigned else signed_type, as_it_is, arrow)
        if self.data_type == "bit":
            return _bit(self.precision or 1)
        if self.data_type == "time":
            return Reading(_seconds(self.fraction or 0), "NUMERIC", as_it_is)
        if self.data_type == "date" and not self.key:
            # A number is sent and read in half the time of a text. A key stays one, since people see it.
            return _NUMBERED_DATE
        if self.data_type in _READINGS:
            return _READINGS[self.data_type]
        raise DataError(
            f"{self.table}.{self.name}: MySQL type {self.declared} has no place in the warehouse yet; write "
            f"read_as = {{{self.name!r}: 'text'}} in its extractor, or name the other columns in `columns`"
        )

    @property
    def _bound(self) -> str:
        if self.data_type in TEXTS or self.data_type in ("enum", "set"):
            return mysql_bounds.of_text(self.characters, self.octets, self.charset)
        if self.data_type in BYTES:
            return mysql_bounds.of_hex(self.octets)
        if self.data_type == "decimal":
            return mysql_bounds.of_decimal(self.precision, self.scale)
        if self.data_type == "time":
            return mysql_bounds.of_seconds(self.fraction or 0)
        return _BOUNDS.get(self.data_type, mysql_bounds.LONGEST if self._own.warehouse_type == "TEXT" else "")


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def of_result(name: str, code: int, binary: bool, unsigned: bool, length: int, decimals: int) -> Reading:
    """How to read a column of a query's result, of which only the wire's field description is known.

    DataError where the text that MySQL sends is not the value, which only the query itself can mend.
    """
    if code in _REFUSED:
        kind, cure = _REFUSED[code]
        raise DataError(f"column {name}: {kind}; write {cure} AS `{name}` in sql")
    if code in _RESULT_INTEGERS:
        big = code == FIELD_TYPE.LONGLONG and unsigned
        return _BIG if big else Reading("{}", "BIGINT", as_it_is, pa.int64())
    if code in _RESULT_DECIMALS:
        return Reading("{}", "NUMERIC", as_it_is, bound=mysql_bounds.of_wire_decimal(length, decimals, unsigned))
    if code in _RESULT_READINGS:
        return _RESULT_READINGS[code]
    binary = binary and code != FIELD_TYPE.JSON
    return replace(_BINARY if binary else _TEXT, bound=mysql_bounds.of_wire_text(code, length, binary))


def as_text(values: pa.Array, lose: Lose) -> pa.Array:
    """Bytes as text; what is not UTF-8 becomes U+FFFD and is counted."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        pass
    raw = values.to_pylist()
    wrong = pa.array([value is not None and not _is_utf8(value) for value in raw])
    if lose("invalid UTF-8 replaced", wrong, "replace") == "null":
        raw = [value if value is not None and _is_utf8(value) else None for value in raw]
    return pa.array([None if value is None else value.decode(errors="replace") for value in raw], pa.string())


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_it_is(values: pa.Array, lose: Lose) -> pa.Array:
    return values


def as_hex(values: pa.Array, lose: Lose) -> pa.Array:
    # In Python and not by MySQL's HEX(), which makes NULL of a value whose hex exceeds max_allowed_packet.
    return pa.array([None if value is None else value.hex().upper() for value in values.to_pylist()], pa.string())


def _year(values: pa.Array, lose: Lose) -> pa.Array:
    return without(values, pc.equal(values, 0), "zero year", lose)


def _day(values: pa.Array, lose: Lose) -> pa.Array:
    try:
        days = values.cast(pa.date32())
    except pa.ArrowInvalid:
        return _date(values, lose).cast(pa.date32())
    # The year 0 is one to Arrow, and to no warehouse.
    return _date(values, lose).cast(pa.date32()) if pc.any(pc.less(days, _FIRST_DAY)).as_py() else days


def _day_of_number(values: pa.Array, lose: Lose) -> pa.Array:
    """From 20220304; a date that no calendar has is NULL, as in `_date`."""
    numbers = values.fill_null(10101).to_numpy()
    year, month, day = numbers // 10000, numbers // 100 % 100, numbers % 100
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    zero = (year == 0) | (month == 0) | (day == 0)
    invalid = ~zero & (days.astype("datetime64[M]") != months)
    dates = pa.array(days, pa.date32(), mask=values.is_null().to_numpy(zero_copy_only=False))
    dates = without(dates, pa.array(zero), "zero date", lose)
    return without(dates, pa.array(invalid), "invalid date", lose)


def _as_mysql_writes_it(number: int) -> str:
    return f"{number // 10000:04}-{number // 100 % 100:02}-{number % 100:02}"


def _date(values: pa.Array, lose: Lose) -> pa.Array:
    """The text as MySQL writes it; a date that no calendar has (0000-00-00, 2022-11-00, 2022-02-31) is NULL."""
    dates = without(values, pc.match_substring_regex(values, "^0000|-00"), "zero date", lose)
    days = pc.utf8_slice_codeunits(dates, 0, 10)
    try:
        days.cast(pa.date32())
    except pa.ArrowInvalid:
        dates = without(dates, pa.array([not _is_date(day) for day in days.to_pylist()]), "invalid date", lose)
    return dates


def _is_date(day: str | None) -> bool:
    try:
        return day is None or bool(datetime.date.fromisoformat(day))
    except ValueError:
        return False


def _instant(values: pa.Array, lose: Lose) -> pa.Array:
    """A TIMESTAMP, which the connection's time zone makes UTC, and whose text does not say so."""
    return pc.binary_join_element_wise(_date(values, lose), "+00", "")


def without(values: pa.Array, mask: pa.Array, reason: str, lose: Lose, default: str = "null") -> pa.Array:
    """The values with NULL for the masked ones, which no warehouse can keep under any policy."""
    mask = pc.fill_null(mask, False)
    if not pc.any(mask).as_py():
        return values
    lose(reason, mask, default)
    return pc.if_else(mask, pa.scalar(None, values.type), values)


def _bit(width: int) -> Reading:
    if width == 1:
        return Reading("CAST({} AS UNSIGNED)", "BOOLEAN", as_it_is, pa.bool_())
    if width < 64:
        return Reading("CAST({} AS UNSIGNED)", "BIGINT", as_it_is, pa.int64())
    return Reading("CAST({} AS UNSIGNED)", "NUMERIC(20,0)", as_it_is, pa.uint64())


def _seconds(fraction: int) -> str:
    """Signed seconds, -3020399.999999 to 3020399.999999: a MySQL TIME is a duration, and no warehouse's is."""
    # MySQL's TIME_TO_SEC drops the fraction, MariaDB's keeps it; HOUR and the rest are without sign on both.
    seconds = "IF({0} < 0, '-', ''), HOUR({0}) * 3600 + MINUTE({0}) * 60 + SECOND({0})"
    if not fraction:
        return f"CONCAT({seconds})"
    return f"CONCAT({seconds}, '.', LEFT(LPAD(MICROSECOND({{0}}), 6, '0'), {fraction}))"


# Signed, unsigned. The display width says nothing: TINYINT(1) holds -128 to 127, and MySQL 8 hides most widths.
INTEGERS = {
    "tinyint": ("SMALLINT", "SMALLINT"),
    "smallint": ("SMALLINT", "INTEGER"),
    "mediumint": ("INTEGER", "INTEGER"),
    "int": ("INTEGER", "BIGINT"),
    "bigint": ("BIGINT", "NUMERIC(20,0)"),
}

TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")

_BOUNDS = {"uuid": mysql_bounds.UUID, "inet4": mysql_bounds.INET4, "inet6": mysql_bounds.INET6}

_TEXT = Reading("{}", "TEXT", as_it_is)
_LONG_TEXT = Reading("{}", "TEXT", as_it_is, whole=True)
_CAST_TEXT = Reading("CAST({} AS CHAR)", "TEXT", as_it_is)
_BINARY = Reading("{}", "TEXT", as_hex, pa.binary())
_LONG_BINARY = Reading("{}", "TEXT", as_hex, pa.binary(), whole=True)
_SPATIAL = Reading("ST_AsText({})", "TEXT", as_it_is, whole=True)
_BIG = Reading("{}", "NUMERIC(20,0)", as_it_is, pa.uint64())
_FIRST_DAY = pa.scalar(datetime.date.min, pa.date32())
# Zero dates, those with a zero in them, and the 31st of February: FROM_DAYS mends them, or gives NULL.
_OF_A_CALENDAR = "IF(YEAR({0}) > 0 AND FROM_DAYS(TO_DAYS({0})) = DATE({0}), {0}, NULL)"
# A FLOAT is sent with 6 digits, 16777216 as 16777200; as a double it is sent so that it reads back the same.
_FLOAT = Reading("({} * 1e0)", "DOUBLE PRECISION", as_it_is, pa.float64())

_NUMBERED_DATE = Reading("({} + 0)", "DATE", _day_of_number, pa.int64(), kept=_OF_A_CALENDAR, shown=_as_mysql_writes_it)

_READINGS: dict[str, Reading] = {
    "decimal": Reading("CAST({} AS CHAR)", "NUMERIC", as_it_is),
    "float": _FLOAT,
    "double": _FLOAT,
    "date": Reading("CAST({} AS CHAR)", "DATE", _day, kept=_OF_A_CALENDAR),
    "datetime": Reading("CAST({} AS CHAR)", "TIMESTAMP", _date, kept=_OF_A_CALENDAR),
    "timestamp": Reading("CAST({} AS CHAR)", "TIMESTAMPTZ", _instant, kept=_OF_A_CALENDAR),
    "year": Reading("{}", "SMALLINT", _year, pa.int64(), kept="NULLIF({} + 0, 0)"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "enum", "set"), _TEXT),
    **dict.fromkeys(("mediumtext", "longtext", "json"), _LONG_TEXT),
    **dict.fromkeys(("uuid", "inet4", "inet6"), _CAST_TEXT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob"), _BINARY),
    **dict.fromkeys(("mediumblob", "longblob"), _LONG_BINARY),
    **dict.fromkeys(("geometry", "point", "linestring", "polygon"), _SPATIAL),
    **dict.fromkeys(
        ("multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection"), _SPATIAL
    ),
}

_RESULT_INTEGERS = {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG}

_RESULT_DECIMALS = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}

_RESULT_READINGS: dict[int, Reading] = {
    FIELD_TYPE.DOUBLE: Reading("{}", "DOUBLE PRECISION", as_it_is, pa.float64()),
    FIELD_TYPE.DATE: Reading("{}", "DATE", _day),
    FIELD_TYPE.NEWDATE: Reading("{}", "DATE", _day),
    FIELD_TYPE.DATETIME: Reading("{}", "TIMESTAMP", _date),
    FIELD_TYPE.TIMESTAMP: Reading("{}", "TIMESTAMPTZ", _instant),
    FIELD_TYPE.YEAR: Reading("{}", "SMALLINT", _year, pa.int64()),
    FIELD_TYPE.TIME: replace(_TEXT, bound=mysql_bounds.TIME_AS_TEXT),
}

_REFUSED = {
    FIELD_TYPE.FLOAT: ("MySQL sends a FLOAT with 6 digits only", "x * 1e0"),
    FIELD_TYPE.BIT: ("MySQL sends a BIT as raw bytes", "CAST(x AS UNSIGNED)"),
    FIELD_TYPE.GEOMETRY: ("MySQL sends a geometry as raw bytes", "ST_AsText(x)"),
}
