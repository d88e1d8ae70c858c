"""The gate: what it lets through of ours, and what it refuses of what is not Redshift's."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from etl.testing import Settings
from etl.warehouse.definition import read_definition, read_sql
from tests import golden
from tests.redshift import gate

ROOT = Path(__file__).parents[2]
FOLDERS = {"ours": ROOT / "warehouse_sql", "the year's": ROOT / "tests/year/sql"}

# None of it is Redshift's.
FORBIDDEN = [
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1) RETURNING a",
    "DELETE FROM t RETURNING a",
    "CREATE INDEX i ON t (a)",
    "CREATE UNIQUE INDEX i ON t (a)",
    "CREATE SEQUENCE s",
    "CREATE TABLE t (a SERIAL)",
    "CREATE TABLE t (a UUID)",
    "CREATE TABLE t (a JSONB)",
    "CREATE TABLE t (a BYTEA)",
    "CREATE TABLE t (a INTEGER[])",
    "CREATE TABLE t (a INTEGER CHECK (a > 0))",
    "CREATE TABLE t (a INTEGER) PARTITION BY RANGE (a)",
    "CREATE UNLOGGED TABLE t (a INTEGER)",
    "CREATE TABLE t (raw INTEGER)",
    "SELECT * FROM raw.sales",
    "SELECT DISTINCT ON (a) a, b FROM t",
    "SELECT count(*) FILTER (WHERE a > 0) FROM t",
    "SELECT * FROM t, LATERAL (SELECT 1) l",
    "SELECT * FROM (VALUES (1), (2)) v",
    "SELECT * FROM t, generate_series(1, 9)",
    "SELECT array_agg(a) FROM t",
    "SELECT string_agg(a, ',') FROM t",
    "SELECT a FROM t FOR UPDATE",
    "SELECT a FROM t WHERE a IS DISTINCT FROM b",
    "SELECT a FROM t WHERE a = ANY (ARRAY[1, 2])",
    "SELECT now() FROM t",
    "SAVEPOINT s",
    "LOCK TABLE t IN EXCLUSIVE MODE",
    "DELETE FROM t x WHERE x.a = 1",
    "TRUNCATE a, b",
    "CREATE TEMP TABLE t (a INTEGER) ON COMMIT DROP",
    "SELECT pg_advisory_lock(1)",
    "SET lock_timeout TO 1",
]


@pytest.fixture(scope="module")
def known(request: pytest.FixtureRequest) -> Iterator[gate.Cache]:
    """What sqlfluff has said before, by its version."""
    place = f"gate/sqlfluff-{version('sqlfluff')}"
    cache = request.config.cache
    assert cache is not None
    said: gate.Cache = cache.get(place, {})
    yield said
    cache.set(place, said)


def test_every_statement_that_is_sent_passes(known: gate.Cache) -> None:
    sent = {statement for path in golden.FOLDER.glob("*.sql") for statement in golden.statements(path)}
    assert sent
    assert gate.refusals(sorted(sent), known) == []


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, settings: Settings) -> Path:
    settings.set("etl", "sql", FOLDERS[request.param])
    return FOLDERS[request.param]


def test_every_table_passes_and_says_its_lengths(folder: Path, known: gate.Cache) -> None:
    for path in sorted((folder / "tables").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        assert gate.without_length(text) == [], f"{path.name}: write VARCHAR(n) and DECIMAL(p,s) with their lengths"
        table = read_definition(text.split("CREATE TABLE ")[1].split(".")[0], path.stem, "redshift")
        made = " ".join([table.create(table.schema, table.table), *table.hints])
        assert gate.refusals([made], known) == []


@pytest.mark.parametrize("kind", ["loads", "marts"])
def test_every_select_passes(folder: Path, kind: str, known: gate.Cache) -> None:
    names = {"stage": 'stage."x_in"', "timezone": "America/New_York", "date_key": "20140201"}
    for path in sorted((folder / kind).glob("*.sql")):
        select = read_sql(kind, path.name, **names)
        for source in set(gate.SINCE.findall(select)):
            select = select.replace(f"{{since {source}}}", "TIMESTAMPTZ '2014-02-01 00:00:00+00'")
        assert gate.refusals([select], known) == [], path.name


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_what_redshift_has_not_is_refused(statement: str) -> None:
    assert gate.by_dialect(statement) or gate.by_sqlfluff(statement)


@pytest.mark.parametrize("declared", ["note TEXT", "note VARCHAR NOT NULL", "price NUMERIC,", "price DECIMAL"])
def test_a_table_without_a_length_is_refused(declared: str) -> None:
    assert gate.without_length(f"CREATE TABLE public.t (\n  a INTEGER, -- TEXT\n  {declared}\n);")


def test_a_table_with_lengths_is_not() -> None:
    assert gate.without_length("CREATE TABLE t (a VARCHAR(9), -- a TEXT\nb NUMERIC (8,2), text_id INTEGER)") == []
