"""Fields as Redshift's types read them: a column at a time where its values are plain, else one by one."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from tests.redshift import times
from tests.redshift.copy_statement import CopyStatement
from tests.redshift.errors import Refused

LONGEST_TEXT = 65_535
_NONCHARACTERS = (
    "[\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)) + "]"
)
_NOT_VALID = re.compile(f"[\udc80-\udcff]|{_NONCHARACTERS}")
# What C's isspace() takes for blank.
_BLANKS = " \t\n\v\f\r"
_NUMBER = r"(\d+(\.\d*)?|\.\d+)"
_DECIMAL = re.compile(rf"[+-]?{_NUMBER}", re.ASCII)
_DECIMAL_START = re.compile(r"[+-]?\d*(\.\d*)?", re.ASCII)
_FLOAT = re.compile(rf"[+-]?({_NUMBER}(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_BOOLEANS = dict.fromkeys(("t", "true", "y", "yes", "1"), "true") | dict.fromkeys(
    ("f", "false", "n", "no", "0"), "false"
)
_INTEGERS = {"smallint": ("int2", 16), "integer": ("int4", 32), "bigint": ("int8", 64)}
_EXACT = Context(prec=200)


@dataclass(frozen=True)
class TableColumn:
    """A column of the target. `type` is what format_type says; `identity` means that Redshift numbers it itself."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    identity: bool = False


class BadValue(Exception):
    """A field that its column does not take, with Redshift's number and reason of the load error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class NotPlain(Exception):
    """A column of values that hold something for a look at each of them."""


class Field:
    """Reads one column's fields by the statement's options. `kind` and `length` are as STL_LOAD_ERRORS has them."""

    def __init__(self, column: TableColumn, statement: CopyStatement):
        self.column, self._statement = column, statement
        name, arguments = _parsed(column.type)
        self.kind, self.length, self._one, self._many = _type(name, arguments, statement)
        self.character = self.kind in ("varchar", "char")

    def many(self, values: pa.Array) -> pa.Array:
        """Text for Postgres; NotPlain where a value needs a look of its own, and perhaps is an error."""
        values = self._nulls(values)
        if not self.column.nullable and values.null_count:
            raise NotPlain
        if values.null_count == len(values):
            return values
        try:
            return self._many(values)
        except (NotPlain, pa.ArrowInvalid):
            return self._each(values)

    def one(self, raw: bytes) -> tuple[str | None, bool]:
        """Text for Postgres, and whether characters in it were replaced; BadValue where the column does not take it."""
        text, replaced = self._decoded(raw)
        if self._is_null(text):
            self.missing()
            return None, replaced
        value = self._one(text)
        if value is None:
            self.missing()
        return value, replaced

    def missing(self) -> None:
        """For a field that is NULL, or not there at all."""
        if not self.column.nullable:
            raise BadValue(1213, "Missing data for not-null field")

    def _each(self, values: pa.Array) -> pa.Array:
        coded = values.dictionary_encode()
        try:
            texts = [None if self._is_null(text) else self._one(text) for text in coded.dictionary.to_pylist()]
        except BadValue:
            raise NotPlain from None
        if None in texts and not self.column.nullable:
            raise NotPlain
        return pa.array(texts, pa.string()).take(coded.indices)

    def _nulls(self, values: pa.Array) -> pa.Array:
        """NULL for what is NULL, but for blanks in columns that are not text: no plain value is blank."""
        said = self._statement
        mask = pc.equal(values, said.null)
        if not self.character or said.empty_as_null:
            mask = pc.or_(mask, pc.equal(pc.binary_length(values), 0))
        if self.character and said.blanks_as_null:
            mask = pc.or_(mask, pc.match_substring_regex(values, f"^[{_BLANKS}]+$"))
        if self.character and said.accept_invalid and pc.any(pc.match_substring_regex(values, _NONCHARACTERS)).as_py():
            raise NotPlain
        return pc.if_else(mask, pa.scalar(None, pa.string()), values) if pc.any(mask).as_py() else values

    def _is_null(self, text: str) -> bool:
        # A quoted field that equals the token is NULL too: the documentation excepts none.
        if text == self._statement.null:
            return True
        if text.strip(_BLANKS):
            return False
        if not self.character:
            return True
        return self._statement.blanks_as_null if text else self._statement.empty_as_null

    def _decoded(self, raw: bytes) -> tuple[str, bool]:
        if not self.character:
            return raw.decode("utf-8", "replace"), False
        replacement = self._statement.accept_invalid if self.kind == "varchar" else ""
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            if not replacement:
                raise BadValue(1220, _not_utf8(error)) from None
            # A byte that is none of UTF-8's becomes a character of this range.
            text = raw.decode("utf-8", "surrogateescape")
        if not replacement:
            return text, False
        # As many as there were bytes, so that the length stays.
        clean = _NOT_VALID.sub(lambda match: replacement * len(match[0].encode("utf-8", "surrogateescape")), text)
        return clean, clean != text


_One = Callable[[str], str | None]
_Many = Callable[[pa.Array], pa.Array]


def _parsed(name: str) -> tuple[str, tuple[int, ...]]:
    """`numeric(12,2)` as its name and arguments; the schema of a type that is ours goes."""
    match = re.fullmatch(
        r'(?:"?\w+"?\.)?"?([a-z][\w ]*?)"?(?:\((\d+)(?:,\s*(\d+))?\))?( with(?:out)? time zone)?', name
    )
    if not match:
        raise Refused("0A000", f"COPY into a column of type {name} is beyond the emulator")
    return match[1] + (match[4] or ""), tuple(int(number) for number in match.group(2, 3) if number)


def _type(name: str, arguments: tuple[int, ...], said: CopyStatement) -> tuple[str, str, _One, _Many]:
    if name in ("character varying", "varchar", "text"):
        most = arguments[0] if arguments else LONGEST_TEXT
        return "varchar", str(most), *_text(most, said, single_bytes=False)
    if name in ("character", "char", "bpchar"):
        most = arguments[0] if arguments else 1
        return "char", str(most), *_text(most, said, single_bytes=True)
    if name in _INTEGERS:
        kind, bits = _INTEGERS[name]
        return kind, "0", functools.partial(_integer, bits), functools.partial(_integers, bits)
    if name in ("numeric", "decimal"):
        precision, scale = (*arguments, 0)[:2] if arguments else (18, 0)
        return "numeric", f"{precision}, {scale}", *_decimal(precision, scale, said.round_decimals)
    if name in ("real", "double precision"):
        # The least that is not 0, as documented, and the most.
        least, largest = (
            (1.1754943e-38, 3.4028235e38) if name == "real" else (2.2250738585072014e-308, 1.7976931348623157e308)
        )
        kind = "float4" if name == "real" else "float8"
        return kind, "0", functools.partial(_float, least, largest), functools.partial(_floats, least, largest)
    if name.startswith(("date", "timestamp")):
        return _moment(name, said)
    if name.startswith("time"):
        zoned = name == "time with time zone"
        return "timetz" if zoned else "time", "0", functools.partial(_time, zoned), _by_value
    if name in _OTHERS:
        kind, one = _OTHERS[name]
        return kind, "0", one, _by_value
    raise Refused("0A000", f"COPY into a column of type {name} is beyond the emulator")


def _by_value(values: pa.Array) -> pa.Array:
    raise NotPlain


def _text(most: int, said: CopyStatement, single_bytes: bool) -> tuple[_One, _Many]:
    what = "Char" if single_bytes else "String"

    def one(text: str) -> str:
        if said.trim_blanks:
            text = text.rstrip(" ")
        raw = text.encode()
        if single_bytes and not text.isascii():
            bad = next(character for character in text if not character.isascii()).encode()
            raise BadValue(
                1220,
                f"Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: {bad.hex(' ')}",
            )
        if len(raw) <= most:
            return text
        if said.truncate_columns:
            return raw[:most].decode("utf-8", "ignore")
        raise BadValue(1204, f"{what} length exceeds DDL length")

    def many(values: pa.Array) -> pa.Array:
        if pc.max(pc.binary_length(values)).as_py() > most or said.trim_blanks:
            raise NotPlain
        if single_bytes and not pc.all(pc.string_is_ascii(values)).as_py():
            raise NotPlain
        return values

    return one, many


def _integer(bits: int, text: str) -> str:
    kind = {16: "Short", 32: "Integer", 64: "Long"}[bits]
    for place, character in enumerate(text):
        if character not in "0123456789" and (character not in "+-" or place or len(text) == 1):
            raise BadValue(1207, f"Invalid digit, Value '{character}', Pos {place}, Type: {kind}")
    number = int(text)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise BadValue(1222, f"Overflow, Value '{text}', Type: {kind}")
    return str(number)


def _integers(bits: int, values: pa.Array) -> pa.Array:
    _must_match(values, r"^-?[0-9]+$")
    values.cast({16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits])
    return values


def _decimal(precision: int, scale: int, rounds: bool) -> tuple[_One, _Many]:
    whole = precision - scale
    plain = rf"^-?(0+|0*[0-9]{{1,{whole}}})(\.[0-9]{{0,{scale}}})?$" if whole else rf"^-?0+(\.[0-9]{{0,{scale}}})?$"
    step = Decimal(1).scaleb(-scale)

    def one(text: str) -> str:
        if not _DECIMAL.fullmatch(text):
            start = _DECIMAL_START.match(text)
            place = min(start.end() if start else 0, len(text) - 1)
            raise BadValue(1207, f"Invalid digit, Value '{text[place]}', Pos {place}, Type: Decimal")
        number = Decimal(text).quantize(step, ROUND_HALF_UP if rounds else ROUND_DOWN, _EXACT)
        if number.copy_abs() >= Decimal(1).scaleb(whole):
            raise BadValue(1209, f"Overflow, Value '{text}', Type: Decimal({precision},{scale})")
        return f"{number:f}"

    def many(values: pa.Array) -> pa.Array:
        _must_match(values, plain)
        return values

    return one, many


def _float(least: float, largest: float, text: str) -> str:
    if not _FLOAT.fullmatch(text):
        raise BadValue(1208, f"Invalid float format or value '{text}'")
    number = float(text)
    said = re.split("e", text, flags=re.IGNORECASE)[0].strip("+-0.")
    if "n" not in text.lower() and (not least <= abs(number) <= largest if said else number):
        raise BadValue(1204, f"Float value is out of range: '{text}'")
    return text


def _floats(least: float, largest: float, values: pa.Array) -> pa.Array:
    _must_match(values, r"^-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$")
    sizes = pc.abs(values.cast(pa.float64()))
    if pc.max(sizes).as_py() > largest:
        raise NotPlain
    # Without an exponent nobody writes a number that is too small.
    if pc.min(sizes).as_py() < least and pc.any(pc.match_substring(values, "e", ignore_case=True)).as_py():
        raise NotPlain
    return values


def _moment(name: str, said: CopyStatement) -> tuple[str, str, _One, _Many]:
    zoned = name == "timestamp with time zone"
    pattern = said.dateformat if name == "date" else said.timeformat

    def one(text: str) -> str | None:
        try:
            return times.date(text, pattern) if name == "date" else times.timestamp(text, pattern, zoned)
        except (ValueError, OverflowError):
            if said.accept_any_date:
                return None
            if name != "date":
                shown = pattern or ("YYYY-MM-DD HH24:MI:SSOF" if zoned else "YYYY-MM-DD HH24:MI:SS")
                raise BadValue(1206, f"Invalid timestamp format or value [{shown}]") from None
            if len(text) < 10 and not pattern:
                raise BadValue(1205, "Invalid Date Format - length must be 10 or more") from None
            raise BadValue(1205, f"Invalid date format or value [{pattern or 'YYYY-MM-DD'}]") from None

    def many(values: pa.Array) -> pa.Array:
        if pattern not in ("", "auto"):
            raise NotPlain
        # Neither Python nor Postgres knows a year 0, and Arrow does.
        if pc.min(values).as_py() < "0001":
            raise NotPlain
        if name == "date":
            _must_match(values, r"^\d{4}-\d\d-\d\d$")
            values.cast(pa.date32())
            return values
        separator = "[ T]" if pattern == "auto" else " "
        stamp = rf"^\d{{4}}-\d\d-\d\d{separator}\d\d:\d\d:\d\d(\.\d{{1,6}})?"
        if not zoned:
            _must_match(values, stamp + "$")
            values.cast(pa.timestamp("us"))
            return values
        _must_match(values, stamp + r"([+-]\d\d(:?\d\d)?)$")
        values.cast(pa.timestamp("us", "UTC"))
        return values

    kind = {"date": "date", "timestamp with time zone": "timestamptz"}.get(name, "timestamp")
    return kind, "0", one, many


def _time(zoned: bool, text: str) -> str:
    try:
        return times.time(text, zoned)
    except ValueError:
        raise BadValue(1206, "Invalid time format or value [HH24:MI:SS]") from None


def _boolean(text: str) -> str:
    if text.lower() not in _BOOLEANS:
        raise BadValue(1210, f"Unknown boolean format '{text}'")
    return _BOOLEANS[text.lower()]


def _super(text: str) -> str:
    try:
        json.loads(text, parse_constant=_no_constant)
    except ValueError:
        raise BadValue(1224, "Invalid JSON for a SUPER column") from None
    return text


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _varbyte(text: str) -> str:
    if len(text) % 2 or not re.fullmatch("[0-9a-fA-F]*", text):
        raise BadValue(1219, "Invalid hexadecimal value for VARBYTE")
    return rf"\x{text}"


_OTHERS: dict[str, tuple[str, _One]] = {
    "boolean": ("bool", _boolean),
    "jsonb": ("super", _super),
    "json": ("super", _super),
    "super": ("super", _super),
    "bytea": ("varbyte", _varbyte),
    "varbyte": ("varbyte", _varbyte),
}


def _must_match(values: pa.Array, pattern: str) -> None:
    if not pc.all(pc.match_substring_regex(values, pattern)).as_py():
        raise NotPlain


def _not_utf8(error: UnicodeDecodeError) -> str:
    number = {"unexpected end of data": 2, "invalid continuation byte": 4}.get(error.reason, 3)
    bad = error.object[error.start : error.end].hex(" ")
    return f"String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {bad} (error {number})"
