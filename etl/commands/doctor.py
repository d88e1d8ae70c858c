"""`etl doctor`: whether everything is as a night needs it."""

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl import config, warehouse
from etl.errors import FAILED, ConfigError

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@click.command()
@click.option("--conformance", is_flag=True, help="Does this cluster do what Turnstile believes of Redshift?")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object a finding.")
def doctor(conformance: bool, as_json: bool) -> None:
    """Find what would keep a night from running, and say the remedy.

    Looks at settings, secrets, this machine, each server that luigi.cfg names (connection, TLS, clock, privileges that
    are missing and those that are too many), luigid and tasks/. Whatever is broken, the rest is looked at. In the lake
    a probe object is written, read and deleted; nothing else is written. Exit codes: 0 nothing failed, warnings or
    not; 30 something did.

    With --conformance, for Redshift: each thing that is believed of it is tried, in a schema and below a lake prefix
    that are made for it and removed. Needs what a load needs, reads nobody's tables and writes to none that was there.
    Exit codes: 0 all of it holds; 30 something does not, and it says what relies on it. On an emulator it always is 30.
    """
    failed = not _conforms(as_json) if conformance else _examined(as_json)
    if failed:
        sys.exit(FAILED)


def _examined(as_json: bool) -> bool:
    """Whether something failed."""
    from etl.doctor import examine

    found = list(examine())
    states = Counter(finding.state for finding in found)
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in found], indent=1, ensure_ascii=False))
        return bool(states["failed"])
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for finding in found:
        # No markup: a text that names [mysql] means the section of luigi.cfg.
        said = Text(f"{finding.found}\n-> {finding.remedy}" if finding.remedy else finding.found)
        subject = finding.subject if finding.subject != before else ""
        table.add_row(Text(finding.state, style=_STYLES[finding.state]), subject, said)
        before = finding.subject
    Console().print(table)
    click.echo(f"\n{states['ok']} ok, {states['warning']} to look at, {states['failed']} failed")
    return bool(states["failed"])


def _conforms(as_json: bool) -> bool:
    from etl import conformance as pack

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
    return all(finding.holds for finding in found)
