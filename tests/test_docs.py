"""The documentation: it builds without a warning, its links lead somewhere, and every command in it works."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, Project

pytest_plugins = ["tests.project"]

DOCS = ROOT / "docs"
# What it says is done from an empty clone.
TUTORIAL = "tutorial.md"


def pages(entries: list) -> list[str]:
    """The pages of the site in the order in which one reads them."""
    found = []
    for entry in entries:
        for said in entry.values() if isinstance(entry, dict) else [entry]:
            found += pages(said) if isinstance(said, list) else [said]
    return found


NAV = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def commands(page: str) -> str:
    """What a reader types, top to bottom."""
    return "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE))


def typed(page: str, folder: Path, environment: dict[str, str]) -> str:
    """What the commands of a page print, one after the other; none may fail."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(page)],
        cwd=folder,
        env=environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_site_builds_without_a_warning():
    """Also: every page is in the navigation, every link within the site leads to a page and a heading that is there."""
    built = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} == set(NAV)
    site = {page: re.sub("<[^>]*>", "", (ROOT / f"site/{page}.html").read_text()) for page in ("library", "commands")}
    assert "Publishes one table: stage, audit, publication, marker and receipt" in site["library"]
    assert "etl backfill" in site["commands"]


@pytest.mark.parametrize("page", [page for page in NAV if commands(page) and page != TUTORIAL])
def test_every_command_works(project: Project, page: str) -> None:
    """In a project of the sample business, as a reader types them."""
    typed(page, project.folder, project.environment)


@pytest.fixture
def clone(server_folder: Path) -> Iterator[Path]:
    """What git would have of the project, in a folder of its own, with the virtual environment that is there."""
    folder = server_folder / "clone"
    known = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(known, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    for there in Path(sys.prefix).iterdir():
        if not there.name.startswith("."):
            (folder / ".venv" / there.name).symlink_to(there)
    for stamp in (".demo", ".dev"):
        (folder / ".venv" / stamp).touch()
    try:
        yield folder
    finally:
        subprocess.run([".venv/bin/etl", "clean"], cwd=folder, capture_output=True, check=True)
        shutil.rmtree(folder)


def test_the_tutorial_leads_from_an_empty_clone_to_a_dimension(clone: Path) -> None:
    """Every table that it says one will see is one that is seen."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ETL_", "LUIGI_", "PYTEST_"))}
    said = typed(TUTORIAL, clone, inherited | {"PYTHONPATH": str(clone), "COLUMNS": "80"})
    promised = re.findall(r"^```text\n(.*?)^```", (DOCS / TUTORIAL).read_text(), re.DOTALL | re.MULTILINE)
    assert len(promised) == 3
    for text in promised:
        assert [line.split() for line in text.splitlines() if line.split() not in spoken(said)] == []


def spoken(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]
