"""A dimension's history: which of its versions a member was on which day (slowly changing dimension, type 2).

Versions are half-open: one is valid from `valid_from` up to but without `valid_to`, and every day falls into one of a
member's. The first is valid from FOREVER_AGO on, since nothing older is known, and the current one until NEVER.
"""

from collections.abc import Sequence
from datetime import date

from etl.errors import DataError
from etl.warehouse.engine import Engine
from etl.warehouse.names import quote
from etl.warehouse.stage import KEPT, Counts, Stage, equal, same_key

FOREVER_AGO = "DATE '0001-01-01'"
NEVER = "DATE '9999-12-31'"

_PERIOD = ("valid_from", "valid_to", "is_current")


def check_history(stage: Stage) -> None:
    """DataError unless the table can hold versions, and says which columns make one."""
    name = stage.definition.name
    if lacks := [column for column in _PERIOD if column not in stage.columns]:
        raise DataError(
            f"{name}: strategy scd2 needs the columns valid_from DATE NOT NULL DEFAULT {FOREVER_AGO}, "
            f"valid_to DATE NOT NULL DEFAULT {NEVER} and is_current BOOLEAN NOT NULL DEFAULT TRUE; "
            f"the table lacks {', '.join(lacks)}"
        )
    history = stage.definition.history
    if not history or (strange := [column for column in history if column not in stage.columns]):
        said = f"which has no {', '.join(strange)}" if history else "which names none"
        raise DataError(
            f"{name}: strategy scd2 needs to know which columns make a new version; write -- history: column, … into "
            f"warehouse_sql/tables/{stage.definition.table}.sql, {said}"
        )


def publish_versions(db: Engine, stage: Stage, key: Sequence[str], day: date) -> Counts:
    """The stage's rows become the current versions of their members as of `day`; members that it lacks stay.

    A change in the table's history columns ends the current version and begins another with a number of its own, unless
    that one began on the same day, or was inferred: then it is overwritten. All other columns are overwritten in every
    version of the member. The stage is unique in `key` and its rows bear the numbers of the current versions.
    """
    target, number = stage.target, quote(stage.key[0])
    began = f"DATE '{day}'"
    told = [name for name in stage.compared if name not in (*key, *KEPT, stage.key[0])]
    history = [name for name in told if name in stage.definition.history]
    others = [name for name in told if name not in history]
    listed = ", ".join(f"s.{quote(name)}" for name in key)
    inferred = "t.is_inferred" if "is_inferred" in stage.columns else "FALSE"
    same_history = " AND ".join(equal(db, name, stage) for name in history)
    same_others = " AND ".join(equal(db, name, stage) for name in others) or "1 = 1"
    unlike = " AND ".join(equal(db, name, stage, stage.itself, "_staged") for name in others)
    # Names that no key column has.
    db.set_aside(
        stage.changes,
        f'SELECT {listed}, t.{number} AS "current one", CASE '
        f"WHEN t.{number} IS NULL THEN 'new' "
        f"WHEN NOT ({same_history}) AND t.valid_from < {began} AND NOT {inferred} THEN 'changed' "
        f"ELSE 'overwritten' END AS \"what it is\" "
        f"FROM {stage.name} s LEFT JOIN {target} t ON {same_key('t', 's', key)} AND t.is_current "
        f"WHERE t.{number} IS NULL OR {inferred} OR NOT ({same_history}) OR NOT ({same_others})",
    )
    joined = f"{stage.name} s JOIN {stage.changes} c ON {same_key('s', 'c', key)}"
    # The target has no alias in what changes it: Redshift knows none there.
    read = f"{stage.name} _staged JOIN {stage.changes} _changed ON {same_key('_staged', '_changed', key)}"
    is_current_one = f'{stage.itself}.{number} = _changed."current one"'
    if others:
        db.execute(
            f"UPDATE {target} SET {_assigned(others)} FROM {read} WHERE {same_key(stage.itself, '_staged', key)} "
            f"AND _changed.\"what it is\" <> 'new' AND NOT ({unlike})"
        )
    repaired = ["is_inferred"] if "is_inferred" in stage.columns else []
    overwritten = db.execute(
        f"UPDATE {target} SET {_assigned(history + repaired)} FROM {read} "
        f"WHERE {is_current_one} AND _changed.\"what it is\" = 'overwritten'"
    )
    ended = db.execute(
        f"UPDATE {target} SET valid_to = {began}, is_current = FALSE FROM {stage.changes} _changed "
        f"WHERE {is_current_one} AND _changed.\"what it is\" = 'changed'"
    )
    columns = [name for name in stage.columns if name not in (stage.key[0], *_PERIOD)]
    copied, selected = (", ".join(f"{prefix}{quote(name)}" for name in columns) for prefix in ("", "s."))
    highest = f"(SELECT COALESCE(MAX({number}), 0) FROM {stage.name})"
    known = f"(SELECT COALESCE(MAX({number}), 0) FROM {target})"
    added = db.execute(
        f"INSERT INTO {target} ({number}, valid_from, valid_to, is_current, {copied})\n"
        f"SELECT s.{number}, {FOREVER_AGO}, {NEVER}, TRUE, {selected} FROM {joined} WHERE c.\"what it is\" = 'new'\n"
        f"UNION ALL\n"
        f"SELECT GREATEST({highest}, {known}) + ROW_NUMBER() OVER (ORDER BY {listed}), "
        f"{began}, {NEVER}, TRUE, {selected} FROM {joined} WHERE c.\"what it is\" = 'changed'"
    )
    return Counts(inserted=added, updated=overwritten + ended)


def _assigned(columns: Sequence[str]) -> str:
    return ", ".join(f"{quote(name)} = _staged.{quote(name)}" for name in columns)
