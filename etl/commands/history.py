"""`etl history`: how the loads of one table went."""

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from etl import config, warehouse

if TYPE_CHECKING:
    from etl.status.history import Load, Usual

# So wide that a line has room for the run's whole id.
_WIDE = 110


@click.command()
@click.argument("table")
@click.option("--last", type=click.IntRange(1), default=14, show_default=True, help="So many loads.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a load.")
def history(table: str, last: int, as_json: bool) -> None:
    """The last loads of TABLE: days, rows, losses, seconds.

    The newest comes last. TABLE is named with its schema, or without it where only one has that name. Bars stand on
    0; what is usual is said from five loads on, and `etl status` marks what is not. Times are in [etl] timezone; of a
    run's id a narrow terminal has the end.
    """
    from etl.status.history import LOOK_BACK, loads, named, usual_rows, usual_seconds
    from etl.status.sparkline import sparkline

    with warehouse.connect("etl history") as db:
        name = named(db, table)
        known = loads(db, name, max(last, LOOK_BACK))
    found = known[-last:]
    if as_json:
        click.echo(json.dumps([load.as_json() for load in found], default=str, indent=1))
        return
    console = Console()
    click.echo(f"{name}: {'the only load' if len(found) == 1 else f'the last {len(found)} loads'}")
    console.print(_table(found, console.width))
    # One bar each, as many as a line has room for beside what is said of them.
    few = found[-max(console.width - 66, 14) :]
    lines = (
        ("rows there", [load.rows for load in few], f"{found[-1].rows:,} now"),
        ("rows that came", [load.staged for load in few], _said(usual_rows(known), ",.0f")),
        ("seconds", [load.seconds for load in few], _said(usual_seconds(known), ",.1f")),
    )
    for what, values, said in lines:
        click.echo(f"{what:14}  {sparkline(values, console.encoding)}  {said}".rstrip())


def _table(found: "list[Load]", width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("day", "loaded at"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "new", "changed", "gone", "lost", "s"):
        table.add_column(heading, justify="right")
    table.add_column("run", no_wrap=True)
    for load in found:
        table.add_row(
            str(load.business_date or ""),
            f"{load.loaded_at.astimezone(config.timezone()):%m-%d %H:%M}",
            *(f"{count:,}" for count in (load.rows, load.inserted, load.updated, load.deleted)),
            f"{load.lost:,}" if load.lost else "",
            f"{load.seconds:.1f}",
            load.run if width >= _WIDE else load.run[-8:],
        )
    return table


def _said(usual: "Usual | None", form: str) -> str:
    return f"median {usual.median:{form}}, usually {usual.low:{form}} to {usual.high:{form}}" if usual else ""
