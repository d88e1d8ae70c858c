"""A database for each test, as a copy of one that was made once: quicker than to make it."""

import uuid

from etl.stack import Postgres
from etl.testing.databases import postgres_query

# TEMPLATE leaves out who may connect and create.
_RIGHTS = """
UPDATE pg_database SET datacl = (SELECT datacl FROM pg_database WHERE datname = %s) WHERE datname = %s
"""
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class Copies:
    """Copies of databases of one server's, made and dropped by its superuser."""

    def __init__(self, postgres: Postgres) -> None:
        self._admin = postgres.url("postgres", "postgres")
        self._over: list[str] = []

    def make(self, template: str) -> str:
        """The name of a new copy of the template, to which nobody may be connected."""
        name = f"test_{uuid.uuid4().hex}"
        self.sweep()
        postgres_query(self._admin, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        postgres_query(self._admin, _RIGHTS, (template, name))
        return name

    def end(self, name: str) -> None:
        """End its sessions now, and drop it with the next: to drop it at once would be to wait for them."""
        postgres_query(self._admin, _END_SESSIONS, (name,))
        self._over.append(name)

    def sweep(self) -> None:
        while self._over:
            postgres_query(self._admin, f"DROP DATABASE {self._over.pop()} WITH (FORCE)")
