"""The emulator in front of the tests' Postgres and S3, and a database of its own for every test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from etl.stack import Postgres
from etl.testing import postgres_query
from etl.testing.copies import Copies
from tests.redshift.server import RedshiftEmulator


@dataclass
class RedshiftDatabase:
    """`url` is etl_load's; `upstream` is the superuser's way to what Postgres really holds."""

    server: RedshiftEmulator
    name: str
    upstream: str

    @property
    def url(self) -> str:
        return self.server.url(database=self.name)

    @property
    def dsn(self) -> str:
        """`url` for libpq, which knows no redshift:."""
        return self.url.replace("redshift://", "postgresql://")

    @property
    def parameters(self) -> dict[str, Any]:
        return self.server.parameters(database=self.name)

    def query(self, sql: str, values: Any = None) -> list[tuple]:
        return postgres_query(self.upstream, sql, values)


@pytest.fixture
def redshift_database(
    redshift: RedshiftEmulator, redshift_template: str, postgres: Postgres, database_copies: Copies
) -> Iterator[RedshiftDatabase]:
    name = database_copies.make(redshift_template)
    yield RedshiftDatabase(redshift, name, postgres.url("postgres", name))
    database_copies.end(name)
