"""Progress of long work: to the person who watches, to luigid, and to the log.

A task counts rows and bytes; `Progress` passes them on at most twice a second to whoever listens (the command that
started the run, luigid's status line) and writes a plain line to the log now and then.
"""

import logging
import time
from typing import Any

from etl import events

logger = logging.getLogger("luigi-interface.etl")

_EVERY = 0.5
_LOG_EVERY = 15.0


class Progress:
    """Counts what one task moves. `total` is the expected number of rows, where somebody knows it."""

    def __init__(self, name: str, task: Any = None, verb: str = "read", total: int | None = None):
        self.name, self.verb, self.total = name, verb, total
        self.rows = self.bytes = 0
        self._task = task
        self._began = self._told = self._logged = time.monotonic()

    def add(self, rows: int, size: int = 0) -> None:
        self.rows += rows
        self.bytes += size
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            self._tell()
        if now - self._logged >= _LOG_EVERY:
            self._logged = now
            logger.info("%s: %s", self.name, self)

    def done(self, said: str = "") -> None:
        """Say the last word, which stays on luigid's page: the total, or what the task has to say of it."""
        self._tell(said or str(self), percent=100)

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total else ""
        size = f", {self.bytes / 1e6:,.1f} MB" if self.bytes else ""
        return f"{self.verb} {self.rows:,}{of} rows{size} in {time.monotonic() - self._began:.1f} s"

    def _tell(self, said: str = "", percent: int | None = None) -> None:
        name = events.name_of(self._task) if self._task else self.name
        events.send(task=name, verb=self.verb, rows=self.rows, bytes=self.bytes, total=self.total)
        if percent is None and self.total:
            percent = min(100, 100 * self.rows // self.total)
        # Luigi gives a task these methods only while a worker runs it, and they are None otherwise.
        if getattr(self._task, "set_status_message", None):
            self._task.set_status_message(said or str(self))
            if percent is not None:
                self._task.set_progress_percentage(percent)
