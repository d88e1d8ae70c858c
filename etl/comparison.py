"""What a comparison of a table with its source found, for people and for machines."""

import datetime
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN = 20
_RANGES_SHOWN = 10
# In characters: four columns of a table must fit into a terminal's 80.
_WIDTH = 24

Key = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """`source` and `warehouse` count the values that are not NULL; `losses` are what the last load recorded."""

    name: str
    equal: bool
    source: int
    warehouse: int
    losses: list[str]


@dataclass(frozen=True)
class KeyRange:
    """The rows of either side whose key is from `first` to `last`."""

    first: int
    last: int
    source: int
    warehouse: int


@dataclass(frozen=True)
class Difference:
    """A value, or where it has no `column` a row that is on one side only."""

    key: Key
    kind: str
    column: str | None = None
    source: str | None = None
    warehouse: str | None = None


@dataclass
class Comparison:
    """What became of comparing one table.

    `source` is MySQL, or the extract of `extract_date`. `business_date` and `loaded_at` say which day the warehouse's
    table is at and when it was loaded; `held` counts the
    rows that are in quarantine; `removed` columns are only in the warehouse, since the source has lost them, and take
    no part. `ranges` differ; `differences` are those of at most SHOWN rows, and of all rows that
    differ where they are `complete`.
    """

    table: str
    source: str
    extract_date: datetime.date | None
    business_date: datetime.date | None
    loaded_at: datetime.datetime | None
    source_rows: int = 0
    warehouse_rows: int = 0
    held: int = 0
    removed: list[str] = field(default_factory=list)
    key: Key = ()
    columns: list[Column] = field(default_factory=list)
    ranges: list[KeyRange] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    complete: bool = True

    @property
    def equal(self) -> bool:
        """Apart from what is held and what was lost by policy, both of which are recorded."""
        return all(column.equal for column in self.columns) and self.source_rows == self.warehouse_rows

    def as_json(self) -> dict[str, Any]:
        return {"equal": self.equal} | asdict(self)


def show(found: Comparison, console: Console) -> None:
    """In 80 columns."""
    console.print(_heading(found), highlight=False, markup=False)
    console.print(_counts(found))
    for part in (_ranges(found), _differences(found)):
        if part:
            console.print()
            console.print(part)
    if not found.complete:
        console.print(f"More rows differ than the {SHOWN} that are looked for.")
    if not found.key:
        console.print("Without a key at the source, single rows cannot be told apart: see its columns above.")
    if found.held:
        so = "take no part" if found.key else "cannot be left out without a key"
        console.print(f"{found.held:,} rows are held in etl.quarantine and {so}.", highlight=False)
    if found.removed:
        console.print(
            f"Left out, since the source has them no more: {', '.join(map(_visible, found.removed))}.",
            highlight=False,
            markup=False,
        )
    if found.extract_date and found.extract_date != found.business_date:
        console.print(
            f"{found.table} is at {found.business_date}: what has changed between the two days differs rightly.",
            highlight=False,
        )
    console.print()
    console.print(_verdict(found), highlight=False, markup=False)


def _heading(found: Comparison) -> str:
    at = f", at {found.business_date}" if found.business_date else ""
    when = f", loaded {found.loaded_at:%F %T} UTC" if found.loaded_at else ""
    return f"{found.source} and {found.table}{at}{when}"


def _counts(found: Comparison) -> Table:
    """The rows, and every column of which something is to be said."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("values", no_wrap=True, overflow="ellipsis", max_width=_WIDTH)
    for heading in ("source", "warehouse"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    equal = found.source_rows == found.warehouse_rows
    table.add_row("rows", f"{found.source_rows:,}", f"{found.warehouse_rows:,}", "" if equal else "differ")
    for column in found.columns:
        if not column.equal or column.losses:
            remarks = [*([] if column.equal else ["differs"]), *(f"lost: {loss}" for loss in column.losses)]
            counts = (f"{column.source:,}", f"{column.warehouse:,}")
            table.add_row(Text(_visible(column.name)), *counts, Text(", ".join(remarks)))
    return table


def _ranges(found: Comparison) -> Table | None:
    if not found.ranges:
        return None
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(f"ranges of {_visible(found.key[0])}"), max_width=2 * _WIDTH)
    for heading in ("source rows", "warehouse rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    for of in found.ranges[:_RANGES_SHOWN]:
        table.add_row(f"{of.first} to {of.last}", f"{of.source:,}", f"{of.warehouse:,}")
    if (more := len(found.ranges) - _RANGES_SHOWN) > 0:
        table.add_row(f"and {more} more ranges")
    return table


def _differences(found: Comparison) -> Table | None:
    if not found.differences:
        return None
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in (",".join(map(_visible, found.key)), "column", "source", "warehouse"):
        table.add_column(Text(heading), overflow="fold")
    for one in found.differences:
        key = Text(",".join(_around(value, value) for value in one.key))
        if one.column is None:
            here = one.kind == "only at the source"
            table.add_row(key, "", "this row" if here else "no such row", "no such row" if here else "this row")
        else:
            ours, theirs = _around(one.source, one.warehouse), _around(one.warehouse, one.source)
            table.add_row(key, Text(_visible(one.column)), Text(ours), Text(theirs))
    return table


def _verdict(found: Comparison) -> str:
    if found.equal:
        return f"Equal: {found.warehouse_rows:,} rows, {len(found.columns)} columns."
    said = f"{found.table} differs from {found.source}."
    if found.extract_date is None:
        return (
            f"{said} What has changed at MySQL since the load differs rightly; `--date` compares with the extract of a "
            f"day, while the lake keeps it."
        )
    return said


def _visible(text: str) -> str:
    """Data must not drive the terminal."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _around(value: str | None, other: str | None) -> str:
    """So much of a value that one sees where it differs; in quotes where it would be mistaken for something else."""
    if value is None:
        return "NULL"
    shown = _visible(value)
    there = _visible(other or "")
    if len(shown) > _WIDTH:
        same = next((i for i, (a, b) in enumerate(zip(shown, there, strict=False)) if a != b), 0)
        begin = max(0, min(same - _WIDTH // 2, len(shown) - _WIDTH))
        shown = "…" * (begin > 0) + shown[begin : begin + _WIDTH] + "…" * (begin + _WIDTH < len(shown))
    return f'"{shown}"' if shown in ("", "NULL") or shown != shown.strip() else shown
