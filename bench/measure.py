"""What a run costs: wall time, CPU time of all its processes, and the memory of the largest of them.

Also a program, and therefore without imports beyond the standard library: Linux counts the memory of whoever starts
a process as the process's own, so commands are started by something small.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple


class Cost(NamedTuple):
    """Servers are not in it. `peak_mb` is the largest resident size that any one process had."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


class Failed(Exception):
    """A run that ended badly or whose result is wrong: it has no time."""


def command(words: list[str], environment: dict[str, str], log: IO[str]) -> Cost:
    """From the start of the command to its end; Failed if its exit code is not 0. What it prints goes to the log."""
    starter = [sys.executable, "-I", "-S", __file__, *words]
    answer, answers = os.pipe()
    with subprocess.Popen(
        starter,
        env=os.environ | environment | {_ANSWERS: str(answers)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[answers],
        start_new_session=True,
    ) as process:
        os.close(answers)
        try:
            with os.fdopen(answer) as lines:
                said = lines.read()
        except BaseException:
            # Interrupted: what it was writing is thrown away, so it may end at once, with all that it started.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise Failed(f"{Path(words[0]).name} ended with code {process.returncode}; see {log.name}")
    return Cost(*json.loads(said))


class Warm:
    """A process that has imported everything and does the same call again and again; see `serve`."""

    def __init__(self, module: str, function: str, environment: dict[str, str], log: IO[str]) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import bench.measure, {module}; bench.measure.serve({module}.{function})"],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def call(self, **arguments: Any) -> Cost:
        """From the call to its return."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            raise Failed(f"the warm process ended with code {self._process.wait()}; see {self._log.name}")
        return Cost(*json.loads(said))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def warm(module: str, function: str, environment: dict[str, str], log: IO[str]) -> Iterator[Warm]:
    process = Warm(module, function, environment, log)
    try:
        yield process
    finally:
        process.close()


def serve(function: Callable[..., object]) -> None:
    """Call the function for each line of stdin, a JSON object of its arguments, and answer with what it cost."""
    answers = os.fdopen(os.dup(1), "w")
    # The tools print what they like; only answers go where answers are awaited.
    os.dup2(2, 1)
    for line in sys.stdin:
        arguments = json.loads(line)
        began, before = time.perf_counter(), _cpu_seconds()
        function(**arguments)
        print(json.dumps([time.perf_counter() - began, _cpu_seconds() - before, _peak_mb()]), file=answers, flush=True)


_ANSWERS = "BENCH_ANSWERS_FD"


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _peak_mb() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) * 1024 / 1e6


def _start(words: list[str]) -> int:
    began = time.perf_counter()
    answers = int(os.environ.pop(_ANSWERS))
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, answers)])
    # Of a process and of those it has waited for itself: the sum of CPU times, the largest of resident sizes.
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    os.write(answers, json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6]).encode())
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_start(sys.argv[1:]))
