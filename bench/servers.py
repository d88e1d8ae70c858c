"""The servers that all contests share. What is in MariaDB and Redis stays in var/bench for the next time."""

import configparser
import contextlib
import fcntl
import io
import os
import uuid
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import psycopg2
import pymysql

from etl.config import EMBEDDED
from etl.stack import S3, MariaDB, Postgres, Redis, ports
from etl.stack.files import make_private_folder, write_private

PROJECT = Path(__file__).resolve().parent.parent


class Shop(MariaDB):
    """`app` may create databases bench_..., `etl_extract` read them. Everything fits into the buffer pool."""

    options = (
        *MariaDB.options,
        "--innodb-buffer-pool-size=4G",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--local-infile=1",
    )
    # It reads a redo log first, if it was killed.
    start_seconds = 300.0

    def statements(self) -> list[str]:
        return [
            *super().statements(),
            f"GRANT ALL ON `bench\\_%`.* TO app@'{ports.HOST}'",
            f"GRANT SELECT, SHOW VIEW ON `bench\\_%`.* TO etl_extract@'{ports.HOST}'",
        ]


class Warehouse(Postgres):
    options = (*Postgres.options, "shared_buffers=1GB", "max_wal_size=16GB", "checkpoint_timeout=30min")


class Servers:
    """Each server is started when it is first asked for; leaving the block stops them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        make_private_folder(self.folder)
        self._leaving = contextlib.ExitStack()
        self._logs: dict[str, IO[str]] = {}

    def __enter__(self) -> "Servers":
        lock = os.open(self.folder, os.O_RDONLY)
        self._leaving.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *failure: object) -> None:
        self._leaving.close()

    @cached_property
    def shop(self) -> Shop:
        return self._started(Shop(self.folder / "mariadb"), keep=True)

    @cached_property
    def redis(self) -> Redis:
        return self._started(Redis(self.folder / "redis"), keep=True)

    @cached_property
    def postgres(self) -> Warehouse:
        return self._started(Warehouse(self.folder / "postgres"))

    @cached_property
    def lake(self) -> S3:
        return self._started(S3(self.folder / "s3"))

    def also(self, server: Any) -> Any:
        """A server that only one contest needs."""
        return self._started(server)

    def log(self, name: str) -> IO[str]:
        """Where a tool's own words go."""
        if name not in self._logs:
            self._logs[name] = self._leaving.enter_context((self.folder / f"{name}.log").open("w"))
        return self._logs[name]

    def database(self, name: str) -> "ShopDatabase":
        """One of the shop's databases, made if it is not there."""
        made = ShopDatabase(self.shop, f"bench_{name}")
        with mysql_cursor(self.shop.url("app")) as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {made.name}")
        return made

    def warehouse(self, name: str) -> "WarehouseDatabase":
        """An empty database of the warehouse; all that was written before is on disk by then."""
        made = WarehouseDatabase(self.postgres, name)
        made.drop()
        self.postgres.create_database(name)
        with postgres_cursor(self.postgres.url("postgres")) as cursor:
            cursor.execute("CHECKPOINT")
        return made

    def luigi_cfg(self, name: str, **urls: str) -> dict[str, str]:
        """The environment in which luigi works with these sources, this warehouse and an empty lake.

        All else is as in the project's own luigi.cfg, which luigi reads first.
        """
        project = configparser.RawConfigParser()
        project.read(PROJECT / "luigi.cfg")
        parser = configparser.RawConfigParser()
        for section in project.sections():
            if project.get(section, "url", fallback="") == EMBEDDED:
                parser[section] = {"url": urls.get(section, "none")}
        parser["lake"] = {
            "url": f"s3://lake/{uuid.uuid4().hex}",
            "endpoint_url": self.lake.endpoint,
            "access_key_id": self.lake.password("access_key_id"),
            "secret_access_key": self.lake.password("secret_access_key"),
        }
        parser["etl"] = {"sql": str(PROJECT / "bench" / "warehouse_sql")}
        parser["core"] = {"lock_pid_dir": str(self.folder / "lock")}
        text = io.StringIO()
        parser.write(text)
        path = self.folder / f"{name}.cfg"
        write_private(path, text.getvalue())
        return {"LUIGI_CONFIG_PATH": str(path)}

    def _started(self, server: Any, keep: bool = False) -> Any:
        self._leaving.callback(server.stop if keep else server.remove)
        server.start()
        return server


class ShopDatabase:
    def __init__(self, server: MariaDB, name: str) -> None:
        self.name = name
        self.server = server
        self.url = server.url(database=name)

    def execute(self, sql: str, rows: Sequence[Sequence[object]] | None = None) -> None:
        with mysql_cursor(self.server.url("app", self.name)) as cursor:
            if rows is None:
                cursor.execute(sql)
            else:
                cursor.executemany(sql, rows)

    def query(self, sql: str) -> list[tuple]:
        with mysql_cursor(self.url) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def has(self, table: str) -> bool:
        return bool(self.query(f"SHOW TABLES LIKE '{table}'"))


class WarehouseDatabase:
    def __init__(self, server: Postgres, name: str) -> None:
        self.name = name
        self.server = server
        self.url = server.url(database=name)

    def query(self, sql: str) -> list[tuple]:
        with postgres_cursor(self.url) as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def drop(self) -> None:
        with postgres_cursor(self.server.url("postgres", "postgres")) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


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
        autocommit=True,
        local_infile=True,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


@contextlib.contextmanager
def postgres_cursor(url: str) -> Iterator[Any]:
    """A cursor whose every statement commits."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor
