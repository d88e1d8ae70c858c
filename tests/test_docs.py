"""The documentation: it builds without a warning, its links lead somewhere, and every command in it works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, Project

pytest_plugins = ["tests.project"]

DOCS = ROOT / "docs"


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


def test_the_site_builds_without_a_warning(tmp_path):
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
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert there == set(NAV)
    reference = (ROOT / "site/library.html").read_text()
    assert "Publishes one table: stage, audit, publication, marker and receipt" in reference
    assert "etl backfill" in (ROOT / "site/commands.html").read_text()
    assert "CREATE TABLE IF NOT EXISTS etl.receipts" in re.sub(
        "<[^>]*>", "", (ROOT / "site/control-tables.html").read_text()
    )


@pytest.mark.parametrize("page", [page for page in NAV if commands(page)])
def test_every_command_works(project: Project, page: str) -> None:
    """One after the other, in a project of the sample business, as a reader types them; none may fail."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(page)],
        cwd=project.folder,
        env=project.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
