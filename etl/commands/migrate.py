"""`etl migrate`: the tables follow their files."""

import json
import sys

import click

from etl.errors import FAILED


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done; touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
def migrate(dry_run: bool, as_json: bool) -> None:
    """Let tables follow their files: new columns, tables, comments.

    A column that a file of warehouse_sql/tables has gained is added, and a row of etl.schema_changes says so. Whatever
    else differs (a type, a key, a column that is gone or renamed) is a person's to decide: the statement is printed.
    Run as [warehouse] owner_url, or as url where that owns everything. Exit codes: 0 the tables are as their files say;
    30 something is left to do by hand.
    """
    from etl import migration

    found = migration.migrate(dry_run)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        for one in found.done:
            click.echo(f"{one.statement};")
        for one in found.left:
            where = ".".join(filter(None, (one.table, one.column)))
            click.echo(f"-- by hand: {where}: {one.change}, {one.was or 'none'} -> {one.became or 'none'}")
            click.echo(f"{one.statement};")
        for line in found.later:
            click.echo(f"-- not created yet: {line}")
        if not (found.done or found.left or found.later):
            click.echo("Nothing to do: every table is as its file says.")
    if found.left or found.later:
        sys.exit(FAILED)
