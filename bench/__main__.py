"""The bench's command: contests one after the other, rounds interleaved, the servers stopped at the end."""

import datetime
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench import machine, report
from bench.contests import Contest, Unavailable
from bench.measure import Cost, Failed
from bench.servers import PROJECT, Servers

CONTESTS = ("lineitem", "refresh", "growth", "small", "upsert", "changes", "search", "redis")
RESULTS = Path("bench/results.json")
CHART = Path("docs/bench.png")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("contests", nargs=-1, type=click.Choice(CONTESTS))
@click.option("--rounds", default=3, show_default=True, help="Runs of each way; the median counts.")
@click.option("--scale", default=1.0, show_default=True, help="Of the data. Only results of scale 1 are kept.")
def main(contests: tuple[str, ...], rounds: int, scale: float) -> None:
    """Run the CONTESTS, or all; keep what was measured in bench/results.json and docs/bench.png.

    Results of contests that are not run stay as they are.
    """
    os.chdir(PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    bad = False
    with Servers(Path("var/bench")) as servers:
        for name in contests or CONTESTS:
            console.print(f"[bold]{name}[/bold]: setting up")
            try:
                module = importlib.import_module(f"bench.contests.{name}")
                with module.contest(servers, scale) as contest:
                    console.print(f"[bold]{name}[/bold]: {contest.title}")
                    runs = _run(contest, rounds, console)
            except (Failed, Unavailable) as error:
                console.print(f"{name} is left out: {error}", style="red", markup=False, soft_wrap=True)
                bad = bad or isinstance(error, Failed)
                continue
            bad = bad or len(runs) < len(contest.ways)
            # Without the first way there is nothing to compare the others with.
            if next(iter(contest.ways)) in runs:
                found = report.section(contest.title, contest.rows, runs, _about(rounds, scale))
                console.print(report.table(found))
                if scale == 1:
                    sections = report.read(RESULTS) | {name: found}
                    report.write(RESULTS, {known: sections[known] for known in CONTESTS if known in sections})
    if report.read(RESULTS):
        report.chart(report.read(RESULTS), CHART)
    sys.exit(bad)


def _run(contest: Contest, rounds: int, console: Console) -> dict[str, list[Cost]]:
    """The costs of each way that was right in every round."""
    runs: dict[str, list[Cost]] = {way: [] for way in contest.ways}
    for number in range(rounds):
        contest.before(number)
        for way in list(runs):
            try:
                cost = contest.ways[way](number)
            except (Failed, Unavailable) as error:
                del runs[way]
                console.print(f"  {way} is left out: {error}", style="red", markup=False, soft_wrap=True)
                continue
            runs[way].append(cost)
            console.print(
                f"  round {number + 1}  {way}: {cost.seconds:.2f} s, {cost.cpu_seconds:.2f} s CPU, "
                f"{cost.peak_mb:,.0f} MB",
                highlight=False,
            )
    return runs


def _about(rounds: int, scale: float) -> dict[str, Any]:
    return {
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        "revision": machine.revision(),
        "rounds": rounds,
        "scale": scale,
        "machine": machine.machine(),
        "versions": machine.versions(),
    }


if __name__ == "__main__":
    main()
