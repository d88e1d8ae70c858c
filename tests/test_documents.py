"""What the documents tell people to do, done: CONTRIBUTING's walk, the crontab's lines, the README's exit codes."""

import datetime
import re
import subprocess
import sys
from pathlib import Path

import psycopg2
import pymysql
import pytest

from etl.stack import Stack
from tests.project import ROOT, Project

pytest_plugins = ["tests.project"]

BIN = Path(sys.executable).parent


def blocks(document: str) -> dict[str, str]:
    """The code of a document by the file that it is for."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def stack(project: Project) -> Stack:
    return Stack(project.folder / "var", project.folder / "luigi.cfg")


def test_the_walk_loads_a_new_table(project: Project, stack: Stack) -> None:
    files = blocks("CONTRIBUTING.md")
    _make_table(stack, files.pop("promoters.mysql"))
    code = [line for line in files["tasks/promoters.py"].splitlines() if line.strip()]
    assert len(code) <= 15
    for name, text in files.items():
        (project.folder / name).write_text(text, encoding="utf-8")
    nightly = project.folder / "tasks/nightly.py"
    line = "        yield LoadPromoters(date=self.date)"
    assert line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    nightly.write_text(
        nightly.read_text().replace("import luigi\n", "import luigi\n\nfrom tasks.promoters import LoadPromoters\n")
        + line
        + "\n"
    )

    done = project.etl(*["run", "LoadPromoters", "--date", "2014-02-03"])
    assert done.returncode == 0, done.stderr
    with psycopg2.connect(stack.urls()["warehouse"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM public.dim_promoter ORDER BY promoter_key")
        assert cursor.fetchall() == [
            (-1, -1, "unknown", "unknown", None),
            (1, 7, "Velvet Nights", "US", datetime.date(1999, 4, 1)),
            (2, 9, "Café 🎟️ Live", "unknown", None),
        ]
    listed = project.etl("run", "Promoter")
    assert "LoadPromoters" in listed.stderr


def test_the_crontabs_night_runs_from_a_home_folder_with_crons_environment(project: Project, tmp_path: Path) -> None:
    """cron knows no PATH to speak of, no LANG, and starts at home; a failure's exit code and log come through."""
    (tmp_path / "environment").write_text("WAREHOUSE_PASSWORD=x\n")
    etl = _installed(project)
    night, calendar = (
        _crontab_line(word, project, tmp_path) for word in ("Nightly >> var/nightly.log", "LoadDateTable")
    )

    done = _as_cron(calendar, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    done = _as_cron(night, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert f"Nightly {yesterday}:" in (project.folder / "var/nightly.log").read_text()

    etl.write_text("#!/bin/sh\necho the table and the numbers\nexit 30\n")
    failed = _as_cron(night, tmp_path)
    assert failed.returncode == 30
    assert "the table and the numbers" in failed.stdout


def test_the_crontabs_catch_up_fills_in_the_days_that_a_source_keeps(project: Project, tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("")
    _installed(project)
    for word in ("Nightly --wait 60 >> var/catchup.log", "backfill LoadSearches"):
        done = _as_cron(_crontab_line(word, project, tmp_path), tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = (project.folder / "var/catchup.log").read_text()
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    assert (
        f"LoadSearches {yesterday - datetime.timedelta(days=7)} to {yesterday}: 8 days, 1 done already, 7 to do" in log
    )


def test_readme_names_every_exit_code_that_luigi_is_given() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    settings = (ROOT / "luigi.cfg").read_text(encoding="utf-8").partition("[retcode]")[2]
    for code in re.findall(r"= (\d+)", settings):
        assert f"\n| {code} |" in readme


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def _make_table(stack: Stack, sql: str) -> None:
    url = stack.urls()["admin_mysql"]
    found = re.fullmatch(r"mysql://(\w+):([^@]+)@([\d.]+):(\d+)/(\w+)", url)
    assert found
    user, password, host, port, database = found.groups()
    with (
        pymysql.connect(
            host=host, port=int(port), user=user, password=password, database=database, charset="utf8mb4"
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in filter(str.strip, sql.split(";\n")):
            cursor.execute(statement)
        connection.commit()


def _installed(project: Project) -> Path:
    """`.venv/bin/etl` in the project's folder."""
    etl = project.folder / ".venv/bin/etl"
    etl.parent.mkdir(parents=True, exist_ok=True)
    etl.write_text(f'#!/bin/sh\nPYTHONPATH={project.folder} exec {BIN}/etl "$@"\n')
    etl.chmod(0o755)
    return etl


def _crontab_line(word: str, project: Project, folder: Path) -> str:
    """The command of the line that holds `word`, as cron would run it on a host where the paths are these."""
    lines = (ROOT / "crontab.example").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if word in line and not line.startswith("#")]
    command = line.split(maxsplit=5)[5].replace("\\%", "%")
    return f"PROJECT={project.folder}; ENVIRONMENT={folder}/environment; {command}"


def _as_cron(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/bash", "LOGNAME": "turnstile"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
