"""etl backfill: a task for each day of a range that it was not done for, oldest first."""

import contextlib
import datetime
import os
from collections.abc import Sequence
from typing import Any

import click
import luigi
from luigi.tools.range import RangeDaily, RangeDailyBase

from etl import asked, report
from etl.errors import ConfigError
from etl.events import DAYS, name_of
from etl.ledger import Book
from etl.load import BaseLoader
from etl.past import closed, lost, to_do

_GIVEN = ("of", "of_params", "param_name", "start", "stop", "days_back", "days_forward", "task_limit")


class _OldestFirst:
    """Luigi's ranges know which days are missing, and leave to chance which of them is run first."""

    def requires(self) -> list[luigi.Task]:
        missing = super().requires()  # type: ignore[misc]
        for place, task in enumerate(reversed(missing), 1):
            # What a task requires is given its priority too. One that computes its own keeps it.
            with contextlib.suppress(AttributeError):
                task.priority = place
        return missing


class Days(_OldestFirst, RangeDailyBase):
    """Asks each day's task whether it is done."""


class LoadedDays(_OldestFirst, RangeDaily):
    """Asks the warehouse for the markers of all days at once."""


def backfill(
    family: type[luigi.Task],
    first: datetime.date,
    last: datetime.date,
    workers: int,
    arguments: tuple[str, ...],
    book: Book,
) -> int:
    """Run the task for each day from first to last that it is not done for; the exit code.

    UsageError, and nothing is run, where a day would have to be read from a source that does not keep it.
    """
    if "date" not in dict(family.get_params()):
        raise click.UsageError(f"{family.get_task_family()} takes no date, so it has no days to fill")
    if first > last:
        raise click.UsageError(f"--from {first} is after --to {last}")
    days = _days(family, first, last, arguments)
    missing = days.requires()
    what = f"{family.get_task_family()} {first} to {last}"
    count = (last - first).days + 1
    click.echo(f"{what}: {count} days, {count - len(missing)} done already, {len(missing)} to do", err=True)
    waiting = {task.date: to_do([task]) for task in missing}
    _refuse_what_is_lost(what, waiting)
    everything = [task for tasks in waiting.values() for task in tasks]
    if found := closed(everything):
        raise click.UsageError(
            f"{what}: {found[0].target} keeps a history and is at a later day than {found[0].date}, before which "
            f"nothing can be put in; nothing was run"
        )
    histories = sorted({load.target for load in everything if getattr(load, "strategy", "") == "scd2"})
    # Whatever is said of a task from here on names its day.
    os.environ[DAYS] = "yes"
    if not histories:
        return report.run(type(days), workers, _said(days), what, book)
    click.echo(f"{', '.join(histories)} keeps a history, so the days are run one after the other", err=True)
    for day in sorted(waiting):
        # A day that comes after one that failed would keep it out of the history for ever.
        if code := report.run(
            family, workers, ["--date", str(day), *arguments], f"{family.get_task_family()} {day}", book
        ):
            return code
    return 0


def _days(
    family: type[luigi.Task], first: datetime.date, last: datetime.date, arguments: tuple[str, ...]
) -> RangeDailyBase:
    parameters = dict(family.get_params())
    said = asked.parameters(family, arguments)
    asked.task(family, said | {"date": str(first)})
    kind = LoadedDays if issubclass(family, BaseLoader) else Days
    # Luigi looks 100 days back and none ahead of its own clock, which is in UTC, and takes 50 at a time.
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return kind(
        of=family,
        of_params={name: parameters[name].parse(value) for name, value in said.items()},
        param_name="date",
        start=first,
        stop=last + datetime.timedelta(days=1),
        days_back=max((today - first).days, 0) + 1,
        days_forward=max((last - today).days, 0) + 1,
        task_limit=(last - first).days + 1,
    )


def _said(days: RangeDailyBase) -> list[str]:
    """The range as arguments of luigi's command."""
    try:
        said = days.to_str_params()
    except TypeError as error:
        raise ConfigError(
            f"{days.of.get_task_family()}: luigi's ranges cannot pass its parameters on ({error})"
        ) from None
    return [word for name, value in said.items() if name in _GIVEN for word in (f"--{name.replace('_', '-')}", value)]


def _refuse_what_is_lost(what: str, waiting: dict[datetime.date, list[Any]]) -> None:
    days: dict[str, list[datetime.date]] = {}
    for day, tasks in waiting.items():
        for extract in lost(tasks):
            days.setdefault(name_of(extract), []).append(day)
    if not days:
        return
    listed = "\n".join(f"  {name}: {_spans(found)}" for name, found in sorted(days.items()))
    refused = {day for found in days.values() for day in found}
    raise click.UsageError(
        f"{what}: {len(refused)} of {len(waiting)} days can be read no more, for these sources show only what is "
        f"there now:\n{listed}\nNothing was run. `etl run` for the last complete day brings such tables up to date; "
        f"what was loaded for a past day is loaded again by `etl replay TASK --date DAY`, while its extract is in the "
        f"lake.{_can_be_had(waiting)}"
    )


def _can_be_had(waiting: dict[datetime.date, list[Any]]) -> str:
    """The hint at those loads, of what was asked for, that are there for every day."""
    loads: dict[str, int] = {}
    for tasks in waiting.values():
        for task in tasks:
            if isinstance(task, BaseLoader) and _reads(task) and not lost(to_do([task])):
                loads[task.get_task_family()] = loads.get(task.get_task_family(), 0) + 1
    names = sorted(name for name, count in loads.items() if count == len(waiting))
    return f" These can be backfilled by themselves: {', '.join(names)}." if names else ""


def _reads(load: BaseLoader) -> bool:
    return any(getattr(task, "keeps_the_past", False) for task in luigi.task.flatten(load.requires()))


def _spans(days: Sequence[datetime.date]) -> str:
    """`2014-02-01 to 2014-02-03, 2014-02-07`."""
    spans: list[list[datetime.date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][-1] == datetime.timedelta(days=1):
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    return ", ".join(" to ".join(map(str, span)) for span in spans)
