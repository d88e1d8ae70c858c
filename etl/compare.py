"""Does raw.<table> equal the MySQL table? Checksums of both, cut into ever smaller ranges down to the rows."""

import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import itemgetter, methodcaller
from typing import Any

import luigi
from luigi.task_register import Register, TaskClassException

from etl import warehouse
from etl.checksums import Field, Row, Side, Sums, kind_of
from etl.comparison import SHOWN, Column, Comparison, Difference, Key, KeyRange
from etl.drift import removed
from etl.drill import Drill, as_there, both
from etl.errors import DataError, LakeError, MissingData, WarehouseError
from etl.manifest import Manifest, ManifestTarget
from etl.manifest_parts import ManifestParts
from etl.sources import mysql_checksum
from etl.sources.mysql import MySQLExtractor
from etl.staging import types
from etl.warehouse import control, watermarks
from etl.warehouse.names import quote
from etl.warehouse.quarantine import held
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT


def compare(table: str, day: datetime.date | None = None) -> Comparison:
    """The MySQL table as it is now, or the extract that was kept of a day, with raw.<table> as it is now.

    Each side is read in one snapshot. Raises where there is nothing to compare, or columns are not the same.
    """
    with warehouse.connect(f"etl compare {table}") as db:
        return _with_extract(db, table, day) if day else _with_mysql(db, table)


def _with_mysql(db: warehouse.Engine, table: str) -> Comparison:
    target = f"raw.{table}"
    losses = _losses(db, target)
    replaced = [column for column, reasons in losses.items() if any("UTF-8" in reason for reason in reasons)]
    keys = held(db, target)
    with mysql_checksum.opened(table, keys, replaced, _read_as(db, table), db.narrow) as source, db.snapshot():
        comparison = _begun(db, target, None)
        comparison.removed = _removed(db, table, source.fields)
        comparison.held = len(keys)
        there = _there(db, table, source.fields, source.key)
        return _compared(comparison, source, there, losses)


def _with_extract(db: warehouse.Engine, table: str, day: datetime.date) -> Comparison:
    target = f"raw.{table}"
    url, manifest, extract = _kept(db, target, day)
    if manifest.columns is None:
        raise DataError(f"{url}: names no columns, so it cannot be compared with {target}")
    if manifest.window and manifest.window.low:
        raise DataError(
            f"{url}: holds what changed from {manifest.window.low} on and no other row of {target}; compare without "
            f"--date"
        )
    fields = []
    for name, declared in zip(manifest.columns, manifest.types, strict=True):
        kind = kind_of(declared)
        if kind is None:
            raise DataError(f"{target}.{name}: {declared} cannot be compared yet")
        fields.append(Field(name, kind))
    key = manifest.findings["key"]
    borrowed = db.borrow("compared", types(db, manifest.columns, manifest), ManifestParts(extract, manifest))
    with db.snapshot():
        comparison = _begun(db, target, day)
        comparison.removed = _removed(db, table, fields)
        comparison.held = len(held(db, target))
        source = db.side(borrowed, fields, key)
        return _compared(comparison, source, _there(db, table, fields, key), _losses(db, target))


def _there(db: warehouse.Engine, table: str, fields: Sequence[Field], key: Sequence[str]) -> Side:
    """The warehouse's table, its columns read as those of the source; an error where they are not the same."""
    types = db.columns("raw", table)
    if not types:
        raise WarehouseError(
            f"raw.{table}: not in the warehouse; `etl run MirrorTable --table {table} --date …` loads it"
        )
    names = {field.name for field in fields}
    # What the mirror keeps for itself, and what the source has lost.
    ours = {LOADED_AT, DELETED_AT} - names
    lost = _removed(db, table, fields)
    more = [name for name in names if name not in types]
    fewer = [name for name in types if name not in {*names, *ours, *lost}]
    if more or fewer:
        said = [f"only at the source: {', '.join(sorted(more))}"] if more else []
        said += [f"only in the warehouse: {', '.join(fewer)}"] if fewer else []
        raise DataError(
            f"raw.{table}: the columns are not the same ({'; '.join(said)}); "
            f"`etl run MirrorTable --table {table} --date …` adds those of the source, and says what to do about others"
        )
    alive = f"{DELETED_AT} IS NULL" if DELETED_AT in ours and DELETED_AT in types else ""
    return db.side(f'"raw".{quote(table)}', as_there(fields, types, f"raw.{table}"), key, alive)


def _compared(comparison: Comparison, source: Side, there: Side, losses: dict[str, list[str]]) -> Comparison:
    comparison.key = source.key
    drill = Drill(source, there, source.names, SHOWN)
    ours, theirs = drill.ours, drill.theirs
    empty = Sums(0, (0,) * len(source.names), (0,) * len(source.names))
    at_source, in_warehouse = sum(ours.values(), empty), sum(theirs.values(), empty)
    comparison.source_rows, comparison.warehouse_rows = at_source.rows, in_warehouse.rows
    comparison.columns = [
        Column(
            name,
            all(_of(ours, cell, place) == _of(theirs, cell, place) for cell in ours.keys() | theirs.keys()),
            at_source.filled[place],
            in_warehouse.filled[place],
            losses.get(name, []),
        )
        for place, name in enumerate(source.names)
    ]
    if drill.cells and source.key:
        if source.ordered:
            comparison.ranges = _ranges(drill)
        drill.names = [column.name for column in comparison.columns if not column.equal]
        _search(comparison, source, there, drill)
    return comparison


def _search(comparison: Comparison, source: Side, there: Side, drill: Drill) -> None:
    """Find rows that differ by their keys, as many as are shown: each range that differs holds at least one of them."""
    inside = next(drill)
    rows = both(methodcaller("rows", drill.names, inside), source, there)
    keys = _keys(*rows, by_position=source.ordered)
    comparison.complete = not drill.pending and len(keys) <= SHOWN
    _show(comparison, source, there, drill.names, rows, keys[:SHOWN])


def _keys(ours: list[Row], theirs: list[Row], by_position: bool) -> list[tuple[int, Key]]:
    """Position and key of every row that the sides do not share, in order."""
    at_source, in_warehouse = Counter(ours), Counter(theirs)
    differing = (at_source - in_warehouse) + (in_warehouse - at_source)
    found = {(row.position, row.key) for row in differing}
    return sorted(found) if by_position else sorted(found, key=itemgetter(1))


def _show(
    comparison: Comparison,
    source: Side,
    there: Side,
    names: list[str],
    rows: tuple[list[Row], list[Row]],
    keys: list[tuple[int, Key]],
) -> None:
    positions = sorted({position for position, _ in keys})
    if not positions:
        return
    values = both(methodcaller("values", names, positions), source, there)
    checksums = [{row.key: row.checksums for row in found} for found in rows]
    for _, key in keys:
        here, counterpart = (found.get(key) for found in checksums)
        if here is None or counterpart is None:
            kind = "only in the warehouse" if here is None else "only at the source"
            comparison.differences.append(Difference(key, kind))
            continue
        for name, ours, theirs in zip(names, here, counterpart, strict=True):
            if ours != theirs:
                comparison.differences.append(Difference(key, "differs", name, *(found[key][name] for found in values)))


def _of(sums: dict[int, Sums], cell: int, place: int) -> tuple[int, int]:
    found = sums.get(cell)
    return (found.filled[place], found.checksums[place]) if found else (0, 0)


def _ranges(drill: Drill) -> list[KeyRange]:
    """Neighbouring cells are one range; there is no row beyond the last position."""
    ranges: list[KeyRange] = []
    for cell in drill.cells:
        first, last = drill.top.bounds(cell)
        last = min(last, drill.last)
        rows = [side[cell].rows if cell in side else 0 for side in (drill.ours, drill.theirs)]
        if ranges and ranges[-1].last + 1 == first:
            before = ranges.pop()
            ranges.append(KeyRange(before.first, last, before.source + rows[0], before.warehouse + rows[1]))
        else:
            ranges.append(KeyRange(first, last, *rows))
    return ranges


# ---- what the pipeline has recorded of the table


def _begun(db: warehouse.Engine, target: str, extract_date: datetime.date | None) -> Comparison:
    source = f"the extract of {extract_date}" if extract_date else "MySQL now"
    found: list[Any] = []
    if db.exists("etl", "data_as_of"):
        found = db.query("SELECT business_date, loaded_at FROM etl.data_as_of WHERE table_name = %s", (target,))
    return Comparison(target, source, extract_date, *(found[0] if found else (None, None)))


def _removed(db: warehouse.Engine, table: str, fields: Sequence[Field]) -> list[str]:
    """The columns that the warehouse's table keeps although the source has lost them."""
    lost = removed(db, f"raw.{table}") if control.has(db, "schema_changes") else []
    there = db.columns("raw", table) if lost else {}
    return [name for name in lost if name in there and name not in {field.name for field in fields}]


def _read_as(db: warehouse.Engine, table: str) -> dict[str, str]:
    """What the extractor behind the table's last load says of its columns, as the code is now."""
    loads: list[Any] = []
    if db.exists("etl", "receipts"):
        loads = db.query(
            "SELECT task_key FROM etl.receipts WHERE target = %s ORDER BY loaded_at DESC LIMIT 1", (f"raw.{table}",)
        )
    for (key,) in loads:
        family, _, parameters = key.partition(" ")
        try:
            load = Register.get_task_cls(family).from_str_params(json.loads(parameters))
        except (TaskClassException, luigi.parameter.ParameterException) as error:
            raise DataError(
                f"raw.{table}: was last loaded by {key}, which is no task any more ({error}), so nobody knows how it "
                f"was read; load it by the task that it is now"
            ) from None
        for extract in luigi.task.flatten(load.requires()):
            if isinstance(extract, MySQLExtractor) and extract.table == table:
                return extract.read_as
    return {}


def _losses(db: warehouse.Engine, target: str) -> dict[str, list[str]]:
    """Column -> what the table's last load recorded, such as `3 zero date`; all loads of one that reads changes."""
    losses: dict[str, list[str]] = defaultdict(list)
    if not db.exists("etl", "losses"):
        return losses
    last = (
        "JOIN (SELECT task_key, run_id FROM etl.receipts WHERE target = %s ORDER BY loaded_at DESC LIMIT 1) r "
        "ON l.task_key = r.task_key AND l.run_id = r.run_id"
    )
    which = "WHERE l.target = %s" if watermarks.read(db, target) else last
    for column, said in db.query(
        f"SELECT l.column_name, sum(l.occurrences) || ' ' || l.reason FROM etl.losses l {which} "
        f"GROUP BY l.column_name, l.reason ORDER BY 1, 2",
        (target,),
    ):
        losses[column].append(said)
    return losses


def _kept(db: warehouse.Engine, target: str, day: datetime.date) -> tuple[str, Manifest, ManifestTarget]:
    """The extract that the last load for the day has loaded."""
    days: list[Any] = []
    if db.exists("etl", "receipts"):
        days = db.query(
            "SELECT manifest, run_id, business_date FROM etl.receipts WHERE target = %s AND manifest IS NOT NULL "
            "ORDER BY loaded_at DESC",
            (target,),
        )
    of_day = [(url, run) for url, run, loaded in days if loaded == day]
    if not of_day:
        known = ", ".join(str(loaded) for loaded in dict.fromkeys(row[2] for row in days)) or "none"
        raise MissingData(f"{target}: was never loaded for {day}; days that it was loaded for: {known}")
    url, _ = of_day[0]
    extract = ManifestTarget.at(url)
    if not extract.exists():
        raise LakeError(
            f"{url}: the extract of {day} is no longer in the lake; compare without --date, or raise [lake] keep_days"
        )
    return url, extract.manifest(), extract
