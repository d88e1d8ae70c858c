"""Publication: the stage's rows become the table's, in the caller's transaction.

Nothing that exists is dropped, renamed or truncated. Rows that are the same stay untouched; the others are
deleted and inserted, in set-based SQL that both engines know. Readers keep their snapshot and wait for nothing.
"""

from collections.abc import Sequence
from datetime import date

from etl.errors import DataError
from etl.warehouse.names import quote
from etl.warehouse.postgres import Postgres
from etl.warehouse.stage import Counts, Stage

STRATEGIES = ("replace", "upsert", "partition")


def publish(db: Postgres, stage: Stage, strategy: str, key: Sequence[str], day: date | None) -> Counts:
    """Publish by `strategy`; DataError when the counts do not add up.

    replace: the table becomes equal to the stage. upsert: rows of the stage replace those of the same key, the
    others stay. partition: `key` names the partition's column, and each partition in the stage is replaced whole;
    where that is date_key, the task's own day is too, for a day may have become empty.
    """
    target = stage.target
    if stage.first:
        rows = stage.rows()
        db.become(stage.table, stage.definition.schema, stage.definition.table, stage.definition.hints)
        if stage.definition.schema != "raw":
            db.allow_reading(stage.definition.schema, stage.definition.table)
        return Counts(inserted=rows, after=rows)
    before = _count(db, target)
    if strategy == "upsert":
        counts = _by_key(db, target, stage, key, scope=None)
    elif strategy == "partition":
        scope = _partition(stage, key, day)
        counts = _by_key(db, target, stage, stage.key, scope) if stage.key else _anew(db, target, stage, scope)
    else:
        counts = _by_key(db, target, stage, key, "1 = 1") if key else _whole(db, target, stage)
    after = _count(db, target)
    if after != before + counts.inserted - counts.deleted:
        raise DataError(
            f"{stage.definition.name}: {before} rows + {counts.inserted} inserted - {counts.deleted} deleted should "
            f"be {before + counts.inserted - counts.deleted}, and are {after}; nothing was published"
        )
    if strategy == "replace" and after != (staged := stage.rows()):
        raise DataError(
            f"{stage.definition.name}: would have {after} rows where {staged} were staged, because rows in it share "
            f"a key ({', '.join(key)}); delete those that should not be there, nothing was published"
        )
    return Counts(counts.inserted, counts.updated, counts.deleted, after)


def _by_key(db: Postgres, target: str, stage: Stage, key: Sequence[str], scope: str | None) -> Counts:
    """Rows of the target within `scope` (None: those with a key in the stage) become equal to the stage's."""
    same_key = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
    others = [name for name in stage.columns if name not in key]
    equal = " AND ".join(_equal(name) for name in others) or "1 = 1"
    changed = db.execute(f"DELETE FROM {target} t USING {stage.name} s WHERE {same_key} AND NOT ({equal})")
    gone = 0
    if scope is not None:
        gone = db.execute(
            f"DELETE FROM {target} t WHERE {scope} AND NOT EXISTS (SELECT 1 FROM {stage.name} s WHERE {same_key})"
        )
    columns = ", ".join(map(quote, stage.columns))
    added = db.execute(
        f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage.name} s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {same_key})"
    )
    return Counts(inserted=added - changed, updated=changed, deleted=gone)


def _anew(db: Postgres, target: str, stage: Stage, scope: str) -> Counts:
    """The rows within `scope` are deleted and the stage's inserted: what is left where no key tells rows apart."""
    gone = db.execute(f"DELETE FROM {target} t WHERE {scope}")
    columns = ", ".join(map(quote, stage.columns))
    added = db.execute(f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage.name}")
    return Counts(inserted=added, deleted=gone)


def _whole(db: Postgres, target: str, stage: Stage) -> Counts:
    """A table without a key is compared as a bag of rows, and written anew when it differs."""
    columns = ", ".join(map(quote, stage.columns))
    bag = f"SELECT {columns}, count(*) FROM {{}} GROUP BY {columns}"
    here, there = bag.format(target), bag.format(stage.name)
    for one, other in ((here, there), (there, here)):
        if db.query(f"SELECT 1 FROM ({one} EXCEPT {other}) d LIMIT 1"):
            return _anew(db, target, stage, "1 = 1")
    return Counts()


def _partition(stage: Stage, key: Sequence[str], day: date | None) -> str:
    scope = f"t.{quote(key[0])} IN (SELECT {quote(key[0])} FROM {stage.name})"
    return f"({scope} OR t.{quote(key[0])} = {day:%Y%m%d})" if day and key[0] == "date_key" else scope


def _equal(name: str) -> str:
    """Equal, or both NULL; never itself NULL, so that it may stand behind NOT."""
    column = quote(name)
    return f"COALESCE(t.{column} = s.{column}, t.{column} IS NULL AND s.{column} IS NULL)"


def _count(db: Postgres, target: str) -> int:
    return db.query(f"SELECT count(*) FROM {target}")[0][0]
