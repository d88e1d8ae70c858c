"""`etl docs`: the data dictionary."""

import json
import sys
from pathlib import Path

import click

from etl import asked
from etl.errors import FAILED, ConfigError, WarehouseError


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("var/docs"), help="Where the pages go; var/docs by default."
)
@click.option("--json", "as_json", is_flag=True, help="For machines: the dictionary as one object, and no pages.")
def docs(out: Path, as_json: bool) -> None:
    """Build the data dictionary: tables, columns, lineage.

    Static pages that open from disk: every table and column with its meaning, its keys, where it comes from down to the
    source, and what uses it, to be searched. The files say all that; a warehouse that can be reached adds rows, days,
    lateness, real columns and counts of losses.

    Exit codes: 0 built, and a line on stderr for SQL that only we cannot read; 30 built, and a file is wrong.
    """
    from etl.dictionary import folder, pages, standing
    from etl.dictionary.describe import describe

    asked.import_tasks()
    try:
        found = standing.ask()
    except (ConfigError, WarehouseError) as error:
        dictionary = describe()
        dictionary.why_not = str(error)
    else:
        dictionary = describe(found.tables)
        standing.add(dictionary, found)
    if as_json:
        click.echo(json.dumps(dictionary.as_json(), indent=1))
    else:
        folder.publish(out, pages.pages(dictionary), dictionary.as_json())
        columns = sum(len(table.columns) for table in dictionary.tables.values())
        click.echo(f"{out / 'index.html'}: {len(dictionary.tables)} tables, {columns:,} columns")
    if dictionary.why_not:
        click.echo(f"From the files alone: {dictionary.why_not}", err=True)
    for said in dictionary.unread:
        click.echo(f"not read: {said}", err=True)
    for said in dictionary.problems:
        click.echo(f"wrong: {said}", err=True)
    if dictionary.problems:
        sys.exit(FAILED)
