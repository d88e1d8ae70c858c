"""Rows that the source has no more leave a table of the warehouse, or are said to be deleted there."""

from collections.abc import Callable, Mapping, Sequence

from etl.errors import DataError
from etl.warehouse.checksum import borrow
from etl.warehouse.postgres import Part, Postgres
from etl.warehouse.stage import Stage, same_key
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT


def remove(
    db: Postgres,
    stage: Stage,
    key: Sequence[str],
    parts: Mapping[str, Callable[[], Part]],
    null: str,
    listed: int,
    soft: bool,
) -> int:
    """Delete the rows whose keys are in the parts, or say when they were found to be gone; returns how many were there.

    A row that the stage brings is there again, and stays. Belongs into the transaction that publishes the stage.
    DataError where there are not as many keys as were `listed`.
    """
    gone = borrow(db, "gone", {name: stage.columns[name] for name in key}, parts, null)
    ((keys,),) = db.query(f"SELECT count(*) FROM {gone}")
    if keys != listed:
        raise DataError(
            f"{stage.definition.name}: COPY took {keys} keys of deleted rows, and the manifest lists {listed}; "
            f"delete it and extract again"
        )
    which = f"{same_key('t', 'g', key)} AND NOT EXISTS (SELECT 1 FROM {stage.name} s WHERE {same_key('s', 'g', key)})"
    if soft:
        removed = db.execute(
            f"UPDATE {stage.target} t SET {DELETED_AT} = statement_timestamp(), {LOADED_AT} = statement_timestamp() "
            f"FROM {gone} g WHERE {which} AND t.{DELETED_AT} IS NULL"
        )
    else:
        removed = db.execute(f"DELETE FROM {stage.target} t USING {gone} g WHERE {which}")
    db.execute(f"DROP TABLE {gone}")
    return removed
