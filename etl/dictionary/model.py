"""What a dictionary holds: tables of the warehouse and of its sources, their columns, and what is made of what."""

import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

SOURCE, RAW, DIMENSION, FACT, MART, OTHER = "source", "raw", "dimension", "fact", "mart", "table"

# How a column takes part in another: its value goes in, it finds the row whose value goes in, it decides which rows
# there are, or its values become members of a dimension.
VALUE, LOOKUP, ROWS, MEMBERS = "value", "lookup", "rows", "members"


class Field(NamedTuple):
    """A column of a table, by their names."""

    table: str
    column: str


@dataclass(frozen=True)
class Origin:
    """How one task fills a column.

    `expression` is the task's SQL for it, `steps` that of its own subqueries, and `values` are the columns of other
    tables that stand in them; `joins` is how the rows of these are found, and `lookups` the columns by which. `said` is
    for what no SQL makes.
    """

    task: str
    expression: str = ""
    steps: tuple[str, ...] = ()
    values: tuple[Field, ...] = ()
    joins: tuple[str, ...] = ()
    lookups: tuple[Field, ...] = ()
    said: str = ""


@dataclass
class Column:
    """`type` is "" where nobody knows it; `lost` and `held` say how many values and rows, and why, by reason."""

    name: str
    type: str = ""
    required: bool = False
    default: str = ""
    in_key: bool = False
    comment: str = ""
    points_to: Field | None = None
    origins: list[Origin] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)


@dataclass
class Load:
    """One task that fills a table. `told` is what its docstring and its module's say; `sql` is as it was written.

    `conditions` are the joins and filters that decide which rows there are, `rows` the columns that stand in them.
    `problem` says why its SQL could not be read.
    """

    task: str
    module: str
    told: list[str]
    strategy: str
    key: tuple[str, ...]
    file: str = ""
    sql: str = ""
    reads: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    rows: list[Field] = field(default_factory=list)
    members: dict[str, list[Field]] = field(default_factory=dict)
    problem: str = ""


@dataclass
class Standing:
    """How a table stands in the warehouse; `late` is since when its day is too old, None while it is not."""

    rows: int
    business_date: date | None
    loaded_at: datetime
    held: int
    late: datetime | None


@dataclass
class Table:
    """A table of the warehouse, or of a source, whose schema is then the kind of server. `file` is where it is defined.

    `complete` says whether the columns are all that there are, or those that we know it to have.
    """

    name: str
    schema: str
    table: str
    kind: str
    comment: str = ""
    file: str = ""
    fresh_by: str = ""
    history: tuple[str, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)
    complete: bool = True
    loads: list[Load] = field(default_factory=list)
    standing: Standing | None = None

    def column(self, name: str) -> Column:
        """The column of that name, which is a new one where none was known."""
        return self.columns.setdefault(name, Column(name))

    @property
    def reads(self) -> list[str]:
        return list(dict.fromkeys(name for load in self.loads for name in load.reads))


class Use(NamedTuple):
    """A column that takes part in `field`, which is a whole table where its column is ""."""

    field: Field
    how: str


@dataclass
class Dictionary:
    """`problems` are files that are wrong, `unread` what is right as far as we know, and which we cannot read.

    `asked` is when the warehouse was asked, None where these are the files alone, for the reason `why_not`.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    asked: datetime | None = None
    why_not: str = ""

    @functools.cached_property
    def uses(self) -> dict[Field, list[Use]]:
        """What each column takes part in; asked when all of it is known."""
        found: dict[Field, dict[Use, None]] = defaultdict(dict)
        for used, use in self._uses():
            found[used][use] = None
        return {used: list(of) for used, of in found.items()}

    def _uses(self) -> Iterator[tuple[Field, Use]]:
        for table in self.tables.values():
            for column in table.columns.values():
                made = Field(table.name, column.name)
                for origin in column.origins:
                    yield from ((value, Use(made, VALUE)) for value in origin.values)
                    yield from ((found, Use(made, LOOKUP)) for found in origin.lookups)
            for load in table.loads:
                yield from ((used, Use(Field(table.name, ""), ROWS)) for used in load.rows)
                for dimension, used in load.members.items():
                    yield from ((one, Use(Field(dimension, ""), MEMBERS)) for one in used)

    def has(self, field: Field) -> bool:
        return field.table in self.tables and field.column in self.tables[field.table].columns

    def used_by(self, name: str) -> list[str]:
        """The tables that are made of a table's rows."""
        return [table.name for table in self.tables.values() if name in table.reads]

    def as_json(self) -> dict[str, Any]:
        """Tables by name, each column with what it is made of and what it is used by."""
        tables = {}
        for name, table in self.tables.items():
            tables[name] = asdict(table) | {"used_by": self.used_by(name)}
            for column, said in tables[name]["columns"].items():
                said["used_by"] = [
                    {"table": use.field.table, "column": use.field.column or None, "how": use.how}
                    for use in self.uses.get(Field(name, column), [])
                ]
        return _plain(
            {"asked": self.asked, "problems": self.problems, "unread": self.unread, "tables": tables},
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Field):
        return value._asdict()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
