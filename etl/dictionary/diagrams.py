"""The two drawings: which table's keys point to which (ER), and which table is made of which (flow)."""

from collections.abc import Iterable
from dataclasses import dataclass

from etl.dictionary.layers import Box, Layout, layered
from etl.dictionary.model import Dictionary, Table

# In units of the drawing, for letters of 12 in a monospaced face.
_LETTER, _ROW, _HEAD, _PADDING = 7.25, 19, 26, 12


@dataclass(frozen=True)
class Row:
    """A column in a box; `mark` says what kind of key it is."""

    name: str
    mark: str
    y: float


@dataclass(frozen=True)
class Drawn:
    table: Table
    title: str
    x: float
    y: float
    width: float
    height: float
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """From a table to another, as the path of an SVG."""

    tail: str
    head: str
    path: str
    label: str = ""


@dataclass(frozen=True)
class Diagram:
    width: float
    height: float
    boxes: tuple[Drawn, ...]
    arrows: tuple[Arrow, ...]


def keys(dictionary: Dictionary, around: str = "") -> Diagram | None:
    """Tables with their keys, or those next to one of them; None where no key points anywhere."""
    pointers = [
        (table.name, column.name, column.points_to)
        for table in dictionary.tables.values()
        for column in table.columns.values()
        if column.points_to and dictionary.has(column.points_to)
        if not around or around in (table.name, column.points_to.table)
    ]
    if not pointers:
        return None
    names = sorted({name for tail, _, head in pointers for name in (tail, head.table)})
    shown: dict[str, dict[str, str]] = {name: {} for name in names}
    for name in names:
        table = dictionary.tables[name]
        pointed = {there.column for _, _, there in pointers if there.table == name}
        pointing = {column for tail, column, _ in pointers if tail == name}
        for column in table.columns.values():
            if column.in_key or column.name in pointed | pointing:
                shown[name][column.name] = "PK" if column.in_key else "FK" if column.name in pointing else ""
    sizes = {
        name: (
            max(_wide(_title(dictionary.tables[name])), *(_wide(column) + 34 for column in shown[name])),
            _HEAD + _ROW * len(shown[name]) + 6,
        )
        for name in names
    }
    layout = layered(sizes, ((tail, head.table) for tail, _, head in pointers), across=90, down=22)
    at = {
        name: {column: box.y + _HEAD + _ROW * (place + 0.5) for place, column in enumerate(shown[name])}
        for name, box in layout.boxes.items()
    }
    arrows = tuple(
        Arrow(tail, head.table, _path(layout, tail, head.table, at[tail][column], at[head.table][head.column]),
              f"{tail}.{column} → {head.table}.{head.column}")
        for tail, column, head in pointers
    )  # fmt: skip
    boxes = tuple(
        _drawn(
            dictionary.tables[name], box, [Row(column, mark, at[name][column]) for column, mark in shown[name].items()]
        )
        for name, box in layout.boxes.items()
    )
    return Diagram(layout.width, layout.height, boxes, arrows)


def flow(dictionary: Dictionary, around: str = "") -> Diagram | None:
    """All tables from the sources to the marts, or those that one is made of and that are made of it."""
    arrows = [(read, table.name) for table in dictionary.tables.values() for read in table.reads if read != table.name]
    if around:
        up = _reached(around, [(head, tail) for tail, head in arrows])
        down = _reached(around, arrows)
        # Nothing that is only beside the way up and the way down.
        arrows = [arrow for arrow in arrows if set(arrow) <= up or set(arrow) <= down]
    names = {name for arrow in arrows for name in arrow}
    if not arrows:
        return None
    sizes = {name: (_wide(_title(dictionary.tables[name])), 28.0) for name in sorted(names)}
    layout = layered(sizes, arrows, across=64, down=10)
    drawn = tuple(
        Arrow(tail, head, _path(layout, tail, head, layout.boxes[tail].middle, layout.boxes[head].middle))
        for tail, head in arrows
    )
    boxes = tuple(_drawn(dictionary.tables[name], box, []) for name, box in layout.boxes.items())
    return Diagram(layout.width, layout.height, boxes, drawn)


def _reached(start: str, arrows: Iterable[tuple[str, str]]) -> set[str]:
    """A table, and wherever the arrows lead from it."""
    steps = list(arrows)
    found, here = {start}, {start}
    while here:
        here = {head for tail, head in steps if tail in here} - found
        found |= here
    return found


def _title(table: Table) -> str:
    return table.name if len(table.name) <= 40 else f"{table.name[:39]}…"


def _wide(text: str) -> float:
    return len(text) * _LETTER + 2 * _PADDING


def _drawn(table: Table, box: Box, rows: list[Row]) -> Drawn:
    return Drawn(table, _title(table), round(box.x, 1), round(box.y, 1), box.width, box.height, tuple(rows))


def _path(layout: Layout, tail: str, head: str, begin: float, end: float) -> str:
    """Smooth from the right of one box, through its bends, to the left of the other."""
    one, other = layout.boxes[tail], layout.boxes[head]
    x, y = one.x + one.width, begin
    if other.x <= one.x:
        # Back to the left, or to a box of the same layer: around on the right.
        reach = max(x, other.x + other.width) + 40
        return f"M{x:.1f} {y:.1f}C{reach:.1f} {y:.1f} {reach:.1f} {end:.1f} {other.x + other.width:.1f} {end:.1f}"
    path = f"M{x:.1f} {y:.1f}"
    for bend in layout.bends.get((tail, head), []):
        path += f"{_curve(x, y, bend.x, bend.middle)}H{bend.x + bend.width:.1f}"
        x, y = bend.x + bend.width, bend.middle
    return path + _curve(x, y, other.x, end)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (x + to_x) / 2
    return f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
