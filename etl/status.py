"""What the warehouse says of the pipeline: the state of every table, and what a run did."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from etl.warehouse import Engine, control


@dataclass(frozen=True)
class TableStatus:
    """The last load of one table: rows, seconds, values lost in it; `held` rows are in quarantine instead of the table.

    `business_date` is the day the table is at.
    """

    table: str
    business_date: date | None
    rows: int
    staged: int
    inserted: int
    updated: int
    deleted: int
    lost: int
    held: int
    seconds: float
    loaded_at: datetime
    run: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_LAST_LOADS = """
    SELECT r.target, COALESCE(d.business_date, r.business_date),
           COALESCE(d.rows, r.rows_after), r.rows_staged, r.rows_inserted, r.rows_updated, r.rows_deleted,
           CAST(COALESCE((SELECT SUM(l.occurrences) FROM etl.losses l
                          WHERE l.task_key = r.task_key AND l.run_id = r.run_id), 0) AS BIGINT),
           (SELECT COUNT(*) FROM etl.quarantine q WHERE q.target = r.target),
           r.seconds, r.loaded_at, r.run_id
    FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
          FROM etl.receipts e WHERE (run_id = %s OR %s IS NULL)
            -- Members that a fact's load has inferred are no load of the dimension.
            AND NOT EXISTS (SELECT 1 FROM etl.loads l WHERE l.task_key = e.task_key AND l.target <> e.target)) r
    LEFT JOIN etl.data_as_of d ON d.table_name = r.target
    WHERE r.recent = 1
    ORDER BY r.loaded_at, r.target
"""


def tables(db: Engine, run: str | None = None) -> list[TableStatus]:
    """The last load of each table, or those that one run loaded; empty where nothing was ever loaded."""
    if not db.exists("etl", "receipts"):
        return []
    control.prepare(db)
    return [TableStatus(*row) for row in db.query(_LAST_LOADS, (run, run))]
