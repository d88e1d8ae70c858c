"""One side of a comparison: checksums of a table that its own engine computes, over ranges of its key.

A checksum is a sum, over rows in any order, of 60 bits of MD5 of the row's key and one value's canonical text. The
canonical text is the same in every engine for values that are equal, and the key in it tells two rows that have
swapped their values from two that have not. NULL adds nothing, and is counted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["integer", "decimal", "boolean", "double", "date", "time", "clock", "text", "long text", "bytes"]

# What a table without a key is also checked for: that the values stand in the same rows.
WHOLE_ROWS = "(whole rows)"
HASH_DIGITS = 15
# Longer values are shown as their length and MD5.
SHOWN_BYTES = 1000
# Where the warehouse limits what a text may be, longer ones are their MD5 inside a longer text.
JOINED_BYTES = 2000
# Between the values of one text; no key is likely to hold it.
SEPARATOR = "\x1f"

_KINDS: dict[str, Kind] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "decimal",
    "boolean": "boolean",
    "double precision": "double",
    "date": "date",
    "timestamp": "time",
    "timestamptz": "time",
    "timestamp without time zone": "time",
    "timestamp with time zone": "time",
    "time": "clock",
    "time without time zone": "clock",
    "text": "text",
    "character varying": "text",
}


def kind_of(warehouse_type: str) -> Kind | None:
    """None for a type that no mirror makes."""
    name = warehouse_type.lower()
    return "integer" if name == "numeric(20,0)" else _KINDS.get(name.partition("(")[0])


@dataclass(frozen=True)
class Field:
    """`replaced` says that a loss was recorded for the column: values with U+FFFD then equal one another."""

    name: str
    kind: Kind
    replaced: bool = False


@dataclass(frozen=True)
class Sums:
    """Over some rows: how many there are, and in each column how many values and their checksum."""

    rows: int
    filled: tuple[int, ...]
    checksums: tuple[int, ...]

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.rows + other.rows,
            tuple(map(sum, zip(self.filled, other.filled, strict=True))),
            tuple(map(sum, zip(self.checksums, other.checksums, strict=True))),
        )


@dataclass(frozen=True)
class Grid:
    """Positions from `first` on, cut into cells of one `width`; None of them is cut away where `cells` is None."""

    first: int
    width: int
    cells: tuple[int, ...] | None = None

    def bounds(self, cell: int) -> tuple[int, int]:
        """Its first and last position."""
        return self.first + cell * self.width, self.first + (cell + 1) * self.width - 1


@dataclass(frozen=True)
class Row:
    """`checksums` are those of the columns that were asked for; None where the value is NULL."""

    position: int
    key: tuple[str, ...]
    checksums: tuple[int | None, ...]


class Side(ABC):
    """A table of one engine, whose subclass says how that engine writes what is asked here.

    A row's position is its key where that is one integer column, so that ranges are read by the index and say something
    to a person; of any other key it is a hash, since no two engines sort texts alike. `ordered` says which, and is the
    same for both sides, although one may know of an integer what the other does not.
    """

    def __init__(self, relation: str, fields: Sequence[Field], key: Sequence[str]):
        self._relation, self.fields, self.key = relation, tuple(fields), tuple(key)
        self._fields = {field.name: field for field in fields}
        self.ordered = len(self.key) == 1 and self._fields[self.key[0]].kind == "integer"

    @property
    def names(self) -> tuple[str, ...]:
        """All that is checked."""
        return (*self._fields, *(() if self.key else (WHOLE_ROWS,)))

    def span(self) -> tuple[int, int] | None:
        """The first and the last position; None for a table without rows."""
        if not self.ordered:
            return 0, 16**HASH_DIGITS - 1
        key = self._quote(self.key[0])
        lowest, highest = self._query(f"SELECT MIN({key}), MAX({key}) FROM {self._relation}{self._where()}")[0]
        return None if lowest is None else (int(lowest), int(highest))

    def count(self, condition: str) -> int:
        """How many rows take part and fulfil a condition in the engine's own SQL."""
        return int(self._query(f"SELECT COUNT(*) FROM {self._relation}{self._where(condition)}")[0][0])

    def at(self, positions: Sequence[int]) -> str:
        """The condition that a row has one of those positions."""
        return f"{self._position()} IN ({', '.join(map(str, positions))})"

    def sums(self, names: Sequence[str], inside: Grid, grid: Grid) -> dict[int, Sums]:
        """For each cell of `grid` that has rows, of those inside the other grid; without a key there is only cell 0."""
        asked = [f"COUNT({self._counted(name)}), {self._sum(self._checksum(name))}" for name in names]
        cell = self._cell(self._position(), grid) if self.key else "0"
        rows = self._query(
            f"SELECT {', '.join([f'{cell} AS cell', 'COUNT(*)', *asked])} "
            f"FROM {self._relation}{self._where(self._within(inside))} GROUP BY 1"
        )
        return {
            int(cell): Sums(int(count), tuple(map(int, rest[::2])), tuple(int(total or 0) for total in rest[1::2]))
            for cell, count, *rest in rows
        }

    def rows(self, names: Sequence[str], inside: Grid) -> list[Row]:
        """Position, key and checksums of every row in the cells."""
        asked = [self._position(), *map(self._shown, self.key), *map(self._checksum, names)]
        return [
            Row(
                int(row[0]),
                tuple(map(_text, row[1 : 1 + len(self.key)])),
                tuple(None if value is None else int(value) for value in row[1 + len(self.key) :]),
            )
            for row in self._query(
                f"SELECT {', '.join(asked)} FROM {self._relation}{self._where(self._within(inside))}"
            )
        ]

    def values(self, names: Sequence[str], positions: Sequence[int]) -> dict[tuple[str, ...], dict[str, str | None]]:
        """Key -> column -> value as text, of the rows in those positions."""
        asked = [*map(self._shown, self.key), *map(self._shown, names)]
        found = self._query(f"SELECT {', '.join(asked)} FROM {self._relation}{self._where(self.at(positions))}")
        width = len(self.key)
        return {
            tuple(map(_text, row[:width])): {
                name: None if value is None else _text(value) for name, value in zip(names, row[width:], strict=True)
            }
            for row in found
        }

    @abstractmethod
    def _query(self, sql: str) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _quote(self, name: str) -> str: ...

    @abstractmethod
    def _value(self, field: Field) -> str:
        """The column, with NULL for what the warehouse cannot hold."""

    @abstractmethod
    def _canonical(self, field: Field) -> str:
        """A text that is equal for equal values, and shorter than any limit of the engine."""

    @abstractmethod
    def _readable(self, field: Field) -> str:
        """A text for people; of a value longer than SHOWN_BYTES its length and MD5."""

    @abstractmethod
    def _joined(self, texts: Sequence[str]) -> str:
        """One text of several; NULL where one of them is."""

    @abstractmethod
    def _hash(self, text: str) -> str:
        """The first HASH_DIGITS hexadecimal digits of the text's MD5, as a number."""

    @abstractmethod
    def _cell(self, position: str, grid: Grid) -> str:
        """The number of the cell."""

    def _sum(self, checksum: str) -> str:
        """Over many rows, of which it adds up 60 bits each."""
        return f"SUM({checksum})"

    def _excluded(self) -> str:
        """A condition that all rows fulfil which take part; '' where all do."""
        return ""

    def _counted(self, name: str) -> str:
        return "1" if name == WHOLE_ROWS else self._value(self._fields[name])

    def _shown(self, name: str) -> str:
        return self._readable(self._fields[name])

    def _checksum(self, name: str) -> str:
        if name == WHOLE_ROWS:
            digests = [f"COALESCE(MD5({self._canonical(field)}), '-')" for field in self._fields.values()]
            return self._hash(self._joined(digests))
        return self._hash(self._joined([*self._identity(), self._canonical(self._fields[name])]))

    def _identity(self) -> list[str]:
        return [self._canonical(self._fields[name]) for name in self.key]

    def _position(self) -> str:
        return self._quote(self.key[0]) if self.ordered else self._hash(self._joined(self._identity()))

    def _where(self, condition: str = "") -> str:
        conditions = list(filter(None, (self._excluded(), condition)))
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _within(self, grid: Grid) -> str:
        if grid.cells is None:
            return ""
        if self.ordered:
            bounds = map(grid.bounds, grid.cells)
            return "(" + " OR ".join(f"{self._position()} BETWEEN {first} AND {last}" for first, last in bounds) + ")"
        return f"{self._cell(self._position(), grid)} IN ({', '.join(map(str, grid.cells))})"


def binary(value: str, whole: Callable[[str], str], joined: Callable[[Sequence[str]], str]) -> str:
    """A double as `<mantissa>b<exponent>`, or as the whole number that it is: every bit of it, and no digits.

    For an engine whose digits of a double are not known to be the shortest. Each step is exact in any engine's doubles:
    a division by a power of two, and `whole`, which writes a whole number below 2^53. An inexact logarithm does not
    matter, since the quotient says by how much it was wrong; its bounds keep that power a normal number.
    """
    power = f"LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS({value})) * 1.4426950408889634)))"
    quotient = f"ABS({value}) / POWER(2, {power})"
    sign, mark = f"CASE WHEN {value} < 0 THEN '-' ELSE '' END", "'b'"
    written = " ".join(
        f"WHEN {quotient} < {below} "
        f"THEN {joined([sign, whole(f'{quotient} * {2**53 // below}'), mark, whole(f'{power} + {wrong}')])}"
        for below, wrong in ((1, -1), (2, 0), (4, 1))
    )
    return f"CASE WHEN ABS({value}) < {2**53} AND {value} = FLOOR({value}) THEN {whole(value)} {written} END"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
