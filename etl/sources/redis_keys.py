"""The keys of a Redis that match a pattern, with what they hold: small keys many at a time, big ones in pages."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import redis

from etl.findings import Findings
from etl.sources.redis_connection import Command, Sent, Server

_PAGE = 1000  # keys of a pipeline, and the elements of a key above which it is read in pages
_PIPELINE_BYTES = 8 << 20
_ELEMENT_BYTES = 100  # only STRLEN tells bytes; of the other types Redis tells the number of elements

_SIZE = {"string": "STRLEN", "hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN"}
_WHOLE: dict[str, Command] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    "stream": ("XRANGE", "-", "+"),
}
_SCAN = {"hash": "HSCAN", "set": "SSCAN", "zset": "ZSCAN"}

_Item = TypeVar("_Item")


class Key(NamedTuple):
    """`type` is what TYPE says, but `hyperloglog` for such strings. `expires_at` is None for a key that stays."""

    name: bytes
    type: str
    expires_at: datetime | None
    read_at: datetime


class Element(NamedTuple):
    """One element of a key, in the bytes that Redis holds.

    | type        | field        | value                          | score |
    | string      | None         | the string                     |       |
    | hyperloglog | None         | PFCOUNT, an int                |       |
    | hash        | field        | its value                      |       |
    | list        | index, text  | the item                       |       |
    | set         | member       | None                           |       |
    | zset        | member       | None                           | score |
    | stream      | entry id     | {field: value or list of them} |       |
    """

    field: bytes | str | None
    value: Any
    score: float | None = None


class Elements(NamedTuple):
    """Elements of one key as columns, each as long as the others: `map(Element, *elements)` is one after the other."""

    fields: Sequence[Any]
    values: Sequence[Any]
    scores: Sequence[float | None]


class Group(NamedTuple):
    """The keys of one pipeline: small ones, whose `replies` are for `elements` to read, and big ones for `pages`."""

    small: list[Key]
    replies: list[Any]
    big: list[Key]


class KeyReader:
    """Reads keys from `server`, and counts in `findings` those that it met and could not read."""

    def __init__(self, server: Server, findings: Findings):
        self._server, self._findings = server, findings

    def groups(self, pattern: str | bytes) -> Iterator[Group]:
        """The matching keys, each once.

        While a group is used the next one is on its way, unless the two together are large.
        """
        before: tuple[_Part, Sent] | None = None
        for part in self._parts(pattern):
            if before and before[0].expected + part.expected > _PIPELINE_BYTES:
                yield self._read(*before)
                before = None
            whole = ((_WHOLE[key.type][0], key.name, *_WHOLE[key.type][1:]) for key in part.small)
            sent = self._server.send(whole, mixed=True)
            if before:
                yield self._read(*before)
            before = part, sent
        if before:
            yield self._read(*before)

    def pages(self, key: Key) -> Iterator[Elements]:
        """A big key's elements, a page a round trip. A list that is pushed to at its head meanwhile shifts."""
        if key.type == "list":
            yield from self._pages_of_list(key)
        elif key.type == "stream":
            yield from self._pages_of_stream(key)
        else:
            yield from self._pages_of_scan(key)
        if not self._ask("EXISTS", key.name):
            self._gone()

    def _scanned(self, pattern: str | bytes) -> Iterator[list[bytes]]:
        seen: set[bytes] = set()
        page: list[bytes] = []
        sent: Sent | None = self._scan(b"0", pattern)
        while sent:
            [[cursor, names]] = sent.replies()
            sent = self._scan(cursor, pattern) if cursor != b"0" else None
            page += [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(names)
            # With a rare pattern a page of SCAN holds next to nothing; it is not worth three round trips.
            if page and (len(page) >= _PAGE or not sent):
                yield page
                page = []

    def _scan(self, cursor: bytes, pattern: str | bytes) -> Sent:
        return self._server.send([("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)])

    def _typed(self, pattern: str | bytes) -> Iterator[tuple[list[bytes], Sent]]:
        for names in self._scanned(pattern):
            yield names, self._server.send(("TYPE", name) for name in names)

    def _sized(self, pattern: str | bytes) -> Iterator[tuple[list[bytes], list[str], Sent]]:
        for found, sent in _ahead(self._typed(pattern)):
            names, types = [], []
            for name, raw in zip(found, sent.replies(), strict=True):
                kind = str(raw, "ascii")
                if kind in _SIZE:
                    names.append(name)
                    types.append(kind)
                elif kind == "none":
                    self._gone()
                else:
                    self._findings.skip(f"key of the type {kind}, which has no rows")
            both = zip(names, types, strict=True)
            commands = (command for name, kind in both for command in ((_SIZE[kind], name), ("PTTL", name)))
            yield names, types, self._server.send(commands, mixed=True)

    def _parts(self, pattern: str | bytes) -> Iterator["_Part"]:
        """The keys that are still there."""
        for names, types, sent in _ahead(self._sized(pattern)):
            replies = sent.replies()
            keys, sizes = [], []
            for name, kind, size, left in zip(names, types, replies[::2], replies[1::2], strict=True):
                if left == -2:
                    self._gone()
                elif isinstance(size, redis.ResponseError):
                    self._changed()
                else:
                    keys.append(Key(name, kind, _expiry(sent.at, left), sent.at))
                    sizes.append(size)
            yield from _cut(keys, sizes)

    def _read(self, part: "_Part", sent: Sent) -> Group:
        received = sent.replies()
        counts = self._hyperloglogs(part.small, received)
        keys, replies = [], []
        for key, reply in zip(part.small, received, strict=True):
            if isinstance(reply, redis.ResponseError):
                self._changed()
            elif reply is None or (reply == [] and key.type != "stream"):
                self._gone()
            else:
                count = counts.get(key.name) if counts else None
                keys.append(key if count is None else key._replace(type="hyperloglog"))
                replies.append(reply if count is None else count)
        return Group(keys, replies, part.big)

    def _hyperloglogs(self, keys: list[Key], replies: list[Any]) -> dict[bytes, int]:
        """PFCOUNT of the strings that begin like a HyperLogLog; those that only look like one are left out."""
        likely = [
            key.name
            for key, reply in zip(keys, replies, strict=True)
            if key.type == "string" and isinstance(reply, bytes) and reply[:4] == b"HYLL"
        ]
        counts = self._server.ask([("PFCOUNT", name) for name in likely], mixed=True)
        return {name: count for name, count in zip(likely, counts, strict=True) if isinstance(count, int)}

    def _pages_of_list(self, key: Key) -> Iterator[Elements]:
        for start in itertools.count(0, _PAGE):
            items = self._ask("LRANGE", key.name, start, start + _PAGE - 1)
            yield elements("list", items, start)
            if len(items) < _PAGE:
                return

    def _pages_of_stream(self, key: Key) -> Iterator[Elements]:
        after = b"-"
        while entries := self._ask("XRANGE", key.name, after, "+", "COUNT", _PAGE):
            yield elements("stream", entries)
            after = b"(" + entries[-1][0]

    def _pages_of_scan(self, key: Key) -> Iterator[Elements]:
        seen: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, reply = self._ask(_SCAN[key.type], key.name, cursor, "COUNT", _PAGE)
            fields, values, scores = elements(key.type, reply)
            fresh = {field: i for i, field in enumerate(fields) if field not in seen}
            seen.update(fresh)
            places = fresh.values()
            yield Elements(list(fresh), [values[i] for i in places], [scores[i] for i in places])
            if cursor == b"0":
                return

    def _ask(self, *command: Any) -> Any:
        return self._server.ask([command])[0]

    def _gone(self) -> None:
        self._findings.skip("key that expired or was deleted while it was read")

    def _changed(self) -> None:
        self._findings.skip("key that changed its type while it was read")


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same, each when the next one has been made: with commands, when the next ones have been sent."""
    for held in items:
        for following in items:
            yield held
            held = following
        yield held


class _Part(NamedTuple):
    """Keys whose values fit one pipeline, of about so many `expected` bytes, and the big ones among them."""

    small: list[Key]
    big: list[Key]
    expected: int


def _cut(keys: list[Key], sizes: list[int]) -> Iterator[_Part]:
    """Cut where one pipeline's replies would take too much memory."""
    small: list[Key] = []
    big: list[Key] = []
    expected = 0
    for key, size in zip(keys, sizes, strict=True):
        if key.type != "string" and size > _PAGE:
            big.append(key)
            continue
        cost = size if key.type == "string" else size * _ELEMENT_BYTES
        if small and expected + cost > _PIPELINE_BYTES:
            yield _Part(small, big, expected)
            small, big, expected = [], [], 0
        small.append(key)
        expected += cost
    if small or big:
        yield _Part(small, big, expected)


def elements(kind: str, reply: Any, start: int = 0) -> Elements:
    """The elements in a reply for a key of that type. `start` is the index of a list's first item."""
    if kind in ("string", "hyperloglog"):
        return Elements([None], [reply], [None])
    if kind == "hash":
        return Elements(reply[::2], reply[1::2], [None] * (len(reply) // 2))
    if kind == "zset":
        return Elements(reply[::2], [None] * (len(reply) // 2), list(map(float, reply[1::2])))
    nothing = [None] * len(reply)
    if kind == "set":
        return Elements(reply, nothing, nothing)
    if kind == "list":
        return Elements(list(map(str, range(start, start + len(reply)))), reply, nothing)
    return Elements([entry for entry, _ in reply], [_fields(flat) for _, flat in reply], nothing)


def _fields(flat: list[bytes]) -> dict[bytes, bytes | list[bytes]]:
    """A stream entry may say a field twice; then, and only then, its value is a list."""
    fields: dict[bytes, Any] = {}
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _expiry(now: datetime, milliseconds: int) -> datetime | None:
    """Right to the round trip that PTTL took. A key that lives beyond the year 9999 never expires."""
    try:
        return None if milliseconds < 0 else now + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
