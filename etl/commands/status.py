"""`etl status`: how the last night went, and how the warehouse stands."""

import json
import sys
import time

import click
from rich.console import Console

# Seconds between two looks.
_AGAIN = 2.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
@click.option("--watch", is_flag=True, help="Look again every 2 s: until Ctrl-C; in a pipe until the run has ended.")
def status(as_json: bool, watch: bool) -> None:
    """How the last night went and every table stands.

    The night is the run of Nightly for the latest day, or the last run of all where Nightly never ran; what was run
    after it is told too. A star marks what is late, and what is far from what is usual for that table (etl history).
    The first line says all of it in short.

    \b
      etl status || mail -s "the night" you@example.com

    Exit codes: 0 nothing is wrong, or nothing was ever run; 30 a run failed or was killed and was not done since, a
    table is late, or the warehouse or the ledger does not answer. A load that is only unusual, or lost values, is 0.
    """
    from etl.status import page
    from etl.status import standing as look

    if watch and as_json:
        raise click.UsageError("--watch is for people; ask --json again and again instead")
    console = Console()
    if watch:
        sys.exit(_at_a_terminal(console) if console.is_terminal else _in_a_pipe())
    found = look()
    if as_json:
        click.echo(json.dumps(page.as_json(found), default=str, indent=1))
    else:
        page.show(found, console)
    for silent in (found.unread, found.down):
        if silent:
            click.echo(f"etl: {silent}", err=True)
    sys.exit(found.code)


def _at_a_terminal(console: Console) -> int:
    from rich.live import Live

    from etl.status import standing as look
    from etl.status.page import content

    found = look()
    live = Live(content(found), console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
    try:
        live.start(refresh=True)
        while True:
            time.sleep(_AGAIN)
            found = look()
            live.update(content(found), refresh=True)
    except KeyboardInterrupt:
        return found.code
    finally:
        # Also of one that is interrupted while it begins.
        live.stop()


def _in_a_pipe() -> int:
    from etl.status import standing as look
    from etl.status.page import lines

    before = None
    while True:
        found = look()
        for line in lines(before, found):
            click.echo(line)
        if not any(run.state == "running" for run in found.runs):
            return found.code
        before = found
        time.sleep(_AGAIN)
