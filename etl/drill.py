"""Two sides of a comparison: asked at the same time, and cut into ever smaller ranges of the key where they differ."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from typing import Any

from etl.checksums import Field, Grid, Kind, Side, Sums, kind_of
from etl.errors import DataError

# How many ranges one range is cut into, and at how many rows in all that are left their keys are fetched.
_CELLS = 64
_FEW_ROWS = 20_000

_NUMBERS: tuple[Kind, ...] = ("integer", "decimal")
_TEXTS: tuple[Kind, ...] = ("text", "long text", "bytes", "clock")


class Drill(Iterator[Grid]):
    """Ranges in which the two sides differ and few rows are left, none of which is found before it is asked for.

    `top` is the first cut of all positions, of which `last` is the last one; `ours` and `theirs` are the sums of its
    ranges, those of the source and those of the warehouse, and `cells` those that differ. No more than `at_once` ranges
    are cut by one question or returned together; `pending` are those that wait.
    """

    def __init__(self, source: Side, there: Side, names: Sequence[str], at_once: int):
        self._source, self._there, self._at_once = source, there, at_once
        source.ordered = there.ordered = source.ordered and there.ordered
        spans = [span for span in both(methodcaller("span"), source, there) if span]
        first, self.last = min((span[0] for span in spans), default=0), max((span[1] for span in spans), default=0)
        self._widths = _widths(self.last - first + 1)
        self.top = Grid(first, self._widths[0])
        self.names = list(names)
        self.ours, self.theirs = both(methodcaller("sums", names, self.top, self.top), source, there)
        self.cells = _differing(self.ours, self.theirs)
        self.pending: list[tuple[int, Grid, int]] = []
        self._push(0, self.cells, self.ours, self.theirs)

    def __next__(self) -> Grid:
        while self.pending:
            level, inside, rows = self.pending.pop()
            if rows <= _FEW_ROWS or level + 1 == len(self._widths):
                return inside
            grid = Grid(self.top.first, self._widths[level + 1])
            ours, theirs = both(methodcaller("sums", self.names, inside, grid), self._source, self._there)
            self._push(level + 1, _differing(ours, theirs), ours, theirs)
        raise StopIteration

    def _push(self, level: int, cells: list[int], ours: dict[int, Sums], theirs: dict[int, Sums]) -> None:
        width = self._widths[level]
        for start in reversed(range(0, len(cells), self._at_once)):
            together = tuple(cells[start : start + self._at_once])
            rows = sum(side[cell].rows for side in (ours, theirs) for cell in together if cell in side)
            self.pending.append((level, Grid(self.top.first, width, together), rows))


def both(ask: Callable[[Side], Any], source: Side, there: Side) -> tuple[Any, Any]:
    """Both engines work at the same time."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, (source, there))
    return one, other


def as_there(fields: Collection[Field], types: dict[str, str], target: str) -> list[Field]:
    """The source's fields with values of the warehouse's own `types`; DataError where no value can be the same."""
    return [_as(field, types[field.name], target) for field in fields]


def _as(field: Field, declared: str, target: str) -> Field:
    kind = kind_of(declared)
    if kind in _NUMBERS and field.kind in _NUMBERS:
        return Field(field.name, kind)
    if kind == field.kind or (kind in _TEXTS and field.kind in _TEXTS):
        return field
    raise DataError(
        f"{target}.{field.name}: is {declared} in the warehouse, and at the source a {field.kind} now; load it again, "
        f"which says how to change it there"
    )


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


def _differing(ours: dict[int, Sums], theirs: dict[int, Sums]) -> list[int]:
    return sorted(cell for cell in ours.keys() | theirs.keys() if ours.get(cell) != theirs.get(cell))
