"""`etl notify`: whether the digest of a night would reach anybody."""

import socket
import sys
from typing import TYPE_CHECKING

import click

from etl import config
from etl.errors import FAILED, ConfigError
from etl.run import run_id

if TYPE_CHECKING:
    from etl.notify import Message


@click.command()
@click.argument("run", required=False)
@click.option("--test", is_flag=True, help="A message that tells of no run.")
def notify(run: str | None, test: bool) -> None:
    """Send a test, or the digest of RUN, by all that [notify] names.

    Runs send their digests themselves, when [notify] when says so; this sends one whatever it says. RUN is a run's id.
    Exit codes: 0 all of them took it; 30 one did not, and it says why.

    \b
      etl notify --test
      etl notify 20140204T023000-1a2b3c4d
    """
    from etl import notify as ways
    from etl.notify import digest

    if bool(run) == test:
        raise click.UsageError("give --test, or the id of a run")
    settings = config.notify()
    if not ways.named(settings):
        raise ConfigError("[notify] names nobody; set smtp, webhook or command in luigi.cfg (docs/notifications.md)")
    message = digest.of(run) if run else _test()
    failed = False
    for sent in ways.send(message, settings):
        failed |= bool(sent.error)
        click.echo(f"{sent.way}: {sent.error or 'sent'}", err=bool(sent.error))
    if failed:
        sys.exit(FAILED)


def _test() -> "Message":
    from etl.notify import Message

    headline = f"TEST of Turnstile on {socket.gethostname()}: notifications arrive"
    text = "Sent by `etl notify --test`. No run failed, and nothing is to be done."
    return Message("test", headline, text, run_id(), run_id())
