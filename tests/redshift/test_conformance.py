"""The pack for the owner of a real cluster, asked of the emulator: it is to do what we believe that Redshift does."""

from collections.abc import Iterator

import pytest

from etl import config, conformance
from etl.conformance import Finding
from etl.warehouse.redshift import Redshift
from tests.conftest import Bucket, Settings
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
