"""`etl status`: how the warehouse stands."""

import json

import click

from etl import report, warehouse
from etl import status as standing


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a table.")
def status(as_json: bool) -> None:
    """How every table stands: its business day, its rows, and what its last load did."""
    with warehouse.connect("etl status") as db:
        found = standing.tables(db)
    if as_json:
        click.echo(json.dumps([table.as_json() for table in found], default=str, indent=1))
    elif not found:
        click.echo("Nothing has been loaded yet. `etl run Nightly` loads everything.")
    else:
        report.show(found)
