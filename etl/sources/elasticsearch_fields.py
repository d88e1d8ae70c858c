"""From a document to a row: where a declared field lies, and what becomes of arrays."""

import contextlib
import fnmatch
import logging
from array import array
from collections import defaultdict
from collections.abc import Iterable
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError, SourceError
from etl.sources.json_values import as_text, json_text

logger = logging.getLogger("luigi-interface.etl")

METADATA = ("_id", "_index")
FAIL, FIRST, JOIN = "fail", "first", "join"

# Objects whose inner names the mapping does not list.
_OPAQUE_TYPES = ("flattened", "flat_object")

_SEPARATOR = "\0"


def check(index: str, mappings: dict[str, dict[str, Any]], fields: Iterable[str]) -> None:
    """SourceError unless each field can be in the `_source` of some index; types that differ are logged."""
    for name, mapping in mappings.items():
        if (mapping.get("_source") or {}).get("enabled", True) in (False, "false"):
            raise SourceError(f"{name}: its mapping switches _source off, so documents cannot be read back; reindex it")
    for field in fields:
        if field in METADATA:
            continue
        types: dict[str, list[str]] = defaultdict(list)
        for name, mapping in mappings.items():
            _check_kept(name, mapping, field)
            if (kind := _type_of(mapping, field)) is not None:
                types[kind].append(name)
        if not types:
            raise SourceError(
                f"{index}: no field {field} in the mapping of {_few(mappings)}{_derived(mappings, field)}; "
                f"correct `fields` or `columns`"
            )
        if len(types) > 1:
            seen = "; ".join(f"{kind} in {_few(names)}" for kind, names in sorted(types.items()))
            logger.warning("%s: field %s is %s; all of it is read as text", index, field, seen)


def settled(values: list[Any], policy: str) -> list[Any]:
    """The values under an array policy, of which `first` keeps the first and `fail` lets one pass.

    Elasticsearch has no array type: each field holds no value, one or several. So an array of one is that
    value and an empty one is none, except under `join`, where one value is written as an array of one too.
    """
    if policy == JOIN:
        return [value if value is None else _joined(value) for value in values]
    return [value if type(value) is not list else value[0] if value else None for value in values]


def text_array(values: list[Any], kinds: set[type]) -> pa.Array:
    """The text of values of these kinds; UnicodeEncodeError for half a surrogate pair."""
    if kinds == {int}:
        with contextlib.suppress(OverflowError):
            numbers = pa.py_buffer(array("q", values))
            return pa.Array.from_buffers(pa.int64(), len(values), [None, numbers]).cast(pa.string())
    if not kinds <= {str, NoneType}:
        values = list(map(as_text, values))
    if NoneType not in kinds:
        return _texts(values)
    texts = _texts(["" if value is None else value for value in values])
    known = pa.py_buffer(bytes([value is not None for value in values]))
    bits = pa.Array.from_buffers(pa.uint8(), len(values), [None, known]).cast(pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(pa.string(), len(values), [bits, *texts.buffers()[1:]])


def find(node: Any, path: str) -> Any:
    """A dotted name may be written as objects, as one name with dots in it, or both in one document."""
    if isinstance(node, list):
        found = [value for inner in node for value in _values(find(inner, path))]
        return found or None
    if not isinstance(node, dict):
        return None
    places = [node[path]] if path in node else []
    dot = path.find(".")
    while dot > 0:
        if path[:dot] in node:
            places.append(find(node[path[:dot]], path[dot + 1 :]))
        dot = path.find(".", dot + 1)
    places = [place for place in places if place is not None]
    if len(places) > 1:
        return [value for place in places for value in _values(place)]
    return places[0] if places else None


def check_policies(task: str, arrays: dict[str, str], columns: Iterable[str]) -> None:
    for column, policy in arrays.items():
        if column not in columns:
            raise DataError(f"{task}: arrays names {column}, which is none of its columns")
        if policy not in (FAIL, FIRST, JOIN):
            raise DataError(f"{task}: arrays[{column!r}] is {policy!r}; say one of {FAIL}, {FIRST}, {JOIN}")


def _texts(values: list[str]) -> pa.Array:
    """The same as `pa.array`, which imports pandas to see whether a list is a Series: a quarter second."""
    joined = _SEPARATOR.join(values).encode()
    ends = pa.py_buffer(array("i", [0, len(joined)]))
    whole = pa.Array.from_buffers(pa.string(), min(1, len(values)), [None, ends, pa.py_buffer(joined)])
    split = pc.split_pattern(whole, _SEPARATOR).flatten()
    return split if len(split) == len(values) else pa.array(values, pa.string())


def _joined(value: Any) -> str:
    return json_text(value) if type(value) is list else f"[{json_text(value)}]"


def _values(found: Any) -> list[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _type_of(mapping: dict[str, Any], field: str) -> str | None:
    """The mapped type; `unmapped` below an object that keeps what its mapping does not list; None for no field."""
    node = mapping
    for part in field.split("."):
        open_ended = node.get("type") in _OPAQUE_TYPES or node.get("enabled") in (False, "false")
        if open_ended or part not in node.get("properties", {}):
            kept = open_ended or str(node.get("dynamic", "")).lower() == "false"
            return "unmapped" if kept else None
        node = node["properties"][part] | {"dynamic": node["properties"][part].get("dynamic", node.get("dynamic"))}
    return None if node.get("type") == "alias" else node.get("type", "object")


def _derived(mappings: dict[str, dict[str, Any]], field: str) -> str:
    """Why a name that searches can use is not in any document."""
    parent, _, last = field.rpartition(".")
    for mapping in mappings.values():
        node = _node(mapping, field)
        if node.get("type") == "alias":
            return f" (it is an alias of {node.get('path')}, so read that)"
        if last in _node(mapping, parent).get("fields", {}):
            return f" (it is another way to index {parent}, so read that)"
        if field in mapping.get("runtime", {}):
            return " (it is computed when searched)"
    return ""


def _node(mapping: dict[str, Any], field: str) -> dict[str, Any]:
    node = mapping
    for part in field.split("."):
        node = node.get("properties", {}).get(part, {})
    return node


def _check_kept(name: str, mapping: dict[str, Any], field: str) -> None:
    kept = mapping.get("_source") or {}
    included = not kept.get("includes") or any(_matches(field, pattern) for pattern in kept["includes"])
    if not included or any(_matches(field, pattern) for pattern in kept.get("excludes", ())):
        raise SourceError(f"{name}: its mapping keeps field {field} out of _source, so it cannot be read back")


def _matches(field: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(field, pattern) or fnmatch.fnmatchcase(field, f"{pattern}.*")


def _few(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
