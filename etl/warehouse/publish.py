"""Publication: the stage's rows become the table's, in the caller's transaction.

Nothing that exists is dropped, renamed or truncated. Rows that are the same stay untouched; the others are
deleted and inserted, in set-based SQL that both engines know. Readers keep their snapshot and wait for nothing.
What it costs goes with the rows that are staged, and with the table's only where all of it is to equal the stage.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from etl.errors import DataError
from etl.warehouse import comments
from etl.warehouse.engine import Engine
from etl.warehouse.history import publish_versions
from etl.warehouse.names import quote
from etl.warehouse.stage import SHOWN, Counts, Stage, equal, said, same_key

STRATEGIES = ("replace", "append", "upsert", "partition", "scd1", "scd2")

_ALL = "1 = 1"

# A larger table is not counted to add a few rows to it: it has as many as its last load has left there.
_COUNTED_BYTES = 64 << 20


@dataclass(frozen=True)
class Publication:
    """How a stage is to become its table.

    replace: the table becomes equal to the stage. append: rows whose key is not there are added, and one that is there
    must be the same. upsert, scd1: rows of the stage replace those of the same key, the others stay. partition: `key`
    names the partition's column, and each partition in the stage is replaced whole; where that is date_key, the task's
    own `day` is too, for a day may have become empty. scd2: see etl.warehouse.history.

    `older` says that rows which are there are all newer than the stage's. `before` is the number of rows that the table
    has, or None where nobody knows.
    """

    strategy: str
    key: Sequence[str]
    day: date | None = None
    older: bool = False
    before: int | None = None


def publish(db: Engine, stage: Stage, wanted: Publication) -> Counts:
    """Publish as is wanted; DataError when the counts do not add up."""
    if stage.first:
        made = stage.definition.create(stage.definition.schema, stage.definition.table)
        db.become(stage.table, stage.definition.schema, stage.definition.table, made, stage.definition.hints)
        if stage.definition.schema != "raw":
            db.allow_reading(stage.definition.schema, stage.definition.table)
        comments.write(db, [one for one in comments.due(db, stage.definition, stage.columns) if one.text])
        return Counts(inserted=stage.rows, after=stage.rows)
    key = wanted.key
    if wanted.strategy == "replace":
        counts = _by_key(db, stage, key, _ALL) if key else _whole(db, stage)
        return _equal_to_the_stage(db, stage, counts, key)
    assert stage.there is not None
    believed = wanted.before if stage.there.size > _COUNTED_BYTES else None
    before = _count(db, stage.target) if believed is None else believed
    match wanted.strategy:
        case "append":
            counts = _append(db, stage, key)
        case "upsert" | "scd1":
            counts = _by_key(db, stage, key, "", wanted.older)
        case "scd2":
            assert wanted.day is not None
            counts = publish_versions(db, stage, key, wanted.day)
        case _:
            scope = _partition(stage, key, wanted.day)
            counts = _by_key(db, stage, stage.key, scope) if stage.key else _anew(db, stage, scope)
    expected = before + counts.inserted - counts.deleted
    after = _count(db, stage.target) if believed is None else expected
    if after != expected:
        raise DataError(
            f"{stage.definition.name}: {before} rows + {counts.inserted} inserted - {counts.deleted} deleted should "
            f"be {expected}, and are {after}; nothing was published"
        )
    return dataclasses.replace(counts, after=after)


def _equal_to_the_stage(db: Engine, stage: Stage, counts: Counts, key: Sequence[str]) -> Counts:
    """As many rows as were staged, each of which is there: what was there before needs no count of its own."""
    after = _count(db, stage.target)
    if after != stage.rows:
        shared = f"rows in it share a key ({', '.join(key)}), or " if key else ""
        raise DataError(
            f"{stage.definition.name}: would have {after} rows where {stage.rows} were staged, because {shared}"
            f"something else writes to it; delete those that should not be there, nothing was published"
        )
    return dataclasses.replace(counts, after=after)


def _by_key(db: Engine, stage: Stage, key: Sequence[str], scope: str, older: bool = False) -> Counts:
    """Rows of the target within `scope` ('': those with a key in the stage) become equal to the stage's.

    The two are compared once, and the keys that differ are set aside: a table of millions in which few rows differ
    costs one join of all rows, and not one for each statement.
    """
    target = stage.target
    listed = ", ".join(f"s.{quote(name)}" for name in key)
    # No key has a column of such a name.
    was = '"was there"'
    differs = f"NOT ({_equal_but_for(db, key, stage)})"
    # Not a full join, which would find the rows that are to go as well, and which Postgres runs on one core only.
    differ = db.set_aside(
        stage.changes,
        f"SELECT {listed}, t.{quote(key[0])} IS NOT NULL AS {was} FROM {stage.name} s "
        f"LEFT JOIN {target} t ON {same_key('t', 's', key)} "
        f"WHERE t.{quote(key[0])} IS NULL{'' if older else f' OR {differs}'}",
    )
    gone = 0
    if scope and not (scope == _ALL and db.has_only(target, key, stage.name, f"{stage.changes} WHERE NOT {was}")):
        there = f"SELECT 1 FROM {stage.name} s WHERE {same_key(stage.itself, 's', key)}"
        gone = db.execute(f"DELETE FROM {target} WHERE {scope} AND NOT EXISTS ({there})")
    if not differ:
        # A statement that touches no row would still wait for whoever has locked the table.
        return Counts(deleted=gone)
    changed = db.execute(
        f"DELETE FROM {target} USING {stage.changes} _changed WHERE {same_key(stage.itself, '_changed', key)}"
    )
    columns, values = ", ".join(map(quote, stage.columns)), stage.values()
    added = db.execute(
        f"INSERT INTO {target} ({columns}) SELECT {values} FROM {stage.name} s "
        f"WHERE EXISTS (SELECT 1 FROM {stage.changes} c WHERE {same_key('s', 'c', key)})"
    )
    return Counts(inserted=added - changed, updated=changed, deleted=gone)


def _append(db: Engine, stage: Stage, key: Sequence[str]) -> Counts:
    """Exactly once, also of rows that were loaded before: those are there, and must be as they are staged."""
    listed = ", ".join(f"s.{quote(name)}" for name in key)
    other = db.query(
        f"SELECT {listed}, count(*) OVER () FROM {stage.name} s JOIN {stage.target} t ON {same_key('t', 's', key)} "
        f"WHERE NOT ({_equal_but_for(db, key, stage)}) ORDER BY {listed} LIMIT {SHOWN}"
    )
    if other:
        raise DataError(
            f"{stage.definition.name}: {other[0][-1]} rows are there with other values, and append changes none: "
            f"{', '.join(key)} = {'; '.join(said(row[:-1]) for row in other)}; mend the source, or say "
            f"strategy = 'upsert'"
        )
    columns = ", ".join(map(quote, stage.columns))
    added = db.execute(
        f"INSERT INTO {stage.target} ({columns}) SELECT {stage.values()} FROM {stage.name} s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {stage.target} t WHERE {same_key('t', 's', key)})"
    )
    return Counts(inserted=added)


def _anew(db: Engine, stage: Stage, scope: str) -> Counts:
    """The rows within `scope` are deleted and the stage's inserted: what is left where no key tells rows apart."""
    gone = db.execute(f"DELETE FROM {stage.target} WHERE {scope}")
    columns = ", ".join(map(quote, stage.columns))
    added = db.execute(f"INSERT INTO {stage.target} ({columns}) SELECT {stage.values()} FROM {stage.name} s")
    return Counts(inserted=added, deleted=gone)


def _whole(db: Engine, stage: Stage) -> Counts:
    """A table without a key is compared as a bag of rows, and written anew when it differs."""
    told = [(quote(name), kind) for name, kind in stage.columns.items()]
    columns = ", ".join([name for name, _ in told] + [more for name, kind in told for more in db.exactly(name, kind)])
    bag = f"SELECT {columns}, count(*) FROM {{}} GROUP BY {columns}"
    here, there = bag.format(stage.target), bag.format(stage.name)
    for one, other in ((here, there), (there, here)):
        if db.query(f"SELECT 1 FROM ({one} EXCEPT {other}) d LIMIT 1"):
            return _anew(db, stage, _ALL)
    return Counts()


def _partition(stage: Stage, key: Sequence[str], day: date | None) -> str:
    column = f"{stage.itself}.{quote(key[0])}"
    scope = f"{column} IN (SELECT {quote(key[0])} FROM {stage.name})"
    return f"({scope} OR {column} = {day:%Y%m%d})" if day and key[0] == "date_key" else scope


def _equal_but_for(db: Engine, key: Sequence[str], stage: Stage) -> str:
    return " AND ".join(equal(db, name, stage) for name in stage.compared if name not in key) or _ALL


def _count(db: Engine, target: str) -> int:
    return db.query(f"SELECT count(*) FROM {target}")[0][0]
