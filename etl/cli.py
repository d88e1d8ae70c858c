"""The command line: `etl`."""

import contextlib
import datetime
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import luigi
import luigi.configuration
from rich.console import Console
from rich.table import Table

from etl import asked, config, report, status, warehouse
from etl.errors import ConfigError, EtlError, Locked
from etl.stack import Stack

if TYPE_CHECKING:
    from etl.again import Plan

USAGE, LOCKED, FAILED = 2, 10, 30
STACK_SETTINGS = Path("var/luigi.cfg")


class _Commands(click.Group):
    """Turns an EtlError into one line on stderr and the exit code that cron acts upon."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except EtlError as error:
            click.echo(f"etl: {error}", err=True)
            codes = {ConfigError: USAGE, Locked: LOCKED}
            sys.exit(codes.get(type(error), FAILED))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Turnstile moves a company's scattered data into one warehouse every night, and proves that it did.

    \b
    Try it on one machine:      etl up && etl demo seed && etl demo night
    Run a night in production:  etl run Nightly
    See how it went:            etl status
    Prove that a copy is one:   etl compare TABLE
    Fill in days:               etl backfill TASK --from DAY --to DAY
    Do it again, from source:   etl rerun TASK --date DAY
    Do it again, as it was:     etl replay TASK --date DAY

    Settings are read from luigi.cfg here; while the local stack is up, from var/luigi.cfg, and LUIGI_CONFIG_PATH
    goes before both. Exit codes: 0 done or already done, 2 usage or settings, 10 locked, 20 missing data, 25 refused
    by the scheduler, 30 failed, 35 scheduling, 40 crash.
    """
    # The tasks are the folder's that one stands in, as they are for Python itself.
    sys.path.insert(0, str(Path.cwd()))
    if "LUIGI_CONFIG_PATH" not in os.environ and STACK_SETTINGS.exists():
        os.environ["LUIGI_CONFIG_PATH"] = str(STACK_SETTINGS.absolute())
        luigi.configuration.add_config_path(str(STACK_SETTINGS))


@main.command()
def up() -> None:
    """Start the local stack: every server that luigi.cfg calls `embedded`, on free ports of this machine.

    It writes var/luigi.cfg, which is luigi.cfg with their addresses. What runs already is left alone.
    """
    Stack().up(_report)
    click.echo("\nPlain luigi finds the stack like this:")
    click.echo(f"  LUIGI_CONFIG_PATH={STACK_SETTINGS} luigi --module tasks.nightly Nightly --date {asked.yesterday()}")


@main.command()
def down() -> None:
    """Stop the local stack. Its data stays in var/ for the next `etl up`."""
    Stack().down(_report)


@main.command()
def clean() -> None:
    """Stop the local stack and delete what it made in var/, data included."""
    Stack().clean(_report)
    for left in (Path("var/demo.json"), *Path("var/log").glob("*.log"), *Path("var/lock").glob("*.pid")):
        left.unlink(missing_ok=True)
    for folder in (Path("var/log"), Path("var/lock"), Path("var")):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The business day. Default: the last complete one.")
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(task: str, date: datetime.datetime | None, workers: int, arguments: tuple[str, ...]) -> None:
    """Run TASK and whatever it requires that is not done yet; done tasks are left alone.

    ARGUMENTS are luigi's own, such as a parameter of the task: etl run LoadDateTable --start-year 1990 --end-year 2049
    """
    config.check()
    family = asked.family(task)
    takes_date = dict(family.get_params()).get("date")
    if date and not takes_date:
        raise click.UsageError(f"{task} takes no --date")
    day = asked.day(date)
    if takes_date and day is None and not isinstance(takes_date, luigi.parameter.OptionalParameterMixin):
        day = asked.yesterday()
        click.echo(f"{task} for {day}, the last complete day in {config.etl().timezone}", err=True)
    sys.exit(_run(family, day, workers, list(arguments)))


_DAY = click.DateTime(["%Y-%m-%d"])


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--from", "first", type=_DAY, required=True, help="The first business day.")
@click.option("--to", "last", type=_DAY, required=True, help="The last one, inclusive.")
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
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

    config.check()
    begin, end = asked.day(first, "--from"), asked.day(last, "--to")
    assert begin and end
    sys.exit(fill(asked.family(task), begin, end, workers, arguments))


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--date", type=_DAY, help="The business day. Tasks that know no days are given none.")
@click.option("--downstream", is_flag=True, help="Every task that is computed from TASK for that day, too.")
@click.option("--yes", is_flag=True, help="Ask nothing, as cron cannot answer.")
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
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

    _again(again.rerun(_begun(task, date, arguments), downstream), yes, workers)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--date", type=_DAY, help="The business day. Tasks that know no days are given none.")
@click.option("--yes", is_flag=True, help="Ask nothing, as cron cannot answer.")
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def replay(task: str, date: datetime.datetime | None, yes: bool, workers: int, arguments: tuple[str, ...]) -> None:
    """Load TASK again from the extract that was kept; its source is not touched. Shows first what that touches.

    Extracts are kept for [lake] keep_days after their load. A load that is SQL alone is computed again from the
    tables that it reads. An extract that is older than the table never overwrites newer rows.

    \b
      etl replay LoadSearches --date 2014-02-03
    """
    from etl import again

    _again(again.replay(_begun(task, date, arguments)), yes, workers)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object an extract.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def plan(task: str, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Show what TASK would read from MySQL, and how, without reading a row.

    ARGUMENTS are the task's parameters: etl plan MirrorTable --table venues
    """
    from etl.sources.mysql import MySQLExtractor

    family = asked.family(task)
    chosen = asked.parameters(family, arguments)
    if "date" in dict(family.get_params()):
        chosen.setdefault("date", str(asked.yesterday()))
    begun = asked.task(family, chosen)
    found = [one.plan() for one in asked.with_all_it_requires(begun) if isinstance(one, MySQLExtractor)]
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=1))
        return
    if not found:
        click.echo(f"{task} reads nothing from MySQL.")
    for one in found:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("column", "warehouse type", "read as", "expression"):
            table.add_column(heading, overflow="fold")
        for column in one.as_json()["columns"]:
            table.add_row(column["column"], column["type"], column["read_as"], column["expression"])
        click.echo(f"{one.what}, by {one.driver}:")
        Console().print(table)
        click.echo(f"{one.select}\n")


@main.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a table.")
def status_command(as_json: bool) -> None:
    """How every table stands: its business day, its rows, and what its last load did."""
    with warehouse.connect("etl status") as db:
        found = status.tables(db)
    if as_json:
        click.echo(json.dumps([table.as_json() for table in found], default=str, indent=1))
    elif not found:
        click.echo("Nothing has been loaded yet. `etl run Nightly` loads everything.")
    else:
        report.show(found)


@main.command()
@click.argument("table")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Compare with the extract of that day, not with MySQL.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
def compare(table: str, date: datetime.datetime | None, as_json: bool) -> None:
    """Prove that raw.TABLE equals the MySQL table TABLE: rows and columns by checksum, differences down to the row.

    Both servers are read in one snapshot each and compute the checksums themselves. Values are shown of rows that
    differ. Exit codes: 0 equal, apart from losses and quarantined rows that are recorded; 30 different, or not
    comparable.
    """
    from etl import comparison
    from etl.compare import compare as compare_table

    asked.import_tasks()
    with Console(stderr=True).status(f"comparing {table}"):
        found = compare_table(table, date.date() if date else None)
    if as_json:
        click.echo(json.dumps(found.as_json(), default=str, indent=1))
    else:
        comparison.show(found, Console())
    if not found.equal:
        sys.exit(FAILED)


@main.command()
@click.option("--conformance", is_flag=True, help="Does this cluster do what Turnstile believes of Redshift?")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a finding.")
def doctor(conformance: bool, as_json: bool) -> None:
    """Ask the warehouse whether it is one that Turnstile can work with.

    With --conformance, for Redshift: each thing that is believed of it is tried, in a schema and below a lake prefix
    that are made for it and removed. Needs what a load needs, reads nobody's tables and writes to none that was there.
    Exit codes: 0 all of it holds; 30 something does not, and it says what relies on it. On an emulator it always is 30.
    """
    from etl import conformance as pack

    if not conformance:
        raise click.UsageError("--conformance is what there is: it asks a Redshift whether it does what is believed")
    if not config.warehouse().url.startswith("redshift://"):
        raise ConfigError("doctor --conformance is for Redshift, and [warehouse] url does not begin with redshift://")
    found: list[pack.Finding] = []

    def kept(findings: Iterable[pack.Finding]) -> Iterator[pack.Finding]:
        for finding in findings:
            found.append(finding)
            yield finding

    # Whoever stops it in the middle, or closes the pipe, leaves nothing behind.
    with warehouse.connect("etl doctor") as db, contextlib.closing(pack.conform(db)) as findings:
        for line in [pack.as_json(kept(findings))] if as_json else pack.report(kept(findings)):
            click.echo(line)
    if not all(finding.holds for finding in found):
        sys.exit(FAILED)


@main.command()
@click.argument("name", type=click.Choice(["warehouse", "lake", "mysql", "redis", "elasticsearch", "luigid"]))
def url(name: str) -> None:
    """Print where NAME is. The warehouse's is the analysts' address, for a BI tool."""
    stack = Stack()
    if stack.cfg.exists() and os.environ.get("LUIGI_CONFIG_PATH") == str(stack.cfg.absolute()):
        click.echo(stack.urls()[name])
        return
    if name == "luigid":
        core = luigi.interface.core()
        click.echo(f"http://{core.scheduler_host}:{core.scheduler_port}")
        return
    address = getattr(config, name)().url
    if name == "warehouse":
        parts = urlsplit(address)
        reader = config.warehouse().reader
        # A group or a role of Redshift's is nobody's name.
        user = "" if " " in reader else f"{reader}@"
        address = parts._replace(netloc=user + parts.netloc.rpartition("@")[2]).geturl()
    click.echo(address)


@main.group()
def demo() -> None:
    """The sample business: a ticket marketplace in MySQL, Redis, Elasticsearch and S3."""


@demo.command()
@click.option("--scale", default=1.0, show_default=True, help="1 is about 20,000 ticket sales, 100 two million.")
@click.option("--force", is_flag=True, help="Seed again, even at the same scale: everything is made anew.")
def seed(scale: float, force: bool) -> None:
    """Fill the stack's sources with a made-up business whose last day is yesterday."""
    from demo.seed import seed as fill
    from demo.seed import seeded

    stack = Stack()
    before = seeded()
    if before and before["scale"] == scale and not force:
        click.echo(f"The sources are seeded already, at scale {scale:g} up to {before['day']}.")
        return
    urls = stack.urls()
    fill(
        scale,
        asked.yesterday(),
        urls["admin_mysql"],
        urls["redis"],
        urls["elasticsearch"],
        config.s3_source(),
        click.echo,
    )


@demo.command()
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
def night(workers: int) -> None:
    """Run Nightly for the day that was seeded, and show what an analyst finds in the morning."""
    from demo.seed import seeded

    before = seeded()
    if not before:
        raise ConfigError("the sources are not seeded yet; run `etl demo seed` first")
    code = _run(asked.family("Nightly"), datetime.date.fromisoformat(str(before["day"])), workers, [])
    if code == 0:
        _show_the_morning()
    sys.exit(code)


def _run(family: type[luigi.Task], day: datetime.date | None, workers: int, arguments: list[str]) -> int:
    said = [*(["--date", str(day)] if day else []), *arguments]
    return report.run(family, workers, said, f"{family.get_task_family()} {day or ''}".strip())


def _begun(task: str, date: datetime.datetime | None, arguments: tuple[str, ...]) -> luigi.Task:
    """The task with the parameters that a command was given."""
    config.check()
    family, day = asked.family(task), asked.day(date)
    if day and "date" not in dict(family.get_params()):
        raise click.UsageError(f"{task} takes no --date")
    return asked.task(family, asked.parameters(family, arguments) | ({"date": str(day)} if day else {}))


def _again(plan: "Plan", yes: bool, workers: int) -> None:
    plan.show(Console())
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nothing was touched; with --yes the tasks above are done again")
    if not yes:
        click.confirm(f"Do these {len(plan.tasks)} tasks again?", abort=True)
    plan.undo()
    sys.exit(plan.run(workers))


def _show_the_morning() -> None:
    stack = Stack()
    console = Console()
    sample = """
        SELECT event, category, city, tickets, gross, buyers FROM mart.daily_sales
        WHERE sold_date_key = (SELECT MAX(sold_date_key) FROM mart.daily_sales) ORDER BY gross DESC, event LIMIT 5
    """
    with warehouse.connect("etl demo") as db:
        rows, version = db.query(sample), db.version()
    table = Table(title="mart.daily_sales: the last day's best", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("event", "category", "city", "tickets", "gross", "buyers"):
        table.add_column(heading, justify="left" if heading in ("event", "category", "city") else "right")
    for row in rows:
        table.add_row(*(f"{value:,}" if not isinstance(value, str) else value for value in row))
    console.print()
    console.print(table)
    urls = stack.urls()
    console.print(f"\nThe warehouse is    {version}", highlight=False)
    console.print(f"Point a BI tool at  {urls['warehouse']}", soft_wrap=True, highlight=False)
    console.print(f"See the graph at    {urls['luigid']}/static/visualiser/index.html", soft_wrap=True, highlight=False)


def _report(server: str, news: str) -> None:
    click.echo(f"{server:18} {news}")
