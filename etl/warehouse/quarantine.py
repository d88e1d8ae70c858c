"""Rows of a mirror that are in etl.quarantine: its source = its rows + these, by their keys."""

import json
from collections.abc import Sequence

from etl.warehouse import control
from etl.warehouse.engine import Engine
from etl.warehouse.names import literal, quote
from etl.warehouse.stage import Stage


def held(db: Engine, target: str) -> list[tuple[str, ...]]:
    """The keys of the rows that are in quarantine."""
    if not control.has(db, "quarantine"):
        return []
    rows = db.query("SELECT DISTINCT source_key FROM etl.quarantine WHERE target = %s ORDER BY 1", (target,))
    return [tuple(json.loads(key)) for (key,) in rows]


def release(db: Engine, stage: Stage, key: Sequence[str], rejected: int) -> None:
    """What a stage brings among rows that stay leaves the quarantine, also what is to be put there once more.

    Belongs into the transaction that publishes the stage, and before it.
    """
    target = literal(stage.definition.name)
    if db.query(f"SELECT 1 FROM etl.quarantine WHERE target = {target} LIMIT 1"):
        again = f" OR source_key IN (SELECT source_key FROM {stage.held})" if rejected else ""
        db.execute(
            f"DELETE FROM etl.quarantine WHERE target = {target} "
            f"AND (source_key IN (SELECT {_as_it_is_held('s', key)} FROM {stage.name} s){again})"
        )


def evict(db: Engine, stage: Stage, key: Sequence[str]) -> int:
    """Delete the earlier versions of rows that are in quarantine now; returns how many there were."""
    return db.execute(
        f"DELETE FROM {stage.target} WHERE {_as_it_is_held(stage.itself, key)} IN (SELECT source_key FROM {stage.held})"
    )


def _as_it_is_held(table: str, key: Sequence[str]) -> str:
    """A key as JSON, as an extract writes it: a list of texts."""
    # A backslash in a literal is itself to one engine and an escape to the other; a VARCHAR without a length is short.
    text = "CAST({} AS VARCHAR(65535))"
    escaped = f"""REPLACE(REPLACE({text}, CHR(92), CHR(92) || CHR(92)), '"', CHR(92) || '"')"""
    texts = (escaped.format(f"{table}.{quote(name)}") for name in key)
    return "'[\"' || " + " || '\", \"' || ".join(texts) + " || '\"]'"
