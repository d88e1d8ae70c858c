"""`etl plan`: what would be read, and how."""

import json

import click
from rich.console import Console
from rich.table import Table

from etl import asked


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object an extract.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def plan(task: str, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Show what TASK would read from MySQL, and how; reads no row.

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
