"""Does raw.<table> equal the MySQL table? Checksums of both, cut into ever smaller ranges down to the rows."""

import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter, methodcaller
from typing import Any

import luigi
from luigi.task_register import Register, TaskClassException

from etl import warehouse
from etl.checksums import Field, Grid, Kind, Row, Side, Sums, kind_of
from etl.comparison import SHOWN, Column, Comparison, Difference, Key, KeyRange
from etl.errors import DataError, LakeError, MissingData, WarehouseError
from etl.manifest import Manifest, ManifestTarget
from etl.sources import mysql_checksum
from etl.sources.mysql import MySQLExtractor
from etl.warehouse.checksum import WarehouseTable, borrow, snapshot
from etl.warehouse.names import quote

# How many ranges one range is cut into, and at how many rows in all that are left their keys are fetched.
_CELLS = 64
_FEW_ROWS = 20_000


def compare(table: str, day: datetime.date | None = None) -> Comparison:
    """The MySQL table as it is now, or the extract that was kept of a day, with raw.<table> as it is now.

    Each side is read in one snapshot. Raises where there is nothing to compare, or columns are not the same.
    """
    with warehouse.connect(f"etl compare {table}") as db:
        return _with_extract(db, table, day) if day else _with_mysql(db, table)


def _with_mysql(db: warehouse.Postgres, table: str) -> Comparison:
    target = f"raw.{table}"
    losses = _losses(db, target)
    replaced = [column for column, reasons in losses.items() if any("UTF-8" in reason for reason in reasons)]
    held = _held(db, target)
    with mysql_checksum.opened(table, held, replaced, _read_as(db, table)) as source, snapshot(db):
        comparison = _begun(db, target, None)
        comparison.held = len(held)
        there = _there(db, table, source.fields, source.key)
        return _compared(comparison, source, there, losses)


def _with_extract(db: warehouse.Postgres, table: str, day: datetime.date) -> Comparison:
    target = f"raw.{table}"
    url, manifest, extract = _kept(db, target, day)
    if manifest.columns is None:
        raise DataError(f"{url}: names no columns, so it cannot be compared with {target}")
    fields = []
    for name, declared in zip(manifest.columns, manifest.types, strict=True):
        kind = kind_of(declared)
        if kind is None:
            raise DataError(f"{target}.{name}: {declared} cannot be compared yet")
        fields.append(Field(name, kind))
    key = manifest.findings["key"]
    parts = {part.url: _opener(extract, part, manifest) for part in manifest.parts}
    borrowed = borrow(db, dict(zip(manifest.columns, manifest.types, strict=True)), parts, manifest.null)
    with snapshot(db):
        comparison = _begun(db, target, day)
        comparison.held = len(_held(db, target))
        source = WarehouseTable(db, borrowed, fields, key)
        return _compared(comparison, source, _there(db, table, fields, key), _losses(db, target))


def _opener(extract: ManifestTarget, part: Any, manifest: Manifest) -> Callable[[], warehouse.Part]:
    return lambda: extract.open_part(part, manifest)


def _there(db: warehouse.Postgres, table: str, fields: Sequence[Field], key: Sequence[str]) -> WarehouseTable:
    """The warehouse's table, its columns read as those of the source; an error where they are not the same."""
    types = db.columns("raw", table)
    if not types:
        raise WarehouseError(
            f"raw.{table}: not in the warehouse; `etl run MirrorTable --table {table} --date …` loads it"
        )
    names = {field.name for field in fields}
    more, fewer = [name for name in names if name not in types], [name for name in types if name not in names]
    if more or fewer:
        said = [f"only at the source: {', '.join(sorted(more))}"] if more else []
        said += [f"only in the warehouse: {', '.join(fewer)}"] if fewer else []
        raise DataError(
            f"raw.{table}: the columns are not the same ({'; '.join(said)}); "
            f"`etl run MirrorTable --table {table} --date …` adds those of the source, and says what to do about others"
        )
    return WarehouseTable(
        db, f"raw.{quote(table)}", [_as(field, types[field.name], f"raw.{table}") for field in fields], key
    )


_NUMBERS: tuple[Kind, ...] = ("integer", "decimal")
_TEXTS: tuple[Kind, ...] = ("text", "long text", "bytes")


def _as(field: Field, declared: str, target: str) -> Field:
    """The source's field, whose values are of the warehouse's own type."""
    kind = kind_of(declared)
    if kind in _NUMBERS and field.kind in _NUMBERS:
        return Field(field.name, kind)
    if kind == field.kind or (kind in _TEXTS and field.kind in _TEXTS):
        return field
    raise DataError(
        f"{target}.{field.name}: is {declared} in the warehouse, and at the source a {field.kind} now; "
        f"ALTER TABLE {target} ALTER COLUMN {quote(field.name)} TYPE … there, then load it again"
    )


def _compared(comparison: Comparison, source: Side, there: WarehouseTable, losses: dict[str, list[str]]) -> Comparison:
    comparison.key = source.key
    spans = [span for span in _both(methodcaller("span"), source, there) if span]
    first, last = min((span[0] for span in spans), default=0), max((span[1] for span in spans), default=0)
    widths = _widths(last - first + 1)
    top = Grid(first, widths[0])
    ours, theirs = _both(methodcaller("sums", source.names, top, top), source, there)
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
    cells = _differing(ours, theirs)
    if cells and source.key:
        if source.ordered:
            comparison.ranges = _ranges(top, last, cells, ours, theirs)
        names = [column.name for column in comparison.columns if not column.equal]
        _drill(comparison, source, there, names, widths, Grid(first, widths[0], tuple(cells)), (ours, theirs))
    return comparison


def _drill(
    comparison: Comparison,
    source: Side,
    there: Side,
    names: list[str],
    widths: list[int],
    inside: Grid,
    sums: tuple[dict[int, Sums], dict[int, Sums]],
) -> None:
    """Cut the ranges that differ until few rows are left in them; then find those that differ by their keys."""
    for width in widths[1:]:
        inside = _first_of(inside, comparison)
        if sum(side[cell].rows for side in sums for cell in inside.cells or () if cell in side) <= _FEW_ROWS:
            break
        grid = Grid(inside.first, width)
        sums = _both(methodcaller("sums", names, inside, grid), source, there)
        inside = Grid(inside.first, width, tuple(_differing(*sums)))
    inside = _first_of(inside, comparison)
    rows = _both(methodcaller("rows", names, inside), source, there)
    keys = _keys(*rows, by_position=source.ordered)
    if len(keys) > SHOWN:
        comparison.complete = False
    _show(comparison, source, there, names, rows, keys[:SHOWN])


def _first_of(grid: Grid, comparison: Comparison) -> Grid:
    """No more cells than rows are shown: each holds at least one of them."""
    assert grid.cells is not None
    if len(grid.cells) > SHOWN:
        comparison.complete = False
    return Grid(grid.first, grid.width, grid.cells[:SHOWN])


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
    values = _both(methodcaller("values", names, positions), source, there)
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


def _both(ask: Callable[[Side], Any], source: Side, there: Side) -> tuple[Any, Any]:
    """Both engines work at the same time."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, (source, there))
    return one, other


def _widths(span: int) -> list[int]:
    """Of cells, each a multiple of the next: the first cut `span` into _CELLS at most, the last hold one position."""
    scale = 1
    while scale * _CELLS < span:
        scale *= _CELLS
    often = -(-span // scale)
    widths = []
    while scale > 1:
        scale //= _CELLS
        widths.append(often * scale)
    return [*widths, 1] if widths[-1:] != [1] else widths


def _of(sums: dict[int, Sums], cell: int, place: int) -> tuple[int, int]:
    found = sums.get(cell)
    return (found.filled[place], found.checksums[place]) if found else (0, 0)


def _differing(ours: dict[int, Sums], theirs: dict[int, Sums]) -> list[int]:
    return sorted(cell for cell in ours.keys() | theirs.keys() if ours.get(cell) != theirs.get(cell))


def _ranges(
    grid: Grid, highest: int, cells: list[int], ours: dict[int, Sums], theirs: dict[int, Sums]
) -> list[KeyRange]:
    """Neighbouring cells are one range; there is no row beyond the `highest` position."""
    ranges: list[KeyRange] = []
    for cell in cells:
        first, last = grid.bounds(cell)
        last = min(last, highest)
        rows = [side[cell].rows if cell in side else 0 for side in (ours, theirs)]
        if ranges and ranges[-1].last + 1 == first:
            before = ranges.pop()
            ranges.append(KeyRange(before.first, last, before.source + rows[0], before.warehouse + rows[1]))
        else:
            ranges.append(KeyRange(first, last, *rows))
    return ranges


# ---- what the pipeline has recorded of the table


def _begun(db: warehouse.Postgres, target: str, extract_date: datetime.date | None) -> Comparison:
    source = f"the extract of {extract_date}" if extract_date else "MySQL now"
    found: list[Any] = []
    if db.exists("etl", "data_as_of"):
        found = db.query("SELECT business_date, loaded_at FROM etl.data_as_of WHERE table_name = %s", (target,))
    return Comparison(target, source, extract_date, *(found[0] if found else (None, None)))


def _read_as(db: warehouse.Postgres, table: str) -> dict[str, str]:
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


def _losses(db: warehouse.Postgres, target: str) -> dict[str, list[str]]:
    """Column -> what the table's last load recorded, such as `3 zero date`."""
    losses: dict[str, list[str]] = defaultdict(list)
    if db.exists("etl", "losses"):
        for column, said in db.query(
            "SELECT l.column_name, l.occurrences || ' ' || l.reason FROM etl.losses l JOIN "
            "(SELECT task_key, run_id FROM etl.receipts WHERE target = %s ORDER BY loaded_at DESC LIMIT 1) r "
            "ON l.task_key = r.task_key AND l.run_id = r.run_id ORDER BY 1, 2",
            (target,),
        ):
            losses[column].append(said)
    return losses


def _held(db: warehouse.Postgres, target: str) -> list[Key]:
    """The keys of the rows that are in quarantine."""
    if not db.exists("etl", "quarantine"):
        return []
    rows = db.query("SELECT source_key FROM etl.quarantine WHERE target = %s", (target,))
    return [tuple(json.loads(key)) for (key,) in rows]


def _kept(db: warehouse.Postgres, target: str, day: datetime.date) -> tuple[str, Manifest, ManifestTarget]:
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
