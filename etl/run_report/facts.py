"""What the warehouse knows of a run: its receipts, losses, quarantine and schema changes, in numbers, never values."""

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from etl import ledger, warehouse
from etl.errors import EtlError
from etl.status import Change, changes, freshness
from etl.warehouse import Engine, control

# A usual time is the median of so many earlier ones.
_EARLIER = 20


@dataclass(frozen=True)
class Load:
    """A receipt. One that is `inferred` counts members that a fact's load has added to a dimension."""

    table: str
    business_date: date | None
    read: int | None
    written: int | None
    staged: int
    inserted: int
    updated: int
    deleted: int
    rejected: int
    after: int
    bytes: int | None
    seconds: float
    inferred: bool

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.deleted

    @property
    def speed(self) -> float | None:
        """Rows a second, where a manifest's rows were loaded."""
        return self.staged / self.seconds if self.staged and self.seconds else None


@dataclass(frozen=True)
class Loss:
    table: str
    column: str
    reason: str
    count: int


@dataclass(frozen=True)
class Held:
    """Rows in quarantine; `new` are those that this run put there."""

    table: str
    column: str
    reason: str
    count: int
    new: int


@dataclass(frozen=True)
class Late:
    """A table that should be at a later day than it is, and `since` when."""

    table: str
    business_date: date
    since: datetime


@dataclass
class Facts:
    """`unknown` is why the warehouse could not be asked; everything else is empty then.

    `usual` is the median of the seconds of earlier loads, by table. `late` is of all tables, as they stand now.
    """

    loads: list[Load] = field(default_factory=list)
    usual: dict[str, float] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    unknown: str = ""


_LOADS = """
    SELECT e.target, e.business_date, e.rows_read, e.rows_written, e.rows_staged, e.rows_inserted, e.rows_updated,
           e.rows_deleted, e.rows_rejected, e.rows_after, e.bytes, e.seconds, l.target IS NOT NULL
    FROM etl.receipts e LEFT JOIN etl.loads l ON l.task_key = e.task_key AND l.target <> e.target
    WHERE e.run_id = %s ORDER BY e.loaded_at, e.target
"""
_EARLIER_LOADS = """
    SELECT target, seconds
    FROM (SELECT e.target, e.seconds, ROW_NUMBER() OVER (PARTITION BY e.target ORDER BY e.loaded_at DESC) AS recent
          FROM etl.receipts e LEFT JOIN etl.loads l ON l.task_key = e.task_key AND l.target <> e.target
          WHERE e.run_id <> %s AND l.target IS NULL
            AND e.loaded_at < (SELECT MIN(loaded_at) FROM etl.receipts WHERE run_id = %s)) r
    WHERE recent <= %s
"""
_LOSSES = """
    SELECT target, column_name, reason, CAST(SUM(occurrences) AS BIGINT) FROM etl.losses
    WHERE run_id = %s GROUP BY target, column_name, reason ORDER BY 4 DESC, 1, 2
"""
_HELD = """
    SELECT target, column_name, reason, COUNT(*), CAST(SUM(CASE WHEN run_id = %s THEN 1 ELSE 0 END) AS BIGINT)
    FROM etl.quarantine GROUP BY target, column_name, reason ORDER BY 4 DESC, 1, 2
"""
_DAYS = "SELECT table_name, business_date FROM etl.data_as_of WHERE business_date IS NOT NULL ORDER BY table_name"


def gather(run: ledger.Run) -> Facts:
    facts = Facts()
    try:
        with warehouse.connect("etl report") as db:
            facts.loads = [Load(*row) for row in _asked(db, "receipts", _LOADS, run.id)]
            facts.usual = _medians(_asked(db, "receipts", _EARLIER_LOADS, run.id, run.id, _EARLIER))
            facts.losses = [Loss(*row) for row in _asked(db, "losses", _LOSSES, run.id)]
            facts.held = [Held(*row) for row in _asked(db, "quarantine", _HELD, run.id)]
            facts.changes = changes(db, [run.id])
            facts.late = [Late(*row) for row in _late(db)]
    except EtlError as error:
        return Facts(unknown=str(error))
    return facts


def usual_tasks(run: ledger.Run) -> dict[str, float]:
    """The median of the seconds that tasks of these names took in earlier runs, where the ledgers still tell."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    # Without a lake, or with one that lies elsewhere, there is no history; that is no reason to show nothing.
    with contextlib.suppress(EtlError):
        for earlier in ledger.runs(limit=_EARLIER + 1):
            if earlier.began < run.began and earlier.id != run.id:
                for name, task in earlier.tasks.items():
                    if task.state == "done" and task.ended:
                        times[name].append(task.seconds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def _late(db: Engine) -> Iterator[tuple[str, date, datetime]]:
    for table, business_date in _asked(db, "data_as_of", _DAYS):
        if since := freshness.late(table, business_date):
            yield table, business_date, since


def _asked(db: Engine, table: str, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
    """Nothing where the control table is not there yet."""
    return iter(db.query(sql, values or None)) if control.has(db, table) else iter(())


def _medians(rows: Iterator[tuple[Any, ...]]) -> dict[str, float]:
    by_table: defaultdict[str, list[float]] = defaultdict(list)
    for table, seconds in rows:
        by_table[table].append(seconds)
    return {table: statistics.median(seconds) for table, seconds in by_table.items()}
