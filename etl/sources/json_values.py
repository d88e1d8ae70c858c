"""JSON read without changing a number, and the text that a warehouse column gets for each value."""

import decimal
import json
from typing import Any

from etl.extract import text

# Past any double (1e308) a plain form is digits without end: 1e999999999 is nine letters and a gigabyte.
_LONGEST_PLAIN = 1000


def loads(document: bytes) -> Any:
    """Python values; integers as int, other numbers as Decimal. ValueError for what is not JSON, NaN included."""
    return _DECODER.decode(document.decode())


def as_text(value: Any) -> str | None:
    """One column's text: numbers plain, objects and arrays as JSON again."""
    kind = type(value)
    if value is None or kind is str:
        return value
    if kind is int:
        return str(value)
    if kind is dict or kind is list:
        return json_text(value)
    if kind is decimal.Decimal and abs(value.adjusted()) > _LONGEST_PLAIN:
        return str(value)
    return text(value)


def json_text(value: Any) -> str:
    """JSON with every number as it was written; json.dumps would send a Decimal through a float."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(key)}:{json_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, decimal.Decimal):
        return str(value)
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
_DECODER = json.JSONDecoder(parse_float=_decimal, parse_constant=_refused)
