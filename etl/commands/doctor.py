"""`etl doctor`: whether everything is as a night needs it."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

import click

from etl import config, warehouse
from etl.errors import FAILED, ConfigError


@click.command()
@click.option("--conformance", is_flag=True, help="Does this cluster do what Turnstile believes of Redshift?")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a finding.")
def doctor(conformance: bool, as_json: bool) -> None:
    """Ask the warehouse whether it is one that Turnstile can work with.

    With --conformance, for Redshift: each thing that is believed of it is tried, in a schema and below a lake prefix
    that are made for it and removed. Needs what a load needs, reads nobody's tables and writes to none that was there.
    Exit codes: 0 all of it holds; 30 something does not, and it says what relies on it. On an emulator it always is 30.
    """
    from etl import conformance as pack

    if not conformance:
        raise click.UsageError("--conformance is what there is: it asks a Redshift whether it does what is believed")
    if not config.warehouse().url.startswith("redshift://"):
        raise ConfigError("doctor --conformance is for Redshift, and [warehouse] url does not begin with redshift://")
    found: list[pack.Finding] = []

    def kept(findings: Iterable[pack.Finding]) -> Iterator[pack.Finding]:
        for finding in findings:
            found.append(finding)
            yield finding

    # Whoever stops it in the middle, or closes the pipe, leaves nothing behind.
    with warehouse.connect("etl doctor") as db, contextlib.closing(pack.conform(db)) as findings:
        for line in [pack.as_json(kept(findings))] if as_json else pack.report(kept(findings)):
            click.echo(line)
    if not all(finding.holds for finding in found):
        sys.exit(FAILED)
