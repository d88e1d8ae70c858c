"""Three roles: `etl init`, nights after it, and what is denied to whom; on both engines."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import psycopg2.errors
import pytest

from etl.testing.databases import postgres_query
from tests.marketplace import DAY, NEXT, ROOT, Builder, House, Marketplace, bookkeeping, checksums, shapes

pytest_plugins = ["tests.marketplace"]

SCALE = 0.02


class Split:
    """A house of three roles: `etl` is told of all of them, `ask` is as one of them."""

    def __init__(self, house: House, server) -> None:
        self.house, self._server = house, server
        text = house.settings.read_text()
        for key, role in (("owner_url", "etl_owner"), ("admin_url", "postgres")):
            text = text.replace("[warehouse]\n", f"[warehouse]\n{key} = {self.url(role)}\n")
        house.settings.write_text(text)

    def url(self, role: str) -> str:
        return self._server.url(role, self.house.database.name)

    def ask(self, role: str, sql: str) -> list[tuple]:
        return postgres_query(self.url(role).replace("redshift://", "postgresql://"), sql)

    def etl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "LUIGI_"))}
        environment |= {"LUIGI_CONFIG_PATH": str(self.house.settings), "COLUMNS": "80"}
        command = [str(Path(sys.executable).with_name("etl")), *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def split(builder: Builder) -> Split:
    """After `etl init`."""
    made = Split(builder.house(), builder._databases.server)
    done = made.etl("init")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def nights(builder: Builder, marketplace: Marketplace, split: Split, engine: str) -> dict[date, list[dict]]:
    """What the nights leave, by their day, in a warehouse of one owner and in one of three roles."""
    marketplace.seed(SCALE)
    houses = (builder.house(), split.house)
    found: dict[date, list[dict]] = {}
    # The second night's statements are the same on both engines, and slower on the emulated one.
    for day in (DAY, NEXT) if engine == "postgres" else (DAY,):
        if day == NEXT:
            marketplace.a_day_passes()
        for house in houses:
            house.run("tasks.nightly.Nightly", day, workers=2)
            assert "migration is due" not in house.log.read_text()
            known = bookkeeping(house.query)
            # Which of two facts infers a member first is chance.
            del known["receipts"]
            found.setdefault(day, []).append(
                {"tables": checksums(house.query, ("public", "mart", "raw")), "known": known}
            )
    for house, left in zip(houses, found[day], strict=True):
        # Grants apart, and the emulated engine's locks, of which one is for the making of control tables.
        left["shapes"] = [(*row[:5], row[6]) for row in shapes(house.query) if not row[0].startswith("etl.lock_")]
    return found


def test_the_nights_are_the_same(nights: dict[date, list[dict]]) -> None:
    assert nights[DAY][0]["tables"].keys() >= {"public.dim_user", "mart.daily_sales", "raw.experiment_assignment"}
    for of_one_owner, of_three_roles in nights.values():
        assert of_one_owner == of_three_roles


def denied(split: Split, role: str, sql: str) -> str:
    """What the server itself answers."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege) as refused:
        split.ask(role, sql)
    return str(refused.value)


@pytest.mark.parametrize(
    ("role", "sql"),
    [
        ("bi_reader", "SELECT source_key FROM etl.quarantine"),
        ("bi_reader", "SELECT reason FROM etl.losses"),
        ("bi_reader", "SELECT task_key FROM etl.receipts"),
        ("bi_reader", 'SELECT 1 FROM "raw".users'),
        ("bi_reader", "INSERT INTO etl.data_as_of SELECT 'x', NULL, '2014-02-03', 1"),
        ("bi_reader", "DELETE FROM public.dim_user"),
        ("bi_reader", "UPDATE mart.daily_sales SET sales = 0"),
        ("bi_reader", "CREATE TABLE public.mine (a INTEGER)"),
        ("bi_reader", "CREATE TABLE stage.mine (a INTEGER)"),
        ("bi_reader", "CREATE SCHEMA mine"),
        ("etl_load", "SELECT * FROM etl.quarantine"),
        ("etl_load", "SELECT source_row FROM etl.quarantine"),
        ("etl_load", "SELECT samples FROM etl.losses"),
        ("etl_load", "ALTER TABLE public.dim_user ADD COLUMN mine INTEGER"),
        ("etl_load", "DROP TABLE mart.daily_sales"),
        ("etl_load", "TRUNCATE public.fact_search"),
        ("etl_load", "ALTER TABLE etl.loads ADD COLUMN mine INTEGER"),
        ("etl_load", "DROP TABLE etl.quarantine"),
        ("etl_load", "CREATE TABLE public.mine (a INTEGER)"),
        ("etl_load", "CREATE TABLE mart.mine (a INTEGER)"),
        ("etl_load", "CREATE SCHEMA mine"),
        ("etl_owner", 'SELECT 1 FROM "raw".users'),
        ("etl_owner", 'DROP TABLE "raw".users'),
        ("etl_owner", "CREATE TABLE stage.mine (a INTEGER)"),
        ("etl_owner", "CREATE ROLE mine"),
    ],
)
def test_what_is_denied(split: Split, nights: dict[date, list[dict]], role: str, sql: str) -> None:
    assert "permission denied" in denied(split, role, sql) or "must be owner" in denied(split, role, sql)


def test_who_may_what(split: Split, nights: dict[date, list[dict]]) -> None:
    for table in ("public.dim_user", "mart.daily_sales", "etl.data_as_of"):
        assert split.ask("bi_reader", f"SELECT count(*) FROM {table}") != [(0,)]
    assert split.ask("etl_owner", "SELECT count(source_row) FROM etl.quarantine") == [(0,)]
    assert split.ask("etl_owner", "SELECT count(samples) FROM etl.losses") != [(0,)]
    owners = dict(
        split.house.query(
            "SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relname NOT LIKE 'lock_%' "
            "AND n.nspname IN ('public', 'mart', 'raw', 'etl', 'stage')"
        )
    )
    assert {table for table, owner in owners.items() if owner == "etl_load"} == {
        table for table in owners if table.startswith("raw.")
    }
    assert set(owners.values()) == {"etl_load", "etl_owner"}


# What is already there is found by the same statements, which tests/test_initialise.py and the nights run on it.
@pytest.mark.exam_on("redshift")
def test_a_second_time_there_is_nothing_to_do(split: Split) -> None:
    again, dry = split.etl("init"), split.etl("init", "--dry-run")
    assert (again.returncode, again.stdout.splitlines()) == (
        0,
        ["Nothing to do: roles, schemas, tables, grants and comments are there."],
    )
    assert dry.stdout == f"-- {again.stdout}"
    migrated = split.etl("migrate")
    assert (migrated.returncode, migrated.stdout) == (0, "Nothing to do: every table is as its file says.\n")


def test_what_the_files_say_stands_in_the_warehouse(split: Split) -> None:
    said = dict(
        split.house.query(
            "SELECT n.nspname || '.' || c.relname || COALESCE('.' || a.attname, ''), d.description "
            "FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0"
        )
    )
    assert said["public.dim_venue"] == "Where events take place, as the shop has it now."
    assert said["public.dim_venue.venue_id"] == "the shop's"
    assert said["mart.daily_sales"].startswith("What was sold on each day")
    assert said["etl.data_as_of"] == "For analysts: which business day each table is at."
    assert "public.dim_venue.name" not in said
