"""What a test gets of each server: something empty and fresh, and a few words to fill it and look into it."""

import configparser
import contextlib
import functools
import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
import luigi.configuration
import psycopg2
import pymysql
import redis as redis_client

from etl.config import EMBEDDED
from etl.stack import Postgres, Search
from etl.testing.drawn import Row
from etl.testing.servers import Moto


class Settings:
    """Luigi's configuration of one test."""

    def set(self, section: str, key: str, value: object) -> None:
        parser = luigi.configuration.get_config()
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, str(value))

    def read(self, path: Path) -> None:
        """Take over what a luigi.cfg says, but for addresses and secrets.

        So a test that forgets a fixture is told that the server is not set, and never reaches a real one.
        """
        written = configparser.RawConfigParser()
        written.read(path, encoding="utf-8")
        for section in written.sections():
            for key, value in written.items(section):
                if value != EMBEDDED and "://" not in value and "${" not in value:
                    self.set(section, key, value)


class WarehouseServer(Protocol):
    @property
    def name(self) -> str: ...

    def url(self, role: str = ..., database: str = ...) -> str: ...


class WarehouseDatabase:
    """`url` is etl_load's and `reader_url` bi_reader's, at the `engine`'s own server, for libpq and for us.

    `query` sees everything, as superuser, and of an emulated Redshift what the Postgres behind it really holds.
    """

    def __init__(self, postgres: Postgres, name: str, server: WarehouseServer) -> None:
        self.name = name
        self.engine = server.name
        self.setting = server.url(database=name)
        self.url = _for_libpq(self.setting)
        self.reader_url = _for_libpq(server.url("bi_reader", name))
        self.admin_url = postgres.url("postgres", name)

    def query(self, sql: str, values: Sequence[object] | None = None) -> list[tuple]:
        return postgres_query(self.admin_url, sql, values)

    def insert(self, table: str, columns: list[str], rows: list[Row]) -> None:
        holders = ", ".join(["%s"] * len(columns))
        for row in rows:
            self.query(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holders})", row)

    def read(self, table: str, columns: list[str]) -> list[tuple]:
        listed = ", ".join(f'"{name}"::text' for name in columns)
        return self.query(f"SELECT {listed} FROM {table}")


def postgres_query(url: str, sql: str, values: Sequence[object] | None = None) -> list[tuple]:
    """One statement in a transaction of its own."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []


def _for_libpq(url: str) -> str:
    return url.replace("redshift://", "postgresql://")


class MySQLServer(Protocol):
    def url(self, user: str = ..., database: str = ...) -> str: ...


class ShopDatabase:
    """`url` is etl_extract's, who may only read; `execute` and `query` run as the shop's own application."""

    def __init__(self, server: MySQLServer, name: str) -> None:
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

    def insert(self, table: str, columns: list[str], rows: list[Row]) -> None:
        listed = ", ".join(f"`{name}`" for name in columns)
        self.execute(f"INSERT INTO {table} ({listed}) VALUES ({', '.join(['%s'] * len(columns))})", rows)


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
        # Without this the certificates that the system trusts are loaded for each connection, which takes 30 ms.
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


class RedisDatabase(redis_client.Redis):
    """A client of an empty Redis, with the `url` that it came from."""

    def __init__(self, url: str) -> None:
        super().__init__(connection_pool=redis_client.ConnectionPool.from_url(url))
        self.url = url


class Bucket:
    """An empty bucket and a client for it."""

    def __init__(self, server: Moto, name: str) -> None:
        self.name = name
        self.url = f"s3://{name}"
        self.endpoint_url = server.endpoint
        self.client = _client(server.endpoint)
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


@functools.cache
def _client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class SearchServer(Protocol):
    def url(self) -> str: ...


class SearchDatabase:
    """A server without an index, and which of the two `dialect`s it speaks."""

    def __init__(self, server: SearchServer) -> None:
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
