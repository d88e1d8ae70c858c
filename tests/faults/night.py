"""Luigi's own command on a house, in a process group of its own, started from a process that has imported much already.

To import luigi and the drivers takes longer than a night of the chaos tests' tables.
"""

import contextlib
import datetime
import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

from tests.faults import luigi_command
from tests.marketplace import House

# Nothing of ours: what it shares with the workers that it forks is a run's own.
_PRELOADED = ("luigi.cmdline", "boto3", "connectorx", "psycopg2", "pyarrow.csv", "pyarrow.pandas_compat", "pymysql")


class Command:
    """A command under way. `wait` gives its exit code as `subprocess` does: that of a signal is negative."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        assert process.pid
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        with self.ended():
            self._process.join(seconds)
            code = self._process.exitcode
            assert code is not None, f"still at work after {seconds} s"
            return code

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """The command does not outlive the block."""
        try:
            yield
        finally:
            if self.poll() is None:
                self.signal(signal.SIGKILL)
                self._process.join()

    def signal(self, number: int) -> None:
        """To the command and all its workers, as a terminal, a supervisor or the kernel's own killer does."""
        os.killpg(self.pid, number)


def start(
    house: House,
    task: str,
    day: datetime.date,
    *arguments: str,
    workers: int = 1,
    room: int | None = None,
) -> Command:
    """`luigi --module … Task --date …`; `room` is what `ulimit -v` leaves it, in bytes."""
    module, _, family = task.rpartition(".")
    said = ["--module", module, family, "--date", str(day), *arguments, "--workers", str(workers), "--local-scheduler"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    process = context.Process(target=luigi_command.main, args=(said, str(house.settings), str(house.log), room))
    process.start()
    return Command(process)
