"""What an extractor notices while it reads: losses, rows put aside, the rows its source counted, the files it took."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError

# In bytes of UTF-8: a VARCHAR of Redshift holds no more, and a table must mean the same on both engines.
LONGEST_TEXT = 65_535
POLICIES = ("keep", "null", "replace", "quarantine", "fail")


@dataclass
class Loss:
    """`count` values of `column` could not be kept as they were; `samples` are keys of such rows."""

    column: str
    reason: str
    count: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rejected:
    """A row that is not to be loaded: `key` is the JSON list of its key's values, `row` the JSON object of all."""

    key: str
    column: str
    reason: str
    row: str


@dataclass(frozen=True)
class Window:
    """Which rows an extract of changes has read, all times in UTC: those whose `column` is `low` or later, or empty.

    `low` is None where it has read all. A time after `guard` says nothing of how far the extract has come: others
    before it may be committed yet. `rows` is how many rows the source has whose `column` is `since` or later, or empty,
    and all of them where `since` is None; without those that are in quarantine and were not read again.
    """

    column: str
    low: str | None
    guard: str
    since: str | None
    rows: int


@dataclass
class Findings:
    """Filled by an extractor's `batches()` and written into its manifest.

    `counted` is the number of rows by the source's own count, in the snapshot that was read; `key` names
    the columns that identify a row at the source; `files` are the objects that were read. `policies` say, by column,
    what becomes of a value that a warehouse cannot hold; `rejected` are rows put aside and not yet written. `window` is
    that of an extract of changes, and `gone` are the keys, not yet written, of rows that the source has no more.
    """

    counted: int | None = None
    key: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    losses: dict[tuple[str, str], Loss] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    window: Window | None = None
    gone: list[tuple[str, ...]] = field(default_factory=list)

    SAMPLES = 5

    def loss(self, column: str, reason: str, count: int, samples: list[str] | None = None) -> None:
        loss = self.losses.setdefault((column, reason), Loss(column, reason))
        loss.count += count
        loss.samples = (loss.samples + (samples or []))[: self.SAMPLES]

    def file(self, key: str, etag: str, size: int, rows: int) -> None:
        self.files.append({"key": key, "etag": etag, "size": size, "rows": rows})

    def skip(self, reason: str, count: int = 1) -> None:
        """Rows of the source that are rightly not taken, such as a key that expired while it was read."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count


class Sieve:
    """Settles, for one batch of rows as they were read, what becomes of values that a warehouse cannot hold.

    `keys` are the columns, in the batch or beside it, whose values say which row it is. `shown` makes, by column, of a
    value as it was read what people know.
    """

    def __init__(
        self,
        findings: Findings,
        batch: pa.RecordBatch,
        keys: Sequence[pa.Array],
        shown: Mapping[str, Callable[[Any], Any]] | None = None,
    ):
        self._findings, self._batch, self._keys, self._shown = findings, batch, keys, shown or {}
        self._aside: dict[int, Rejected] = {}

    def policy(self, column: str, default: str) -> str:
        return self._findings.policies.get(column, default)

    def lose(self, column: str, reason: str, mask: pa.Array, default: str) -> str:
        """Count the masked values as lost, put their rows aside or refuse them; returns the policy that was followed.

        DataError where it is `fail`.
        """
        policy = self.policy(column, default)
        if policy == "keep" and default != "quarantine":
            # What is too long can be kept. What no warehouse stores cannot, and is lost as if nothing were said.
            policy = default
        places = pc.indices_nonzero(mask).to_pylist()
        if policy == "keep" or not places:
            return policy
        if policy == "fail":
            raise DataError(
                f"column {column}: {reason} in the row with the key {self._key(places[0])}; mend it at the source, or "
                f"say on_loss = {{{column!r}: 'null'}} or 'quarantine'"
            )
        self._findings.loss(column, reason, len(places), [self._sample(place) for place in places[: Findings.SAMPLES]])
        if policy == "quarantine":
            for place in places:
                # A row goes aside once, for the first reason that was found.
                self._aside.setdefault(place, Rejected(self._key(place), column, reason, self._row(place)))
        return policy

    def kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch, made of the same rows, without those that were put aside."""
        if not self._aside:
            return batch
        self._findings.rejected += [self._aside[place] for place in sorted(self._aside)]
        return batch.filter(pa.array([place not in self._aside for place in range(batch.num_rows)]))

    def _sample(self, place: int) -> str:
        return ",".join(_text(key[place].as_py()) or "" for key in self._keys)

    def _key(self, place: int) -> str:
        return json.dumps([_text(key[place].as_py()) for key in self._keys], ensure_ascii=False)

    def _row(self, place: int) -> str:
        values = {}
        for name, column in zip(self._batch.schema.names, self._batch.columns, strict=True):
            value = column[place].as_py()
            if name in self._shown and value is not None:
                value = self._shown[name](int(value))
            values[name] = _text(value)
        # A NUL character is what no warehouse stores, and may be the very reason.
        return _fitting(values)


def _fitting(values: dict[str, str | None]) -> str:
    """The JSON object of all; where a VARCHAR could not hold it, the longest values are cut."""
    text, longest = json.dumps(values, ensure_ascii=False), LONGEST_TEXT
    while len(text.encode()) > LONGEST_TEXT and longest:
        longest //= 2
        cut = {
            name: f"{value[:longest]}… ({len(value):,} characters)" if value and len(value) > longest else value
            for name, value in values.items()
        }
        text = json.dumps(cut, ensure_ascii=False)
    return text


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
