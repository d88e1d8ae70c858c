"""Real servers for the tests: one of each kind a test process, an empty database, bucket or keyspace a test."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import luigi.configuration
import psycopg2
import pymysql
import pytest
import redis as redis_client
from luigi.configuration import LuigiConfigParser

from etl import retry
from etl.stack import MariaDB, Postgres, Redis, Search, Server
from tests import reaper
from tests.faults import table
from tests.opensearch_node import OpenSearchNode
from tests.redshift import upstream
from tests.redshift.server import RedshiftEmulator
from tests.servers import Moto, OpenSearch, QuickMariaDB, QuickPostgres

ENGINES = ("postgres", "redshift")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where this process's servers live. It goes with the process, and they with it."""
    folder = Path(tempfile.mkdtemp(prefix="turnstile-tests-"))
    watch = [sys.executable, reaper.__file__, str(folder)]
    with subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True):
        yield folder


@contextlib.contextmanager
def started(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres]:
    server = QuickPostgres(server_folder / "postgres")
    with started(server):
        yield server


@pytest.fixture(scope="session")
def mariadb(server_folder: Path) -> Iterator[MariaDB]:
    server = QuickMariaDB(server_folder / "mariadb")
    with started(server):
        yield server


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[Redis]:
    server = Redis(server_folder / "redis")
    with started(server):
        yield server


@pytest.fixture(scope="session")
def moto_s3(server_folder: Path) -> Iterator[Moto]:
    server = Moto(server_folder / "moto")
    with started(server):
        yield server


# The real node takes longer to start than all tests on the others, and needs Java: `make test-opensearch`.
if os.environ.get("OPENSEARCH_NODE"):
    SEARCH_SERVERS = {"opensearch-node": OpenSearchNode}
else:
    SEARCH_SERVERS = {"elasticsearch": Search, "opensearch": OpenSearch}


@pytest.fixture(scope="session", params=SEARCH_SERVERS.values(), ids=SEARCH_SERVERS.keys())
def search_server(
    request: pytest.FixtureRequest, server_folder: Path
) -> Iterator[Search | OpenSearch | OpenSearchNode]:
    server = request.param(server_folder / request.param.name)
    with started(server):
        yield server


class Settings:
    """Luigi's configuration of one test, empty at first."""

    def set(self, section: str, key: str, value: object) -> None:
        parser = luigi.configuration.get_config()
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, str(value))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(LuigiConfigParser, "_instance", LuigiConfigParser())
    made = Settings()
    # Most tests of a failure are of its first; those of another attempt ask for it.
    made.set("etl", "retry_seconds", 0)
    monkeypatch.setattr(retry.budget, "value", retry.BUDGET)
    return made


@pytest.fixture(scope="session")
def redshift(server_folder: Path, postgres: Postgres, moto_s3: Moto) -> Iterator[RedshiftEmulator]:
    """The emulated Redshift in front of the tests' Postgres and S3."""
    server = RedshiftEmulator(server_folder / "redshift", postgres, moto_s3.endpoint, log=True)
    with started(server):
        yield server


@pytest.fixture(scope="session")
def redshift_template(postgres: Postgres) -> Iterator[str]:
    """A database with the emulator's objects and nothing else: a copy of it is made sooner than they are."""
    name = f"template_{uuid.uuid4().hex}"
    postgres.create_database(name)
    upstream.install(postgres.url("postgres", name))
    yield name
    postgres_query(postgres.url("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


class WarehouseDatabase:
    """`url` is etl_load's and `reader_url` bi_reader's, at the `engine`'s own server, for libpq and for us.

    `query` sees everything, as superuser, and of an emulated Redshift what the Postgres behind it really holds.
    """

    def __init__(self, postgres: Postgres, name: str, server: Postgres | RedshiftEmulator) -> None:
        self.name = name
        self.engine = server.name
        self.setting = server.url(database=name)
        self.url = _for_libpq(self.setting)
        self.reader_url = _for_libpq(server.url("bi_reader", name))
        self.admin_url = postgres.url("postgres", name)

    def query(self, sql: str, values: Sequence[object] | None = None) -> list[tuple]:
        return postgres_query(self.admin_url, sql, values)


def postgres_query(url: str, sql: str, values: Sequence[object] | None = None) -> list[tuple]:
    """One statement in a transaction of its own."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []


def _for_libpq(url: str) -> str:
    return url.replace("redshift://", "postgresql://")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which warehouse a test runs on: one after the other, all of them, but for what `engines` says."""
    return request.param


@pytest.fixture
def warehouse(
    request: pytest.FixtureRequest, engine: str, postgres: Postgres, settings: Settings
) -> Iterator[WarehouseDatabase]:
    name = f"test_{uuid.uuid4().hex}"
    if engine == "redshift":
        template = request.getfixturevalue("redshift_template")
        admin = postgres.url("postgres", "postgres")
        postgres_query(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
    # Of a database that is there this grants what every warehouse grants.
    postgres.create_database(name)
    server = request.getfixturevalue("redshift") if engine == "redshift" else postgres
    database = WarehouseDatabase(postgres, name, server)
    settings.set("warehouse", "url", database.setting)
    yield database
    postgres_query(postgres.url("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def pytest_itemcollected(item: pytest.Item) -> None:
    """`exam_on("redshift")` leaves a test on that engine to `make exam`: one of a kind that others show on it."""
    later = item.get_closest_marker("exam_on")
    if later and hasattr(item, "callspec") and item.callspec.params.get("engine") in later.args:
        item.add_marker("exam")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`engines("postgres", reason=…)` on a test, or on all of a file, leaves the other engines out."""
    left_out = []
    for item in items:
        wanted = item.get_closest_marker("engines")
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        if wanted and engine and engine not in wanted.args:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


class ShopDatabase:
    """`url` is etl_extract's, who may only read; `execute` and `query` run as the shop's own application."""

    def __init__(self, server: MariaDB, name: str) -> None:
        self.name = name
        self.url = server.url(database=name)
        self.app_url = server.url("app", name)

    def execute(self, sql: str, rows: Sequence[Sequence[object]] | None = None) -> None:
        with mysql_cursor(self.app_url) as cursor:
            if rows is None:
                cursor.execute(sql)
            else:
                cursor.executemany(sql, rows)

    def query(self, sql: str) -> list[tuple]:
        with mysql_cursor(self.app_url) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


@contextlib.contextmanager
def mysql_cursor(url: str) -> Iterator[Any]:
    """A cursor whose every statement commits."""
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def mysql(mariadb: MariaDB, settings: Settings) -> Iterator[ShopDatabase]:
    name = f"shop_{uuid.uuid4().hex}"
    ShopDatabase(mariadb, "shop").execute(f"CREATE DATABASE {name}")
    database = ShopDatabase(mariadb, name)
    settings.set("mysql", "url", database.url)
    yield database
    database.execute(f"DROP DATABASE {name}")


class RedisDatabase(redis_client.Redis):
    """A client of an empty Redis, with the `url` that it came from."""

    def __init__(self, url: str) -> None:
        super().__init__(connection_pool=redis_client.ConnectionPool.from_url(url))
        self.url = url


@pytest.fixture
def redis(redis_server: Redis, settings: Settings) -> Iterator[RedisDatabase]:
    client = RedisDatabase(redis_server.url())
    client.flushall()
    settings.set("redis", "url", client.url)
    yield client
    client.close()


class Bucket:
    """An empty bucket and a client for it."""

    def __init__(self, server: Moto, name: str) -> None:
        self.name = name
        self.url = f"s3://{name}"
        self.endpoint_url = server.endpoint
        self.client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.client.create_bucket(Bucket=name)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def configure(self, settings: Settings, section: str) -> None:
        settings.set(section, "url", self.url)
        settings.set(section, "endpoint_url", self.endpoint_url)
        settings.set(section, "region", "us-east-1")
        settings.set(section, "access_key_id", "test")
        settings.set(section, "secret_access_key", "test")


@pytest.fixture
def bucket(moto_s3: Moto) -> Bucket:
    return Bucket(moto_s3, f"test-{uuid.uuid4().hex}")


@pytest.fixture
def lake(moto_s3: Moto, settings: Settings) -> Bucket:
    made = Bucket(moto_s3, f"lake-{uuid.uuid4().hex}")
    made.configure(settings, "lake")
    return made


class SearchDatabase:
    """A server without an index, and which of the two `dialect`s it speaks."""

    def __init__(self, server: Search | OpenSearch) -> None:
        self.url = server.url()
        self.dialect = "elasticsearch" if isinstance(server, Search) else "opensearch"

    def request(self, method: str, path: str, body: str = "") -> Any:
        headers = {"Content-Type": "application/x-ndjson" if path.startswith("/_bulk") else "application/json"}
        request = urllib.request.Request(self.url + path, body.encode() or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def index(self, name: str, documents: Sequence[dict]) -> None:
        """Add the documents, with ids from 0, so that a search finds them at once."""
        lines = [
            line
            for number, document in enumerate(documents)
            for line in ({"index": {"_index": name, "_id": str(number)}}, document)
        ]
        answer = self.request("POST", "/_bulk?refresh=true", "".join(json.dumps(line) + "\n" for line in lines))
        assert not answer["errors"], answer

    def clear(self) -> None:
        for index in self.request("GET", "/_cat/indices?format=json"):
            self.request("DELETE", f"/{index['index']}")


@pytest.fixture
def search(search_server: Search | OpenSearch, settings: Settings) -> SearchDatabase:
    database = SearchDatabase(search_server)
    database.clear()
    settings.set("elasticsearch", "url", database.url)
    return database


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of faults, where any was thrown."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    if found := table.lines(reports):
        terminalreporter.section("faults")
        for line in found:
            terminalreporter.write_line(line)
