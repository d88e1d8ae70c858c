"""What the warehouse says of the tables: their real columns, how they stand, and what was lost. It is only read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from etl import status, warehouse
from etl.dictionary.model import RAW, SOURCE, Dictionary, Standing
from etl.errors import ConfigError
from etl.status import freshness
from etl.warehouse import control, engine

# As `etl compare` counts them: of the table's last load, and of one that is read by its changes of all its loads.
_LOST = """
    SELECT l.target, l.column_name, l.reason, CAST(SUM(l.occurrences) AS BIGINT)
    FROM etl.losses l
    LEFT JOIN (SELECT target, task_key, run_id,
                      ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
               FROM etl.receipts) r
        ON r.target = l.target AND r.task_key = l.task_key AND r.run_id = l.run_id
    LEFT JOIN etl.watermarks w ON w.target = l.target AND w.high_water IS NOT NULL
    WHERE r.recent = 1 OR w.target IS NOT NULL
    GROUP BY l.target, l.column_name, l.reason
    ORDER BY 1, 2, 3
"""
_HELD = """
    SELECT q.target, q.column_name, q.reason, COUNT(*) FROM etl.quarantine q
    GROUP BY q.target, q.column_name, q.reason ORDER BY 1, 2, 3
"""


@dataclass
class Standings:
    """What was asked, and when. `lost` and `held` count by table, column and reason; values are never asked for."""

    asked: datetime
    tables: dict[str, engine.Table] = field(default_factory=dict)
    loaded: list[status.TableStatus] = field(default_factory=list)
    lost: Sequence[tuple[Any, ...]] = ()
    held: Sequence[tuple[Any, ...]] = ()


def ask() -> Standings:
    """One session; raises what it cannot be had for."""
    with warehouse.connect("etl docs") as db:
        found = Standings(datetime.now(timezone.utc).replace(microsecond=0), loaded=status.tables(db))
        for table in found.loaded:
            schema, _, name = table.table.partition(".")
            if there := db.table(schema, name):
                found.tables[table.table] = there
        if control.has(db, "losses"):
            found.lost = db.query(_LOST)
        if control.has(db, "quarantine"):
            found.held = db.query(_HELD)
        return found


def add(dictionary: Dictionary, found: Standings) -> None:
    """Put it into a dictionary that was described with `found.tables`."""
    dictionary.asked = found.asked
    for loaded in found.loaded:
        if table := dictionary.tables.get(loaded.table):
            late = _late(loaded)
            table.standing = Standing(loaded.rows, loaded.business_date, loaded.loaded_at, loaded.held, late)
            table.complete = table.complete or (table.kind == RAW and loaded.table in found.tables)
    counts: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: {"lost": {}, "held": {}})
    for kind, rows in (("lost", found.lost), ("held", found.held)):
        for target, column, reason, count in rows:
            counts[target, column][kind][reason] = int(count)
    for (target, name), said in counts.items():
        of = dictionary.tables.get(target)
        # A loss may be of an extract's column, which the table calls otherwise.
        for column in _columns(dictionary, target, name) if of and of.kind != SOURCE else ():
            column.lost, column.held = said["lost"], said["held"]


def _columns(dictionary: Dictionary, target: str, name: str) -> list[Any]:
    table = dictionary.tables[target]
    if name in table.columns:
        return [table.columns[name]]
    return [
        column
        for column in table.columns.values()
        if any(value.column == name for origin in column.origins for value in origin.values)
    ]


def _late(loaded: status.TableStatus) -> datetime | None:
    try:
        return freshness.late(loaded.table, loaded.business_date)
    except ConfigError:
        # A line that says nothing is among the dictionary's problems already.
        return None
