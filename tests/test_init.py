"""Importing etl is enough for luigi's own command to tell the truth in its exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = '''
import luigi

import etl
from etl.errors import ConfigError, DataError


class Base(luigi.Task):
    def output(self):
        return luigi.LocalTarget(type(self).__name__)

    def run(self):
        with self.output().open("w"):
            pass


class Done(Base):
    pass


class Absent(luigi.ExternalTask):
    def output(self):
        return luigi.LocalTarget("absent")


class NeedsAbsent(Base):
    def requires(self):
        return Absent()


class Impossible(Base):
    """A failure that a person can act upon."""

    def run(self):
        raise DataError("fact_x: 41 rows of s3://lake/x, which lists 42")


class NeedsImpossible(Base):
    def requires(self):
        return Impossible(), Done()


class Bug(Base):
    def run(self):
        raise KeyError("a bug")


class MakesNothing(Base):
    def run(self):
        pass


class Unplanned(Base):
    def requires(self):
        raise ConfigError("[lake] url: not set")


class UnplannedBug(Base):
    def complete(self):
        raise KeyError("a bug")


class UnknownIfDone(Base):
    def complete(self):
        try:
            raise KeyError("a cause")
        except KeyError:
            raise ConfigError("[lake] url: not set")


class Crash(Base):
    def __init__(self):
        raise ConfigError("[lake] url: not set")


class Wait(Base):
    """Says that it runs, and does until somebody answers."""

    def run(self):
        print("running", flush=True)
        input()
        super().run()
'''


@pytest.fixture
def folder(tmp_path) -> Path:
    """Nothing in it but a module of tasks: no luigi.cfg, no checkout."""
    (tmp_path / "jobs.py").write_text(TASKS)
    return tmp_path


def command(task: str, *arguments: str) -> list[str]:
    luigi = str(Path(sys.executable).with_name("luigi"))
    return [luigi, "--module", "jobs", task, "--local-scheduler", "--lock-pid-dir", "locks", *arguments]


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LUIGI_", "ETL_"))}
    return kept | {"PYTHONPATH": "."}


def luigi(folder: Path, task: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        command(task, *arguments), cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_done_and_done_already(folder):
    assert luigi(folder, "Done")[0] == 0
    code, said = luigi(folder, "Done")
    assert code == 0
    assert "complete ones were encountered" in said


def test_missing_data(folder):
    assert luigi(folder, "NeedsAbsent")[0] == 20


def test_a_failure_that_a_person_can_act_upon_is_one_message(folder):
    code, said = luigi(folder, "Impossible")
    assert code == 30
    assert "fact_x: 41 rows of s3://lake/x, which lists 42" in said
    assert "Traceback" not in said


def test_the_failure_of_a_requirement(folder):
    code, said = luigi(folder, "NeedsImpossible")
    assert code == 30
    assert (folder / "Done").exists()
    assert not (folder / "NeedsImpossible").exists()
    assert "Traceback" not in said


def test_a_failure_in_a_worker_of_its_own(folder):
    """Where tasks run in processes, the trace comes from another place of luigi's."""
    code, said = luigi(folder, "NeedsImpossible", "--workers", "2")
    assert code == 30
    assert "fact_x: 41 rows" in said
    assert "Traceback" not in said


def test_a_bug_shows_its_trace(folder):
    code, said = luigi(folder, "Bug")
    assert code == 30
    assert re.search(r"Traceback.*jobs\.py.*KeyError: 'a bug'", said, re.DOTALL)


def test_a_task_that_makes_no_output_has_failed(folder):
    assert luigi(folder, "MakesNothing")[0] == 30


def test_a_task_that_cannot_be_planned(folder):
    code, said = luigi(folder, "Unplanned")
    assert code == 35
    assert "[lake] url: not set" in said
    assert "Traceback" not in said


def test_a_task_that_cannot_say_whether_it_is_done(folder):
    """Luigi has only the text of the trace left when it logs this."""
    code, said = luigi(folder, "UnknownIfDone")
    assert code == 35
    assert "due to error in complete() method:\n[lake] url: not set" in said
    assert "Traceback" not in said


def test_a_bug_while_it_is_planned_shows_its_trace(folder):
    code, said = luigi(folder, "UnplannedBug")
    assert code == 35
    assert re.search(r"Traceback.*jobs\.py.*KeyError: 'a bug'", said, re.DOTALL)


def test_a_crash(folder):
    code, said = luigi(folder, "Crash")
    assert code == 40
    assert "[lake] url: not set" in said
    assert "Traceback" not in said


def test_the_same_command_twice_at_once(folder):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command("Wait"), cwd=folder, env=environment(), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as first:
        # Leaving the block closes its stdin, which ends it in any case.
        assert first.stdout.readline() == "running\n"
        assert luigi(folder, "Wait")[0] == 10
        assert luigi(folder, "Done")[0] == 0
        first.communicate("\n", timeout=60)
    assert first.returncode == 0


def test_a_luigi_cfg_that_says_otherwise_wins(folder):
    (folder / "luigi.cfg").write_text("[retcode]\ntask_failed = 77\n")
    assert luigi(folder, "Impossible")[0] == 77
    assert luigi(folder, "NeedsAbsent")[0] == 20
