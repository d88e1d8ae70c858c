"""`etl report`: the page of a run, made again."""

import click

from etl import ledger
from etl.errors import EtlError, LakeError


@click.command()
@click.argument("run", required=False)
def report(run: str | None) -> None:
    """Write the page of a run, and print where it is.

    RUN is its id; without one it is the last run. Every run that ends writes its page by itself, in var/runs and in the
    lake; this is for one that was killed, or whose warehouse did not answer then.
    """
    from etl import run_report

    known = [] if run else ledger.runs(limit=1)
    if not run and not known:
        raise EtlError("no run yet; `etl run Nightly` is one")
    found = ledger.read(run) if run else known[0]
    try:
        path = run_report.write(found)
    except LakeError as error:
        click.echo(f"etl: the page is here, but not in the lake: {error}", err=True)
        path = run_report.place(found)
    click.echo(path)
