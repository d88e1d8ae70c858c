"""The stage: a table that readers never see, filled and audited before anything is published.

A stage is named after its target and its run, so two runs never share one; those of dead runs are dropped
under the target's lock, when nobody else can be using them.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import DataError, WarehouseError
from etl.warehouse import table_file
from etl.warehouse.definition import Definition
from etl.warehouse.engine import Engine
from etl.warehouse.names import quote

UNKNOWN = -1
SHOWN = 5
# Columns of a dimension that the load itself keeps, where the table has them.
KEPT = ("valid_from", "valid_to", "is_current", "is_inferred")


@dataclass(frozen=True)
class Counts:
    """Rows that a publication touched, and how many the table has after it."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    after: int = 0


class Stage:
    """The rows that are about to become `definition`'s table.

    `landing` and `held` are tables beside it: for rows that are to be shaped, and for those that are not to be loaded;
    `changes` is for the keys of rows that differ. `there` is the target as it is; `first` says that it does not exist
    yet: the stage is then built to become it. `surrogate` is the key column that we number ourselves, where the rows
    come without it. `rows` are those that were staged, the unknown member with them. `lacking` are columns that the
    table is to get by a migration; a load that `may_do_without` them leaves out what its SELECT yields of them.
    """

    def __init__(self, db: Engine, definition: Definition, run: str):
        self._db, self.definition = db, definition
        self.table = f"{_family(definition.name)}{definition.table[:27]}_{run[:8]}_{run[-8:]}"
        self.name = f"stage.{quote(self.table)}"
        self.landing = self._beside("in")
        self.held = self._beside("held")
        self.changes = self._beside("diff")
        self.target = f"{quote(definition.schema)}.{quote(definition.table)}"
        # As a statement that changes it calls it, for which not every engine has an alias.
        self.itself = quote(definition.table)
        self.there = db.table(definition.schema, definition.table)
        self.first = self.there is None
        # Columns that the table's file has and the table has not, for a migration is due.
        written = table_file.columns(definition.body) if definition.file else {}
        self.lacking = tuple(name for name in written if self.there and name not in self.there.columns)
        self.may_do_without = False
        self.surrogate: str | None = None
        self.rows = 0
        self._trusted: list[tuple[str, ...]] = []

    def __enter__(self) -> "Stage":
        self._db.ensure_schema("stage", readable=False)
        self._db.ensure_schema(self.definition.schema, readable=self.definition.schema != "raw")
        drop_stages(self._db, self.definition.name)
        if self.there is None:
            self._refuse_what_is_not_ours()
            self._db.execute(self.definition.create("stage", self.table))
            made = self._db.table("stage", self.table)
            assert made is not None
            self._db.without_key("stage", self.table)
        else:
            made = self.there
            self._db.like(self.name, self.definition.schema, self.definition.table)
        self.key, self.columns, self.required = made.key, made.columns, made.required
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            # Nothing is published: a stage that cannot be dropped now is dropped by the next load.
            with contextlib.suppress(WarehouseError):
                drop_stages(self._db, self.definition.name)

    def drop(self) -> None:
        """Belongs into the transaction that publishes: should the process die after it, nobody would load again."""
        self._db.note([(f"DROP TABLE IF EXISTS {self.name}, {self.landing}, {self.held}, {self.changes}", ())])

    def values(self, alias: str = "s") -> str:
        """What is published of each column: the stage's, and of a stamp the moment of the publication."""
        return ", ".join(
            self._db.now if name in self.definition.stamps else f"{alias}.{quote(name)}" for name in self.columns
        )

    @property
    def compared(self) -> list[str]:
        """The columns by which a row is known to have changed."""
        return [name for name in self.columns if name not in self.definition.stamps]

    @property
    def is_dimension(self) -> bool:
        return self.definition.table.startswith("dim_")

    def accept(self, offered: Sequence[str], where: str) -> None:
        """Check that the offered columns are the target's; the one key column they may lack is numbered by us."""
        may_lack = (*self.definition.optional, *(KEPT if self.is_dimension else ()))
        missing = [name for name in self.columns if name not in (*offered, *may_lack)]
        if len(missing) == 1 and tuple(missing) == self.key and self.is_dimension:
            self.surrogate = missing.pop()
        # Beside one that is missing it is a column that was renamed.
        left_out = self.lacking if self.may_do_without and not missing else ()
        unknown = [name for name in offered if name not in (*self.columns, *left_out)]
        if missing or unknown:
            problems = [f"lacks {', '.join(missing)}"] if missing else []
            problems += [f"has {', '.join(unknown)}, which the table does not"] if unknown else []
            if to_come := [name for name in unknown if name in self.lacking]:
                problems += [f"{self.definition.file} has {', '.join(to_come)}: run `etl migrate`, then load it again"]
            raise DataError(
                f"{self.definition.name}: {where} {' and '.join(problems)}; "
                f"the table's columns are {', '.join(self.columns)}"
            )

    def fill(self, select: str, offered: Sequence[str], key: Sequence[str]) -> int:
        """Insert what a SELECT yields, numbering surrogate keys: known rows keep theirs, new ones follow on.

        New rows are numbered in the order of their natural key, so the same nights give the same numbers.
        Returns the number of rows.
        """
        self.rows = self._insert(select, offered, key)
        return self.rows

    def _insert(self, select: str, offered: Sequence[str], key: Sequence[str]) -> int:
        offered = [name for name in offered if name in self.columns]
        columns = ", ".join(map(quote, offered))
        if self.surrogate is None:
            return self._db.execute(f"INSERT INTO {self.name} ({columns}) SELECT {columns} FROM (\n{select}\n) q")
        if not key:
            raise DataError(f"{self.definition.name}: numbers {self.surrogate} by a natural key; declare `key`")
        number = quote(self.surrogate)
        order = ", ".join(f"q.{quote(name)}" for name in key)
        if self.first:
            source, known, base = "", "CAST(NULL AS BIGINT)", "0"
        else:
            joined = same_key("t", "q", key) + (" AND t.is_current" if "is_current" in self.columns else "")
            source, known = f"LEFT JOIN {self.target} t ON {joined}", f"t.{number}"
            base = f"(SELECT COALESCE(MAX({number}), 0) FROM {self.target} WHERE {number} > 0)"
        return self._db.execute(
            f"INSERT INTO {self.name} ({number}, {columns})\n"
            f"SELECT COALESCE({known}, {base} + ROW_NUMBER() OVER (PARTITION BY {known} IS NULL ORDER BY {order})),\n"
            f"       {', '.join(f'q.{quote(name)}' for name in offered)}\n"
            f"FROM (\n{select}\n) q {source}"
        )

    def add_unknown_member(self) -> None:
        """A dimension's row -1, which facts point at for want of a better one: the table's own defaults."""
        if self.is_dimension and self.key:
            try:
                self.rows += self._db.execute(f"INSERT INTO {self.name} ({quote(self.key[0])}) VALUES ({UNKNOWN})")
            except DataError as error:
                raise DataError(
                    f"{self.definition.name}: cannot hold the unknown member ({UNKNOWN}): {error}; "
                    f"give the column a DEFAULT"
                ) from None

    def audit(self, keys: Sequence[Sequence[str]], filled: Sequence[str] = (), whole: bool = False) -> None:
        """Raise DataError unless keys are unique, they and the `filled` not null, and foreign keys resolve.

        Where the `whole` table is to equal the stage, a key that the table keeps unique by itself is not proved here:
        as many rows there as were staged are the proof, and `refuse_duplicates` says what was wrong when it fails.
        """
        self._audit_filled(filled)
        for key in dict.fromkeys(tuple(key) for key in keys if key):
            self._audit_filled(key)
            if whole and self.there and frozenset(key) in self.there.unique:
                self._trusted.append(key)
            elif not self._is_unique(key):
                self._refuse_duplicates(key)
        for foreign in self.definition.foreign_keys:
            there = f"{quote(foreign.schema)}.{quote(foreign.table)}"
            orphans = self._db.query(
                f"SELECT s.{quote(foreign.column)}, sum(count(*)) OVER () FROM {self.name} s WHERE NOT EXISTS ("
                f"SELECT 1 FROM {there} d WHERE d.{quote(foreign.column_there)} = s.{quote(foreign.column)}) "
                f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {SHOWN}"
            )
            if orphans:
                shown = ", ".join("NULL" if value is None else str(value) for value, _ in orphans)
                raise DataError(
                    f"{self.definition.name}: {orphans[0][1]} rows have a {foreign.column} that is not in "
                    f"{foreign.schema}.{foreign.table}: {shown}; point them at the unknown member ({UNKNOWN})"
                )

    def refuse_duplicates(self) -> None:
        """Raise DataError where it was a key, left to the table itself, that kept the stage from being published."""
        for key in self._trusted:
            self._refuse_duplicates(key)

    def rows_of_the_target(self) -> int:
        """How many the table has now, the unknown member apart."""
        members = f" WHERE {quote(self.key[0])} <> {UNKNOWN}" if self.is_dimension and self.key else ""
        return self._db.query(f"SELECT count(*) FROM {self.target}{members}")[0][0]

    def unchanged(self) -> Counts:
        """What a publication that leaves the table as it is has to say."""
        return Counts(after=self._db.query(f"SELECT count(*) FROM {self.target}")[0][0])

    def _refuse_what_is_not_ours(self) -> None:
        """WarehouseError where the table is another's to create."""
        if self.definition.schema not in ("raw", "stage") and (owner := self._db.owner):
            raise WarehouseError(
                f"{self.definition.name}: is not there, and {owner} owns what people read; run `etl migrate`, which "
                f"creates it, then load it again"
            )

    def _audit_filled(self, key: Sequence[str]) -> None:
        if strange := [name for name in key if name not in self.columns]:
            raise DataError(
                f"{self.definition.name}: has no column {', '.join(strange)}, which the load's `key` names; "
                f"its columns are {', '.join(self.columns)}"
            )
        nulls = " OR ".join(f"{quote(name)} IS NULL" for name in key if name not in self.required)
        if nulls and (count := self._db.query(f"SELECT count(*) FROM {self.name} WHERE {nulls}")[0][0]):
            raise DataError(f"{self.definition.name}: {count} rows have no {', '.join(key)}, which is the key")

    def _is_unique(self, key: Sequence[str]) -> bool:
        if self.first:
            return self._db.add_key(self.name, key, primary=tuple(key) == self.key)
        return self._db.unique(self.name, key)

    def _refuse_duplicates(self, key: Sequence[str]) -> None:
        listed = ", ".join(map(quote, key))
        exact = [more for name in key for more in self._db.exactly(quote(name), self.columns.get(name, ""))]
        differ = " OR ".join(f"min({more}) <> max({more})" for more in exact) or "FALSE"
        twice = self._db.query(
            f"SELECT {listed}, {differ}, count(*) FROM {self.name} "
            f"GROUP BY {listed} HAVING count(*) > 1 ORDER BY {listed} LIMIT {SHOWN}"
        )
        if twice:
            shown = "; ".join(f"{said(row[:-2])} {row[-1]} times" for row in twice)
            blanks = " (to the warehouse blanks at the end are no difference)" if any(row[-2] for row in twice) else ""
            raise DataError(f"{self.definition.name}: the key ({', '.join(key)}) is not unique: {shown}{blanks}")

    def _beside(self, suffix: str) -> str:
        return f"stage.{quote(f'{self.table}_{suffix}')}"


def same_key(one: str, other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in key)


def equal(db: Engine, name: str, stage: Stage, there: str = "t", staged: str = "s") -> str:
    """The same in the target and the stage, or both NULL; never itself NULL, so that it may stand behind NOT."""
    one, other = f"{there}.{quote(name)}", f"{staged}.{quote(name)}"
    same = db.same(one, other, stage.columns[name])
    if name in stage.required:
        return same
    return f"COALESCE({same}, {one} IS NULL AND {other} IS NULL)"


def drop_stages(db: Engine, target: str) -> None:
    """Drop every stage of a target; its lock is held, so whoever made them is dead or done."""
    for (table,) in db.query(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = %s",
        (_family(target),),
    ):
        db.execute(f"DROP TABLE stage.{quote(table)}")


def _family(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:8] + "_"


def said(values: Sequence[Any]) -> str:
    """A key's values, for a message."""
    return ", ".join(map(str, values))
