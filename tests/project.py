"""A project's folder of its own, with its own local stack, driven by the `etl` command as a person would.

A test file takes the fixture by `pytest_plugins`.
"""

import contextlib
import datetime
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from etl.stack import Postgres
from etl.testing import reaper

ROOT = Path(__file__).parents[1]
SCALE = "0.05"


class Project:
    """A folder with luigi.cfg, tasks/ and warehouse_sql/; `etl(...)` runs the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tasks", "warehouse_sql"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        # Nobody waits here for a source to come back.
        text = (ROOT / "luigi.cfg").read_text(encoding="utf-8")
        for patient, hasty in (
            ("idle_duration = 15 seconds", "idle_duration = 3 seconds"),
            ("retry_seconds = 300", "retry_seconds = 2"),
            ("_delay = 20", "_delay = 5"),
        ):
            assert patient in text
            text = text.replace(patient, hasty)
        (folder / "luigi.cfg").write_text(text, encoding="utf-8")

    def etl(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs without a terminal, as in cron; COLUMNS is what a narrow one has."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("etl")), *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def at_a_terminal(self, *arguments: str, answer: str = "") -> tuple[str, int]:
        """What an 80-column terminal is sent, where somebody gives this answer to a question, and the exit code."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            etl = str(Path(sys.executable).with_name("etl"))
            os.execve(etl, [etl, *arguments], self.environment | {"TERM": "xterm-256color"})
        said, deadline, answered = b"", time.monotonic() + 120, False
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    chunk = os.read(terminal, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                said += chunk
                if b"[y/N]" in said and not answered:
                    answered = True
                    os.write(terminal, answer.encode() + b"\n")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return said.decode(errors="replace"), os.waitstatus_to_exitcode(status)

    def done(self, *arguments: str) -> None:
        done = self.etl(*arguments)
        assert done.returncode == 0, done.stderr

    def end(self) -> None:
        """What runs in the folder ends at once, saving nothing, and the folder goes."""
        while left := reaper.at_work_in(self.folder):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    # Killed, Postgres would leave its shared memory behind.
                    process.send_signal(signal.SIGQUIT if process.name() == Postgres.process else signal.SIGKILL)
            psutil.wait_procs(left, timeout=0.1)
        shutil.rmtree(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_"))}
        # The project's own tasks, not those that this checkout has installed.
        return inherited | {"COLUMNS": "80", "PYTHONPATH": str(self.folder)}


@pytest.fixture(scope="session")
def seeded(server_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """`var/` of a stack that was seeded and stopped, made by whichever process of the run asks first.

    It is seeded up to yesterday, so there is one a day.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def found() -> Path:
        var = shared / f"seeded-{datetime.datetime.now(datetime.timezone.utc).date()}"
        with (shared / "seeded.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not var.exists():
                folder = server_folder / "seeded"
                folder.mkdir()
                made = Project(folder)
                try:
                    made.done("up")
                    made.done("demo", "seed", "--scale", SCALE)
                    made.done("down")
                    _forget_ports(folder / "var")
                    _copy(folder / "var", var.with_suffix(".new"))
                    var.with_suffix(".new").rename(var)
                finally:
                    made.end()
        return var

    return found


def _copy(var: Path, to: Path) -> None:
    """With its owners, of whom Postgres wants its own, and without the empty space of its logs."""
    subprocess.run(["cp", "-a", "--sparse=always", var, to], check=True)


def _forget_ports(var: Path) -> None:
    """So that no two copies have the same, of which one would lose its own whenever it is down."""
    for path in var.glob("*/state.json"):
        state = json.loads(path.read_text())
        del state["port"]
        path.write_text(json.dumps(state))


@pytest.fixture(scope="module")
def project(server_folder: Path, seeded: Callable[[], Path]) -> Iterator[Project]:
    """The stack is up, the business seeded; neither outlives the module."""
    folder = server_folder / "project"
    folder.mkdir()
    made = Project(folder)
    try:
        _copy(seeded(), folder / "var")
        made.done("up")
        yield made
    finally:
        made.end()
