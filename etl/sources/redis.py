"""RedisExtractor: every key that matches a pattern, of every type, as one row an element.

Redis has no snapshot: what comes out is fuzzy over [started, ended] of the manifest. SCAN promises that a key
which exists from start to end is met at least once; met twice, it is taken once. The rest may or may not be there.

A user of Redis needs `+@read ~<pattern>` and, where the URL names a database, `+select`. Read from a replica.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError
from etl.extract import BaseExtractor
from etl.sources.redis_connection import connected
from etl.sources.redis_keys import Element, Elements, Key, KeyReader, elements
from etl.sources.redis_text import is_coded, plain_texts, value_text

_BATCH_ROWS = 10_000
_BATCH_BYTES = 4 << 20
_MOMENT = pa.timestamp("us", tz="UTC")


class RedisExtractor(BaseExtractor):
    """Reads the keys that match `pattern` (SCAN's glob) from `[redis] url`.

    A subclass that wants other rows says its `columns` and writes `rows_of(key, elements)`; bytes that it yields
    become text by the rule of `as_text`, dicts and lists become JSON by the same rule. `types` are the Arrow types of
    the columns that are not text. Without that, elements become columns many keys at a time, twice as fast.

    Memory: a page of a big key at a time, and to tell duplicates the names of all keys (and, while a big hash, set
    or zset is read, of its fields): about 100 bytes a name, 50 MB for 500,000 keys. One value is held whole.
    """

    pattern: str | bytes = "*"
    columns: tuple[str, ...] = ("key", "type", "field", "value", "score", "expires_at", "read_at")
    types: dict[str, pa.DataType] = {
        "score": pa.float64(),
        "expires_at": _MOMENT,
        "read_at": _MOMENT,
    }

    def rows_of(self, key: Key, elements: Iterable[Element]) -> Iterable[tuple[Any, ...]]:
        """The rows of one key. `elements` is read as it is iterated, once: a big key never is in memory whole."""
        for field, value, score in elements:
            yield key.name, key.type, field, value, score, key.expires_at, key.read_at

    def rows(self) -> Iterator[tuple[Any, ...]]:
        with connected() as server:
            reader = KeyReader(server, self.findings)
            for small, replies, big in reader.groups(self.pattern):
                for key, reply in zip(small, replies, strict=True):
                    yield from self.rows_of(key, map(Element, *elements(key.type, reply)))
                for key in big:
                    yield from self.rows_of(key, chain.from_iterable(map(Element, *page) for page in reader.pages(key)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """At least one, so that an extract without rows still declares its columns' types."""
        batches = self._batches_of_rows() if self._makes_own_rows() else self._batches_of_keys()
        yield next(batches, self._batch([()] * len(self.columns)))
        yield from batches

    def _makes_own_rows(self) -> bool:
        said = ("rows", "rows_of", "columns", "types")
        return any(getattr(type(self), name) is not getattr(RedisExtractor, name) for name in said)

    def _batches_of_keys(self) -> Iterator[pa.RecordBatch]:
        """What `rows` says, without a tuple a row."""
        with connected() as server:
            reader = KeyReader(server, self.findings)
            for small, replies, big in reader.groups(self.pattern):
                if small:
                    held = map(elements, (key.type for key in small), replies)
                    yield self._batch(_columns(zip(small, held, strict=True)))
                for key in big:
                    for page in reader.pages(key):
                        yield self._batch(_columns([(key, page)]))

    def _batches_of_rows(self) -> Iterator[pa.RecordBatch]:
        rows = iter(self.rows())
        while batch := list(_some(rows)):
            for row in batch:
                if len(row) != len(self.columns):
                    raise DataError(
                        f"{self.get_task_family()}: a row has {len(row)} fields, expected {len(self.columns)} "
                        f"({', '.join(self.columns)}): {row!r:.200}"
                    )
            yield self._batch(list(zip(*batch, strict=True)))

    def _batch(self, columns: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        arrays = [self._array(name, values, columns[0]) for name, values in zip(self.columns, columns, strict=True)]
        return pa.record_batch(arrays, names=list(self.columns))

    def _array(self, name: str, values: Sequence[Any], firsts: Sequence[Any]) -> pa.Array:
        if isinstance(values, pa.Array):
            return values
        if name in self.types:
            try:
                return pa.array(values, self.types[name])
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(
                    f"{self.get_task_family()}: column {name} is declared {self.types[name]} and holds something else "
                    f"({error}); mend types or the rows"
                ) from None
        if (array := plain_texts(values)) is not None:
            return array
        texts = [value_text(value) for value in values]
        if coded := [i for i, value in enumerate(values) if is_coded(value, texts[i])]:
            samples = [value_text(firsts[i]) or "" for i in coded[: self.findings.SAMPLES]]
            self.findings.loss(name, "no plain text, written as hex:", len(coded), samples)
        return pa.array(texts, pa.string())


def _columns(keys: Iterable[tuple[Key, Elements]]) -> list[Sequence[Any]]:
    """The columns of RedisExtractor for all elements of these keys."""
    names: list[bytes] = []
    types: list[str] = []
    fields: list[Any] = []
    values: list[Any] = []
    scores: list[float | None] = []
    expiries: list[datetime | None] = []
    reads: list[datetime] = []
    ends: list[int] = []
    for key, held in keys:
        if count := len(held.fields):
            names += [key.name] * count
            types += [key.type] * count
            fields += held.fields
            values += held.values
            scores += held.scores
            expiries.append(key.expires_at)
            reads.append(key.read_at)
            ends.append(len(names))
    return [names, types, fields, values, scores, _repeated(expiries, ends), _repeated(reads, ends)]


def _repeated(moments: Sequence[datetime | None], ends: list[int]) -> pa.Array:
    """Each up to its end. Arrow takes longer for a datetime than for the rest of its row, so it gets one a key."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), pa.array(moments, _MOMENT))
    return pc.run_end_decode(runs)


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
