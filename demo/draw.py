"""Reproducible chance: seeded streams, a clock with busy and quiet hours, and dirt sprinkled over clean values."""

import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

Draw = np.random.Generator


def stream(seed: int, name: str, *numbers: int) -> Draw:
    """A generator of its own for every name and numbers, so that no chunk depends on the one before it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *numbers])


def chunks(rows: int, size: int = 20_000) -> Iterator[tuple[int, int]]:
    """The bounds of consecutive runs of rows, which keep memory flat at any scale."""
    for low in range(0, rows, size):
        yield low, min(low + size, rows)


def micros(day: date) -> int:
    """Midnight at which a day begins, in the microseconds since 1970 that times are drawn in."""
    return (datetime.combine(day, time()) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def moments(when: np.ndarray) -> list[datetime]:
    return list(when.astype("datetime64[us]").tolist())


def money(cents: np.ndarray) -> list[Decimal]:
    return [Decimal(amount).scaleb(-2) for amount in cents.tolist()]


def pick(draw: Draw, pool: Sequence[Any], rows: int, weights: Sequence[float] | None = None) -> list[Any]:
    """Values from a pool, each as likely as its weight."""
    if weights is None:
        return [pool[at] for at in draw.integers(0, len(pool), rows).tolist()]
    return [pool[at] for at in weighted(draw, weights, rows).tolist()]


def weighted(draw: Draw, weights: Sequence[float] | np.ndarray, rows: int) -> np.ndarray:
    """Positions in `weights`, each as likely as its weight."""
    edges = np.cumsum(weights)
    return np.searchsorted(edges, draw.random(rows) * edges[-1], side="right").clip(max=len(edges) - 1)


def sprinkle(draw: Draw, values: list[Any], dirt: Sequence[Any], share: float) -> list[Any]:
    """Overwrite a share of the values with the dirt, in rotation, so that all of it is there where rows are."""
    places = draw.choice(len(values), min(len(values), max(len(dirt), round(len(values) * share))), replace=False)
    for turn, place in enumerate(places.tolist()):
        values[place] = dirt[turn % len(dirt)]
    return values


class Clock:
    """A stretch of days in which things happen more often at some hours than at others.

    `at` turns evenly spread shares of everything that happens into moments and keeps their order, so the
    n-th of N events has its time without drawing the ones before it. `share` is its inverse.
    """

    def __init__(self, first: date, days: int, weekly: Sequence[float], hourly: Sequence[float]) -> None:
        self.start = micros(first)
        self.end = self.start + days * DAY
        dates = [first + timedelta(days=ahead) for ahead in range(days)]
        busy = np.array([weekly[each.weekday()] for each in dates])
        # Summer tours, and the presents of December; the first months of a year are quiet.
        angle = np.array([each.timetuple().tm_yday for each in dates]) * (2 * np.pi / 365.25)
        busy *= 1 - 0.25 * np.cos(angle) + 0.15 * np.cos(2 * angle + 0.7)
        busy *= np.linspace(1, 1.5, days)  # the business grows
        edges = np.concatenate([[0.0], np.cumsum(np.outer(busy, hourly))])
        self._shares = edges / edges[-1]
        self._hours = np.arange(len(edges), dtype=float)

    def at(self, share: np.ndarray) -> np.ndarray:
        when = self.start + (np.interp(share, self._shares, self._hours) * HOUR).astype(np.int64)
        return np.minimum(when, self.end - 1)

    def share(self, when: np.ndarray) -> np.ndarray:
        return np.interp((when - self.start) / HOUR, self._hours, self._shares)
