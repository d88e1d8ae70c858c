"""The made-up business on servers that no other test touches, and its nights by luigi's real command.

A test file takes the fixtures by `pytest_plugins`.
"""

import contextlib
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as redis_client

from demo.attention import searches
from demo.business import Business
from demo.partners import FOLDER, files
from demo.seed import seed
from etl.config import Store
from etl.stack import MariaDB, Postgres, Redis, Search
from etl.testing import Bucket, SearchDatabase, ShopDatabase, WarehouseDatabase, postgres_query
from etl.testing.servers import Moto, started
from tests.redshift.server import RedshiftEmulator

ROOT = Path(__file__).parents[1]
# The business's own days end five hours after UTC's, which is what every source's clocks show.
ZONE = "America/New_York"
DAY = datetime.date(2024, 2, 28)
NEXT = DAY + datetime.timedelta(days=1)


class Marketplace:
    """The four sources. `seed` makes them what they were at the end of DAY, `a_day_passes` adds NEXT."""

    def __init__(self, mysql: ShopDatabase, redis_url: str, search: SearchDatabase, bucket: Bucket) -> None:
        self.mysql, self.redis_url, self.search, self.bucket = mysql, redis_url, search, bucket
        self.redis = redis_client.Redis.from_url(redis_url)

    def seed(self, scale: float) -> None:
        self.scale = scale
        self.redis.flushall()
        store = Store(self.bucket.url, self.bucket.endpoint_url, "us-east-1", "test", "test")
        urls = (self.mysql.app_url, self.redis_url, self.search.url)
        with tempfile.TemporaryDirectory() as folder:
            seed(scale, DAY, *urls, store, report=lambda line: None, folder=Path(folder))

    def a_day_passes(self) -> None:
        """Every table of the shop gains, changes and loses rows, and the other sources have their new day."""
        for statement in _A_DAY_IN_THE_SHOP.format(NEXT=NEXT).strip().split(";\n"):
            self.mysql.execute(statement.rstrip(";"))
        self._a_day_of_tests()
        business = Business(self.scale, NEXT)
        first_moment = f"{NEXT}T05:00"
        new = [found for batch in searches(business) for found in batch if found["searched_at"] >= first_moment]
        lines = [
            line for found in new for line in ({"index": {"_index": "searches", "_id": found["search_id"]}}, found)
        ]
        answer = self.search.request("POST", "/_bulk?refresh=true", "".join(json.dumps(line) + "\n" for line in lines))
        assert not answer["errors"], answer
        for name, body, _ in files(business):
            if name.startswith(f"{NEXT:%Y/%m/%d}/"):
                self.bucket.put(FOLDER + name, body)

    def _a_day_of_tests(self) -> None:
        """A client joins on NEXT, another's joining is back-dated, and an experiment begins."""
        redis = self.redis
        redis.setbit("sxp:p:button-color:red:2014-01-02", 500, 1)
        redis.sadd("sxp:p:button-color:days", str(NEXT))
        redis.setbit(f"sxp:p:button-color:red:{NEXT}", 501, 1)
        redis.zadd("sxp:e:button-color:users", {"early": 500, "late": 501})
        redis.sadd("sxp:e", "headline")
        redis.hset("sxp:e:headline", mapping={"created_at": f"{NEXT} 10:00", "traffic_fraction": "0.5"})
        redis.rpush("sxp:e:headline:alternatives", "short", "long")


_A_DAY_IN_THE_SHOP = """
INSERT INTO users (id, email, name, city, country, birth_date, is_active, marketing_opt_in, created_at)
VALUES (9001, 'new@example.com', 'Nia 🎟️ New', NULL, NULL, '1990-02-28', 1, NULL, '{NEXT} 04:59:59'),
       (9002, NULL, '', '', 'DE', '0000-00-00', 0, 1, '{NEXT} 05:00:00');
UPDATE users SET email = 'moved@example.com', city = NULL, marketing_opt_in = NOT COALESCE(marketing_opt_in, 0)
WHERE id = 2;
DELETE FROM users WHERE id = (SELECT MIN(buyer_id) FROM ticket_sales WHERE buyer_id > 2 AND buyer_id % 61 <> 17);
INSERT INTO venues (id, name, city, state, country, capacity, latitude, longitude, opened_on)
VALUES (901, 'New Hall', NULL, NULL, 'DE', 0, NULL, -0.000001, '{NEXT}');
UPDATE venues SET name = 'Renamed "Hall"', capacity = 4242 WHERE id = 1;
DELETE FROM venues WHERE id = 3;
INSERT INTO events (id, venue_id, title, category, performer, starts_at, doors_at, season_year, status)
VALUES (901, 901, 'Opening night', 'concert', NULL, '2024-03-10 06:59:59', '18:30:00', NULL, 'scheduled');
UPDATE events SET status = 'cancelled', venue_id = 901, doors_at = NULL WHERE id = 2;
DELETE FROM events WHERE id = (SELECT MAX(event_id) FROM ticket_sales WHERE event_id <> 2);
INSERT INTO listings (id, event_id, seller_id, section, `row`, quantity, price, status, delivery, created_at)
VALUES (90001, 901, 9001, 'Floor', '007', 2, 99999999.99, 'open', '', '{NEXT} 12:00:00');
UPDATE listings SET price = price + 0.01 WHERE id = 1;
UPDATE listings SET `row` = NULL, status = 'withdrawn' WHERE id = 2;
DELETE FROM listings WHERE id = 3;
INSERT INTO ticket_sales
    (id, listing_id, event_id, buyer_id, quantity, unit_price, fee, discount, status, note, sold_at)
VALUES (90001, 90001, 901, 9001, 65535, 99999.99, 0.01, NULL, 'paid', '\\\\N', '{NEXT} 12:00:00'),
       (90002, NULL, 901, NULL, 1, 0.00, 0.00, 0.00, 'paid', NULL, '{NEXT} 04:59:59'),
       (90003, NULL, 777777, 777777, 2, 10.00, 1.00, 3.00, 'paid', '', '{NEXT} 05:00:00');
UPDATE ticket_sales SET status = 'refunded', note = 'sorry' WHERE id IN (1, 5);
UPDATE ticket_sales SET note = NULL, discount = 1.23 WHERE id = 7;
DELETE FROM ticket_sales WHERE id IN (2, 9);
"""


@dataclass
class House:
    """A warehouse, a lake, and the luigi.cfg that joins them to a marketplace."""

    database: WarehouseDatabase
    lake: Bucket
    settings: Path

    def query(self, sql: str, values: tuple | None = None) -> list[tuple]:
        return self.database.query(sql, values)

    def start(
        self, task: str, day: datetime.date, *arguments: str, workers: int = 1, failpoint: str = ""
    ) -> "subprocess.Popen[bytes]":
        """Luigi's own command, in a process group of its own; `task` is module.Family."""
        module, _, family = task.rpartition(".")
        ours = ("ETL_", "LUIGI_", "AWS_", "PG")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"LUIGI_CONFIG_PATH": str(self.settings), "ETL_FAILPOINT": failpoint}
        command = [sys.executable, "-m", "luigi", "--module", module, family, "--date", str(day), *arguments]
        command += ["--workers", str(workers), "--local-scheduler"]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def run(self, task: str, day: datetime.date, *arguments: str, workers: int = 1) -> None:
        """A night that nobody disturbs."""
        code = self.start(task, day, *arguments, workers=workers).wait(120)
        assert code == 0, self.log.read_text()[-3000:]

    @property
    def log(self) -> Path:
        return self.settings.with_suffix(".log")


class Databases:
    """Warehouses of one engine: databases of the tests' Postgres, behind its `server`, from the engine's `template`."""

    def __init__(self, postgres: Postgres, server: Postgres | RedshiftEmulator, template: str) -> None:
        self.server = server
        self._postgres, self._template = postgres, template
        self._admin = postgres.url("postgres", "postgres")
        self._names: list[str] = []

    def make(self, like: WarehouseDatabase | None = None) -> WarehouseDatabase:
        """An empty warehouse, or a copy of another that nobody is connected to."""
        name = f"house_{uuid.uuid4().hex}"
        self._names.append(name)
        # Pages are copied as they are, which is sooner done than logging each of them.
        template = like.name if like else self._template
        postgres_query(self._admin, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        # Of a database that is there this grants what every warehouse grants.
        self._postgres.create_database(name)
        return WarehouseDatabase(self._postgres, name, self.server)

    def drop(self, database: WarehouseDatabase) -> None:
        self._names.remove(database.name)
        postgres_query(self._admin, f"DROP DATABASE {database.name} WITH (FORCE)")

    def clear(self) -> None:
        for name in self._names:
            postgres_query(self._admin, f"DROP DATABASE {name} WITH (FORCE)")


class Builder:
    """Houses for one marketplace; they go when the tests of a file are done."""

    def __init__(self, databases: Databases, moto: Moto, marketplace: Marketplace, folder: Path) -> None:
        self._databases, self._moto, self._marketplace, self._folder = databases, moto, marketplace, folder

    def house(self, like: House | None = None) -> House:
        """An empty warehouse, or a copy of another that nobody is connected to; its lake is empty."""
        database = self._databases.make(like.database if like else None)
        name = database.name
        made = House(database, Bucket(self._moto, name.replace("_", "-")), self._folder / f"{name}.cfg")
        self._configure(made)
        return made

    def _configure(self, house: House) -> None:
        def store(bucket: Bucket) -> dict[str, str]:
            keys = {"access_key_id": "test", "secret_access_key": "test"}
            return {"url": bucket.url, "endpoint_url": bucket.endpoint_url, "region": "us-east-1", **keys}

        parser = RawConfigParser()
        parser.read_dict(
            {
                "etl": {"timezone": ZONE},
                # Luigi refuses a second command of the same words on one machine, whatever its settings are.
                "core": {"lock_pid_dir": str(house.settings.with_suffix(".lock"))},
                "warehouse": {"url": house.database.setting, "lock_timeout": "20"},
                "lake": store(house.lake),
                "mysql": {"url": self._marketplace.mysql.url},
                "redis": {"url": self._marketplace.redis_url},
                "elasticsearch": {"url": self._marketplace.search.url},
                "s3_source": store(self._marketplace.bucket),
            }
        )
        with house.settings.open("w") as file:
            parser.write(file)


@pytest.fixture(scope="module")
def databases(request: pytest.FixtureRequest, engine: str, postgres: Postgres) -> Iterator[Databases]:
    """Of either engine, one after the other."""
    server = request.getfixturevalue("redshift") if engine == "redshift" else postgres
    template = request.getfixturevalue("redshift_template") if engine == "redshift" else "template1"
    made = Databases(postgres, server, template)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def marketplace(engine: str, mariadb: MariaDB, moto_s3: Moto, server_folder: Path) -> Iterator[Marketplace]:
    """Not seeded yet, one for each engine. Redis and the search server are its own, since other tests empty theirs."""
    folder = Path(tempfile.mkdtemp(dir=server_folder))
    redis, search = Redis(folder / "redis"), Search(folder / "search")
    name = f"shop_{uuid.uuid4().hex}"
    with started(redis), started(search):
        ShopDatabase(mariadb, "shop").execute(f"CREATE DATABASE {name}")
        shop = ShopDatabase(mariadb, name)
        made = Marketplace(shop, redis.url(), SearchDatabase(search), Bucket(moto_s3, name.replace("_", "-")))
        yield made
        made.redis.close()
        shop.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def builder(
    databases: Databases, moto_s3: Moto, marketplace: Marketplace, tmp_path_factory: pytest.TempPathFactory
) -> Builder:
    return Builder(databases, moto_s3, marketplace, tmp_path_factory.mktemp("houses"))


# ---- what a warehouse holds


def checksums(
    query: Callable[[str], list[tuple]], schemas: tuple[str, ...], only: dict[str, str] | None = None
) -> dict[str, tuple[int, str]]:
    """Of each table of the schemas: its rows, and a checksum of each column and of whole rows, in any order.

    One statement, so all of them are of one instant. `only` names, by table, the rows that take part. When the
    warehouse wrote a row is not part of what it says.
    """
    listed: dict[str, list[str]] = {}
    for schema, table, column in query(
        "SELECT n.nspname, c.relname, 't.' || quote_ident(a.attname) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        f"WHERE c.relkind = 'r' AND n.nspname IN {(*schemas, '')} "
        "AND NOT (n.nspname = 'raw' AND a.attname = 'loaded_at') ORDER BY 1, 2, a.attnum"
    ):
        listed.setdefault(f"{schema}.{table}", []).append(column)
    if not listed:
        return {}
    selects = [
        f"SELECT '{table}', count(*), ARRAY[{', '.join(map(_hash, [*names, _row(names)]))}]::text FROM {table} t "
        f"WHERE {(only or {}).get(table, 'TRUE')}"
        for table, names in listed.items()
    ]
    return {table: (rows, said) for table, rows, said in query(" UNION ALL ".join(selects))}


def row_sums(
    query: Callable[[str], list[tuple]], schemas: tuple[str, ...], only: dict[str, str] | None = None
) -> dict[str, tuple[int, str]]:
    """The same as an analyst of Redshift can ask it: of each table its rows, and a checksum of all of them."""
    listed: dict[str, list[str]] = {}
    for schema, table, column, kind in query(
        "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        f"WHERE c.relkind = 'r' AND n.nspname IN {(*schemas, '')} ORDER BY 1, 2, a.attnum"
    ):
        text = f"CAST(t.{column} AS VARCHAR(65535))"
        if kind == "boolean":
            text = f"CASE WHEN t.{column} THEN 'true' WHEN NOT t.{column} THEN 'false' END"
        listed.setdefault(f"{schema}.{table}", []).append(f"COALESCE({text}, '-')")
    if not listed:
        return {}
    rows = {table: " || '|' || ".join(texts) for table, texts in listed.items()}
    hashes = {table: f"STRTOL(LEFT(MD5({row}), 12), 16)" for table, row in rows.items()}
    selects = [
        f"SELECT '{table}', count(*), CAST(SUM(CAST({hashed} AS DECIMAL(38,0))) AS VARCHAR(50)) "
        f"FROM {table} t WHERE {(only or {}).get(table, 'TRUE')}"
        for table, hashed in hashes.items()
    ]
    return {table: (rows, said) for table, rows, said in query(" UNION ALL ".join(selects))}


def _row(names: list[str]) -> str:
    return f"ROW({', '.join(names)})"


def _hash(value: str) -> str:
    return f"sum(coalesce(hashtextextended({value}::text, 7), 1))"


def shapes(query: Callable[[str], list[tuple]]) -> list[tuple]:
    """Columns, indexes and grants of every table, as far as they outlast a night."""
    return query(
        "SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
        "c.relpersistence, c.relacl::text, ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i "
        "WHERE i.indrelid = c.oid ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relkind = 'r' "
        "AND n.nspname IN ('public', 'mart', 'raw', 'etl') ORDER BY 1, a.attnum"
    )


def bookkeeping(query: Callable[[str], list[tuple]]) -> dict[str, list[tuple]]:
    """The pipeline's own tables without clocks, run ids and what depends on them."""
    return {
        "loads": query("SELECT task_key, target, business_date FROM etl.loads ORDER BY 1"),
        "receipts": query(
            "SELECT task_key, target, business_date, rows_read, rows_written, rows_staged, rows_inserted, "
            "rows_updated, rows_deleted, rows_rejected, rows_after, fingerprint FROM etl.receipts ORDER BY 1, 2"
        ),
        "losses": query("SELECT task_key, column_name, reason, occurrences, samples FROM etl.losses ORDER BY 1, 2, 3"),
        "files": query("SELECT task, file_key, size, rows FROM etl.files ORDER BY 1, 2"),
        "extracts": query(
            "SELECT regexp_replace(manifest, '^s3://[^/]*', ''), task_key, swept_at IS NULL FROM etl.extracts "
            "ORDER BY 1, 2"
        ),
        "watermarks": query(
            "SELECT target, extracted_at IS NOT NULL, column_name, high_water = verified_through, seen IS NOT NULL "
            "FROM etl.watermarks ORDER BY 1"
        ),
        "schema_changes": query("SELECT target, column_name, change, was, became FROM etl.schema_changes ORDER BY 1"),
        "data_as_of": query("SELECT table_name, business_date, rows FROM etl.data_as_of ORDER BY 1"),
    }


def stages(query: Callable[[str], list[tuple]]) -> list[tuple]:
    return query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")


def manifests(lake: Bucket) -> list[str]:
    return [key for key in lake.keys("") if key.endswith("/manifest.json")]


def check_lake(lake: Bucket) -> None:
    """Each manifest's parts are there, byte for byte; of no upload is there half."""
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.name)
    for key in manifests(lake):
        for entry in json.loads(lake.get(key))["entries"]:
            body = lake.get(entry["url"].removeprefix(lake.url + "/"))
            assert len(body) == entry["meta"]["content_length"]
            assert hashlib.sha256(body).hexdigest() == entry["meta"]["sha256"]


def orphans(query: Callable[[str], list[tuple]]) -> list[tuple]:
    """Rows that point at a row that is not there, by table and column; as the table files declare the keys.

    One statement, so all of it is of one instant; tables that are not there yet are left out.
    """
    there = {table for (table,) in query("SELECT schemaname || '.' || tablename FROM pg_tables")}
    selects = [
        f"SELECT '{table}.{column}' AS place, count(*) AS rows FROM {table} f WHERE NOT EXISTS "
        f"(SELECT 1 FROM {other} d WHERE d.{key} = f.{column})"
        for table, column, other, key in foreign_keys()
        if table in there and other in there
    ]
    return query(f"SELECT place, rows FROM ({' UNION ALL '.join(selects)}) q WHERE rows > 0") if selects else []


def foreign_keys() -> list[tuple[str, str, str, str]]:
    """(table, column, table there, column there), read from warehouse_sql/tables."""
    found = []
    for path in sorted((ROOT / "warehouse_sql" / "tables").glob("*.sql")):
        text = path.read_text()
        table = text.partition("CREATE TABLE ")[2].partition(" (")[0]
        for line in text.splitlines():
            if line.startswith("-- foreign key: "):
                column, _, there = line.removeprefix("-- foreign key: ").partition(" -> ")
                other, _, key = there.partition(" ")
                found.append((table, column, other, key.strip("()")))
    return found


@contextlib.contextmanager
def killed_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever happens in the block, none of the process's group outlives it."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
