"""Runs that share a luigid: what failed, died or lost its scheduler is free for the next run, at once or soon."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from etl.stack import Stack
from tests.pipeline import until
from tests.project import Project

pytest_plugins = ["tests.project"]

# What they do is said by files: `hold` keeps a step waiting, `broken` fails it, `journal` has a line an attempt.
STEPS = """
import time
from pathlib import Path

import luigi

from etl.errors import DataError


class Step(luigi.Task):
    case = luigi.Parameter()
    resources = {"mysql": 1}

    def output(self):
        return luigi.LocalTarget(f"{self.case}/{type(self).__name__}")

    def run(self):
        with open(f"{self.case}/journal", "a") as journal:
            print(type(self).__name__, file=journal)
        while Path(self.case, "hold").exists():
            time.sleep(0.01)
        if Path(self.case, "broken").exists():
            raise DataError("broken")
        with self.output().open("w"):
            pass


class Last(Step):
    def requires(self):
        return Step(case=self.case)
"""


class Case:
    """A folder in which the steps of one test find what to do."""

    def __init__(self, project: Project, name: str) -> None:
        self._project = project
        self.folder = project.folder / name
        self.folder.mkdir()
        self.luigid = Stack(project.folder / "var", project.folder / "luigi.cfg").luigid

    @contextlib.contextmanager
    def held(self) -> Iterator["subprocess.Popen[str]"]:
        """A run, in a process group of its own, whose first step has begun and waits for the block's end."""
        hold = self.folder / "hold"
        hold.touch()
        command = [str(Path(sys.executable).with_name("etl")), "run", "Last", "--case", self.folder.name]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                command,
                cwd=self._project.folder,
                env=self._project.environment,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        try:
            until(self.journal, 60)
            yield process
            hold.unlink(missing_ok=True)
            process.wait(180)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def run(self) -> int:
        done = self._project.etl("run", "Last", "--case", self.folder.name)
        self.said = done.stderr
        return done.returncode

    def journal(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "journal").read_text().split()
        return []


@pytest.fixture
def case(project: Project, request: pytest.FixtureRequest) -> Case:
    (project.folder / "tasks/steps.py").write_text(STEPS)
    return Case(project, request.node.name)


def test_what_fails_is_tried_once_a_run_and_by_the_next_run_at_once(case: Case) -> None:
    broken = case.folder / "broken"
    broken.touch()
    for runs in (1, 2):
        assert case.run() == 30
        assert case.journal() == ["Step"] * runs
    broken.unlink()
    assert case.run() == 0, case.said
    assert case.journal()[2:] == ["Step", "Last"]


def test_what_a_killed_run_was_doing_is_done_by_the_next_one(case: Case) -> None:
    with case.held() as process:
        os.killpg(process.pid, signal.SIGKILL)
        (case.folder / "hold").unlink()
        assert case.run() == 0, case.said
    assert case.journal() == ["Step", "Step", "Last"]


def test_a_run_that_lives_is_left_alone(case: Case) -> None:
    with case.held() as process:
        assert case.run() == 10, case.said
        (case.folder / "hold").unlink()
        assert process.wait(60) == 0
    assert case.journal() == ["Step", "Last"]


def test_a_luigid_that_is_killed_and_comes_back(project: Project, case: Case) -> None:
    """It knows of no task then, so the run cannot go on; it says so, and the next one does."""
    with case.held() as process:
        luigid = next(found for found in psutil.process_iter() if listens(found, case.luigid.port))
        luigid.kill()
        luigid.wait(30)
        assert project.etl("up").returncode == 0
        (case.folder / "hold").unlink()
        assert process.wait(120) == 25, (case.folder / "log").read_text()
    assert case.run() == 0, case.said
    assert case.journal() == ["Step", "Last"]


def listens(process: psutil.Process, port: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(
            found.status == psutil.CONN_LISTEN and found.laddr.port == port
            for found in process.net_connections(kind="tcp")
        )
    return False
