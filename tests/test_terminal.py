"""What every command owes whoever types it, whichever it is: help that fits, plain text in a pipe, a next step.

The commands are those that `etl` has, so none can be forgotten. No server is needed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from etl.cli import main

ROOT = Path(__file__).parents[1]
ETL = str(Path(sys.executable).with_name("etl"))

# What a command is given where it must be given something.
NEEDED = {
    "run": ["Nightly"],
    "history": ["fact_search"],
    "report": ["20140204T023000-1a2b3c4d"],
    "notify": ["--test"],
    "why": ["Nightly"],
    "compare": ["venues"],
    "backfill": ["LoadSearches", "--from", "2014-02-01", "--to", "2014-02-02"],
    "rerun": ["LoadSearches", "--date", "2014-02-03"],
    "replay": ["LoadSearches", "--date", "2014-02-03"],
    "new": ["mysql", "venues"],
    "preview": ["LoadVenues"],
    "plan": ["LoadVenues"],
    "url": ["warehouse"],
    "completion": ["bash"],
    "demo sql": ["warehouse", "SELECT 1"],
}

# What needs no project's folder, and says so by doing its work.
ANYWHERE = {"completion", "down", "clean"}


def _commands(
    group: click.Group = main, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*above, name))
        else:
            yield (*above, name), command


COMMANDS = dict(_commands())
NAMES = pytest.mark.parametrize("name", COMMANDS, ids=" ".join)


def _etl(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return _run([ETL, *arguments], cwd, "", **environment)


def _run(words: list[str], cwd: Path, answers: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_"))}
    return subprocess.run(
        words,
        cwd=cwd,
        env=inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        check=False,
        input=answers,
        timeout=60,
    )


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 25
    assert {("run",), ("status",), ("demo", "seed")} <= set(COMMANDS)
    assert set(map(tuple, map(str.split, NEEDED))) <= set(COMMANDS), "the table above names a command that is gone"


@pytest.mark.parametrize("group", [(), ("demo",)], ids=["etl", "etl demo"])
def test_the_list_of_commands_cuts_none_of_them(group: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*group, "--help"], terminal_width=80, prog_name="etl").output
    listed = said.partition("Options:")[2]
    assert [line for line in listed.splitlines() if line.rstrip().endswith("...")] == []
    assert [line for line in said.splitlines() if len(line) > 80] == []
    # Those of a group of its own are in that group's list.
    words = {line.split()[0] for line in listed.splitlines() if line.startswith("  ")}
    assert {name[-1] for name in COMMANDS if name[:-1] == group} <= words


@NAMES
def test_help_fits_and_says_how_it_is_called(name: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*name, "--help"], terminal_width=80, prog_name="etl")
    assert said.exit_code == 0
    assert said.output.startswith(f"Usage: etl {' '.join(name)} [OPTIONS]")
    assert [line for line in said.output.splitlines() if len(line) > 80] == []
    # Whoever must name a task, or which words are the command's and which luigi's, is shown one.
    if COMMANDS[name].ignore_unknown_options:
        assert f"etl {' '.join(name)} " in said.output.partition("[OPTIONS]")[2], "an example is missing"


@NAMES
def test_an_option_that_is_none_is_a_hint_and_exit_code_2(
    name: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    needed = NEEDED.get(" ".join(name), [])
    said = CliRunner().invoke(main, [*name, *needed, "--no-such-thing"], prog_name="etl")
    assert said.exit_code == 2, said.output
    assert "no-such-thing" in said.output
    assert f"etl {' '.join(name)} --help" in said.output
    assert not list(tmp_path.iterdir()), "a ledger tells `etl status` of a run"


# One process for all, since a new one reads no settings but those of where it is begun.
_ALL_OF_THEM = """
import json, os, sys
from click.testing import CliRunner
from etl.cli import main
for words in json.load(sys.stdin):
    done = CliRunner().invoke(main, words, prog_name="etl")
    crash = "" if isinstance(done.exception, SystemExit | None) else repr(done.exception)
    print(json.dumps([done.exit_code, done.output, crash, os.listdir()]))
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], tuple[int, str, str, list[str]]]:
    """Of each command what it said in a folder that is no project's: exit code, output, crash, what was there then."""
    words = json.dumps([[*name, *NEEDED.get(" ".join(name), [])] for name in COMMANDS])
    done = _run([sys.executable, "-c", _ALL_OF_THEM], tmp_path_factory.mktemp("nowhere"), words)
    assert done.returncode == 0, done.stderr
    return {name: tuple(json.loads(line)) for name, line in zip(COMMANDS, done.stdout.splitlines(), strict=True)}


@NAMES
def test_outside_of_a_project_it_works_or_says_where_to_go(
    name: tuple[str, ...], outside: dict[tuple[str, ...], tuple[int, str, str, list[str]]]
) -> None:
    code, said, crash, left = outside[name]
    assert not crash
    assert "\x1b" not in said
    if name[0] in ANYWHERE:
        assert code == 0, said
    elif name == ("doctor",):
        assert code == 30
        assert "cd to the project's own folder" in said
    else:
        assert code == 2, said
        assert any(step in said for step in ("project's own folder", "`etl up`", "`etl demo seed`", "[notify]")), said
    assert not left, "something was left in a folder that is nobody's"


@pytest.mark.parametrize("what", [("--help",), ("completion", "bash"), ("doctor",)], ids=" ".join)
def test_a_reader_who_has_enough_is_no_error(what: tuple[str, ...], tmp_path: Path) -> None:
    (reading, writing), environment = os.pipe(), os.environ | {"PYTHONPATH": str(ROOT)}
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [ETL, *what], cwd=tmp_path, env=environment, stdout=gone, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.stderr == b""


def test_a_file_of_the_tasks_that_is_broken_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_text("[etl]\ntimezone = UTC\n", encoding="utf-8")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").touch()
    for text, line, why in (
        ("\nimport no_such_library\n", 2, "no_such_library"),
        ("x = 1\ny = (\n", 2, "never closed"),
    ):
        (tmp_path / "tasks" / "broken.py").write_text(text, encoding="utf-8")
        done = _etl("plan", "Nightly", cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}", PYTHONDONTWRITEBYTECODE="1")
        assert done.returncode == 2
        assert f"broken.py, line {line}: cannot be imported" in done.stderr
        assert why in done.stderr
        assert "Traceback" not in done.stderr


def test_a_typing_error_is_no_run_that_failed(tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_text("[etl]\ntimezone = UTC\n", encoding="utf-8")
    for words, why in (
        (["Nightly", "extra"], "unrecognized arguments: extra; it takes --date"),
        (["MirrorTable"], "MirrorTable: say --table besides"),
        (["Nightly", "--workers", "0"], "0 is not in the range"),
    ):
        done = _etl("run", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert why in done.stderr
    assert not (tmp_path / "var").exists(), "a ledger tells `etl status` of a run that failed"
