"""What an extractor's `read_as` may say of a column, and how the column is then read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError
from etl.sources import mysql_bounds
from etl.sources.mysql_types import BYTES, INTEGERS, TEXTS, Column, Lose, Reading, as_hex, as_it_is, without

# What Redshift's NUMERIC has room for.
_MOST_DIGITS = 38
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


def overridden(columns: list[Column], read_as: Mapping[str, str], what: str) -> list[Column]:
    """The columns, read as `read_as` says of them; DataError where it names none of them, or what does not fit it."""
    names = [column.name for column in columns]
    if strange := [name for name in read_as if name not in names]:
        raise DataError(
            f"{what}: read_as names a column {strange[0]}; its columns are {', '.join(names)}. Correct read_as"
        )
    return [
        replace(column, override=_reading(column, read_as[column.name])) if column.name in read_as else column
        for column in columns
    ]


def _reading(column: Column, said: str) -> Reading:
    digits = _NUMERIC.fullmatch(said)
    read = _numeric(int(digits[1]), int(digits[2])) if digits else _WORDS.get(said, _unknown)
    if reading := read(column):
        return replace(reading, said=said)
    words = {f"numeric(p,s) with s <= p <= {_MOST_DIGITS}": _numeric(_MOST_DIGITS, 0), **_WORDS}
    fitting = ", ".join(word for word, read in words.items() if read(column))
    raise DataError(
        f"{column.table}.{column.name}: MySQL type {column.declared} cannot be read as {said!r}; of it read_as may "
        f"say: {fitting}"
    )


# ---- for each word: how the column is read, or None where the word does not fit its type


def _unknown(column: Column) -> None:
    return None


def _boolean(column: Column) -> Reading | None:
    if column.declared == "bit(1)":
        return column.reading
    if column.data_type not in INTEGERS:
        return None
    kept = "IF({0} IN (0, 1), {0}, NULL)"
    return replace(column.reading, warehouse_type="BOOLEAN", finish=_zero_or_one, kept=kept)


def _zero_or_one(values: pa.Array, lose: Lose) -> pa.Array:
    strange = pc.invert(pc.is_in(values, pa.array([0, 1], values.type)))
    return without(values, pc.and_(strange, pc.is_valid(values)), "not 0 or 1", lose).cast(pa.bool_())


def _uuid(column: Column) -> Reading | None:
    if column.declared == "binary(16)":
        # By MySQL, so that a row's key is the same text wherever it is shown.
        return Reading(f"LOWER({_with_hyphens('HEX({})')})", "TEXT", as_it_is, bound=mysql_bounds.UUID)
    if column.declared == "char(36)":
        shape = _UUID.replace("{", "{{").replace("}", "}}")
        kept = f"IF(LOWER({{0}}) REGEXP '{shape}', {{0}}, NULL)"
        return Reading("LOWER({})", "TEXT", _a_uuid, kept=kept, bound=mysql_bounds.UUID)
    return column.reading if column.data_type == "uuid" else None


def _with_hyphens(text: str) -> str:
    for place in (9, 14, 19, 24):
        text = f"INSERT({text}, {place}, 0, '-')"
    return text


def _a_uuid(values: pa.Array, lose: Lose) -> pa.Array:
    return _matching(values, values, _UUID, "not a UUID", lose)


def _numeric(precision: int, scale: int) -> Callable[[Column], Reading | None]:
    whole = precision - scale
    kept = f"IF({{0}} = TRUNCATE({{0}}, {scale}) AND {{0}} > -1{'0' * whole} AND {{0}} < 1{'0' * whole}, {{0}}, NULL)"

    def finish(values: pa.Array, lose: Lose) -> pa.Array:
        fitting = rf"^-?0*[0-9]{{0,{whole}}}(\.[0-9]{{0,{scale}}}0*)?$"
        reason = f"does not fit numeric({precision},{scale})"
        return _matching(values, values.cast(pa.string()), fitting, reason, lose)

    def read(column: Column) -> Reading | None:
        if column.data_type not in (*INTEGERS, "decimal") or not 0 < precision <= _MOST_DIGITS or whole < 0:
            return None
        kind, bound = f"NUMERIC({precision},{scale})", mysql_bounds.of_decimal(precision, scale)
        return replace(column.reading, warehouse_type=kind, finish=finish, kept=kept, bound=bound)

    return read


def _time(column: Column) -> Reading | None:
    kept = "IF({0} BETWEEN TIME'00:00:00' AND TIME'23:59:59.999999', {0}, NULL)"
    return Reading("CAST({} AS CHAR)", "TIME", _of_a_day, kept=kept) if column.data_type == "time" else None


def _of_a_day(values: pa.Array, lose: Lose) -> pa.Array:
    return _matching(values, values, "^([01][0-9]|2[0-3]):", "not a time of day", lose)


def _text(column: Column) -> Reading:
    """Of a type that is not known too, as far as the server can write it."""
    if column.data_type == "binary":
        bound = mysql_bounds.of_raw_text(column.octets)
        return Reading("{}", "TEXT", _unpadded, kept="TRIM(TRAILING x'00' FROM {})", bound=bound)
    if column.data_type in BYTES:
        bound = mysql_bounds.of_raw_text(column.octets)
        return replace(column.reading, finish=as_it_is, arrow=pa.string(), bound=bound)
    if column.data_type in ("bit", "float", "double"):
        expression = f"CAST({column.reading.expression} AS CHAR)"
        return Reading(expression, "TEXT", as_it_is, bound=mysql_bounds.NUMBER_AS_TEXT)
    if column.data_type in (*INTEGERS, "decimal", "date", "datetime", "timestamp", "time", "year"):
        return Reading("CAST({} AS CHAR)", "TEXT", as_it_is, bound=mysql_bounds.NUMBER_AS_TEXT)
    try:
        return column.reading
    except DataError:
        return Reading("CAST({} AS CHAR)", "TEXT", as_it_is, whole=True, bound=mysql_bounds.LONGEST)


def _unpadded(values: pa.Array, lose: Lose) -> pa.Array:
    return pc.ascii_rtrim(values, characters="\0")


def _hex(column: Column) -> Reading | None:
    if column.data_type in BYTES:
        return column.reading
    if column.data_type not in TEXTS:
        return None
    return replace(_raw(column), finish=as_hex, arrow=pa.binary(), bound=mysql_bounds.of_hex(column.octets))


def _utf8(column: Column) -> Reading | None:
    return _raw(column) if column.data_type in TEXTS else None


def _raw(column: Column) -> Reading:
    """The bytes as they are stored, in whichever character set; the decoder takes them for UTF-8."""
    bound = mysql_bounds.of_raw_text(column.octets)
    return replace(column.reading, expression="CAST({} AS BINARY)", bound=bound)


def _matching(values: pa.Array, texts: pa.Array, pattern: str, reason: str, lose: Lose) -> pa.Array:
    return without(values, pc.invert(pc.match_substring_regex(texts, pattern)), reason, lose)


_WORDS: dict[str, Callable[[Column], Reading | None]] = {
    "boolean": _boolean,
    "uuid": _uuid,
    "time": _time,
    "text": _text,
    "hex": _hex,
    "utf8": _utf8,
}
