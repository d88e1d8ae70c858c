"""The same nights of the same sources on Postgres and on Redshift: what the two warehouses hold then is the same.

It is compared column by column, to the last character of each value; what differs knowingly stands in this file, with
its reason, and a difference that has gone must go from here as well.
"""

import datetime
import itertools
import logging
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import luigi
import pytest
from luigi.setup_logging import InterfaceLogging
from luigi.task_register import Register

from etl.load import BaseLoader
from etl.mart import Mart
from etl.mirror import MirrorTable
from etl.stack import Postgres, Redis, Search
from etl.testing import Bucket, SearchDatabase, Settings, ShopDatabase, WarehouseDatabase, mysql_cursor, postgres_query
from etl.testing.servers import Moto, started
from tasks.nightly import Nightly
from tests.dump import Exempt, Table, differences, dump
from tests.hostile import KINDS, NAUGHTY, ODD
from tests.marketplace import DAY, NEXT, ROOT, ZONE, Marketplace
from tests.redshift.server import RedshiftEmulator
from tests.year.chance import Chance
from tests.year.nights import OPENING, night_of
from tests.year.nights import SQL as YEARS_SQL
from tests.year.shop import ClockedMariaDB, Shop
from tests.year.tasks import YearNight

SCALE = 0.02

_FORK = multiprocessing.get_context("fork")


class Pair:
    """A warehouse of each engine with a lake of its own; `night` runs tasks on one after the other."""

    def __init__(self, houses: Mapping[str, tuple[WarehouseDatabase, Bucket]], settings: Settings, log: Path) -> None:
        self._houses, self._settings, self._log = houses, settings, log

    def night(self, *tasks: Callable[[], luigi.Task]) -> None:
        """In a process of its own each, so that nothing is remembered from one to the other."""
        for engine, (database, lake) in self._houses.items():
            self._settings.set("warehouse", "url", database.setting)
            lake.configure(self._settings, "lake")
            process = _FORK.Process(target=_night, args=(tasks, self._log), daemon=True)
            process.start()
            process.join(120)
            assert process.exitcode == 0, f"{engine}: {self._log.read_text()[-3000:]}"

    def counts(self, table: str) -> list[int]:
        return [database.query(f"SELECT count(*) FROM {table}")[0][0] for database, _ in self._houses.values()]

    def check(self, exempt: Mapping[str, Exempt]) -> None:
        """Both hold the same but for what is exempt, and all that is exempt differs."""
        found = differences(*(dump(database) for database, _ in self._houses.values()), exempt)
        assert not found.wrong, "\n".join(["postgres and redshift differ:", *found.wrong])
        assert found.needed == set(exempt), f"exempt, and the same: {sorted(set(exempt) - found.needed)}"


def _night(tasks: tuple[Callable[[], luigi.Task], ...], log: Path) -> None:
    os.environ.pop("ETL_RUN_ID", None)
    Register.clear_instance_cache()
    file = log.open("w", buffering=1)
    sys.stdout = sys.stderr = file
    logging.basicConfig(stream=file, level=logging.INFO, force=True, format="%(levelname)s %(message)s")
    # Luigi would add a handler of its own.
    InterfaceLogging._configured = True
    made = [task() for task in tasks]
    done = luigi.build(made, local_scheduler=True, detailed_summary=True, no_lock=True)
    sys.exit(int(done.status != luigi.LuigiStatusCode.SUCCESS))


@pytest.fixture
def pair(
    postgres: Postgres, redshift: RedshiftEmulator, redshift_template: str, moto_s3: Moto, settings, tmp_path
) -> Iterator[Pair]:
    admin = postgres.url("postgres", "postgres")
    made = {}
    for engine, server, template in (("postgres", postgres, "template1"), ("redshift", redshift, redshift_template)):
        name = f"pair_{uuid.uuid4().hex}"
        postgres_query(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
        postgres.create_database(name)
        made[engine] = WarehouseDatabase(postgres, name, server), Bucket(moto_s3, name.replace("_", "-"))
    settings.set("etl", "timezone", ZONE)
    yield Pair(made, settings, tmp_path / "night.log")
    for database, _ in made.values():
        postgres_query(admin, f"DROP DATABASE {database.name} WITH (FORCE)")


def test_a_difference_is_found_and_shown():
    def table(kind: str, *rows: tuple[str | None, ...]) -> dict[str, Table]:
        return {"mart.t": Table({"k": "bigint", "v": kind}, ("k",), list(rows))}

    def found(exempt: dict[str, Exempt], *pair: dict[str, Table]) -> tuple[list[str], set[str]]:
        differing = differences(*pair, exempt)
        return differing.wrong, differing.needed

    ours, theirs = table("numeric", ("1", "2.5"), ("2", None)), table("numeric(38,2)", ("2", None), ("1", "2.50"))
    assert found({}, ours, ours) == ([], set())
    said = "mart.t.v: 1 of 2 values differ, first v '2.5' and '2.50' (where k '1')"
    assert found({}, ours, theirs) == ([said], set())
    assert found({"mart.t.v": Exempt("places", lambda v: v.rstrip("0"))}, ours, theirs) == ([], {"mart.t.v"})
    assert found({"mart.t.v": Exempt("places")}, ours, theirs) == ([said], set())
    assert found({"mart.t.v": Exempt("none")}, ours, ours) == ([], set())
    assert found({}, ours, {}) == (["only one has ['mart.t']"], set())
    assert found({}, table("bigint"), table("integer")) == (["mart.t.v is bigint and integer"], set())
    # An empty text is not NULL.
    assert found({}, table("text", ("1", None)), table("text", ("1", "")))[0][0].endswith("v None and '' (where k '1')")


@pytest.fixture(scope="module")
def clocked(server_folder: Path) -> Iterator[ClockedMariaDB]:
    """Both engines' nights read it at the same moment, as its clock shows it."""
    server = ClockedMariaDB(Path(tempfile.mkdtemp(dir=server_folder)) / "clocked")
    with started(server):
        yield server


# ---- the project's own night


@pytest.fixture
def marketplace(clocked: ClockedMariaDB, moto_s3: Moto, server_folder: Path, settings) -> Iterator[Marketplace]:
    folder = Path(tempfile.mkdtemp(dir=server_folder))
    redis, search = Redis(folder / "redis"), Search(folder / "search")
    name = f"shop_{uuid.uuid4().hex}"
    with started(redis), started(search):
        ShopDatabase(clocked, "shop").execute(f"CREATE DATABASE {name}")
        shop = ShopDatabase(clocked, name)
        made = Marketplace(shop, redis.url(), SearchDatabase(search), Bucket(moto_s3, name.replace("_", "-")))
        settings.set("mysql", "url", shop.url)
        settings.set("redis", "url", made.redis_url)
        settings.set("elasticsearch", "url", made.search.url)
        made.bucket.configure(settings, "s3_source")
        yield made
        made.redis.close()
        shop.execute(f"DROP DATABASE {name}")


NIGHTLY: dict[str, Exempt] = {}


def test_the_projects_nights(pair, clocked, marketplace, settings):
    """Of the demo's business: all tasks of tasks/, with their SQL, on two days."""
    settings.set("etl", "sql", ROOT / "warehouse_sql")
    evening = datetime.timedelta(hours=8)
    clocked.set_clock(night_of(DAY) - evening)
    marketplace.seed(SCALE)
    clocked.set_clock(night_of(DAY))
    pair.night(lambda: Nightly(date=DAY))
    pair.check(NIGHTLY)
    clocked.set_clock(night_of(NEXT) - evening)
    marketplace.a_day_passes()
    clocked.set_clock(night_of(NEXT))
    pair.night(lambda: Nightly(date=NEXT))
    pair.check(NIGHTLY)


# ---- a shop's days, by tables that are read by their changes


class _Days:
    """A shop whose clock is ours; each day something is done to all of its tables."""

    def __init__(self, server: ClockedMariaDB, url: str) -> None:
        self._server, self.shop = server, Shop(url, Chance("a pair"), OPENING)
        self.day = OPENING

    def pass_with(self, schema: str) -> datetime.date:
        """The day that is over, at whose night the clock stands."""
        now, hour = night_of(self.day), datetime.timedelta(hours=1)
        self.shop.day(night_of(self.day - datetime.timedelta(days=1)) + hour, now - hour, schema)
        self.shop.seen(now - hour)
        self._server.set_clock(now)
        self.day += datetime.timedelta(days=1)
        return self.day - datetime.timedelta(days=1)


@pytest.fixture
def days(clocked: ClockedMariaDB, settings, tmp_path) -> Iterator[_Days]:
    name = f"shop_{uuid.uuid4().hex}"
    ShopDatabase(clocked, "shop").execute(f"CREATE DATABASE {name}")
    shop = ShopDatabase(clocked, name)
    sql = shutil.copytree(YEARS_SQL, tmp_path / "sql")
    shutil.copy(ROOT / "warehouse_sql" / "tables" / "dim_date.sql", sql / "tables")
    settings.set("etl", "sql", sql)
    settings.set("mysql", "url", shop.url)
    yield _Days(clocked, shop.app_url)
    shop.execute(f"DROP DATABASE {name}")


def _kind(name: str) -> str:
    return re.sub(r"^character varying.*", "text", re.sub(r"^numeric.*", "numeric", name))


_NAMES_OF_TYPES = "a type is written as its engine names it, with the bounds that only Redshift wants"
SHOP = {f"etl.schema_changes.{column}": Exempt(_NAMES_OF_TYPES, _kind) for column in ("was", "became")}


def test_a_shops_days(pair, days):
    """Mirrors whole and by changes, with soft and hard deletes; all strategies but partition; members inferred."""
    for schema in ("as it was", "column added", "column dropped", "as it was", "column added", "column dropped"):
        day = days.pass_with(schema)
        pair.night(lambda day=day: YearNight(date=day))
    pair.check(SHOP)


# ---- values that pipelines are known to spoil

_GOODS = """
CREATE TABLE goods (
    id INT PRIMARY KEY, kind SMALLINT NOT NULL, note TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    label VARCHAR(40) CHARACTER SET utf8mb4 NOT NULL, body MEDIUMTEXT, ratio DOUBLE, price DECIMAL(20,6),
    cost DECIMAL(10,2), whole BIGINT, positive BIGINT UNSIGNED, flag TINYINT(1), seen DATE, at DATETIME(6),
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) CHARACTER SET utf8mb4
"""
_DECIMALS = (Decimal("99999999999999.999999"), Decimal("-99999999999999.999999"), Decimal("0.000001"), Decimal("1.5"))
_DATES = ("0001-01-01", "9999-12-31", "1582-10-10", "2000-02-29", "0000-00-00", "2024-02-28")
_MOMENTS = ("1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999", "2024-03-10 02:30:00.5", "0000-00-00 00:00:00")


def _goods() -> list[tuple[object, ...]]:
    columns: dict[str, list[object]] = {
        "note": [*ODD, *NAUGHTY, None],
        "label": [text for text in [*ODD, *NAUGHTY] if len(text) < 40],
        "body": [*[None, "", "\0"] * 20, "x" * 65_535, "x" * 65_536, "é" * 40_000],
        # Redshift documents no number that is nearer to 0 than this.
        "ratio": [*(edge for edge in KINDS["ratio"].edges if not 0 < abs(edge) < 1e-307), None],
        "price": [*_DECIMALS, None],
        "cost": [Decimal("1.10"), Decimal("0"), Decimal("-3.99"), None],
        "whole": [0, -1, 2**63 - 1, -(2**63), None],
        "positive": [2**64 - 1, 0, None],
        "flag": [0, 1, None],
        "seen": [*_DATES, None],
        "at": [*_MOMENTS, None],
    }
    turning = [itertools.cycle(values) for values in columns.values()]
    most = max(map(len, columns.values()))
    return [(number, number % 7, *map(next, turning)) for number in range(1, most + 1)]


_GOODS_SQL = """
SELECT
    CAST(g.id AS BIGINT) AS good_id, g.kind AS kind, g.note AS note, g.label || '|' AS label, g.ratio AS ratio,
    COALESCE(g.price, 0) AS price, g.whole AS whole, g.flag = 1 AS flag, g.seen AS seen, g.at AS at,
    CASE WHEN g.note = '' THEN 'empty' WHEN g.note IS NULL THEN 'none' ELSE 'some' END AS has
FROM raw.goods g
"""
_KINDS_SQL = """
SELECT
    g.kind AS kind, COUNT(*) AS goods, COUNT(g.note) AS notes, SUM(g.cost) AS cost, SUM(g.price) AS price,
    SUM(g.kind) AS kinds, AVG(g.id) AS middle, CAST(AVG(CAST(g.cost AS DECIMAL(18,6))) AS DECIMAL(18,6)) AS mean,
    AVG(CAST(g.kind AS DOUBLE PRECISION)) AS same,
    MIN(g.seen) AS first_seen, MAX(g.at) AS last_at, MAX(g.positive) AS most, COUNT(DISTINCT g.seen) AS days
FROM raw.goods g
GROUP BY g.kind
"""


class LoadGoods(BaseLoader):
    table = "fact_good"
    strategy = "upsert"
    key = ("good_id",)
    sql = "fact_good.sql"

    def requires(self):
        return MirrorTable(table="goods", date=self.date)


class Kinds(Mart):
    table = "kinds"
    key = ("kind",)

    def requires(self):
        return LoadGoods(date=self.date)


def _whole(number: str) -> str:
    return number.partition(".")[0]


HOSTILE = {
    "mart.kinds.middle": Exempt("an average of whole numbers is a whole number in Redshift", _whole),
    "public.fact_good.has": Exempt(
        "blanks at the end count for nothing in Redshift's =, so a text of blanks alone is an empty one",
        lambda has: "some" if has == "empty" else has,
    ),
}


def test_hostile_values(pair, mysql, settings, tmp_path):
    """Through a mirror, a load's SQL and a mart; with what is lost on the way, and what is put aside."""
    for kind, name, text in (
        ("tables", "fact_good", _FACT_GOOD),
        ("loads", "fact_good", _GOODS_SQL),
        ("marts", "kinds", _KINDS_SQL),
    ):
        (tmp_path / "sql" / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sql" / kind / f"{name}.sql").write_text(text)
    settings.set("etl", "sql", tmp_path / "sql")
    mysql.execute(_GOODS)
    columns = "id, kind, note, label, body, ratio, price, cost, whole, positive, flag, seen, at"
    with mysql_cursor(mysql.app_url) as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.executemany(f"INSERT INTO goods ({columns}) VALUES ({', '.join(['%s'] * 13)})", _goods())
    pair.night(lambda: Kinds(date=DAY))
    pair.check(HOSTILE)
    mysql.execute("UPDATE goods SET note = CONCAT(note, ' ') WHERE id % 3 = 0")
    mysql.execute("DELETE FROM goods WHERE id % 5 = 0")
    pair.night(lambda: Kinds(date=NEXT))
    pair.check(HOSTILE)
    assert all(pair.counts("etl.quarantine") + pair.counts("etl.losses"))


_FACT_GOOD = """
CREATE TABLE public.fact_good (
    good_id BIGINT NOT NULL PRIMARY KEY, kind SMALLINT NOT NULL, note VARCHAR(65535), label VARCHAR(200) NOT NULL,
    ratio DOUBLE PRECISION, price DECIMAL(20,6) NOT NULL, whole BIGINT, flag BOOLEAN, seen DATE, at TIMESTAMP,
    has VARCHAR(5) NOT NULL
);
"""
