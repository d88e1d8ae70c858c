"""A project's folder of its own, with its own local stack, driven by the `etl` command as a person would.

A test file takes the fixture by `pytest_plugins`.
"""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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
            ("_delay = 20", "_delay = 10"),
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

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_"))}
        # The project's own tasks, not those that this checkout has installed.
        return inherited | {"COLUMNS": "80", "PYTHONPATH": str(self.folder)}


@pytest.fixture(scope="module")
def project(server_folder: Path) -> Iterator[Project]:
    """The stack is up, the business seeded; neither outlives the module."""
    folder = server_folder / "project"
    folder.mkdir()
    made = Project(folder)
    try:
        for command in (("up",), ("demo", "seed", "--scale", SCALE)):
            done = made.etl(*command)
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        made.etl("clean")
        shutil.rmtree(folder)
