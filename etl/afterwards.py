"""What is said of a run when it has ended: the copy of its ledger, its report, its metrics, the digest."""

import logging
from collections.abc import Callable

from etl import ledger

logger = logging.getLogger("luigi-interface.etl")


def tell(run: ledger.Run) -> None:
    """Each in its turn; one that fails is a warning, and changes nothing else: the run's own exit code stays."""
    for what, say in _WAYS.items():
        try:
            say(run)
        except Exception as error:
            logger.warning("%s: the run is over and its exit code stands, but its %s failed: %s", run.what, what, error)


# What they need is imported when the night is over.
def _run_report(run: ledger.Run) -> None:
    from etl import run_report

    run_report.write(run)


def _metrics(run: ledger.Run) -> None:
    from etl import metrics

    metrics.publish(run)


def _digest(run: ledger.Run) -> None:
    from etl.notify import digest

    digest.send(run, [one for one in ledger.runs() if one.began < run.began])


# The digest last: it says where the report is.
_WAYS: dict[str, Callable[[ledger.Run], object]] = {
    "copy in the lake": ledger.keep,
    "report": _run_report,
    "metrics": _metrics,
    "digest": _digest,
}
