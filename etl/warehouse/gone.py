"""Rows that the source has no more leave a table of the warehouse, or are said to be deleted there."""

from collections.abc import Sequence

from etl.errors import DataError
from etl.warehouse.engine import Engine, Parts
from etl.warehouse.stage import Stage, same_key
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT


def remove(
    db: Engine,
    stage: Stage,
    key: Sequence[str],
    parts: Parts,
    listed: int,
    soft: bool,
) -> int:
    """Delete the rows whose keys are in the parts, or say when they were found to be gone; returns how many were there.

    A row that the stage brings is there again, and stays. Belongs into the transaction that publishes the stage.
    DataError where there are not as many keys as were `listed`.
    """
    gone = db.borrow("gone", {name: stage.columns[name] for name in key}, parts)
    ((keys,),) = db.query(f"SELECT count(*) FROM {gone}")
    if keys != listed:
        raise DataError(
            f"{stage.definition.name}: COPY took {keys} keys of deleted rows, and the manifest lists {listed}; "
            f"delete it and extract again"
        )
    which = (
        f"{same_key(stage.itself, '_gone', key)} AND NOT EXISTS "
        f"(SELECT 1 FROM {stage.name} s WHERE {same_key('s', '_gone', key)})"
    )
    if soft:
        removed = db.execute(
            f"UPDATE {stage.target} SET {DELETED_AT} = {db.now}, {LOADED_AT} = {db.now} "
            f"FROM {gone} _gone WHERE {which} AND {stage.itself}.{DELETED_AT} IS NULL"
        )
    else:
        removed = db.execute(f"DELETE FROM {stage.target} USING {gone} _gone WHERE {which}")
    db.execute(f"DROP TABLE {gone}")
    return removed
