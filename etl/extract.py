"""BaseExtractor: one read of a source, written to the lake as a manifest."""

import datetime
import decimal
import functools
import json
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from etl.errors import ConfigError, DataError
from etl.findings import POLICIES, Findings
from etl.manifest import ManifestTarget
from etl.parts import anonymous
from etl.progress import Progress
from etl.retry import retried
from etl.task import EtlTask

_ROWS_A_BATCH = 10_000


class BaseExtractor(EtlTask):
    """Reads a source once and writes what it read as one manifest.

    A subclass says `columns` and one of: `rows()`, tuples of Python values, written as text; `batches()`,
    Arrow record batches or pandas frames, which is the fast way; or its own `run()`, which writes csv to
    `self.output().open('w')`. `on_loss` says for a column what becomes of a row whose value no warehouse can hold:
    null, replace, quarantine (the row goes to etl.quarantine), fail or keep; docs/types.md has the defaults.
    `keeps_the_past` says that the source can still be read as it was on a past date, as files by day can.
    """

    columns: tuple[str, ...] = ()
    on_loss: dict[str, str] = {}
    keeps_the_past = False

    def rows(self) -> Iterable[tuple[Any, ...]]:
        raise NotImplementedError(f"{type(self).__name__}: write rows(), batches() or run()")

    def batches(self) -> Iterable[Any]:
        for chunk in chunked(self.rows()):
            yield self._as_text(chunk)

    def output(self) -> ManifestTarget:
        return ManifestTarget(lake_folder(self.task_key()), tuple(self.columns), self.date, self.on_loss)

    def run(self) -> None:
        self.check_date()
        retried(self._attempt, self.task_key())

    def _attempt(self) -> None:
        # What the attempt before has counted is not to be counted again.
        self.__dict__.pop("findings", None)
        progress = Progress(self.task_key(), self)
        batches = self.batches()
        try:
            self.output().write(batches, self.findings, progress)
        finally:
            if isinstance(batches, Generator):
                # A failure's trace would keep it open, and with it the source's connection.
                batches.close()
        progress.done()

    @functools.cached_property
    def findings(self) -> Findings:
        """What `batches()` notices on its way: losses, the source's own count, the files it took."""
        if wrong := sorted(set(self.on_loss.values()) - set(POLICIES)):
            raise ConfigError(
                f"{self.get_task_family()}: on_loss says {wrong[0]!r}; write one of {', '.join(POLICIES)}"
            )
        return Findings(policies=dict(self.on_loss))

    def _as_text(self, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        width = len(self.columns) or len(rows[0])
        for row in rows:
            if len(row) != width:
                raise DataError(
                    f"{self.get_task_family()}: a row has {len(row)} fields, expected {width} "
                    f"({', '.join(self.columns) or 'as the first row'}): {row!r:.200}"
                )
        names = self.columns or anonymous(width)
        columns = [self._column(name, values) for name, values in zip(names, zip(*rows, strict=True), strict=True)]
        return pa.record_batch(columns, names=list(names))

    def _column(self, name: str, values: tuple[Any, ...]) -> pa.Array:
        try:
            return pa.array(map(text, values), pa.string())
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.get_task_family()}: column {name}: {error.object!r:.80} is not Unicode text ({error.reason}); "
                f"mend it in rows()"
            ) from None


def text(value: Any) -> str | None:
    """The one text form of a Python value that both warehouses read back as the same value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return repr(float(value))  # numpy's own repr is np.float64(1.5)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    raise DataError(f"{type(value).__name__} {value!r:.80}: no text form; turn it into text in rows()")


def lake_folder(key: str) -> str:
    """`ExtractVenues {"date": "2014-02-03"}` -> `ExtractVenues/date=2014-02-03`.

    Readable, unique to the key, and never inside another's folder: what is swept in one is nobody else's.
    """
    family, _, said = key.partition(" ")
    inner = ",".join(f"{name}={quote(value, safe='')}" for name, value in sorted(json.loads(said).items()))
    return f"{family}/{inner or 'all'}"


def chunked(rows: Iterable[Any], size: int = _ROWS_A_BATCH) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk
