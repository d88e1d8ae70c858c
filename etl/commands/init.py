"""`etl init`: a warehouse of three roles."""

import sys
from typing import TYPE_CHECKING

import click

from etl.errors import FAILED

if TYPE_CHECKING:
    from etl.initialise import Plan


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL; touch nothing.")
def init(dry_run: bool) -> None:
    """Create roles, schemas, tables and grants in the warehouse.

    [warehouse] url's user loads, owner_url's owns the tables that people read, reader reads them. What is there is
    left as it is, so it may be run at any time; tables of one owner become the owner's. Roles are created by admin_url,
    or else by owner_url. Exit codes: 0 all is there; 30 a mart could not be created yet, or the server refused.
    """
    from etl import initialise

    if dry_run:
        _show(initialise.plan())
        return
    done = initialise.init()
    for who, steps in (("roles and databases", done.as_admin), ("schemas and tables", done.as_owner)):
        if said := initialise.summary(steps):
            click.echo(f"{who:20} {said}")
    if not done.needed:
        click.echo("Nothing to do: roles, schemas, tables, grants and comments are there.")
    if done.later:
        for line in done.later:
            click.echo(f"not created: {line}", err=True)
        click.echo("Run `etl migrate` when the tables that they are computed from are there.", err=True)
        sys.exit(FAILED)


def _show(plan: "Plan") -> None:
    if not plan.needed:
        click.echo("-- Nothing to do: roles, schemas, tables, grants and comments are there.")
    parts = (
        ("For somebody who may create roles. psql asks for passwords so: -v etl_load_password=…", plan.as_admin),
        ("For the owner of the tables, [warehouse] owner_url.", plan.as_owner),
    )
    for title, steps in parts:
        if steps:
            click.echo(f"-- {title}\nBEGIN;")
            for step in steps:
                click.echo(f"{step.for_people};")
            click.echo("COMMIT;\n")
    for line in plan.later:
        click.echo(f"-- {line}")
