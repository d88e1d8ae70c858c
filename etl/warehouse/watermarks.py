"""How far a table that is read by its changes has come (etl.watermarks)."""

from dataclasses import dataclass
from datetime import datetime

from etl.warehouse import control
from etl.warehouse.engine import Engine

# Columns that such a table has beside the source's: when the warehouse wrote a row last, and since when its source has
# had it no more.
LOADED_AT, DELETED_AT = "loaded_at", "deleted_at"


@dataclass(frozen=True)
class Watermark:
    """Every change of `column` up to `high_water` is there; up to `verified_through` the rows have been counted and
    agree with the source's. Times are in UTC, without a zone."""

    column: str
    high_water: datetime
    verified_through: datetime | None = None


def read(db: Engine, target: str) -> Watermark | None:
    """None for a table that has never been read by its changes."""
    if not control.has(db, "watermarks"):
        return None
    found = db.query(
        "SELECT column_name, high_water, verified_through FROM etl.watermarks "
        "WHERE target = %s AND high_water IS NOT NULL",
        (target,),
    )
    return Watermark(*found[0]) if found else None


def forget(db: Engine, target: str) -> None:
    """Of a table that was not there any more: what was known of it is no longer so."""
    db.note(
        [
            (
                "UPDATE etl.watermarks SET column_name = NULL, high_water = NULL, verified_through = NULL "
                "WHERE target = %s",
                (target,),
            )
        ]
    )


def write(db: Engine, target: str, mark: Watermark, run_id: str) -> None:
    """Belongs into the transaction that publishes the rows, under the target's lock."""
    values = (mark.column, mark.high_water, mark.verified_through, run_id)
    db.note(
        [
            (
                "UPDATE etl.watermarks SET column_name = %s, high_water = %s, verified_through = %s, run_id = %s "
                "WHERE target = %s",
                (*values, target),
            ),
            (
                "INSERT INTO etl.watermarks (target, column_name, high_water, verified_through, run_id) "
                "SELECT %s, %s, CAST(%s AS TIMESTAMP), CAST(%s AS TIMESTAMP), %s "
                "WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = %s)",
                (target, *values, target),
            ),
        ]
    )
