"""Roles of Postgres."""

import functools
from collections.abc import Sequence
from typing import Any

from psycopg2.extensions import encrypt_password

from etl.warehouse.names import literal, quote
from etl.warehouse.roles import Right, Roles

_MAINTAIN_SINCE = 17


class PostgresRoles(Roles):
    in_the_database = (("CONNECT", "TEMPORARY"), ("CONNECT", "CREATE"), ("CONNECT",))

    def __init__(self, db: Any, connection: Any):
        super().__init__(db)
        self._connection = connection

    @property
    def writing(self) -> tuple[str, ...]:
        """ANALYZE too, where a privilege of its own is for that; else the server's own daemon does it."""
        known = self._connection.server_version // 10000 >= _MAINTAIN_SINCE
        return (*super().writing, "MAINTAIN") if known else super().writing

    def there(self, role: str) -> bool:
        return bool(self._db.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)))

    def is_superuser(self, role: str) -> bool:
        return bool(self._db.query("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolsuper", (role,)))

    def creating(self, role: str, password: str | None) -> str:
        if password is None:
            return self.creating_for_people(role, None)
        verifier = encrypt_password(password, role, scope=self._connection, algorithm="scram-sha-256")
        return f"CREATE ROLE {quote(role)} LOGIN PASSWORD {literal(verifier)}"

    def creating_for_people(self, role: str, password: str | None) -> str:
        said = f" PASSWORD :'{role}_password'" if password is not None else ""
        return f"CREATE ROLE {quote(role)} LOGIN{said}"

    def membership(self, roles: Sequence[str]) -> list[str]:
        """A superuser needs none."""
        if self.is_superuser(self._me):
            return []
        missing = [
            role
            for role in roles
            if not self.there(role) or not self._db.query("SELECT pg_has_role(%s, 'MEMBER')", (role,))[0][0]
        ]
        return [f"GRANT {', '.join(map(quote, missing))} TO {quote(self._me)}"] if missing else []

    def grantee(self, role: str) -> str:
        return quote(role)

    def _reads(self, right: Right) -> bool:
        calls = " AND ".join("has_column_privilege(%s, %s, %s, 'SELECT')" for _ in right.columns)
        values = [value for column in right.columns for value in (right.role, right.name, column)]
        return bool(self._db.query(f"SELECT {calls}", values)[0][0])

    @functools.cached_property
    def _me(self) -> str:
        return str(self._db.query("SELECT current_user")[0][0])
