"""`etl demo sql`: look into the demo's databases, and play the shop that changes its own."""

import sys

import click
from rich.console import Console
from rich.table import Table

from etl import stack, warehouse
from etl.errors import ConfigError


@click.command()
@click.argument("database", type=click.Choice(["mysql", "warehouse"]))
@click.argument("statements", required=False)
def sql(database: str, statements: str | None) -> None:
    """Run SQL at the stack's MySQL, as the shop's application, or a SELECT at the warehouse.

    \b
    etl demo sql mysql "UPDATE venues SET capacity = 900 WHERE id = 1"
    etl demo sql warehouse "SELECT * FROM dim_venue"
    etl demo sql mysql < statements.sql
    """
    said = (statements if statements is not None else sys.stdin.read()).strip().rstrip(";")
    if not stack.SETTINGS.exists():
        raise ConfigError("the local stack is not running here; start it with `etl up`")
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
