"""The loads of a table, one after the other, and what is usual for it."""

import difflib
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import click

from etl.warehouse import Engine, control

# Of so many loads one knows what is usual, and so far back one looks for it.
_ENOUGH = 5
LOOK_BACK = 30

# Of values that scatter as chance has it, 3 of 1,000 are farther from the median than this many times the median
# distance to it.
_FAR = 4.45


@dataclass(frozen=True)
class Load:
    """One load of a table: its rows that came, what became of them, and how many the table had then."""

    table: str
    business_date: date | None
    loaded_at: datetime
    staged: int
    inserted: int
    updated: int
    deleted: int
    rows: int
    lost: int
    seconds: float
    run: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Usual:
    """The median of a table's loads, and from where to where they usually are."""

    median: float
    low: float
    high: float

    def has(self, value: float) -> bool:
        return self.low <= value <= self.high


_LOADS = """
    SELECT r.target, r.business_date, r.loaded_at, r.rows_staged, r.rows_inserted, r.rows_updated, r.rows_deleted,
           r.rows_after, CAST(COALESCE(l.lost, 0) AS BIGINT), r.seconds, r.run_id
    FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
          FROM etl.receipts e WHERE (target = %s OR %s IS NULL)
            -- Members that a fact's load has inferred are no load of the dimension.
            AND NOT EXISTS (SELECT 1 FROM etl.loads o WHERE o.task_key = e.task_key AND o.target <> e.target)) r
    LEFT JOIN (SELECT task_key, run_id, SUM(occurrences) AS lost FROM etl.losses GROUP BY task_key, run_id) l
           ON l.task_key = r.task_key AND l.run_id = r.run_id
    WHERE r.recent <= %s
    ORDER BY r.loaded_at, r.target
"""


def loads(db: Engine, table: str | None, last: int) -> list[Load]:
    """The last loads of a table, or of each, the newest at the end."""
    if not db.exists("etl", "receipts"):
        return []
    control.prepare(db)
    return [Load(*row) for row in db.query(_LOADS, (table, table, last))]


def named(db: Engine, said: str) -> str:
    """The full name of a table that was ever loaded, which may be said without its schema; else UsageError."""
    known = [name for (name,) in db.query("SELECT DISTINCT target FROM etl.receipts ORDER BY 1")] if _any(db) else []
    found = [name for name in known if said == name] or [name for name in known if said == name.partition(".")[2]]
    if len(found) == 1:
        return found[0]
    if found:
        raise click.UsageError(f"{said} may be {' or '.join(found)}; say which")
    if not known:
        raise click.UsageError(f"{said}: nothing was ever loaded; `etl run Nightly` loads everything")
    names = {short: name for name in known for short in (name.partition(".")[2], name)}
    near = list(dict.fromkeys(names[close] for close in difflib.get_close_matches(said, names, n=3)))
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise click.UsageError(f"no table {said} was ever loaded; {hint}")


def usual_rows(earlier: Sequence[Load]) -> Usual | None:
    """How many rows usually come; None where too few loads tell."""
    return _usual([load.staged for load in earlier], least=10)


def usual_seconds(earlier: Sequence[Load]) -> Usual | None:
    """What is quicker than usual is usual as well."""
    found = _usual([load.seconds for load in earlier], least=2.0)
    return Usual(found.median, 0, found.high) if found else None


def _usual(values: Sequence[float], least: float) -> Usual | None:
    """From a half of the median to twice of it, or as far as the values scatter; never nearer than `least`."""
    if len(values) < _ENOUGH:
        return None
    median = statistics.median(values)
    away = max(_FAR * statistics.median(abs(value - median) for value in values), least)
    return Usual(median, max(0, min(median / 2, median - away)), max(2 * median, median + away))


def _any(db: Engine) -> bool:
    return db.exists("etl", "receipts")
