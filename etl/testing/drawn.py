"""Drawn tables: a table as text before a load, the expectation as text after, and the database's answer between."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

Row = tuple[str | None, ...]


class Fillable(Protocol):
    def insert(self, table: str, columns: list[str], rows: list[Row]) -> None: ...


class Readable(Protocol):
    def read(self, table: str, columns: list[str]) -> Iterable[Row]: ...


def rows(text: str) -> tuple[list[str], list[Row]]:
    """Columns and rows of a drawing: a header, then a row a line, fields between bars. NULL is None, '' is empty."""
    lines = [[field.strip() for field in line.split("|")] for line in text.strip().splitlines()]
    for line in lines[1:]:
        if len(line) != len(lines[0]):
            raise ValueError(f"a drawn row has {len(line)} fields, its header {len(lines[0])}: {' | '.join(line)}")
    values = [tuple({"NULL": None, "''": ""}.get(field, field) for field in line) for line in lines[1:]]
    return lines[0], values


def insert(database: Fillable, table: str, text: str) -> None:
    """Add the drawn rows to a table of the shop or of the warehouse, as somebody does by hand."""
    database.insert(table, *rows(text))


def shows(warehouse: Readable, table: str, text: str) -> None:
    """Assert that the table's rows, in the database's own text form and in any order, are the drawn ones.

    Columns that are not drawn are not looked at.
    """
    __tracebackhide__ = True
    columns, expected = rows(text)
    found = Counter(warehouse.read(table, columns))
    wanted = Counter(expected)
    if found != wanted:
        raise AssertionError(_difference(table, columns, found, wanted))


def _difference(table: str, columns: list[str], found: Counter[Row], wanted: Counter[Row]) -> str:
    """The table as it is, with what is there and not drawn (+), and what is drawn and not there (-)."""
    marked = [(" ", row) for row in (found & wanted).elements()]
    marked += [("+", row) for row in (found - wanted).elements()]
    marked += [("-", row) for row in (wanted - found).elements()]
    drawn = [(mark, ["NULL" if value is None else value or "''" for value in row]) for mark, row in marked]
    # Rows that differ in a value stand side by side.
    drawn.sort(key=lambda line: (line[1], line[0]))
    widths = [max(len(value) for value in values) for values in zip(columns, *(row for _, row in drawn), strict=True)]
    lines = [
        f"  {mark} {' | '.join(value.ljust(width) for value, width in zip(row, widths, strict=True))}".rstrip()
        for mark, row in [(" ", columns), *drawn]
    ]
    extra, missing = (found - wanted).total(), (wanted - found).total()
    said = f"{table} is not as drawn: {extra} too many (+), {missing} missing (-)"
    return "\n".join([said, *lines])
