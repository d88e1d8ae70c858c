"""A run as a command shows it: what was loaded, what failed and why, and how long it took."""

import datetime
from collections.abc import Sequence

import click
import luigi
from rich.console import Console
from rich.table import Table

from etl import runner, status, warehouse
from etl.run import run_id


def run(
    family: type[luigi.Task], workers: int, arguments: list[str], what: str, undone: Sequence[luigi.Task] = ()
) -> int:
    """Run a task with luigi's own `arguments` and say what came of it; the exit code.

    `what` is how the last line calls it, `undone` what was done and has been undone.
    """
    console = Console(stderr=True)
    began = datetime.datetime.now()
    outcome = runner.run(family, workers, arguments, console, undone)
    with warehouse.connect("etl run") as db:
        loaded = status.tables(db, run_id())
    if loaded:
        show(loaded)
    for name, seen in outcome.tasks.items():
        if seen.state in ("failed", "missing"):
            # No markup: a message that names [mysql] means the section of luigi.cfg.
            console.print(f"{seen.state} {name}: {seen.why}", style="red", markup=False, soft_wrap=True)
    seconds = (datetime.datetime.now() - began).total_seconds()
    done = sum(seen.state == "done" for seen in outcome.tasks.values())
    if outcome.code == 0:
        did = f"{done} tasks done" if done else "everything is already there, nothing to do"
        click.echo(f"{what}: {did}, {seconds:.1f} s", err=True)
    elif outcome.log:
        click.echo(f"Exit code {outcome.code}; luigi's own words are in {outcome.log}", err=True)
    return outcome.code


def show(found: list[status.TableStatus]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("table", "day"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "new", "changed", "gone", "lost", "held", "s"):
        table.add_column(heading, justify="right")
    for row in found:
        table.add_row(
            row.table,
            str(row.business_date or ""),
            *(f"{count:,}" for count in (row.rows, row.inserted, row.updated, row.deleted)),
            f"{row.lost:,}" if row.lost else "",
            f"{row.held:,}" if row.held else "",
            f"{row.seconds:.1f}",
        )
    Console().print(table)
