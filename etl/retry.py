"""Doing again what may succeed the next time: a lost connection, an overloaded server, a deadlock."""

import logging
import multiprocessing.sharedctypes
import random
import time
from collections.abc import Callable
from typing import TypeVar

from etl import config
from etl.errors import Transient

logger = logging.getLogger("luigi-interface.etl")

T = TypeVar("T")

ATTEMPTS = 5
# The longest pause before the second attempt, and how much longer each that follows may be: a deadlock is over at
# once, and a server that restarts or fails over takes a minute or two.
_PAUSE_SECONDS, _GROWTH = 2, 4

# A server that is gone fails every task of a night, and each that tried to the end would add to what it meets when it
# is back. So a new attempt costs one of these, and work that succeeds gives some back. They are shared with the
# workers, which are forked; two that count at the same moment may count one attempt for two.
BUDGET, _GIVEN_BACK = 20.0, 0.5
budget = multiprocessing.sharedctypes.RawValue("d", BUDGET)


def retried(work: Callable[[], T], what: str) -> T:
    """What `work` returns, which is called up to 5 times while it raises Transient; `what` is for the log.

    Pauses are drawn between none and the longest (full jitter). No attempt begins later than `[etl] retry_seconds`
    after the first failure, however long that one took. The last failure is raised, and says how often it was tried.
    """
    attempt, deadline = 0, None
    while True:
        attempt += 1
        try:
            done = work()
        except Transient as error:
            now = time.monotonic()
            deadline = deadline or now + config.etl().retry_seconds
            if attempt == ATTEMPTS or now >= deadline or budget.value < 1:
                error.args = (f"{error}{_tried(attempt)}",)
                raise
            budget.value -= 1
            pause = random.uniform(0, min(_PAUSE_SECONDS * _GROWTH ** (attempt - 1), deadline - now))
            logger.warning("%s: %s; attempt %d of %d in %.1f s", what, error, attempt + 1, ATTEMPTS, pause)
            time.sleep(pause)
        else:
            budget.value = min(BUDGET, budget.value + _GIVEN_BACK)
            return done


def _tried(attempts: int) -> str:
    if budget.value < 1:
        return f" (attempt {attempts}, and the last: this run's new attempts are spent)"
    return f" (tried {attempts} times)" if attempts > 1 else ""
