"""The pack for the owner of a real cluster: on plain Postgres it finds what is no Redshift, and it leaves nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl import cli, config, conformance
from etl.conformance import Finding
from etl.stack import ports
from etl.testing import Bucket, Settings, WarehouseDatabase
from etl.warehouse.postgres import Postgres

pytestmark = pytest.mark.engines("postgres", reason="it is to be found out; tests/redshift asks the emulator")

# What plain Postgres, which has neither COPY from S3 nor its catalogue, must be found to do otherwise.
OTHERWISE = {
    "version() is Redshift's",
    "no emulator",
    "TRUNCATE commits",
    "a primary key is not enforced",
    "VARCHAR(n) counts bytes",
    "trailing blanks are equal",
    "avg of integers",
    "raw is no name without them",
    "SYSDATE stands still in a transaction",
    "LISTAGG does not cut",
    "no ON CONFLICT",
    "no RETURNING",
    "no now() beside a table",
    "COPY counts its rows",
    "COPY is found by pg_last_copy_id",
    "SYS_LOAD_ERROR_DETAIL shows our error",
    "a file that is missing, fails its COPY",
    "a field too many",
    "texts survive COPY",
    "a snapshot stays for its transaction",
    "two writers do not both win",
    "SVV_TRANSACTIONS shows who holds a lock",
}
ALIKE = {
    "a schema to work in",
    "DDL is rolled back",
    "rows of INSERT, DELETE, UPDATE",
    "bound texts survive",
    "GREATEST ignores NULL",
    "LOCK waits, the snapshot is taken after it",
    "a lock goes with its session",
    "statement_timeout ends a LOCK that waits",
    "readers do not wait for a load",
    "everything removed",
}


@pytest.fixture
def db(warehouse: WarehouseDatabase) -> Iterator[Postgres]:
    with Postgres(config.warehouse(), "test") as session:
        yield session


def schemas(warehouse: WarehouseDatabase) -> list[tuple]:
    return warehouse.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'turnstile%'")


def test_plain_postgres_is_no_redshift(db: Postgres, warehouse: WarehouseDatabase, lake: Bucket) -> None:
    findings = list(conformance.conform(db))
    held = {finding.name for finding in findings if finding.holds}
    assert len({finding.name for finding in findings}) == len(findings)
    assert sorted(held & OTHERWISE) == []
    assert held >= ALIKE
    assert not [finding.name for finding in findings if not finding.why]
    assert (schemas(warehouse), lake.keys()) == ([], [])
    sessions = warehouse.query(
        "SELECT application_name, state FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = 'etl_load'"
    )
    assert sessions == [("test", "idle")]


def test_without_a_lake_only_copy_is_not_checked(db: Postgres, warehouse: WarehouseDatabase) -> None:
    findings = {finding.name: finding for finding in conformance.conform(db)}
    assert "[lake]" in findings["COPY counts its rows"].found
    assert not findings["COPY counts its rows"].holds
    assert findings["DDL is rolled back"].holds
    assert findings["everything removed"].holds
    assert schemas(warehouse) == []


def test_whoever_stops_listening_leaves_nothing(db: Postgres, warehouse: WarehouseDatabase, lake: Bucket) -> None:
    findings = conformance.conform(db)
    assert next(findings).holds
    for finding in findings:
        if finding.name == "COPY counts its rows":
            break
    assert len(schemas(warehouse)) == 1
    assert lake.keys()
    findings.close()  # type: ignore[attr-defined]
    assert (schemas(warehouse), lake.keys()) == ([], [])


def test_a_session_that_ends_in_between(db: Postgres, warehouse: WarehouseDatabase) -> None:
    found: dict[str, Finding] = {}
    for finding in conformance.conform(db):
        found[finding.name] = finding
        if finding.name == "TRUNCATE commits":
            warehouse.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
    assert "connection lost" in found["rows of INSERT, DELETE, UPDATE"].found
    assert found["DELETE … WHERE NOT EXISTS"].holds
    assert schemas(warehouse) == []


def test_a_user_who_may_create_nothing(warehouse: WarehouseDatabase, settings: Settings) -> None:
    settings.set("warehouse", "url", warehouse.reader_url)
    with Postgres(config.warehouse(), "test") as db:
        (finding,) = conformance.conform(db)
    assert not finding.holds
    assert "permission denied" in finding.found
    assert "CREATE on the database" in finding.why


def test_a_report_is_for_a_terminal() -> None:
    long = "x" * 60 + " " + "y" * 60
    lines = list(
        conformance.report(
            [
                Finding("avg of integers", "1", "1", True, "Casts."),
                Finding("a name " * 12, "1", long, True, "Casts."),
                Finding("trailing blanks are equal", "1", long, False, "Keys that differ in them alone are one key."),
            ]
        )
    )
    assert lines[0] == "ok   avg of integers                        1"
    assert max(map(len, lines)) <= 80
    assert lines[2:4] == ["NOT  trailing blanks are equal", "     expected  1"]
    assert [line.strip() for line in lines[4:6]] == ["found     " + "x" * 60, "y" * 60]
    assert lines[-1] == "2 of 3 hold; read what is marked NOT before you rely on it"


def test_a_report_where_all_holds() -> None:
    assert list(conformance.report([Finding("a", "1", "1", True, "")]))[-1] == "1 of 1 hold"


def test_a_report_for_programs() -> None:
    finding = Finding("a", "ä", "1", False, "Because.")
    assert json.loads(conformance.as_json([finding])) == [
        {"name": "a", "expected": "ä", "found": "1", "holds": False, "why": "Because."}
    ]


# ---- etl doctor


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder without a stack, whose settings would go before the test's."""
    monkeypatch.chdir(tmp_path)


def test_doctor_is_for_redshift(warehouse: WarehouseDatabase, elsewhere: None) -> None:
    said = CliRunner().invoke(cli.main, ["doctor", "--conformance"])
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == (
        "etl: doctor --conformance is for Redshift, and [warehouse] url does not begin with redshift://\n"
    )


def test_doctor_of_a_server_that_is_not_there(settings: Settings, elsewhere: None) -> None:
    settings.set("warehouse", "url", f"redshift://etl_load:secret@127.0.0.1:{ports.free_port()}/warehouse")
    said = CliRunner().invoke(cli.main, ["doctor", "--conformance"])
    assert (said.exit_code, said.stdout) == (30, "")
    assert len(said.stderr.splitlines()) == 1
    assert "cannot connect" in said.stderr and "secret" not in said.stderr
