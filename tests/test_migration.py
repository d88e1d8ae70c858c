"""etl migrate: what a table follows its file in, what it says to run, and what a night says meanwhile."""

import json

import click.testing
import pytest

from etl import config, initialise, migration
from etl.cli import main
from etl.errors import ConfigError, DataError, WarehouseError
from etl.mart import Mart
from etl.testing.databases import postgres_query
from tests.nights import own_tasks
from tests.pipeline import day, load, loader, night, refused

pytest_plugins = ["tests.nights"]

CITY = "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?'"
CITIES = {"strategy": "scd1", "key": ("city",)}


@pytest.fixture(params=["one owner", "three roles"])
def cities(request, warehouse, nights, settings, postgres, monkeypatch):
    """public.dim_city with a row, and the file of its table to be changed."""
    own_tasks(monkeypatch)
    nights.table("public.dim_city", CITY)
    if request.param == "three roles":
        for key, role in (("owner_url", "etl_owner"), ("admin_url", "postgres")):
            mine = f"etl_load:{postgres.password('etl_load')}"
            settings.set("warehouse", key, warehouse.setting.replace(mine, f"{role}:{postgres.password(role)}"))
        initialise.init()
    load("dim_city", "city\nUlm", **CITIES)
    owner_url = config.owner_url() or config.warehouse().url
    nights.owner_url = owner_url.replace("redshift://", "postgresql://")
    nights.owner = "etl_owner" if request.param == "three roles" else "etl_load"
    # Comments of the control tables come with the first migration of a warehouse that was never initialised.
    migration.migrate()
    return nights


def statements(changes):
    return [(change.column, change.change) for change in changes]


def columns(warehouse, table="dim_city"):
    return warehouse.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('public.' || %s) AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        (table,),
    )


def test_a_column_that_the_file_has_gained_is_added(cities, warehouse):
    cities.table("public.dim_city", f"{CITY}, country VARCHAR(2) NOT NULL DEFAULT 'it' -- ISO 3166\n", "Cities.")
    dry = migration.migrate(dry_run=True)
    assert ("country", "added") in statements(dry.done) and ("country",) not in columns(warehouse)
    assert not warehouse.query("SELECT 1 FROM etl.schema_changes")

    done = migration.migrate()

    assert [one.statement for one in done.done] == [one.statement for one in dry.done]
    assert done.left == [] and columns(warehouse)[-1] == ("country",)
    assert warehouse.query("SELECT DISTINCT country FROM public.dim_city") == [("it",)]
    assert warehouse.query("SELECT target, column_name, change, was FROM etl.schema_changes") == [
        ("public.dim_city", "country", "added", None)
    ]
    assert warehouse.query(
        "SELECT obj_description(c, 'pg_class'), col_description(c, 3) FROM (SELECT 'public.dim_city'::regclass AS c) q"
    ) == [("Cities.", "ISO 3166")]
    assert warehouse.query("SELECT tableowner FROM pg_tables WHERE tablename = 'dim_city'") == [(cities.owner,)]
    again = migration.migrate()
    assert (again.done, again.left) == ([], [])
    load("dim_city", "city|country\nUlm|de", date=2, **CITIES)
    assert warehouse.query("SELECT country FROM public.dim_city WHERE city = 'Ulm'") == [("de",)]


@pytest.mark.parametrize("cities", ["three roles"], indirect=True)
@pytest.mark.parametrize(
    ("becomes", "expected"),
    [
        ("city_key BIGINT PRIMARY KEY, city VARCHAR(30) NOT NULL DEFAULT '?'", ("city", "type")),
        ("city_key BIGINT PRIMARY KEY", ("city", "removed")),
        ("city_key BIGINT PRIMARY KEY, town VARCHAR(20) NOT NULL DEFAULT '?'", ("town", "renamed")),
        ("city_key BIGINT PRIMARY KEY, city VARCHAR(20) DEFAULT '?'", ("city", "required")),
        ("city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '-'", ("city", "default")),
        (f"{CITY}, size INTEGER NOT NULL", ("size", "required")),
        ("city_key BIGINT NOT NULL, city VARCHAR(20) NOT NULL DEFAULT '?', PRIMARY KEY (city)", ("", "key")),
    ],
)
def test_all_else_is_a_persons_to_run(cities, warehouse, becomes, expected):
    """The server is asked whether the statement is one: once it was run, nothing is left."""
    cities.table("public.dim_city", becomes)
    before = columns(warehouse)
    found = migration.migrate()
    assert expected in statements(found.left)
    assert columns(warehouse) == before
    (change,) = [one for one in found.left if (one.column, one.change) == expected]
    if change.change != "renamed" and change.column != "size":
        for statement in change.statement.split("; "):
            postgres_query(cities.owner_url, statement)
        assert expected not in statements(migration.migrate().left)


def test_a_new_table_is_the_owners_to_create(cities, warehouse):
    cities.table("public.dim_land", "land_key BIGINT PRIMARY KEY, land VARCHAR(20) NOT NULL DEFAULT '?'")
    migration.migrate()
    assert bool(columns(warehouse, "dim_land")) is (cities.owner == "etl_owner")
    load("dim_land", "land\nItaly", strategy="scd1", key=("land",))
    assert migration.migrate().done == []


def test_a_mart_follows_its_select(cities, warehouse):
    said = {"table": "cities", "key": ("city",), "requires": lambda self: [], "__module__": "tasks.cities"}
    mart = type("Cities", (Mart,), said)
    cities.write(
        "marts", "cities", "-- Each city.\nSELECT city AS city, COUNT(*) AS n FROM public.dim_city GROUP BY city"
    )
    migration.migrate()
    night(mart(date=day(1)))
    cities.write(
        "marts",
        "cities",
        "SELECT city AS city, COUNT(*) AS n, -- of it\nMAX(city_key) AS k FROM public.dim_city GROUP BY city",
    )
    done = migration.migrate()
    assert ("k", "added") in statements(done.done) and not done.left
    night(mart(date=day(2)))
    assert warehouse.query("SELECT city, n, k FROM mart.cities ORDER BY k") == [("?", 1, -1), ("Ulm", 1, 1)]
    assert migration.migrate().done == []


def test_a_night_says_that_a_migration_is_due(cities, warehouse, caplog):
    """And loads what it can, where the next night brings all rows once more."""
    cities.table("public.dim_city", f"{CITY}, country VARCHAR(2)")
    cities.write("loads", "dim_city", "SELECT s.city AS city, s.country AS country FROM {stage} s")
    load("dim_city", "city|country\nUlm|de\nRome|it", date=2, sql="dim_city.sql", **CITIES)
    said = [line for line in caplog.text.splitlines() if "migration is due" in line]
    assert len(said) == 1 and "dim_city.sql has country, which the table lacks; run `etl migrate`" in said[0]
    assert warehouse.query("SELECT count(*) FROM public.dim_city WHERE city_key > 0") == [(2,)]
    migration.migrate()
    load("dim_city", "city|country\nUlm|de\nRome|it", date=3, sql="dim_city.sql", **CITIES)
    assert warehouse.query("SELECT country FROM public.dim_city WHERE city_key > 0 ORDER BY city") == [("it",), ("de",)]


def test_a_night_does_not_leave_out_what_no_later_night_would_bring(cities):
    cities.table("public.dim_city", f"{CITY}, country VARCHAR(2)")
    cities.write("loads", "dim_city", "SELECT s.city AS city, s.country AS country FROM {stage} s")
    task = loader("dim_city", "city|country\nRome|it", strategy="upsert", key=("city",), sql="dim_city.sql")(
        date=day(2)
    )
    said = refused(task, DataError)
    assert "has country, which the table does not" in said and "run `etl migrate`, then load it again" in said


def test_the_command(cities, monkeypatch):
    run = click.testing.CliRunner()
    nothing = run.invoke(main, ["migrate"])
    assert (nothing.exit_code, nothing.output) == (0, "Nothing to do: every table is as its file says.\n")
    cities.table("public.dim_city", "city_key BIGINT PRIMARY KEY, city VARCHAR(30) NOT NULL DEFAULT '?', size INTEGER")
    said = run.invoke(main, ["migrate", "--dry-run", "--json"])
    assert said.exit_code == 30
    told = json.loads(said.output)
    assert [one["column"] for one in told["done"]] == ["size"]
    assert [(one["column"], one["was"], one["by_hand"]) for one in told["by_hand"]] == [
        ("city", "character varying(20)", True)
    ]
    said = run.invoke(main, ["migrate"])
    assert said.exit_code == 30
    assert "-- by hand: public.dim_city.city: type, character varying(20) -> character varying(30)\n" in said.output


def test_before_etl_init_there_is_nothing_to_migrate(warehouse, nights, settings, postgres, monkeypatch):
    url = warehouse.setting.replace(
        f"etl_load:{postgres.password('etl_load')}", f"etl_owner:{postgres.password('etl_owner')}"
    )
    settings.set("warehouse", "owner_url", url)
    with pytest.raises(ConfigError, match="schema etl is not etl_owner's; run `etl init` first"):
        migration.migrate()


def test_a_first_load_writes_what_the_file_says(warehouse, nights):
    nights.table("public.dim_city", f"{CITY} -- a \\N", "100% of it.")
    load("dim_city", "city\nUlm", **CITIES)
    found = warehouse.query(
        "SELECT objsubid, description FROM pg_description WHERE objoid = 'public.dim_city'::regclass"
    )
    assert sorted(found) == [(0, "100% of it."), (2, "a \\N")]


def test_a_file_that_the_server_cannot_read_is_named(cities):
    cities.table("public.dim_city", f"{CITY}, oops((")
    with pytest.raises(WarehouseError, match=r"dim_city\.sql: .*syntax error"):
        migration.migrate(dry_run=True)
