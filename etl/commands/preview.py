"""`etl preview`: what a task would read, stage and say to the warehouse."""

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl import asked


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many rows to read.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def preview(task: str, limit: int, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Show a few rows of TASK as they would be staged, and its SQL.

    ARGUMENTS are the task's parameters: etl preview MirrorTable --table venues --date 2014-02-03

    Shows the rows, what they would lose, the table that would be created and the statements of the load, on Postgres
    and on Redshift. The source is read no further than needed, the warehouse only if it is there. Nothing is written.
    """
    from etl import preview as previews

    family = asked.family(task)
    chosen = asked.parameters(family, arguments)
    if "date" in dict(family.get_params()):
        chosen.setdefault("date", str(asked.yesterday()))
    found = previews.preview(asked.task(family, chosen), limit)
    if as_json:
        click.echo(json.dumps(found.as_json(), default=str, indent=1, ensure_ascii=False))
        return
    console = Console()
    if found.source:
        source = found.source
        if source.reads:
            _say("what is read", f"{source.reads} LIMIT {limit}")
        _rows(console, f"{len(source.rows)} rows as they would be staged", source.columns, source.rows, source.types)
        if source.csv:
            _say("the same in a part", source.csv.rstrip("\n"))
        for loss in source.losses:
            keys = f", in rows with the key {', '.join(loss.samples)}" if any(loss.samples) else ""
            click.echo(f"loss: {loss.column}: {loss.reason}, {loss.count} times{keys}")
        for row in source.rejected:
            click.echo(f"quarantine: the row {row['key']}: {row['column']}: {row['reason']}")
        click.echo("" if source.losses or source.rejected else "These rows would lose nothing.\n")
    if found.select:
        _say(f"the SELECT of {found.target}", found.select)
    if found.columns:
        _rows(console, f"{len(found.rows)} rows of it", found.columns, found.rows)
    for engine, statements in found.creates.items():
        _say(f"{found.target} on {engine}", ";\n".join(statements))
    for engine, statements in found.loads.items():
        _say(f"a load of {found.target} on {engine}", ";\n".join(statements))
    for note in dict.fromkeys(found.notes):
        click.echo(f"note: {note}")


def _say(heading: str, text: str) -> None:
    click.echo(f"{click.style(heading, bold=True)}:\n{text}\n")


def _rows(
    console: Console,
    heading: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    types: Sequence[str] = (),
) -> None:
    """A column a line where a table of them would be too wide; a text is quoted, so that NULL is none."""
    click.echo(f"{click.style(heading, bold=True)}:")
    text = [not types or types[place] == "TEXT" for place in range(len(columns))]
    cells = [[_shown(value, quoted) for value, quoted in zip(row, text, strict=True)] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="bold")
    if types or sum(widths) + 2 * len(widths) > console.width:
        # The first rows, as many as there is room for.
        room, shown = console.width - max(map(len, columns), default=0) - max(map(len, types), default=0) - 6, 0
        for row in cells:
            room -= min(24, max(map(len, row), default=0)) + 2
            shown += room >= 0
        for name in ("column", *(["type"] if types else []), *(f"row {place + 1}" for place in range(max(1, shown)))):
            table.add_column(name, overflow="fold")
        for place, name in enumerate(columns):
            kind = [types[place]] if types else []
            table.add_row(*map(Text, [name, *kind, *(row[place] for row in cells[: max(1, shown)])]))
    else:
        for name in columns:
            table.add_column(name)
        for row in cells:
            table.add_row(*map(Text, row))
    console.print(table)
    click.echo()


def _shown(value: Any, quoted: bool) -> str:
    """What a source sends as text may hold anything, a terminal's commands among it."""
    if value is None:
        return "NULL"
    return json.dumps(value, ensure_ascii=False) if quoted and isinstance(value, str) else str(value)
