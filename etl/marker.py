"""The marker: the target of work in the warehouse. It exists when the work's rows do."""

import luigi

from etl import warehouse
from etl.errors import WarehouseError
from etl.warehouse import control


class MarkerTarget(luigi.Target):
    """The row of etl.loads that a load's own transaction wrote."""

    def __init__(self, key: str):
        self.key = key

    def exists(self) -> bool:
        """Asked over the process's one shared connection, because a run asks it for each of its tasks."""
        db = warehouse.shared()
        try:
            return control.is_loaded(db, self.key)
        except WarehouseError:
            if not db.closed:
                raise
            # The server was restarted since the last question.
            db.reconnect()
            return control.is_loaded(db, self.key)
