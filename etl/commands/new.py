"""`etl new`: a table of a source becomes a task, a table, its SQL and a test."""

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from etl import asked

if TYPE_CHECKING:
    from etl.new.proposal import Proposal


@click.command()
@click.argument("kind", type=click.Choice(["mysql", "redis", "s3", "elasticsearch"]))
@click.argument("table")
@click.option(
    "--as",
    "shape",
    type=click.Choice(["dimension", "fact"]),
    help="What the table is to be, where that is proposed wrongly.",
)
@click.option("--name", help="What one row is, for the names of all: organiser, or dim_organiser.")
@click.option("--key", help="The columns that tell rows apart, with commas, where the source does not say.")
@click.option("--dry-run", is_flag=True, help="Show the files, and write none.")
def new(kind: str, table: str, shape: str | None, name: str | None, key: str | None, dry_run: bool) -> None:
    """Propose a table for TABLE of a source, and write it down.

    It looks at the real source, proposes columns and types, writes the task, the table, the load's SQL and a test that
    passes, and adds the load to tasks/nightly.py. Nothing that is there is overwritten.

    \b
    TABLE is  mysql          a table or a view: promoters
              redis          a key, or a pattern of keys: 'user:*'
              s3             a folder or a file of [s3_source]: clicks/2014/02/03/
              elasticsearch  an index or an alias: searches
    """
    from etl.new import look
    from etl.new.files import files
    from etl.new.project import CONFTEST, NIGHTLY, check_names, conftest, nightly, sql_folder, write
    from etl.new.proposal import Wishes

    folder = sql_folder()
    wishes = Wishes(shape or "", name or "", tuple(word.strip() for word in (key or "").split(",") if word.strip()))
    proposal = look(kind, table, wishes)
    written = files(proposal, folder)
    check_names(proposal.titles, list(written))
    fixtures, line = conftest()
    if fixtures:
        written[CONFTEST] = fixtures
    night = nightly(proposal.titles)
    changed = {NIGHTLY: night.text} if night.text else {}
    if dry_run:
        for path, text in written.items():
            click.echo(f"==> {path} <==\n{text}")
        return
    write(written, changed)
    console = Console(highlight=False)
    _show(console, proposal)
    click.echo()
    for path in written:
        click.echo(f"  wrote    {path}")
    if night.text:
        click.echo(f"  changed  {NIGHTLY}: {night.lines[1]}")
    click.echo()
    for note in proposal.notes:
        click.echo(click.wrap_text(note, console.width - 1, "- ", "  "))
    if not night.text:
        click.echo(f"- Add to {NIGHTLY}:\n    {night.lines[0]}\n    {night.lines[1]}")
    if line:
        click.echo(f"- Add to {CONFTEST}: {line}")
    click.echo("Read the files, correct what you know better, and then:\n")
    click.echo(f"  python -m pytest tests/test_{proposal.titles.module}.py")
    click.echo("  etl migrate   # where there are roles, its owner creates it")
    click.echo(f"  etl run {proposal.titles.load} --date {asked.yesterday()}")


def _show(console: Console, proposal: "Proposal") -> None:
    titles = proposal.titles
    said = f"{proposal.source} as public.{titles.table}, a {titles.shape}; its key is {', '.join(proposal.key)}"
    click.echo(click.wrap_text(said, console.width - 1) + "\n")
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("column", "type", "from"):
        shown.add_column(heading, overflow="fold")
    if proposal.is_dimension:
        shown.add_row(f"{titles.member}_key", "BIGINT", "numbered by the load")
    for column in proposal.columns:
        required = "" if not column.required else " NOT NULL"
        shown.add_row(column.name, column.type + required, column.found)
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
