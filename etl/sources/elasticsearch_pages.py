"""A page of hits: decoded into the fields that are wanted and no others, and read a column at a time."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from etl.sources.elasticsearch_fields import METADATA, find
from etl.sources.json_values import decoder

Source = TypeVar("Source")


class Place(msgspec.Struct, array_like=True, gc=False):
    """Where a hit stands in its snapshot: what it was sorted by, which is one value or two."""

    first: Any
    second: Any = None

    def values(self) -> list[Any]:
        return [value for value in (self.first, self.second) if value is not None]


class Hit(msgspec.Struct, Generic[Source], rename={"id": "_id", "index": "_index", "source": "_source"}, gc=False):
    """`source` is None where the server leaves `_source` out."""

    id: str
    index: str
    source: Source | None = None
    sort: Place | None = None


class Hits(msgspec.Struct, Generic[Source]):
    hits: list[Hit[Source]]
    total: dict[str, Any] = {}


class Page(
    msgspec.Struct, Generic[Source], rename={"shards": "_shards", "clusters": "_clusters", "scroll_id": "_scroll_id"}
):
    """What a search answers."""

    hits: Hits[Source]
    shards: dict[str, Any] = {}
    timed_out: bool = False
    clusters: dict[str, Any] = {}
    scroll_id: str | None = None
    pit_id: str | None = None


class Fields:
    """The dotted paths that are wanted of each document; a field of metadata is a path too."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.wanted = [path for path in dict.fromkeys(paths) if path not in METADATA]
        # `a.b` may be written as an object `a` or as one name with a dot in it. Neither need be a name in Python.
        names = dict.fromkeys(name for path in self.wanted for name in _beginnings(path))
        self._attributes = {name: f"f{number}" for number, name in enumerate(names)}

    def decoder(self) -> Callable[[bytes], Page[Any]]:
        """A function from an answer to a page whose sources hold what is wanted, of a document however wide."""
        names = {attribute: name for name, attribute in self._attributes.items()}
        source = msgspec.defstruct("Source", [(attribute, Any, None) for attribute in names], rename=names, gc=False)
        page: Any = Page
        return decoder(page[source])

    def column(self, path: str) -> Callable[[list[Hit[Any]]], list[Any]]:
        """A function from hits to the field's value in each: None when missing, a list when there are several."""
        value = self._value(path)
        return lambda hits: list(map(value, hits))

    def _value(self, path: str) -> Callable[[Hit[Any]], Any]:
        if path in METADATA:
            return attrgetter(path.removeprefix("_"))
        if "." not in path:
            return attrgetter(f"source.{self._attributes[path]}")
        places = {name: attrgetter(f"source.{self._attributes[name]}") for name in _beginnings(path)}
        return lambda hit: find({name: place(hit) for name, place in places.items()}, path)


def _beginnings(path: str) -> list[str]:
    """`a.b.c` -> a, a.b, a.b.c"""
    parts = path.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
