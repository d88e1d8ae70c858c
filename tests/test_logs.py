"""Logs for machines: a real run of which every line is an object."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import luigi.configuration
import pytest

from etl.logs import JsonFormatter

ETL = str(Path(sys.executable).with_name("etl"))
DAY = "2014-02-03"

TASKS = """
import logging
import os
import sys
import warnings

import luigi

from etl.errors import DataError
from etl.load import BaseLoader
from etl.task import EtlTask

logger = logging.getLogger("luigi-interface.etl")


class _Once(EtlTask):
    ran = False

    def complete(self):
        return self.ran


class Talks(_Once):
    number = luigi.IntParameter()

    @property
    def target(self):
        return f"raw.t{self.number}"

    def run(self):
        # Each is longer than what a pipe holds.
        for n in range(20):
            logger.info("%s %s", n, str(self.number) * 100_000)
        self.ran = True


class Noisy(_Once):
    def run(self):
        print("printed")
        os.system("echo of a child; printf 'no end of line' >&2")
        warnings.warn("warned")
        logging.getLogger("a.library").error("Café")
        self.ran = True


class Bug(_Once):
    def run(self):
        raise RuntimeError("two\\nlines")


class Wrong(_Once):
    def run(self):
        raise DataError("fact_x: 41 rows where 42 are listed")


class Gone(_Once):
    def run(self):
        os._exit(3)


class All(luigi.WrapperTask):
    date = luigi.DateParameter()

    def requires(self):
        yield from (Talks(number=n, date=self.date) for n in (1, 2))
        yield from (one(date=self.date) for one in (Noisy, Bug, Wrong, Gone))
"""

pytestmark = pytest.mark.engines("postgres", reason="logs know no engine")


@pytest.fixture
def folder(tmp_path: Path, warehouse: Any, lake: Any, settings: Any) -> Path:
    """A project of these tasks, which logs JSON."""
    settings.set("etl", "log_format", "json")
    settings.set("core", "log_level", "INFO")
    with (tmp_path / "luigi.cfg").open("w") as file:
        luigi.configuration.get_config().write(file)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    (tmp_path / "tasks/talk.py").write_text(TASKS)
    return tmp_path


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_"))}
    environment |= {"PYTHONPATH": str(folder), "ETL_RUN_ID": "run-1", "LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def parsed(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines and all(isinstance(line, dict) for line in lines)
    return lines


def of(lines: list[dict[str, Any]], task: str) -> Iterator[dict[str, Any]]:
    return (line for line in lines if line.get("task") == task)


def test_every_line_of_a_run_is_an_object_that_knows_its_run_and_task(folder: Path) -> None:
    done = ran(folder, ETL, "run", "All", "--date", DAY, "--workers", "3")
    assert done.returncode == 30
    lines = parsed(done.stderr)
    for line in lines:
        assert {"ts", "level", "logger", "message", "run_id", "host"} <= set(line)
        assert line["run_id"] == "run-1" and line["ts"].endswith("Z")

    # Long lines of two workers at once, each whole, and each its own.
    for number in "12":
        said = [line for line in of(lines, f"Talks {number}") if line["message"].endswith(number * 100_000)]
        assert len(said) == 20
        assert {(line["table"], line["day"], line["level"]) for line in said} == {(f"raw.t{number}", DAY, "INFO")}
        assert len({line["pid"] for line in said}) == 1

    # A trace is a field; what a person can act upon has none.
    (bug,) = (line for line in of(lines, "Bug") if line["level"] == "ERROR")
    assert bug["exception"].startswith("Traceback") and bug["exception"].endswith("RuntimeError: two\nlines")
    (wrong,) = (line for line in of(lines, "Wrong") if line["level"] == "ERROR")
    assert "41 rows where 42" in wrong["message"] and "exception" not in wrong

    # What does not come by a logger at all, and what comes by others'.
    words = {line["message"]: line for line in lines}
    for printed in ("printed", "of a child", "no end of line"):
        assert any(printed in message for message in words)
    assert words["Café"]["logger"] == "a.library" and words["Café"]["task"] == "Noisy"
    (warned,) = (line for line in lines if line["logger"] == "py.warnings")
    assert "warned" in warned["message"] and warned["task"] == "Noisy"
    # Luigi's own, and those of the command itself, to the last.
    assert any("Execution Summary" in message for message in words)
    assert any("failed Wrong: fact_x: 41 rows" in message for message in words)


def test_a_command_that_fails_before_its_run_says_so_in_an_object(folder: Path) -> None:
    (folder / "luigi.cfg").write_text("[etl]\nlog_format = json\n[warehouse]\nport = 5432\n")
    done = ran(folder, ETL, "run", "All", "--date", DAY)
    assert done.returncode == 2
    assert "[warehouse] port: no such setting" in parsed(done.stderr)[-1]["message"]


def test_text_is_what_it_was(folder: Path) -> None:
    settings = folder / "luigi.cfg"
    settings.write_text(settings.read_text().replace("log_format = json", "log_format = text"))
    done = ran(folder, ETL, "run", "Wrong", "--date", DAY)
    assert done.returncode == 30
    assert "ERROR: [pid " in done.stderr and "\nfailed Wrong: fact_x" in done.stderr


def test_plain_luigi_logs_the_same_by_its_own_setting(folder: Path) -> None:
    ini = Path(__file__).parents[1] / "docs/json-logs.ini"
    luigi_command = str(Path(sys.executable).with_name("luigi"))
    said = ("--module", "tasks.talk", "Bug", "--date", DAY, "--local-scheduler", "--logging-conf-file", str(ini))
    done = ran(folder, luigi_command, *said)
    assert done.returncode == 30
    (bug,) = (line for line in of(parsed(done.stderr), "Bug") if line["level"] == "ERROR")
    assert bug["exception"].endswith("RuntimeError: two\nlines") and bug["day"] == DAY and bug["run_id"]


def test_what_utf_8_cannot_say_is_still_a_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "file \udcff\nnext", None, None)
    assert json.loads(JsonFormatter().format(record))["message"] == "file \udcff\nnext"


def test_an_unknown_format_is_named(settings) -> None:
    from etl import config
    from etl.errors import ConfigError

    settings.set("etl", "log_format", "jsn")
    with pytest.raises(ConfigError, match="log_format = jsn: write text or json"):
        config.etl()
