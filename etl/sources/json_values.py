"""JSON read without changing a number, and the text that a warehouse column gets for each value."""

import decimal
import json
from collections.abc import Callable
from typing import Any

import msgspec

from etl.extract import text

# Past any double (1e308) a plain form is digits without end: 1e999999999 is nine letters and a gigabyte.
_LONGEST_PLAIN = 1000


def decoder(kind: Any) -> Callable[[bytes], Any]:
    """A function from JSON to a value of that msgspec type; what the type does not name is passed over quickly.

    Integers become int, other numbers Decimal. ValueError for what is not JSON, NaN included, or not of the type.
    """
    quick = msgspec.json.Decoder(kind, float_hook=decimal.Decimal)

    def decode(document: bytes) -> Any:
        try:
            return quick.decode(document)
        except (ValueError, ArithmeticError):
            # msgspec refuses half a surrogate pair, which JSON may hold and a row can do without.
            return msgspec.convert(_EXACT.decode(document.decode()), kind)

    return decode


def as_text(value: Any) -> str | None:
    """One column's text: numbers plain, objects and arrays as JSON again."""
    kind = type(value)
    if value is None or kind is str:
        return value
    if kind is int:
        return str(value)
    if kind is decimal.Decimal:
        # Plain as it is, mostly, and then quicker than by a format.
        written = str(value)
        return written if "E" not in written or abs(value.adjusted()) > _LONGEST_PLAIN else text(value)
    if kind is dict or kind is list:
        return json_text(value)
    return text(value)


def json_text(value: Any) -> str:
    """JSON with every number as it was written; json.dumps would send a Decimal through a float."""
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        # Half a surrogate pair somewhere in it, which is for the caller to find.
        if isinstance(value, dict):
            return "{" + ",".join(f"{json_text(key)}:{json_text(inner)}" for key, inner in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(json_text, value)) + "]"
        return json.dumps(value, ensure_ascii=False)


def well_formed(written: str) -> str:
    r"""The text itself, or a copy with U+FFFD for each half of a surrogate pair that JSON's \ud83d left alone.

    UTF-8 has no form for such a half. The same object comes back when nothing had to be replaced.
    """
    if written.isascii():
        return written
    try:
        written.encode()
    except UnicodeEncodeError:
        return written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return written


def _decimal(literal: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(literal)
    except decimal.InvalidOperation:
        raise ValueError(f"{literal}: no number has such an exponent") from None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


# json.loads with these options makes a decoder a call, which takes longer than a short line's decoding.
_EXACT = json.JSONDecoder(parse_float=_decimal, parse_constant=_refused)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

loads = decoder(Any)
