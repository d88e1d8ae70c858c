"""Roles of Redshift: etl_load and etl_owner are users, and the reader is a user, `group …` or `role …`."""

from collections.abc import Sequence

from psycopg2.extensions import encrypt_password

from etl.errors import ConfigError
from etl.warehouse.names import literal, quote
from etl.warehouse.roles import Right, Roles

_KNOWN = {
    "": "SELECT 1 FROM pg_user WHERE usename = %s",
    "group": "SELECT 1 FROM pg_group WHERE groname = %s",
    "role": "SELECT 1 FROM svv_roles WHERE role_name = %s",
}


class RedshiftRoles(Roles):
    # Whoever is a user may connect.
    in_the_database = (("TEMP",), ("CREATE",), ())
    # A load's lock is a table of its own.
    in_etl = ("USAGE", "CREATE")

    def there(self, role: str) -> bool:
        kind, name = _told(role)
        return bool(self._db.query(_KNOWN[kind], (name,)))

    def is_superuser(self, role: str) -> bool:
        return bool(self._db.query("SELECT 1 FROM pg_user WHERE usename = %s AND usesuper", (role,)))

    def creating(self, role: str, password: str | None) -> str:
        if password is None:
            return self.creating_for_people(role, None)
        return f"CREATE USER {quote(role)} PASSWORD {literal(encrypt_password(password, role, algorithm='md5'))}"

    def creating_for_people(self, role: str, password: str | None) -> str:
        kind, name = _told(role)
        if kind:
            return f"CREATE {kind.upper()} {quote(name)}"
        said = f":'{role}_password'" if password is not None else "DISABLE"
        return f"CREATE USER {quote(role)} PASSWORD {said}"

    def membership(self, roles: Sequence[str]) -> list[str]:
        """Only a superuser can give things away, and needs none for it."""
        return []

    def grantee(self, role: str) -> str:
        kind, name = _told(role)
        return f"{kind.upper()} {quote(name)}" if kind else quote(role)

    def tells_of(self, role: str) -> bool:
        return not _told(role)[0]

    def _reads(self, right: Right) -> bool:
        schema, _, table = (part.strip('"') for part in right.name.partition("."))
        found = self._db.query(
            "SELECT column_name FROM svv_column_privileges WHERE namespace_name = %s AND relation_name = %s "
            "AND identity_name = %s AND privilege_type = 'SELECT'",
            (schema, table, right.role),
        )
        return set(right.columns) <= {name for (name,) in found}


def _told(role: str) -> tuple[str, str]:
    """What kind of role it is, '' for a user, and its name."""
    kind, _, name = role.rpartition(" ")
    if kind.lower() not in _KNOWN:
        raise ConfigError(f"[warehouse] reader = {role}: write a user, `group …` or `role …`")
    return kind.lower(), name
