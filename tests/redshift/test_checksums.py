"""Checksums through the emulator: a table of all kinds of columns is the same at MySQL and behind Redshift's SQL."""

import contextlib

import pytest

from etl.checksums import Grid, kind_of
from etl.drill import Drill, as_there
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue, mysql_checksum
from etl.warehouse import connect
from etl.warehouse.names import quote
from tests import pipeline
from tests.pipeline import day
from tests.test_compare import LOSSY, ROWS, TYPES, insert
from tests.warehouse.test_redshift_checksum import assert_same

pytest_plugins = ("tests.nights",)

pytestmark = pytest.mark.engines("postgres", reason="the mirror is made there, and moved")

# Redshift has no decimal of 65 digits.
KEPT = {name: kind for name, kind in TYPES.items() if name != "d30"}
TEXTS = ("text", "character varying")


def _type(found, decimals):
    """Of a column that Postgres has, which needs neither lengths nor digits."""
    return "VARCHAR(65535)" if found in TEXTS else f"DECIMAL(38,{decimals})" if found == "numeric" else found


@contextlib.contextmanager
def moved(settings, redshift_database, changes=()):
    """t at MySQL, and its mirror once it has gone from Postgres to the emulator, where `changes` were made."""
    with connect("test") as postgres:
        types = postgres.columns("raw", "t")
        lost = postgres.query("SELECT DISTINCT column_name FROM etl.losses WHERE reason LIKE '%UTF-8%'")
        rows = postgres.query(f"SELECT {', '.join(f'{quote(name)}::text' for name in types)} FROM raw.t")
    decimals = {
        name: max((len((row[place] or "").partition(".")[2]) for row in rows), default=0)
        for place, name in enumerate(types)
    }
    settings.set("warehouse", "url", redshift_database.url)
    listed = ", ".join(f"{quote(name)} {_type(kind, decimals[name])}" for name, kind in types.items())
    with connect("test") as redshift:
        redshift.execute('CREATE SCHEMA "raw"')
        redshift.execute(f'CREATE TABLE "raw".t ({listed})')
        for row in rows:
            redshift.execute(f'INSERT INTO "raw".t VALUES ({", ".join(["%s"] * len(row))})', row)
        for change in changes:
            redshift.execute(change)
        with mysql_checksum.opened("t", (), [name for (name,) in lost], {}, True) as source, redshift.snapshot():
            fields = as_there(source.fields, redshift.columns("raw", "t"), "raw.t")
            yield source, redshift.side('"raw".t', fields, source.key)


@pytest.fixture
def shop(nights, mysql):
    mysql_catalogue.forget()
    return mysql


def mirrored():
    pipeline.night(MirrorTable(table="t", date=day(1)))
    mysql_catalogue.forget()


def every_type(shop):
    shop.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'`{n}` {kind}' for n, kind in KEPT.items())})")
    lossy = [{name: literal} for name, literals in LOSSY.items() for literal in literals]
    for number, values in enumerate(ROWS + lossy):
        insert(shop, number, {name: value for name, value in values.items() if name in KEPT})
    mirrored()


def test_every_type_is_the_same(shop, settings, redshift_database):
    every_type(shop)
    with moved(settings, redshift_database) as (source, there):
        assert_same(source, there)
        assert there.values(there.names, [0]).keys() == source.values(source.names, [0]).keys()


def test_a_blank_at_the_end_is_a_difference(shop, settings, redshift_database):
    """Which a comparison of texts does not see there."""
    every_type(shop)
    with moved(settings, redshift_database, ["UPDATE \"raw\".t SET v = v || ' ' WHERE id = 2"]) as (source, there):
        everything = Grid(0, 100)
        (ours,), (theirs,) = (side.sums(side.names, everything, everything).values() for side in (source, there))
        pairs = zip(source.names, ours.checksums, theirs.checksums, strict=True)
        assert [name for name, one, other in pairs if one != other] == ["v"]


def test_a_search_finds_the_rows(shop, settings, redshift_database):
    shop.execute("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, v DOUBLE)")
    shop.execute("INSERT INTO t SELECT 18446744073709551615 - seq * seq, seq / 7e0 FROM seq_1_to_300")
    mirrored()
    changes = [
        'DELETE FROM "raw".t WHERE id = 18446744073709551614',
        'UPDATE "raw".t SET v = v * 1.0000000000000002 WHERE id = 18446744073709551215',
    ]
    with moved(settings, redshift_database, changes) as (source, there):
        assert kind_of(there._db.columns("raw", "t")["id"]) == "integer"
        drill = Drill(source, there, source.names, 20)
        found = {
            row.position for inside in drill for row in set(source.rows(["v"], inside)) - set(there.rows(["v"], inside))
        }
        assert found == {18446744073709551614, 18446744073709551215}
