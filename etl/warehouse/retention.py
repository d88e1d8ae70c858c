"""Retention: what the pipeline remembers of days long past goes, and stages that nobody will ever finish."""

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone

from etl.warehouse.engine import Engine
from etl.warehouse.names import quote

# As a Stage names itself: its target, the day on which its run began, and the end of the run's id.
_STAGE = re.compile(r"[0-9a-f]{8}_\w{1,27}_(?P<began>\d{8})_(?P<run>[0-9a-f]{8})(_[a-z]+)?")
_DEAD_AFTER_DAYS = 2

# The day is the server's own, so that what is too old becomes so once a day, and is asked for in vain after every other
# load of it.
_OLD = "loaded_at < CURRENT_DATE - %s"


def forget(db: Engine, keep_days: int, is_by_day: Callable[[str], bool]) -> None:
    """Delete receipts of more than `keep_days` ago and the losses and quarantined rows that they told of.

    Each table's last receipt stays with all that belongs to it. Of quarantined rows only those go whose family of tasks
    `is_by_day`: of a table that is copied as it is now they are still missing. Markers and changes of schema stay.
    """
    newer = "SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at"
    old = f"FROM etl.receipts WHERE {_OLD} AND EXISTS ({newer})"
    if not db.query(f"SELECT 1 {old} LIMIT 1", (keep_days,)):
        return
    with db.transaction():
        db.execute(f"DELETE {old}", (keep_days,))
        # A table that is read by its changes still has the rows of all its loads, and what was lost in them.
        grown = "SELECT 1 FROM etl.watermarks w WHERE w.target = etl.losses.target AND w.high_water IS NOT NULL"
        db.execute(
            f"DELETE FROM etl.losses WHERE {_OLD} AND NOT EXISTS ({grown}) AND NOT {_told_of('losses')}", (keep_days,)
        )
        held = db.query(f"SELECT DISTINCT task_key FROM etl.quarantine WHERE {_OLD}", (keep_days,))
        if by_day := tuple(key for (key,) in held if is_by_day(key.partition(" ")[0])):
            db.execute(
                f"DELETE FROM etl.quarantine WHERE {_OLD} AND task_key IN %s AND NOT {_told_of('quarantine')}",
                (keep_days, by_day),
            )


def drop_dead_stages(db: Engine) -> None:
    """Drop the stages of runs that began more than two days ago and have loaded nothing since.

    A target's next load drops what was left of it; this is for targets that are never loaded again. A backfill may
    last for days, so its age alone does not make a run dead. Names that are not a Stage's are somebody else's.
    """
    before = f"{datetime.now(timezone.utc) - timedelta(days=_DEAD_AFTER_DAYS):%Y%m%d}"
    names = db.query(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'stage' AND c.relkind = 'r'"
    )
    stages = [found for (name,) in names if (found := _STAGE.fullmatch(name))]
    if old := [stage for stage in stages if stage["began"] < before]:
        alive = _runs_at_work(db)
        for stage in old:
            if stage["run"] not in alive:
                db.execute(f"DROP TABLE IF EXISTS stage.{quote(stage[0])}")


def _told_of(table: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM etl.receipts r WHERE r.task_key = etl.{table}.task_key "
        f"AND r.run_id = etl.{table}.run_id)"
    )


def _runs_at_work(db: Engine) -> Collection[str]:
    """The ends of the ids of runs that have loaded something lately."""
    rows = db.query(
        "SELECT DISTINCT RIGHT(run_id, 8) FROM etl.receipts WHERE loaded_at > CURRENT_DATE - %s", (_DEAD_AFTER_DAYS,)
    )
    return {run for (run,) in rows}
