"""One file a contest: what is done, by whom, and how a wrong result is recognised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.measure import Cost

OURS = "turnstile"


class Unavailable(Exception):
    """What a contest needs is not to be had on this machine, and why."""


@dataclass(frozen=True)
class Contest:
    """Each way does the same work for a round, 0 and up, and says what it cost; Failed where the result is wrong.

    `before` changes the source before a round. `rows` are what each way moves in a round.
    """

    title: str
    rows: Mapping[str, int]
    ways: Mapping[str, Callable[[int], Cost]]
    before: Callable[[int], object] = lambda round: None
