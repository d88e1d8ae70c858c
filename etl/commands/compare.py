"""`etl compare`: the proof that a copy equals its source."""

import datetime
import json
import sys

import click
from rich.console import Console

from etl import asked
from etl.errors import FAILED


@click.command(short_help="Prove by checksums that raw.TABLE equals MySQL's TABLE.")
@click.argument("table")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Compare with the extract of that day, not with MySQL.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
def compare(table: str, date: datetime.datetime | None, as_json: bool) -> None:
    """Prove that raw.TABLE equals the MySQL table TABLE: rows and columns by checksum, differences down to the row.

    Both servers are read in one snapshot each and compute the checksums themselves. Values are shown of rows that
    differ. Exit codes: 0 equal, apart from losses and quarantined rows that are recorded; 20 never loaded for
    that day; 30 different, or not comparable.

    \b
      etl compare venues
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
