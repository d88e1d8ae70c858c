"""The pack for the owner of a real cluster, asked of the emulator: it is to do what we believe that Redshift does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl import cli, config, conformance
from etl.conformance import Finding
from etl.errors import FAILED
from etl.testing import Bucket, Settings
from etl.warehouse.redshift import Redshift
from tests.project import Project
from tests.redshift.conftest import RedshiftDatabase

# What the emulator does otherwise. No load of ours comes upon the second and third; the last is of the emulator's COPY,
# which reads a backslash in NULL AS as it stands.
OTHERWISE = {
    "no emulator",
    "LISTAGG does not cut",
    "a byte order mark before a number",
    "a token of our own is NULL",
}


@pytest.fixture
def db(redshift_database: RedshiftDatabase, settings: Settings) -> Iterator[Redshift]:
    settings.set("warehouse", "url", redshift_database.url)
    with Redshift(config.warehouse(), "test") as session:
        yield session


def test_the_emulator_does_what_we_believe_of_redshift(
    db: Redshift, redshift_database: RedshiftDatabase, lake: Bucket
) -> None:
    findings = list(conformance.conform(db))
    assert "\n".join(told(finding) for finding in findings if not finding.holds and finding.name not in OTHERWISE) == ""
    assert not [finding.name for finding in findings if finding.holds and finding.name == "no emulator"]
    assert redshift_database.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'turnstile%'") == []
    assert lake.keys() == []


def told(finding: Finding) -> str:
    return f"{finding.name}: expected {finding.expected}, found {finding.found}"


@pytest.fixture
def project(redshift_database: RedshiftDatabase, lake: Bucket, tmp_path: Path) -> Project:
    """A folder whose luigi.cfg names the emulator, and no stack."""
    made = Project(tmp_path)
    (tmp_path / "luigi.cfg").write_text(
        f"[warehouse]\nurl = {redshift_database.url.replace('%', '%%')}\n\n[lake]\nurl = {lake.url}\n"
        f"endpoint_url = {lake.endpoint_url}\nregion = us-east-1\naccess_key_id = test\nsecret_access_key = test\n"
    )
    return made


def test_doctor_in_a_pipe(project: Project, redshift_database: RedshiftDatabase, lake: Bucket) -> None:
    said = project.etl("doctor", "--conformance")
    assert (said.returncode, said.stderr) == (FAILED, "")
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["ok", "a", "schema", "to", "work", "in", "created"]
    assert max(map(len, lines)) <= 80
    place = lines.index("NOT  no emulator")
    assert lines[place + 1 : place + 3] == ["     expected  a cluster", "     found     emulated Redshift"]
    assert {line[5:] for line in lines if line.startswith("NOT")} <= OTHERWISE
    assert "hold; read what is marked NOT" in lines[-1]
    assert redshift_database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(turnstile|etl|stage)'") == []
    assert lake.keys() == []


def test_doctor_at_a_terminal(project: Project) -> None:
    said, code = project.at_a_terminal("doctor", "--conformance")
    assert code == FAILED
    assert max(len(line) for line in said.splitlines()) <= 80
    assert "found     emulated Redshift" in said


def test_doctor_for_programs_and_without_a_lake(project: Project) -> None:
    text = (project.folder / "luigi.cfg").read_text()
    (project.folder / "luigi.cfg").write_text(text.partition("[lake]")[0])
    said = project.etl("doctor", "--conformance", "--json")
    assert (said.returncode, said.stderr) == (FAILED, "")
    found = {finding["name"]: finding for finding in json.loads(said.stdout)}
    assert (found["no emulator"]["found"], found["no emulator"]["holds"]) == ("emulated Redshift", False)
    assert "[lake]" in found["COPY counts its rows"]["found"]
    assert found["everything removed"]["holds"]


def test_doctor_where_all_holds(
    redshift_database: RedshiftDatabase, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster, which is not at hand: of all that is asked, only what the emulator does as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conformance, "CHECKS", [one for one in conformance.CHECKS if one.name == "TRUNCATE commits"])
    settings.set("warehouse", "url", redshift_database.url)
    said = CliRunner().invoke(cli.main, ["doctor", "--conformance"])
    assert (said.exit_code, said.output.splitlines()[-1]) == (0, "3 of 3 hold"), said.output
