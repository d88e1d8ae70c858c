"""`etl demo`: the sample business, and a night of it."""

import datetime
import sys

import click
from rich.console import Console
from rich.table import Table

from etl import asked, config, stack, warehouse
from etl.commands.run import run_day
from etl.errors import ConfigError


@click.group()
def demo() -> None:
    """The sample business: a ticket marketplace in MySQL, Redis, Elasticsearch and S3."""


@demo.command()
@click.option("--scale", default=1.0, show_default=True, help="1 is about 20,000 ticket sales, 100 two million.")
@click.option("--force", is_flag=True, help="Seed again, even at the same scale: everything is made anew.")
def seed(scale: float, force: bool) -> None:
    """Fill the stack's sources with a made-up business whose last day is yesterday."""
    from demo.seed import seed as fill
    from demo.seed import seeded

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
@click.option("--workers", default=4, show_default=True, help="Tasks that run side by side.")
def night(workers: int) -> None:
    """Run Nightly for the day that was seeded, and show what an analyst finds in the morning."""
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
    console.print(f"Point a BI tool at  {urls['warehouse']}", soft_wrap=True, highlight=False)
    console.print(f"See the graph at    {urls['luigid']}/static/visualiser/index.html", soft_wrap=True, highlight=False)
