"""The kit's fixtures: one server of each kind a test process, an empty database, bucket or keyspace a test.

A server starts when the first test asks for it. All of them work below one folder, and end with the test run, however
that ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import luigi.configuration
import pytest
from luigi.configuration import LuigiConfigParser

from etl import retry
from etl.stack import MariaDB, Postgres, Redis, Search
from etl.testing import reaper
from etl.testing.copies import Copies
from etl.testing.databases import (
    Bucket,
    RedisDatabase,
    SearchDatabase,
    Settings,
    ShopDatabase,
    WarehouseDatabase,
)
from etl.testing.running import forget
from etl.testing.servers import Moto, QuickMariaDB, QuickPostgres, started

_ROOM = 8 << 30


def pytest_configure(config: pytest.Config) -> None:
    """The tasks are the project's folder's, as they are for `etl`, whatever is installed under that name."""
    sys.path.insert(0, str(_project(config)))


def _project(config: pytest.Config) -> Path:
    """Where luigi.cfg lies: the folder in which pytest was called, or one above it."""
    here = config.invocation_params.dir
    return next((folder for folder in (here, *here.parents) if (folder / "luigi.cfg").exists()), config.rootpath)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where this process's servers live. It goes with the process, and they with it."""
    folder = Path(tempfile.mkdtemp(prefix="turnstile-tests-", dir=_in_memory()))
    watch = [sys.executable, reaper.__file__, str(folder)]
    with subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True):
        yield folder


def _in_memory() -> Path | None:
    """Where files are made without a disk, if there is room for several processes' servers: containers have none."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    return memory if roomy and "TMPDIR" not in os.environ else None


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


@pytest.fixture(scope="session")
def search_server(server_folder: Path) -> Iterator[Search]:
    server = Search(server_folder / "search")
    with started(server):
        yield server


@pytest.fixture(scope="session")
def luigi_cfg(pytestconfig: pytest.Config) -> Path | None:
    """The file that `settings` begins with: the project's luigi.cfg. None is for none."""
    return _project(pytestconfig) / "luigi.cfg"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, luigi_cfg: Path | None) -> Settings:
    """What luigi.cfg says, without any server's address; other fixtures put in those that the test asks for."""
    monkeypatch.setattr(LuigiConfigParser, "_instance", LuigiConfigParser())
    forget()
    made = Settings()
    if luigi_cfg:
        made.read(luigi_cfg)
        folder = luigi.configuration.get_config().get("etl", "sql", "warehouse_sql")
        made.set("etl", "sql", luigi_cfg.parent / folder)
    # Most tests of a failure are of its first; those of another attempt ask for it.
    made.set("etl", "retry_seconds", 0)
    monkeypatch.setattr(retry.budget, "value", retry.BUDGET)
    return made


@pytest.fixture(scope="session")
def database_copies(postgres: Postgres) -> Copies:
    return Copies(postgres)


@pytest.fixture(scope="session")
def warehouse_template(postgres: Postgres) -> str:
    """A database with the rights of a warehouse's and nothing else, of which tests get copies."""
    postgres.create_database("template_warehouse")
    return "template_warehouse"


@pytest.fixture
def warehouse(
    postgres: Postgres, database_copies: Copies, warehouse_template: str, settings: Settings
) -> Iterator[WarehouseDatabase]:
    """An empty Postgres database, [warehouse] pointed at it."""
    name = database_copies.make(warehouse_template)
    database = WarehouseDatabase(postgres, name, postgres)
    settings.set("warehouse", "url", database.setting)
    yield database
    database_copies.end(name)


@pytest.fixture
def mysql(mariadb: MariaDB, settings: Settings) -> Iterator[ShopDatabase]:
    """An empty MySQL database, [mysql] pointed at it."""
    name = f"shop_{uuid.uuid4().hex}"
    ShopDatabase(mariadb, "shop").execute(f"CREATE DATABASE {name}")
    database = ShopDatabase(mariadb, name)
    settings.set("mysql", "url", database.url)
    yield database
    database.execute(f"DROP DATABASE {name}")


@pytest.fixture
def redis(redis_server: Redis, settings: Settings) -> Iterator[RedisDatabase]:
    """An empty Redis, [redis] pointed at it."""
    client = RedisDatabase(redis_server.url())
    client.flushall()
    settings.set("redis", "url", client.url)
    yield client
    client.close()


@pytest.fixture
def bucket(moto_s3: Moto) -> Bucket:
    """An empty bucket; `bucket.configure(settings, "s3_source")` makes it the partners'."""
    return Bucket(moto_s3, f"test-{uuid.uuid4().hex}")


@pytest.fixture
def s3_source(bucket: Bucket, settings: Settings) -> Bucket:
    """An empty bucket, [s3_source] pointed at it."""
    bucket.configure(settings, "s3_source")
    return bucket


@pytest.fixture
def lake(moto_s3: Moto, settings: Settings) -> Bucket:
    """An empty bucket, [lake] pointed at it."""
    made = Bucket(moto_s3, f"lake-{uuid.uuid4().hex}")
    made.configure(settings, "lake")
    return made


@pytest.fixture
def search(search_server: Search, settings: Settings) -> SearchDatabase:
    """A search server without an index, [elasticsearch] pointed at it."""
    database = SearchDatabase(search_server)
    database.clear()
    settings.set("elasticsearch", "url", database.url)
    return database
