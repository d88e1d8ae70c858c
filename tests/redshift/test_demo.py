"""`make demo ENGINE=redshift`: the nightly job, as a person sees it, on the emulated Redshift."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from etl.testing import postgres_query
from tests.project import SCALE, Project


class RedshiftProject(Project):
    def etl(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.redshift.demo", *arguments],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": f"{self.folder}:{Path(__file__).parents[2]}"} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def project(server_folder: Path) -> Iterator[RedshiftProject]:
    folder = server_folder / "redshift-project"
    folder.mkdir()
    made = RedshiftProject(folder)
    yield made
    made.etl("clean")


def test_the_demo_says_that_its_redshift_is_emulated_and_loads_all_of_it(project):
    up = project.etl("up")
    assert up.returncode == 0, up.stderr
    assert "emulated Redshift  started on port" in up.stdout
    assert project.etl("demo", "seed", "--scale", SCALE).returncode == 0

    first = project.etl("demo", "night")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "The warehouse is    emulated Redshift" in first.stdout
    url = project.etl("url", "warehouse").stdout.strip()
    assert url.startswith("redshift://bi_reader:")
    assert f"Point a BI tool at  redshift://bi_reader@{url.partition('@')[2]}" in first.stdout
    analyst = url.replace("redshift://", "postgresql://")
    ((sales,),) = postgres_query(analyst, "SELECT count(*) FROM public.fact_ticket_sale")
    assert sales == 1000
    with pytest.raises(psycopg2.Error, match="permission denied"):
        postgres_query(analyst, 'SELECT * FROM "raw".users')

    second = project.etl("demo", "night")
    assert second.returncode == 0, second.stderr
    assert "everything is already there" in second.stderr
    compared = project.etl("compare", "ticket_sales")
    assert compared.returncode == 0, compared.stdout + compared.stderr


def test_nothing_of_it_is_left(project):
    down = project.etl("clean")
    assert down.returncode == 0, down.stderr
    assert "emulated Redshift" in down.stdout
    assert not (project.folder / "var").exists() or list((project.folder / "var").iterdir()) == []
