"""What the contests share that end with an extract on the lake, or with a file where others have no lake."""

import datetime
import sys

import luigi.configuration

from bench import measure
from bench.measure import Cost, Failed
from bench.servers import Servers
from etl.extract import BaseExtractor


def extract(kind: type[BaseExtractor], number: int, rows: int, servers: Servers, **source: str) -> Cost:
    """An extract by luigi's own command, in a process of its own."""
    environment = servers.luigi_cfg("turnstile", **source)
    task = kind(date=datetime.date(2014, 2, number + 1))
    words = [sys.executable, "-m", "luigi", "--module", kind.__module__, task.get_task_family()]
    words += ["--date", str(task.date), "--local-scheduler"]
    cost = measure.command(words, environment, servers.log("turnstile"))
    luigi.configuration.add_config_path(environment["LUIGI_CONFIG_PATH"])
    manifest = task.output().manifest()
    task.output().remove(manifest)
    _check(manifest.rows, rows)
    return cost


def script(module: str, arguments: list[str], rows: int, servers: Servers) -> Cost:
    """A script that takes a server's URL and what else it wants, and last the CSV file that it is to write."""
    path = servers.folder / "export.csv"
    words = [sys.executable, "-m", module, *arguments, str(path)]
    cost = measure.command(words, {}, servers.log(module.rpartition(".")[2]))
    with path.open("rb") as file:
        # No value of ours has a line break.
        written = sum(1 for _ in file)
    path.unlink()
    _check(written, rows)
    return cost


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise Failed(f"{found:,} rows, expected {expected:,}")
