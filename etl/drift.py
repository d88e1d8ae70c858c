"""Drift: the columns of a source change, and its mirror follows where nothing can be lost; else it says what to run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from etl.errors import DataError
from etl.run import run_id
from etl.warehouse import watermarks
from etl.warehouse.engine import Engine, Note, Table
from etl.warehouse.names import quote


@dataclass(frozen=True)
class Drift:
    """How a table differs from its source once it is settled: `removed` columns are kept, and no row brings them."""

    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Change:
    """A row of etl.schema_changes to be, and the part of an ALTER TABLE that it needs, if any."""

    column: str
    change: str
    was: str | None
    became: str | None
    alter: str = ""


class _Stopped(DataError):
    """A refusal, and the changes that were refused."""

    def __init__(self, said: str, changes: Sequence[_Change]):
        super().__init__(said)
        self.changes = changes


def settle(
    db: Engine,
    schema: str,
    table: str,
    wanted: Mapping[str, str],
    key: Sequence[str],
    managed: Collection[str],
    outdated: bool = False,
) -> Drift:
    """Make a table fit its source's columns, `wanted` with their types; `managed` ones are ours, and left alone.

    A column that the source has gained is added last, nullable; one that it has lost stays, and is no longer required;
    one that it has widened is widened where nothing depends on it. Each is a row of etl.schema_changes, written once,
    in the transaction that alters the table. Whatever else has changed is a DataError with the statement to run and a
    row that says `stopped`, and nothing is altered; nor is anything by what is `outdated`: the columns of a source as
    it was before the table was loaded last. The table's lock is held by the caller. A table that is not there yet is
    fine.
    """
    there = db.table(schema, table)
    if there is None:
        return Drift()
    before = removed(db, f"{schema}.{table}")
    becomes = {name: db.canonical(kind) for name, kind in wanted.items()}
    stood = {name: kind for name, kind in there.columns.items() if name not in managed}
    absent = [name for name in stood if name not in becomes]
    if outdated:
        return Drift(tuple(absent))
    back = [name for name in before if name in stood and name in becomes]
    gone = {name: stood[name] for name in absent if name not in before}
    new = {name: kind for name, kind in becomes.items() if name not in there.columns}
    other = {name: kind for name, kind in becomes.items() if name in stood and not holds(db, stood[name], kind)}

    try:
        _refuse_renames(db, schema, table, gone, new)
        _refuse_another_key(db, schema, table, there, key, new)
        _refuse_other_types(db, schema, table, stood, other)
    except _Stopped as stopped:
        _note_stops(db, f"{schema}.{table}", stopped.changes)
        raise

    changes = [_Change(name, "removed", kind, None) for name, kind in gone.items()]
    changes += [_Change(name, "added", None, kind, f"ADD COLUMN {quote(name)} {kind}") for name, kind in new.items()]
    changes += [_Change(name, "returned", None, becomes[name]) for name in back]
    changes += [
        _Change(name, "widened", stood[name], kind, f"ALTER COLUMN {quote(name)} TYPE {kind}")
        for name, kind in other.items()
    ]
    alters = [(change.alter, _notes(db, f"{schema}.{table}", [change])) for change in changes]
    alters += [(f"ALTER COLUMN {quote(name)} DROP NOT NULL", []) for name in absent if name in there.required]
    if any(action for action, _ in alters):
        db.alter(schema, table, alters)
    elif changes:
        with db.transaction():
            db.note([note for _, notes in alters for note in notes])
    return Drift(tuple(absent))


def holds(db: Engine, was: str, kind: str) -> bool:
    """Whether a column may stay as it was for values of a kind: also a text that has more room than it needs."""
    return was == kind or (_family(was) == _family(kind) == "text" and db.is_wider(kind, was))


def removed(db: Engine, target: str) -> list[str]:
    """The columns that a table keeps although its source has them no more."""
    return [name for name, change in _noted(db, target).items() if change == "removed"]


_STOPPED = "stopped"


def _noted(db: Engine, target: str) -> dict[str, str]:
    """What was noted last of each column."""
    noted = db.query(
        "SELECT column_name, change FROM etl.schema_changes WHERE target = %s AND change <> %s ORDER BY noticed_at",
        (target, _STOPPED),
    )
    return dict(noted)  # type: ignore[arg-type]


def _notes(db: Engine, target: str, changes: Iterable[_Change]) -> list[Note]:
    return [
        (
            f"INSERT INTO etl.schema_changes VALUES (%s, %s, %s, %s, %s, %s, {db.now})",
            (target, change.column, change.change, change.was, change.became, run_id()),
        )
        for change in changes
    ]


def _note_stops(db: Engine, target: str, changes: Iterable[_Change]) -> None:
    """Once, however many nights a table is stopped by the same."""
    known = db.query(
        "SELECT column_name, was, became FROM etl.schema_changes WHERE target = %s AND change = %s", (target, _STOPPED)
    )
    db.note_at_once(_notes(db, target, [one for one in changes if (one.column, one.was, one.became) not in known]))


# ---- what only a person can decide


def _refuse_renames(db: Engine, schema: str, table: str, gone: Mapping[str, str], new: Mapping[str, str]) -> None:
    """A column that is gone and a new one of its type may be one column: to take them for two would lose its values."""

    def alter(action: str) -> str:
        return db.altering(f"{schema}.{table}", [action])

    for name, kind in new.items():
        if old := [was for was, its in gone.items() if its == kind]:
            renames = " or ".join(alter(f"RENAME COLUMN {quote(was)} TO {quote(name)}") for was in old)
            raise _Stopped(
                f"{schema}.{table}: the source has lost {', '.join(old)} and gained {name}, of the same type ({kind}), "
                f"which looks like a rename; if it is one, run: {renames}; if it is not: "
                f"{alter(f'ADD COLUMN {quote(name)} {kind}')}{_and_read_whole(db, schema, table)}; then load it again",
                [_Change(name, _STOPPED, was, name) for was in old],
            )


def _refuse_another_key(
    db: Engine, schema: str, table: str, there: Table, key: Sequence[str], new: Mapping[str, str]
) -> None:
    if set(key) == set(there.key):
        return
    added = {column: kind for column, kind in new.items() if column in key}
    emptied = bool(key) and not _can_be_key(db, f"{quote(schema)}.{quote(table)}", key, new)
    statement = db.rekeying(schema, table, key, added, emptied)
    raise _Stopped(
        f"{schema}.{table}: its key is ({', '.join(there.key) or 'none'}), and at the source it is "
        f"({', '.join(key) or 'none'}) now; run: {statement}{_and_read_whole(db, schema, table)}; then load it again",
        [_Change("the key", _STOPPED, ", ".join(there.key)[:200], ", ".join(key)[:200])],
    )


def _can_be_key(db: Engine, name: str, key: Sequence[str], new: Mapping[str, str]) -> bool:
    """Whether the rows that are there could have the key: not where they lack it, or share it."""
    if any(column in new for column in key):
        return not db.query(f"SELECT 1 FROM {name} LIMIT 1")
    listed = ", ".join(map(quote, key))
    empty = " OR ".join(f"{quote(column)} IS NULL" for column in key)
    return not db.query(
        f"SELECT 1 FROM (SELECT {listed} FROM {name} GROUP BY {listed} HAVING count(*) > 1 OR {empty}) wrong LIMIT 1"
    )


def _refuse_other_types(
    db: Engine, schema: str, table: str, stood: Mapping[str, str], other: Mapping[str, str]
) -> None:
    stopped, changes = [], []
    for name, kind in other.items():
        was = stood[name]
        wider = db.is_wider(was, kind)
        used = db.dependents(schema, table, name) if wider else []
        if wider and not used:
            continue
        changes.append(_Change(name, _STOPPED, was, kind))
        because = f", and {', '.join(used)} would not let it be widened" if used else ""
        stopped.append(
            f"{name} is {was} in the warehouse and {kind} at the source now{because}; "
            f"run: {db.retyping(schema, table, name, kind, _conversion(name, was, kind))}"
        )
    if stopped:
        again = _and_read_whole(db, schema, table)
        raise _Stopped(f"{schema}.{table}: {'; '.join(stopped)}{again}; then load it again", changes)


def _and_read_whole(db: Engine, schema: str, table: str) -> str:
    """What is to be run besides for a table that is read by its changes: its other rows must be read once more."""
    if watermarks.read(db, f"{schema}.{table}") is None:
        return ""
    return f"; UPDATE etl.watermarks SET high_water = NULL WHERE target = '{schema}.{table}'"


# ---- types


def _conversion(name: str, was: str, becomes: str) -> str:
    """The expression that makes a value of the one type one of the other; '' where the server has it by itself.

    NULL where no value has a meaning as the other type: the next load brings them all.
    """
    column = quote(name)
    one, other = _family(was), _family(becomes)
    if (one, other) == ("boolean", "text"):
        return f"CASE WHEN {column} THEN '1' WHEN NOT {column} THEN '0' END"
    if one == other or other == "text" or (one, other) in (("date", "timestamp"), ("timestamp", "date")):
        return ""
    # A text of yesterday may be none of the other type, although the source has mended it since: NULL, as below.
    match one, other:
        case "boolean", "number":
            return f"{column}::integer"
        case "number", "boolean":
            return f"{column} <> 0"
        case ("timestamp", "instant") | ("instant", "timestamp"):
            return f"{column} AT TIME ZONE 'UTC'"
        case "date", "instant":
            return f"{column}::timestamp AT TIME ZONE 'UTC'"
        case "instant", "date":
            return f"({column} AT TIME ZONE 'UTC')::date"
    return "NULL"


_NUMBERS = ("smallint", "integer", "bigint", "real", "double precision")


def _family(kind: str) -> str:
    if kind in _NUMBERS or kind.startswith("numeric"):
        return "number"
    if kind.startswith("character varying"):
        return "text"
    return {"timestamp without time zone": "timestamp", "timestamp with time zone": "instant"}.get(kind, kind)
