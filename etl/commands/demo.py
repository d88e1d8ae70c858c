"""`etl demo`: the sample business, a night of it, and a look into its databases."""

import datetime
import sys
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table

from etl import asked, config, stack, warehouse
from etl.commands.run import run_day
from etl.errors import ConfigError


@click.group()
def demo() -> None:
    """The sample business: a ticket marketplace in all sources."""


@demo.command()
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="1 is about 20,000 ticket sales, 100 two million.",
)
@click.option("--force", is_flag=True, help="Seed again, even at the same scale: everything is made anew.")
def seed(scale: float, force: bool) -> None:
    """Fill the sources with a made-up business that ends yesterday."""
    from demo.seed import seed as fill
    from demo.seed import seeded

    _running()
    local = stack.Stack()
    before = seeded()
    if before and before["scale"] == scale and not force:
        click.echo(f"The sources are seeded already, at scale {scale:g} up to {before['day']}.")
        return
    urls = local.urls()
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
@click.option("--workers", type=click.IntRange(1), default=4, show_default=True, help="Tasks that run side by side.")
def night(workers: int) -> None:
    """Run Nightly for the seeded day, and show the morning after."""
    from demo.seed import seeded

    before = seeded()
    if not before:
        raise ConfigError("the sources are not seeded yet; run `etl demo seed` first")
    code = run_day(asked.family("Nightly"), datetime.date.fromisoformat(str(before["day"])), workers, ())
    if code == 0:
        _show_the_morning()
    sys.exit(code)


def _show_the_morning() -> None:
    local = stack.Stack()
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
    urls = local.urls()
    console.print(f"\nThe warehouse is    {version}", highlight=False)
    parts = urlsplit(urls["warehouse"])
    address = f"{parts.scheme}://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    console.print(f"Point a BI tool at  {address}", soft_wrap=True, highlight=False)
    console.print("                    (with its password: etl url warehouse)", highlight=False)
    console.print(f"See the graph at    {urls['luigid']}/static/visualiser/index.html", soft_wrap=True, highlight=False)


@demo.command()
@click.argument("database", type=click.Choice(["mysql", "warehouse"]))
@click.argument("statements", required=False)
def sql(database: str, statements: str | None) -> None:
    """Run SQL at the shop's MySQL, or a SELECT at the warehouse.

    \b
    etl demo sql mysql "UPDATE venues SET capacity = 900 WHERE id = 1"
    etl demo sql warehouse "SELECT * FROM dim_venue"
    etl demo sql mysql < statements.sql
    """
    said = (statements if statements is not None else sys.stdin.read()).strip().rstrip(";")
    _running()
    if not said:
        raise click.UsageError("say what to run, as an argument or on stdin")
    if database == "mysql":
        from demo.sql import answers

        for names, rows in answers(stack.Stack().urls()["admin_mysql"], said):
            _show(names, rows)
        return
    with warehouse.connect("etl demo sql") as db:
        _show(db.names_of(said), db.query(said))


def _show(names: list[str], rows: list[tuple]) -> None:
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*("NULL" if value is None else str(value) for value in row))
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _running() -> None:
    if not stack.SETTINGS.exists():
        raise ConfigError("the local stack is not running here; start it with `etl up`")
