"""Bytes of Redis as text that a warehouse can hold, and that can be turned back."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from etl.extract import text

_HEX = "hex:"
_HEX_IN_JSON = re.compile(r'(?<!\\)"hex:')


def as_text(raw: bytes) -> str:
    """Bytes as text that can be turned back: UTF-8 as it is, anything else as `hex:` and its hexadecimal digits.

    Text that holds a NUL, which no warehouse stores, and text that itself begins with `hex:` go the second way too.
    So whatever begins with `hex:` in the warehouse is hexadecimal, and everything else is itself.
    """
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        return _HEX + raw.hex()
    return _HEX + raw.hex() if "\0" in plain or plain.startswith(_HEX) else plain


def value_text(value: Any) -> str | None:
    """The text of a row's field: bytes by the rule of `as_text`, dicts and lists as JSON by the same rule."""
    if isinstance(value, bytes):
        return as_text(value)
    return json.dumps(_json(value), ensure_ascii=False) if isinstance(value, dict | list) else text(value)


def plain_texts(values: Sequence[Any]) -> pa.Array | None:
    """The column of these values' texts, where all are bytes or text of which nothing needs `hex:`; else None.

    It looks at the column and not at its values, which is what makes the extract of an ordinary keyspace fast.
    """
    try:
        raw = pa.array(values, pa.binary())
        data = raw.buffers()[2]
        joined = data.to_pybytes() if data else b""
        return None if b"\0" in joined or _HEX.encode() in joined else raw.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return None


def is_coded(value: Any, said: str | None) -> bool:
    """Whether `hex:` stands in the text of this value, for something that has no plain text."""
    if isinstance(value, bytes):
        return (said or "").startswith(_HEX)
    return isinstance(value, dict | list) and bool(_HEX_IN_JSON.search(said or ""))


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return as_text(value)
    if isinstance(value, dict):
        return {as_text(name) if isinstance(name, bytes) else name: _json(inner) for name, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, list) else value
