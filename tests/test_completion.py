"""TAB: what a shell is offered, in a project's folder and outside, and that nothing else is ever printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ETL = Path(sys.executable).with_name("etl")

TASKS = """
import luigi


class LoadPeople(luigi.Task):
    since_year = luigi.IntParameter()
    kind = luigi.ChoiceParameter(choices=["small", "smaller", "large"], default="large")


class LoadVenues(luigi.Task):
    pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two tasks and three tables, of which a run has loaded one."""
    tmp_path = tmp_path_factory.mktemp("project")
    (tmp_path / "luigi.cfg").write_text("[etl]\ntimezone = UTC\n")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    (tmp_path / "tasks/people.py").write_text(TASKS)
    for kind, name in (("tables", "fact_sale"), ("marts", "daily_sales")):
        (tmp_path / "warehouse_sql" / kind).mkdir(parents=True)
        (tmp_path / "warehouse_sql" / kind / f"{name}.sql").touch()
    (tmp_path / "var/runs").mkdir(parents=True)
    run = {"id": "1", "what": "Nightly", "task": "Nightly", "day": None, "command": [], "host": "", "pid": 1}
    run |= {"user": "", "version": "", "began": 0, "watched": False}
    loaded = {"task": "MirrorTable people", "state": "done", "table": "raw.people"}
    (tmp_path / "var/runs/1.jsonl").write_text(f"{json.dumps(run)}\n{json.dumps(loaded)}\n")
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_", "_ETL"))}
    return kept | {"PATH": f"{ETL.parent}:{kept['PATH']}", "PYTHONPATH": str(folder)} | more


def bash(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words, by the script that people evaluate."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$(etl completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _etl_completion etl; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


CASES: dict[str, list[str]] = {
    "his": ["history"],
    "run Load": ["LoadPeople", "LoadVenues"],
    "why Mirror": ["MirrorTable"],
    "run LoadPeople --s": ["--since-year"],
    "run LoadPeople --kind s": ["small", "smaller"],
    "run LoadVenues --wo": ["--workers"],
    "run MirrorTable --table ": ["people"],
    "history ": ["mart.daily_sales", "public.fact_sale", "raw.people"],
    "history fact": ["fact_sale"],
    "compare ": ["people"],
    "completion z": ["zsh"],
}

# All cases in one process, because to start it is most of the work.
OFFERED = """
import json, sys
from click.shell_completion import get_completion_class
from etl.cli import main
shell = get_completion_class("bash")(main, {}, "etl", "_ETL_COMPLETE")
cases = [case.split(" ") for case in json.loads(sys.argv[1])]
print(json.dumps([[item.value for item in shell.get_completions(words, last)] for *words, last in cases]))
"""


@pytest.fixture(scope="module")
def offered(folder: Path) -> dict[str, list[str]]:
    asked = [sys.executable, "-c", OFFERED, json.dumps(list(CASES))]
    done = subprocess.run(asked, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("words", CASES)
def test_what_is_offered(offered: dict[str, list[str]], words: str) -> None:
    assert offered[words] == CASES[words]


def test_bash_is_offered_it_by_the_line_that_people_evaluate(folder: Path) -> None:
    assert bash(folder, "etl", "run", "LoadV") == ["LoadVenues"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_have_a_script_of_their_own(folder: Path, shell: str) -> None:
    said = subprocess.run(
        [ETL, "completion", shell], env=environment(folder), capture_output=True, text=True, check=False
    )
    assert f"_ETL_COMPLETE={shell}_complete" in said.stdout


def test_a_project_that_is_broken_offers_nothing_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").write_text("print('loading')\nimport warnings\nwarnings.warn('old')\n1 / 0\n")
    (tmp_path / "var/runs").mkdir(parents=True)
    (tmp_path / "var/runs/1.jsonl").write_text("nothing")
    assert bash(tmp_path, "etl", "run", "Load") == []
