"""Measurements as a table, as JSON, and as the chart of the README."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.contests import OURS
from bench.measure import Cost

Section = dict[str, Any]

_LONGEST_BAR = 4.0


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def section(title: str, rows: Mapping[str, int], runs: Mapping[str, list[Cost]], about: dict[str, Any]) -> Section:
    """A contest's measurements as they are kept. The first way is the one that others are compared with."""
    ways = {way: {"rows": rows[way], "runs": [cost._asdict() for cost in costs]} for way, costs in runs.items()}
    return {"title": title, **about, "ways": ways}


def ratio(found: Section, way: str) -> Spread | None:
    """The way's time by the first way's, a round at a time; a row's time where they move different numbers of rows.

    None for a way without rows, whose time is a run's own.
    """
    first, other = next(iter(found["ways"].values())), found["ways"][way]
    if not (first["rows"] and other["rows"]):
        return None
    factor = first["rows"] / other["rows"]
    pairs = zip(first["runs"], other["runs"], strict=True)
    return Spread.of([factor * run["seconds"] / ours["seconds"] for ours, run in pairs])


def median(found: Section, way: str, what: str) -> float:
    return statistics.median(run[what] for run in found["ways"][way]["runs"])


def table(found: Section) -> Table:
    """`ratio` is `ratio`'s: the median of the rounds and, in brackets, the least and the most."""
    first = next(iter(found["ways"]))
    drawn = Table(title=found["title"], title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    drawn.add_column("way", no_wrap=True)
    for heading in ("s", "ratio", "rows/s", "CPU s", "peak MB"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for way, measured in found["ways"].items():
        seconds = median(found, way, "seconds")
        against = ratio(found, way)
        drawn.add_row(
            way,
            f"{seconds:.2f}",
            str(against or "") if way != first else "1",
            f"{measured['rows'] / seconds:,.0f}" if measured["rows"] else "",
            f"{median(found, way, 'cpu_seconds'):.2f}",
            f"{max(run['peak_mb'] for run in measured['runs']):,.0f}",
        )
    return drawn


def read(path: Path) -> dict[str, Section]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, sections: dict[str, Section]) -> None:
    path.write_text(json.dumps(sections, indent=1) + "\n", encoding="utf-8")


def chart(sections: dict[str, Section], path: Path) -> None:
    """How many times as long as ours each rival takes, a bar each; a bar that leaves the picture says so."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    contests = [found for found in sections.values() if OURS in found["ways"]]
    bars: list[tuple[str, Spread | None]] = []
    for found in contests:
        bars.append((found["title"], None))
        bars += [(way, ratio(found, way)) for way in found["ways"]]
    figure, axes = pyplot.subplots(figsize=(9, 0.34 * len(bars) + 0.9))
    # A rival that takes twenty times as long would leave nothing to see of the others.
    highest = min(max(against.median for _, against in bars if against), _LONGEST_BAR)
    for place, (label, against) in enumerate(bars):
        if against is None:
            axes.text(0, place + 0.15, label, weight="bold", va="center")
            continue
        color = "#1f6f5c" if label == OURS else "#b9c4c9"
        length = min(against.median, highest)
        axes.barh(place, length, height=0.72, color=color)
        axes.text(-0.01 * highest, place, label, ha="right", va="center")
        goes_on = " \N{RIGHTWARDS ARROW}" if against.median > highest else ""
        axes.text(length + 0.01 * highest, place, f"{against.median:.1f}{goes_on}", va="center")
    axes.set(xlim=(0, highest * 1.08), ylim=(len(bars) - 0.4, -0.6), yticks=[], xticks=[])
    axes.set_xlabel("time, turnstile = 1 (median of the rounds; shorter is faster)")
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
