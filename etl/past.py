"""The past: what a run would have to read, what of it no source shows any more, and what a past day can do without."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import luigi

from etl import config, warehouse
from etl.extract import BaseExtractor
from etl.marker import MarkerTarget
from etl.warehouse import control


def is_past(day: datetime.date | None) -> bool:
    """Whether the day ended before the last complete one, whose night reads what is there now."""
    return day is not None and day < datetime.datetime.now(config.timezone()).date() - datetime.timedelta(days=1)


def to_do(tasks: Iterable[luigi.Task], undone: Collection[str] = ()) -> list[Any]:
    """All that luigi would run for these, each task after what it requires; `undone` are ids that count as not done."""
    found: dict[str, luigi.Task] = {}
    asked: set[str] = set()

    def add(task: luigi.Task) -> None:
        if task.task_id not in asked:
            asked.add(task.task_id)
            if task.task_id in undone or not task.complete():
                for required in needed(task, luigi.task.flatten(task.requires())):
                    add(required)
                found[task.task_id] = task

    for task in tasks:
        add(task)
    return list(found.values())


def lost(tasks: Iterable[luigi.Task]) -> list[BaseExtractor]:
    """Those whose day is past and whose source does not keep it: what they would read is not what was there then."""
    return [
        task for task in tasks if isinstance(task, BaseExtractor) and not task.keeps_the_past and is_past(task.date)
    ]


def closed(tasks: Iterable[Any]) -> list[Any]:
    """Those loads that a history will refuse, because it is at a later day than theirs."""
    return [
        task
        for task in tasks
        if getattr(task, "strategy", "") == "scd2" and task.date and _is_at_a_later_day(task.target, task.date)
    ]


def needed(task: Any, requires: Sequence[Any]) -> Sequence[Any]:
    """What a task requires, without what only a newer day can give to a past one.

    A fact by event day is as good with the dimensions of a later day, which have all the members of its own. So a
    load whose extract reads the past does not wait for a table that is at a later day, if that table's own day can
    be had no more: its source shows only what is there now, or its history goes on from the later day.
    """
    reads_the_past = any(isinstance(one, BaseExtractor) and one.keeps_the_past for one in requires)
    if not reads_the_past or not is_past(task.date):
        return requires
    return [one for one in requires if not _is_superseded(one)]


def _is_superseded(task: Any) -> bool:
    if not isinstance(task.output(), MarkerTarget) or task.date is None:
        return False
    waiting = to_do([task])
    return bool(waiting) and (
        bool(closed([task])) or (bool(lost(waiting)) and _is_at_a_later_day(task.target, task.date))
    )


def _is_at_a_later_day(target: str, day: datetime.date) -> bool:
    db = warehouse.shared()
    return control.has(db, "data_as_of") and bool(
        db.query("SELECT 1 FROM etl.data_as_of WHERE table_name = %s AND business_date > %s", (target, day))
    )
