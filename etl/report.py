"""A run as a command shows it: what was loaded, what failed and why, and how long it took."""

import time
from collections.abc import Iterator, Sequence

import click
import luigi
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl import runner, status, warehouse
from etl.errors import EtlError
from etl.ledger import Book, TaskRun
from etl.run import run_id


def run(
    family: type[luigi.Task],
    workers: int,
    arguments: list[str],
    what: str,
    book: Book,
    undone: Sequence[luigi.Task] = (),
) -> int:
    """Run a task with luigi's own `arguments` and say what came of it; the exit code.

    `what` is how the last line calls it, `undone` what was done and has been undone.
    """
    console = Console(stderr=True)
    began = time.monotonic()
    tasks = book.run.tasks
    done_before = _count(tasks, "done")
    code = runner.run(family, workers, arguments, console, book, undone)
    loaded = []
    try:
        with warehouse.connect("etl run") as db:
            loaded = status.tables(db, run_id())
    except EtlError as error:
        # What failed already has said so by its exit code.
        if code == 0:
            raise
        click.echo(f"etl: {error}", err=True)
    if loaded:
        show(loaded)
    for name, task in tasks.items():
        if task.state in ("failed", "missing"):
            # No markup: a message that names [mysql] means the section of luigi.cfg.
            console.print(f"{task.state} {name}: {task.why}", style="red", markup=False, soft_wrap=True)
    done = _count(tasks, "done") - done_before
    if code == 0:
        did = f"{done} tasks done" if done else "everything is already there, nothing to do"
        click.echo(f"{what}: {did}, {time.monotonic() - began:.1f} s", err=True)
    elif book.run.log:
        click.echo(f"Exit code {code}; luigi's own words are in {book.run.log}", err=True)
    return code


def _count(tasks: dict[str, TaskRun], state: str) -> int:
    return sum(task.state == state for task in tasks.values())


def show(found: Sequence[status.TableStatus]) -> None:
    console = Console()
    console.print(table(found))
    for line in unusual(found):
        console.print(f"* {line}", markup=False, highlight=False, soft_wrap=True)


def table(found: Sequence[status.TableStatus]) -> Table:
    """A line a table; what `unusual` explains, and a day that is late, has a star."""
    drawn = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("table", "day"):
        drawn.add_column(heading, no_wrap=True)
    for heading in ("rows", "new", "changed", "gone", "lost", "held", "s"):
        drawn.add_column(heading, justify="right")
    for row in found:
        drawn.add_row(
            row.table,
            _starred(str(row.business_date or ""), bool(row.late)),
            _starred(f"{row.rows:,}", row.odd_rows),
            *(f"{count:,}" for count in (row.inserted, row.updated, row.deleted)),
            f"{row.lost:,}" if row.lost else "",
            f"{row.held:,}" if row.held else "",
            _starred(f"{row.seconds:.1f}", row.odd_seconds),
        )
    return drawn


def unusual(found: Sequence[status.TableStatus]) -> Iterator[str]:
    """What is far from what the earlier loads of a table were."""
    for row in found:
        if row.usual_rows and row.odd_rows:
            usually = f"{row.usual_rows.low:,.0f} to {row.usual_rows.high:,.0f}"
            yield f"{row.table}: {row.staged:,} rows came, usually {usually}"
        if row.usual_seconds and row.odd_seconds:
            yield f"{row.table}: took {row.seconds:,.1f} s, usually up to {row.usual_seconds.high:,.1f}"


def _starred(said: str, odd: bool) -> Text:
    return Text(f"{said}*", "yellow") if odd else Text(said)
