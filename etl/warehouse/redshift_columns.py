"""Changing a table of Redshift: what a person runs where a column is to be another one, or the key.

Redshift converts no column where it stands but a VARCHAR that grows, and takes back no NOT NULL: a new column takes the
place of the old one.
"""

import re
from collections.abc import Mapping, Sequence

from etl.warehouse import redshift_types
from etl.warehouse.engine import Engine
from etl.warehouse.names import quote


def altering(name: str, actions: Sequence[str]) -> str:
    """An ALTER TABLE takes one action. `raw` is a word of Redshift's own, so names are quoted."""
    return "; ".join(f"ALTER TABLE {_quoted(name)} {action}" for action in actions)


def retyping(db: Engine, schema: str, table: str, column: str, becomes: str, conversion: str) -> str:
    """The column stays in the key, and stays NOT NULL, where it was."""
    name, there = f"{schema}.{table}", db.table(schema, table)
    key = there.key if there and column in there.key else ()
    required = there is not None and column in there.required
    statements = _unkeyed(db, schema, table) if key else []
    statements += replaced(name, column, becomes, conversion, required)
    return "; ".join(statements + ([altering(name, [_primary(key)])] if key else []))


def rekeying(db: Engine, schema: str, table: str, key: Sequence[str], new: Mapping[str, str], emptied: bool) -> str:
    """What is to be in a key must be NOT NULL, which a column only becomes, or ceases to be, by being made anew."""
    name, there = f"{schema}.{table}", db.table(schema, table)
    assert there
    statements = [f"DELETE FROM {_quoted(name)}"] if emptied else []
    statements += _unkeyed(db, schema, table)
    for column in there.key:
        if column not in key:
            statements += replaced(name, column, there.columns[column], "", required=False)
    for column in key:
        if column in new:
            statements.append(altering(name, [f"ADD COLUMN {quote(column)} {_required(new[column])}"]))
        elif column not in there.required:
            statements += replaced(name, column, there.columns[column], "", required=True)
    if key:
        statements.append(altering(name, [_primary(key)]))
    return "; ".join(["BEGIN", *statements, "COMMIT"] if emptied else statements)


def replaced(name: str, column: str, becomes: str, conversion: str, required: bool) -> list[str]:
    """A new column of that name with the values of the old one, converted where they are to be."""
    new = quote(f"{column[:50]}_new")
    filled = f"UPDATE {_quoted(name)} SET {new} = {conversion or f'CAST({quote(column)} AS {becomes})'}"
    if required and conversion == "NULL":
        filled = f"DELETE FROM {_quoted(name)}"
    return [
        altering(name, [f"ADD COLUMN {new} {_required(becomes) if required else becomes}"]),
        filled,
        altering(name, [f"DROP COLUMN {quote(column)}", f"RENAME COLUMN {new} TO {quote(column)}"]),
    ]


def redefined(name: str, column: str, becomes: str) -> str:
    """A new column of that name, as its file defines it, with the values of the old one."""
    new = quote(f"{column[:50]}_new")
    kind, required, _ = re.split(r"(?i)(\bNOT\s+NULL\b|$)", becomes, maxsplit=1)
    if required and not re.search(r"\bDEFAULT\b", becomes, re.IGNORECASE):
        becomes = _required(kind.strip())
    statements = [
        altering(name, [f"ADD COLUMN {new} {becomes}"]),
        f"UPDATE {_quoted(name)} SET {new} = {quote(column)}",
        altering(name, [f"DROP COLUMN {quote(column)}", f"RENAME COLUMN {new} TO {quote(column)}"]),
    ]
    return "; ".join(statements)


def _unkeyed(db: Engine, schema: str, table: str) -> list[str]:
    found = db.query(
        "SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE k.contype = 'p' AND n.nspname = %s AND c.relname = %s",
        (schema, table),
    )
    return [altering(f"{schema}.{table}", [f"DROP CONSTRAINT {quote(name)}"]) for (name,) in found]


def _primary(key: Sequence[str]) -> str:
    return f"ADD PRIMARY KEY ({', '.join(map(quote, key))})"


def _required(kind: str) -> str:
    """A type that is not NULL, with the DEFAULT that Redshift then wants for the rows which are there."""
    name = redshift_types.folded(kind)
    if name.startswith("character"):
        return f"{kind} NOT NULL DEFAULT ''"
    known = {"boolean": "FALSE", "date": "'2000-01-01'", "time": "'00:00'", "timestamp": "'2000-01-01'"}
    return f"{kind} NOT NULL DEFAULT {known.get(name.split()[0], '0')}"


def _quoted(name: str) -> str:
    return ".".join(map(quote, name.split(".", 1)))
