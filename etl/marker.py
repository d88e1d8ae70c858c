"""The marker: the target of work in the warehouse. It exists when the work's rows do."""

from collections.abc import Iterable

import luigi

from etl import warehouse
from etl.retry import retried
from etl.warehouse import control


class MarkerTarget(luigi.Target):
    """The row of etl.loads that a load's own transaction wrote."""

    def __init__(self, key: str):
        self.key = key

    def exists(self) -> bool:
        return bool(loaded([self.key]))


def loaded(keys: Iterable[str]) -> set[str]:
    """Those of the keys whose work is done.

    Asked over the process's one shared connection, because a run asks it for each of its tasks.
    """
    asked = list(keys)
    return retried(lambda: control.loaded(warehouse.shared(), asked), "etl.loads")
