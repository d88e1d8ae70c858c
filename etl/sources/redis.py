"""RedisExtractor: every key that matches a pattern, of every type, as one row an element.

Redis has no snapshot: what comes out is fuzzy over [started, ended] of the manifest. SCAN promises that a key
which exists from start to end is met at least once; met twice, it is taken once. The rest may or may not be there.

A user of Redis needs `+@read ~<pattern>` and, where the URL names a database, `+select`. Read from a replica.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pyarrow as pa
import redis
from redis.connection import parse_url

from etl import config
from etl.errors import ConfigError, DataError, SourceError
from etl.extract import BaseExtractor, text

Command = tuple[Any, ...]

_PAGE = 1000  # keys of a pipeline, and the elements of a key above which it is read in pages
_PIPELINE_BYTES = 8 << 20
_ELEMENT_BYTES = 100  # only STRLEN tells bytes; of the other types Redis tells the number of elements
_BATCH_ROWS = 10_000
_BATCH_BYTES = 4 << 20

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

_HEX = "hex:"
_HEX_IN_JSON = re.compile(r'(?<!\\)"hex:')


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


class RedisExtractor(BaseExtractor):
    """Reads the keys that match `pattern` (SCAN's glob) from `[redis] url`.

    A subclass that wants other rows says its `columns` and writes `rows_of(key, elements)`; bytes that it yields
    become text by the rule of `as_text`, dicts and lists become JSON by the same rule. `types` are the Arrow types of
    the columns that are not text.

    Memory: a page of a big key at a time, and to tell duplicates the names of all keys (and, while a big hash, set
    or zset is read, of its fields): about 100 bytes a name, 50 MB for 500,000 keys. One value is held whole.
    """

    pattern: str | bytes = "*"
    columns: tuple[str, ...] = ("key", "type", "field", "value", "score", "expires_at", "read_at")
    types: dict[str, pa.DataType] = {
        "score": pa.float64(),
        "expires_at": pa.timestamp("us", tz="UTC"),
        "read_at": pa.timestamp("us", tz="UTC"),
    }

    def rows_of(self, key: Key, elements: Iterable[Element]) -> Iterable[tuple[Any, ...]]:
        """The rows of one key. `elements` is read as it is iterated, once: a big key never is in memory whole."""
        for field, value, score in elements:
            yield key.name, key.type, field, value, score, key.expires_at, key.read_at

    def rows(self) -> Iterator[tuple[Any, ...]]:
        with connected() as server:
            for names in _scan(server, self.pattern):
                yield from self._read(server, names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """At least one, so that an extract without rows still declares its columns' types."""
        rows = iter(self.rows())
        batch = list(_some(rows))
        yield self._batch(batch)
        while batch := list(_some(rows)):
            yield self._batch(batch)

    def _read(self, server: redis.Redis, names: list[bytes]) -> Iterator[tuple[Any, ...]]:
        found = self._described(server, names)
        for group in _groups(found):
            small = [key for key, size in group if not _is_big(key, size)]
            replies = ask(server, [(_WHOLE[key.type][0], key.name, *_WHOLE[key.type][1:]) for key in small], mixed=True)
            held = dict(zip(small, replies, strict=True))
            counts = _hyperloglogs(server, held)
            for key, _ in group:
                if key not in held:
                    yield from self.rows_of(key, self._paged(server, key))
                elif key in counts:
                    yield from self.rows_of(key._replace(type="hyperloglog"), [Element(None, counts[key])])
                elif isinstance(held[key], redis.ResponseError):
                    self.findings.skip("key that changed its type while it was read")
                elif held[key] is None or (held[key] == [] and key.type != "stream"):
                    self._gone()
                else:
                    yield from self.rows_of(key, _elements(key.type, held.pop(key)))

    def _described(self, server: redis.Redis, names: list[bytes]) -> list[tuple[Key, int]]:
        """Each key that is still there, with its size in bytes (strings) or elements."""
        types = [str(kind, "ascii") for kind in ask(server, [("TYPE", name) for name in names])]
        known = []
        for name, kind in zip(names, types, strict=True):
            if kind in _SIZE:
                known.append((name, kind))
            elif kind == "none":
                self._gone()
            else:
                self.findings.skip(f"key of the type {kind}, which has no rows")
        now = datetime.now(timezone.utc)
        replies = ask(server, [c for name, kind in known for c in ((_SIZE[kind], name), ("PTTL", name))], mixed=True)
        found = []
        for (name, kind), size, left in zip(known, replies[::2], replies[1::2], strict=True):
            if left == -2:
                self._gone()
            elif isinstance(size, redis.ResponseError):
                self.findings.skip("key that changed its type while it was read")
            else:
                found.append((Key(name, kind, _expiry(now, left), now), size))
        return found

    def _paged(self, server: redis.Redis, key: Key) -> Iterator[Element]:
        for replies in _pages(server, key):
            yield from replies
        if not server.execute_command("EXISTS", key.name):
            self._gone()

    def _gone(self) -> None:
        self.findings.skip("key that expired or was deleted while it was read")

    def _batch(self, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        for row in rows:
            if len(row) != len(self.columns):
                raise DataError(
                    f"{self.get_task_family()}: a row has {len(row)} fields, expected {len(self.columns)} "
                    f"({', '.join(self.columns)}): {row!r:.200}"
                )
        columns = list(zip(*rows, strict=True)) or [()] * len(self.columns)
        arrays = [self._array(name, values, columns[0]) for name, values in zip(self.columns, columns, strict=True)]
        return pa.record_batch(arrays, names=list(self.columns))

    def _array(self, name: str, values: tuple[Any, ...], firsts: tuple[Any, ...]) -> pa.Array:
        if name in self.types:
            try:
                return pa.array(values, self.types[name])
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(
                    f"{self.get_task_family()}: column {name} is declared {self.types[name]} and holds something else "
                    f"({error}); mend types or the rows"
                ) from None
        texts = [_text(value) for value in values]
        coded = [
            i
            for i, value in enumerate(values)
            if (isinstance(value, bytes) and (texts[i] or "").startswith(_HEX))
            or (isinstance(value, dict | list) and _HEX_IN_JSON.search(texts[i] or ""))
        ]
        if coded:
            samples = [_text(firsts[i]) or "" for i in coded[: self.findings.SAMPLES]]
            self.findings.loss(name, "no plain text, written as hex:", len(coded), samples)
        return pa.array(texts, pa.string())


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


@contextlib.contextmanager
def connected() -> Iterator[redis.Redis]:
    """A client of `[redis] url` that answers in bytes, as RESP2 has them; its errors become SourceError."""
    server = _client(config.redis().url)
    where = address(server)
    try:
        yield server
    except redis.AuthenticationError as error:
        raise SourceError(
            f"redis {where}: refuses the login ({error}); mend user and password in [redis] url"
        ) from None
    except redis.exceptions.NoPermissionError as error:
        raise SourceError(
            f"redis {where}: refuses permission ({error}); grant the user +@read, +select and the keys that are read"
        ) from None
    except redis.BusyLoadingError:
        raise SourceError(f"redis {where}: is still loading its data from disk; run again when it has") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise SourceError(f"redis {where}: no answer ({error}); is it running, and is [redis] url right?") from None
    except redis.RedisError as error:
        raise SourceError(f"redis {where}: {error}; look at the server, and at [redis] url") from None
    finally:
        server.close()


def address(server: redis.Redis) -> str:
    """host:port/database, or the socket's path: never the password."""
    said = server.connection_pool.connection_kwargs
    where = said.get("path") or f"{said.get('host', 'localhost')}:{said.get('port', 6379)}"
    return f"{where}/{said.get('db', 0)}"


def ask(server: redis.Redis, commands: list[Command], mixed: bool = False) -> list[Any]:
    """The replies to all commands, in one round trip. An error is raised, but with `mixed` that a key is of another
    type than the command expects is a reply like others."""
    pipeline = server.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    replies = pipeline.execute(raise_on_error=False)
    for reply, command in zip(replies, commands, strict=True):
        if isinstance(reply, Exception) and not (mixed and str(reply).startswith(("WRONGTYPE", "INVALIDOBJ"))):
            if type(reply) is redis.ResponseError:
                raise redis.ResponseError(f"{command[0]} {as_text(command[1])}: {reply}")
            raise reply
    return replies


def _client(url: str) -> redis.Redis:
    try:
        said = parse_url(url)
    except ValueError:
        # Python's own text quotes what follows a colon, and that can be the password.
        raise ConfigError(
            "[redis] url: is no Redis URL; write redis://user:password@host:6379/0, "
            "with special characters of the password as %40 and the like"
        ) from None
    # Not from_url, with which options in the URL win over arguments.
    shape = {"protocol": 2, "decode_responses": False}
    pool = redis.ConnectionPool(**{"socket_timeout": 60, "socket_connect_timeout": 10} | said | shape)
    server = redis.Redis(connection_pool=pool)
    # redis-py's own shapes lose a stream's repeated fields, and differ between its releases.
    server.response_callbacks.clear()
    return server


def _scan(server: redis.Redis, pattern: str | bytes) -> Iterator[list[bytes]]:
    """The matching keys in pages, each key once."""
    seen: set[bytes] = set()
    page: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, names = server.execute_command("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        for name in names:
            if name not in seen:
                seen.add(name)
                page.append(name)
        # With a rare pattern a page of SCAN holds next to nothing; it is not worth three round trips.
        if page and (len(page) >= _PAGE or cursor == b"0"):
            yield page
            page = []
        if cursor == b"0":
            return


def _is_big(key: Key, size: int) -> bool:
    return key.type != "string" and size > _PAGE


def _groups(found: list[tuple[Key, int]]) -> Iterator[list[tuple[Key, int]]]:
    """Cut where one pipeline's replies would take too much memory."""
    group: list[tuple[Key, int]] = []
    expected = 0
    for key, size in found:
        cost = 0 if _is_big(key, size) else size if key.type == "string" else size * _ELEMENT_BYTES
        if group and expected + cost > _PIPELINE_BYTES:
            yield group
            group, expected = [], 0
        group.append((key, size))
        expected += cost
    if group:
        yield group


def _hyperloglogs(server: redis.Redis, held: dict[Key, Any]) -> dict[Key, int]:
    """PFCOUNT of the strings that begin like a HyperLogLog; those that only look like one are left out."""
    likely = [key for key, reply in held.items() if isinstance(reply, bytes) and reply[:4] == b"HYLL"]
    counts = ask(server, [("PFCOUNT", key.name) for key in likely], mixed=True)
    return {key: count for key, count in zip(likely, counts, strict=True) if isinstance(count, int)}


def _elements(kind: str, reply: Any) -> Iterator[Element]:
    if kind == "string":
        yield Element(None, reply)
    elif kind == "hash":
        yield from map(Element, reply[::2], reply[1::2])
    elif kind == "list":
        yield from (Element(str(i), item) for i, item in enumerate(reply))
    elif kind == "set":
        yield from (Element(member, None) for member in reply)
    elif kind == "zset":
        yield from (Element(member, None, float(score)) for member, score in zip(reply[::2], reply[1::2], strict=True))
    else:
        yield from (Element(entry, _fields(flat)) for entry, flat in reply)


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


def _pages(server: redis.Redis, key: Key) -> Iterator[Iterable[Element]]:
    """A big key's elements, a page a round trip. A list that is pushed to at its head meanwhile shifts."""
    if key.type == "list":
        for start in itertools.count(0, _PAGE):
            items = server.execute_command("LRANGE", key.name, start, start + _PAGE - 1)
            yield [Element(str(start + i), item) for i, item in enumerate(items)]
            if len(items) < _PAGE:
                return
    elif key.type == "stream":
        after: bytes = b"-"
        while entries := server.execute_command("XRANGE", key.name, after, "+", "COUNT", _PAGE):
            yield _elements("stream", entries)
            after = b"(" + entries[-1][0]
    else:
        seen: set[Any] = set()
        cursor = b"0"
        while True:
            cursor, reply = server.execute_command(_SCAN[key.type], key.name, cursor, "COUNT", _PAGE)
            page = [element for element in _elements(key.type, reply) if element.field not in seen]
            fresh = {element.field: element for element in page}
            seen.update(fresh)
            yield fresh.values()
            if cursor == b"0":
                return


def _expiry(now: datetime, milliseconds: int) -> datetime | None:
    """Right to the round trip that PTTL took. A key that lives beyond the year 9999 never expires."""
    try:
        return None if milliseconds < 0 else now + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _some(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """As many rows as one batch may hold, in number and in bytes."""
    size = 0
    for count, row in enumerate(rows, 1):
        yield row
        size += sum(map(_weight, row))
        if count == _BATCH_ROWS or size >= _BATCH_BYTES:
            return


def _weight(value: Any) -> int:
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_weight, value)) + sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, list) else 0


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return as_text(value)
    return json.dumps(_json(value), ensure_ascii=False) if isinstance(value, dict | list) else text(value)


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return as_text(value)
    if isinstance(value, dict):
        return {as_text(name) if isinstance(name, bytes) else name: _json(inner) for name, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, list) else value
