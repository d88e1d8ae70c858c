"""`etl up`, `down`, `clean`, `url`: the servers on this machine, and where everything is."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click

from etl import asked, config, luigid, stack

# What runs leave in var/.
_LEFT = ("log/*.log", "lock/*.pid", "lock/*.run", "runs/*.jsonl", "runs/*.html")


@click.command()
def up() -> None:
    """Start the local stack: the servers that are `embedded`.

    That is every server that luigi.cfg calls so; they get free ports of this machine. It writes var/luigi.cfg, which is
    luigi.cfg with their addresses. What runs already is left alone.
    """
    stack.Stack().up(_report)
    click.echo("\nPlain luigi finds the stack like this:")
    click.echo(f"  LUIGI_CONFIG_PATH={stack.SETTINGS} luigi --module tasks.nightly Nightly --date {asked.yesterday()}")


@click.command()
def down() -> None:
    """Stop the local stack. Its data stays in var/ for the next `etl up`."""
    stack.Stack().down(_report)


@click.command(short_help="Stop the local stack and delete its data in var/.")
def clean() -> None:
    """Stop the local stack, and delete its data and all else in var/ that it or runs made."""
    stack.Stack().clean(_report)
    for left in (Path("var/demo.json"), *(path for pattern in _LEFT for path in Path("var").glob(pattern))):
        left.unlink(missing_ok=True)
    for folder in (Path("var/log"), Path("var/lock"), Path("var/runs"), Path("var")):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@click.command()
@click.argument("name", type=click.Choice(["warehouse", "lake", "mysql", "redis", "elasticsearch", "luigid"]))
def url(name: str) -> None:
    """Print where NAME is. The warehouse's is the analysts' address, for a BI tool."""
    local = stack.Stack()
    if local.cfg.exists() and os.environ.get("LUIGI_CONFIG_PATH") == str(local.cfg.absolute()):
        click.echo(local.urls()[name])
        return
    if name == "luigid":
        click.echo(luigid.url())
        return
    address = getattr(config, name)().url
    if name == "warehouse":
        parts = urlsplit(address)
        reader = config.warehouse().reader
        # A group or a role of Redshift's is nobody's name.
        user = "" if " " in reader else f"{reader}@"
        address = parts._replace(netloc=user + parts.netloc.rpartition("@")[2]).geturl()
    click.echo(address)


def _report(server: str, news: str) -> None:
    click.echo(f"{server:18} {news}")
