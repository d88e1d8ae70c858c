"""`etl run`, `backfill`, `rerun`, `replay`: tasks, done for the first time, for many days, or again."""

import datetime
import sys
from typing import TYPE_CHECKING

import click
import luigi
from rich.console import Console

from etl import asked, config, logs, report
from etl.ledger import Book
from etl.night import night

if TYPE_CHECKING:
    from etl.again import Plan

_DAY = click.DateTime(["%Y-%m-%d"])
_WORKERS = click.option(
    "--workers", type=click.IntRange(1), default=4, show_default=True, help="Tasks that run side by side."
)


@click.command(
    context_settings={"ignore_unknown_options": True}, short_help="Run TASK and what it requires that is not done yet."
)
@click.argument("task")
@click.option("--date", type=_DAY, help="The business day. Default: the last complete one.")
@_WORKERS
@click.option(
    "--wait", default=0, metavar="MINUTES", help="Wait so long for another run of TASK; else it is exit code 10."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(task: str, date: datetime.datetime | None, workers: int, wait: int, arguments: tuple[str, ...]) -> None:
    """Run TASK and whatever it requires that is not done yet; done tasks are left alone.

    ARGUMENTS are luigi's own, such as a parameter of the task.

    \b
      etl run Nightly
      etl run MirrorTable --table venues --date 2014-02-03
    """
    logs.begin()
    family = asked.family(task)
    takes_date = dict(family.get_params()).get("date")
    if date and not takes_date:
        raise click.UsageError(f"{task} takes no --date")
    day = asked.day(date)
    if takes_date and day is None and not isinstance(takes_date, luigi.parameter.OptionalParameterMixin):
        day = asked.yesterday()
        click.echo(f"{task} for {day}, the last complete day in {config.etl().timezone}", err=True)
    sys.exit(run_day(family, day, workers, arguments, 60 * wait))


@click.command(
    context_settings={"ignore_unknown_options": True},
    short_help="Run TASK for each day of a range that is not done yet.",
)
@click.argument("task")
@click.option("--from", "first", type=_DAY, required=True, help="The first business day.")
@click.option("--to", "last", type=_DAY, required=True, help="The last one, inclusive.")
@_WORKERS
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def backfill(
    task: str, first: datetime.datetime, last: datetime.datetime, workers: int, arguments: tuple[str, ...]
) -> None:
    """Run TASK for every day of a range, oldest first; days that are done are left alone.

    Whatever stops it, the same command goes on where it was. Only what its source keeps by day can be filled in:
    events, files, and what has been extracted already. A table that is copied as it is now (MySQL's, say) has no
    past to be read, so days that would need it are refused before anything is run; what is asked for by day takes
    such tables as they are at a later day.

    \b
      etl backfill LoadSearches --from 2014-02-01 --to 2014-02-28
    """
    from etl.backfill import backfill as fill

    family, begin, end = asked.family(task), asked.day(first, "--from"), asked.day(last, "--to")
    assert begin and end
    # A typing error is no run that failed.
    asked.parameters(family, arguments)
    what = " ".join(["backfill", task, *arguments, f"{begin} to {end}"])

    def work(book: Book) -> int:
        config.check()
        return fill(family, begin, end, workers, arguments, book)

    sys.exit(night(what, " ".join([task, *arguments]), None, work))


@click.command(
    context_settings={"ignore_unknown_options": True},
    short_help="Do TASK again from its source; it shows first what it touches.",
)
@click.argument("task")
@click.option("--date", type=_DAY, help="The business day. Tasks that know no days are given none.")
@click.option("--downstream", is_flag=True, help="Every task that is computed from TASK for that day, too.")
@click.option("--yes", is_flag=True, help="Ask nothing, as cron cannot answer.")
@_WORKERS
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def rerun(
    task: str, date: datetime.datetime | None, downstream: bool, yes: bool, workers: int, arguments: tuple[str, ...]
) -> None:
    """Do TASK again from its source, and show first what that touches.

    Its own extract is deleted and read again, so a past day needs a source that keeps it; any other is refused, and
    `etl replay` is what is left. Of a task that only names others, such as Nightly, all tasks of that day are done
    again.

    \b
      etl rerun MirrorTable --table venues --date 2014-02-03 --downstream
    """
    from etl import again

    plan = again.rerun(_begun(task, date, arguments), downstream)
    _again(plan, task, date, arguments, yes, workers)


@click.command(
    context_settings={"ignore_unknown_options": True}, short_help="Load TASK again from the extract that was kept."
)
@click.argument("task")
@click.option("--date", type=_DAY, help="The business day. Tasks that know no days are given none.")
@click.option("--yes", is_flag=True, help="Ask nothing, as cron cannot answer.")
@_WORKERS
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def replay(task: str, date: datetime.datetime | None, yes: bool, workers: int, arguments: tuple[str, ...]) -> None:
    """Load TASK again from the extract that was kept; its source is not touched. Shows first what that touches.

    Extracts are kept for [lake] keep_days after their load. A load that is SQL alone is computed again from the
    tables that it reads. An extract that is older than the table never overwrites newer rows.

    \b
      etl replay LoadSearches --date 2014-02-03
    """
    from etl import again

    _again(again.replay(_begun(task, date, arguments)), task, date, arguments, yes, workers)


def run_day(
    family: type[luigi.Task], day: datetime.date | None, workers: int, arguments: tuple[str, ...], wait: float = 0
) -> int:
    said = [*(["--date", str(day)] if day else []), *arguments]
    task = asked.understood(family, said)
    what = " ".join([family.get_task_family(), *arguments, *([str(day)] if day else [])])

    def work(book: Book) -> int:
        config.check()
        # It may require more than when it was done last, as Nightly does with a new table.
        return report.run(family, workers, said, what, book, undone=[task])

    return night(what, " ".join([family.get_task_family(), *arguments]), day, work, wait)


def _begun(task: str, date: datetime.datetime | None, arguments: tuple[str, ...]) -> luigi.Task:
    """The task with the parameters that a command was given."""
    family, day = asked.family(task), asked.day(date)
    if day and "date" not in dict(family.get_params()):
        raise click.UsageError(f"{task} takes no --date")
    said = asked.parameters(family, arguments)
    config.check()
    return asked.task(family, said | ({"date": str(day)} if day else {}))


def _again(
    plan: "Plan", task: str, date: datetime.datetime | None, arguments: tuple[str, ...], yes: bool, workers: int
) -> None:
    plan.show(Console())
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nothing was touched; with --yes the tasks above are done again")
    if not yes:
        click.confirm(f"Do these {len(plan.tasks)} tasks again?", abort=True)

    def work(book: Book) -> int:
        plan.undo()
        return plan.run(workers, book)

    sys.exit(night(plan.what, " ".join([task, *arguments]), date and date.date(), work))
