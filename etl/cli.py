"""The command line: `etl`."""

import datetime
import difflib
import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import luigi
import luigi.configuration
from luigi.task_register import Register, TaskClassException
from rich.console import Console
from rich.table import Table

from etl import config, runner, status, warehouse
from etl.errors import ConfigError, EtlError, Locked
from etl.run import run_id
from etl.stack import Stack

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
    click.echo(f"  LUIGI_CONFIG_PATH={STACK_SETTINGS} luigi --module tasks.nightly Nightly --date {_yesterday()}")


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
    family = _task_class(task)
    takes_date = dict(family.get_params()).get("date")
    if date and not takes_date:
        raise click.UsageError(f"{task} takes no --date")
    day = date.date() if date else None
    if takes_date and day is None and not isinstance(takes_date, luigi.parameter.OptionalParameterMixin):
        day = _yesterday()
        click.echo(f"{task} for {day}, the last complete day in {config.etl().timezone}", err=True)
    if day and day > _today():
        raise click.UsageError(f"--date {day} is in the future: today is {_today()} in {config.etl().timezone}")
    sys.exit(_run(family, day, workers, list(arguments)))


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object an extract.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def plan(task: str, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Show what TASK would read from MySQL, and how, without reading a row.

    ARGUMENTS are the task's parameters: etl plan MirrorTable --table venues
    """
    from etl.sources.mysql import MySQLExtractor

    names = [word.removeprefix("--").replace("-", "_") for word in arguments[::2]]
    family = _task_class(task)
    known = [name for name, _ in family.get_params()]
    if len(arguments) % 2 or (strange := [name for name in names if name not in known]):
        said = strange[0] if len(arguments) % 2 == 0 else arguments[-1]
        raise click.UsageError(f"{task}: {said}: write its parameters as --name value; it has {', '.join(known)}")
    chosen = dict(zip(names, arguments[1::2], strict=True))
    if "date" in known:
        chosen.setdefault("date", str(_yesterday()))
    try:
        begun = family.from_str_params(chosen)
    except luigi.parameter.ParameterException as error:
        raise click.UsageError(f"{task}: {error}") from None
    found = [one.plan() for one in _with_all_it_requires(begun) if isinstance(one, MySQLExtractor)]
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
        _print_tables(found)


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

    _import_tasks()
    with Console(stderr=True).status(f"comparing {table}"):
        found = compare_table(table, date.date() if date else None)
    if as_json:
        click.echo(json.dumps(found.as_json(), default=str, indent=1))
    else:
        comparison.show(found, Console())
    if not found.equal:
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
        address = parts._replace(netloc=f"{config.warehouse().reader}@{parts.netloc.rpartition('@')[2]}").geturl()
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
        _yesterday(),
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
    code = _run(_task_class("Nightly"), datetime.date.fromisoformat(str(before["day"])), workers, [])
    if code == 0:
        _show_the_morning()
    sys.exit(code)


def _run(family: type[luigi.Task], day: datetime.date | None, workers: int, arguments: list[str]) -> int:
    console = Console(stderr=True)
    said = [*(["--date", str(day)] if day else []), *arguments]
    began = datetime.datetime.now()
    outcome = runner.run(family, workers, said, console)
    with warehouse.connect("etl run") as db:
        loaded = status.tables(db, run_id())
    if loaded:
        _print_tables(loaded)
    for name, seen in outcome.tasks.items():
        if seen.state in ("failed", "missing"):
            # No markup: a message that names [mysql] means the section of luigi.cfg.
            console.print(f"{seen.state} {name}: {seen.why}", style="red", markup=False, soft_wrap=True)
    seconds = (datetime.datetime.now() - began).total_seconds()
    done = sum(seen.state == "done" for seen in outcome.tasks.values())
    if outcome.code == 0:
        did = f"{done} tasks done" if done else "everything is already there, nothing to do"
        click.echo(f"{' '.join([family.__name__, str(day or '')]).strip()}: {did}, {seconds:.1f} s", err=True)
    elif outcome.log:
        click.echo(f"Exit code {outcome.code}; luigi's own words are in {outcome.log}", err=True)
    return outcome.code


def _print_tables(found: list[status.TableStatus]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("table", "day"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "new", "changed", "gone", "lost", "held", "s"):
        table.add_column(heading, justify="right")
    for row in found:
        table.add_row(
            row.table,
            str(row.business_date or ""),
            *(f"{count:,}" for count in (row.rows, row.inserted, row.updated, row.deleted)),
            f"{row.lost:,}" if row.lost else "",
            f"{row.held:,}" if row.held else "",
            f"{row.seconds:.1f}",
        )
    Console().print(table)


def _show_the_morning() -> None:
    stack = Stack()
    console = Console()
    sample = """
        SELECT event, category, city, tickets, gross, buyers FROM mart.daily_sales
        WHERE sold_date_key = (SELECT MAX(sold_date_key) FROM mart.daily_sales) ORDER BY gross DESC, event LIMIT 5
    """
    with warehouse.connect("etl demo") as db:
        rows = db.query(sample)
    table = Table(title="mart.daily_sales: the last day's best", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("event", "category", "city", "tickets", "gross", "buyers"):
        table.add_column(heading, justify="left" if heading in ("event", "category", "city") else "right")
    for row in rows:
        table.add_row(*(f"{value:,}" if not isinstance(value, str) else value for value in row))
    console.print()
    console.print(table)
    urls = stack.urls()
    console.print(f"\nPoint a BI tool at  {urls['warehouse']}", soft_wrap=True, highlight=False)
    console.print(f"See the graph at    {urls['luigid']}/static/visualiser/index.html", soft_wrap=True, highlight=False)


def _task_class(name: str) -> type[luigi.Task]:
    """The task of that name in the package `tasks`."""
    _import_tasks()
    try:
        return Register.get_task_cls(name)
    except TaskClassException:
        ours = sorted(
            family for family in Register.task_names() if Register.get_task_cls(family).__module__.startswith("tasks.")
        )
        near = difflib.get_close_matches(name, ours, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ours)}"
        raise click.UsageError(f"no task {name}; {hint}") from None


def _import_tasks() -> None:
    try:
        package = importlib.import_module("tasks")
    except ModuleNotFoundError:
        raise ConfigError(f"no folder `tasks` in {Path.cwd()}; run etl in the project's own folder") from None
    for module in pkgutil.walk_packages(package.__path__, "tasks."):
        importlib.import_module(module.name)


def _with_all_it_requires(task: luigi.Task) -> list[luigi.Task]:
    """The task and, once each, all that it requires."""
    found: dict[str, luigi.Task] = {}
    waiting = [task]
    while waiting:
        one = waiting.pop(0)
        if one.task_id not in found:
            found[one.task_id] = one
            waiting += luigi.task.flatten(one.requires())
    return list(found.values())


def _today() -> datetime.date:
    return datetime.datetime.now(config.timezone()).date()


def _yesterday() -> datetime.date:
    return _today() - datetime.timedelta(days=1)


def _report(server: str, news: str) -> None:
    click.echo(f"{server:14} {news}")
