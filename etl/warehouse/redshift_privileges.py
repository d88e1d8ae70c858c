"""What the users of a Redshift may do, as far as it tells a user who is no superuser; see docs/redshift.md."""

from collections.abc import Iterator, Sequence

from etl.warehouse.engine import Engine
from etl.warehouse.names import literal, quote
from etl.warehouse.privileges import HIDDEN_SCHEMAS, Concern, listed, tables
from etl.warehouse.roles import SAMPLES

_READERS = {
    "": ("pg_user", "usename", "CREATE USER {} PASSWORD DISABLE"),
    "group": ("pg_group", "groname", "CREATE GROUP {}"),
    "role": ("svv_roles", "role_name", "CREATE ROLE {}, or GRANT ROLE {} to the loader, who sees no others"),
}


def concerns(db: Engine, schemas: Sequence[str], owner: str | None) -> Iterator[Concern]:
    """`schemas` are those that loads write to; `owner` is the user that owns their tables, where it is another."""
    ((user, database),) = db.query("SELECT current_user, current_database()")
    ((superuser, createdb),) = db.query("SELECT usesuper, usecreatedb FROM pg_user WHERE usename = current_user")
    yield from _lacks(db, user, database, schemas, owner)
    if superuser:
        said = f"{user} is a superuser: a load that goes wrong may do anything to the cluster"
        yield Concern("excess", False, said, f"ALTER USER {quote(user)} NOCREATEUSER")
    elif createdb:
        said = f"{user} may create databases, and no load needs it"
        yield Concern("excess", False, said, f"ALTER USER {quote(user)} NOCREATEDB")
    yield from _of_the_reader(db, schemas)


def encrypted(db: Engine) -> bool:
    """As far as the URL says it: of its own session a user is told nothing."""
    return "sslmode=require" in db.settings.url or "sslmode=verify" in db.settings.url


def _lacks(db: Engine, user: str, database: str, schemas: Sequence[str], owner: str | None) -> Iterator[Concern]:
    ((temporary, create),) = db.query(
        "SELECT has_database_privilege(current_database(), 'temp'), "
        "has_database_privilege(current_database(), 'create')"
    )
    if not temporary:
        said = f"{user} may make no temporary tables in {database}"
        yield Concern("privileges", True, said, f"GRANT TEMP ON DATABASE {quote(database)} TO {quote(user)}")
    there = {name for (name,) in db.query("SELECT nspname FROM pg_namespace WHERE nspname IN %s", (tuple(schemas),))}
    absent = [name for name in schemas if name not in there]
    if absent and not create and not owner:
        said = f"{user} may make no schemas in {database}, and there is no {', '.join(absent)}"
        yield Concern("privileges", True, said, f"GRANT CREATE ON DATABASE {quote(database)} TO {quote(user)}")
    for name in sorted(there):
        wanted = "usage" if owner and name not in HIDDEN_SCHEMAS else "create"
        ((may,),) = db.query("SELECT has_schema_privilege(%s, %s)", (name, wanted))
        if not may:
            said = f"{user} may not {'use' if wanted == 'usage' else 'create tables in'} schema {name}"
            yield Concern("privileges", True, said, f"GRANT USAGE, CREATE ON SCHEMA {quote(name)} TO {quote(user)}")


def _of_the_reader(db: Engine, schemas: Sequence[str]) -> Iterator[Concern]:
    kind, _, reader = db.settings.reader.rpartition(" ")
    if kind.lower() not in _READERS:
        said = f"[warehouse] reader = {db.settings.reader}: is neither a user nor a group nor a role"
        yield Concern("reader", True, said, "[warehouse] reader = group analysts")
        return
    catalogue, column, create = _READERS[kind.lower()]
    if not db.query(f"SELECT 1 FROM {catalogue} WHERE {column} = %s", (reader,)):
        said = f"there is no {kind or 'user'} {reader}, who are the analysts"
        yield Concern("reader", True, said, create.format(quote(reader), quote(reader)))
        return
    if kind:
        # The privileges of a group or role are asked of a user alone.
        return
    hidden = f"(n.nspname IN {_in(HIDDEN_SCHEMAS)} OR (n.nspname = 'etl' AND c.relname IN {_in(tuple(SAMPLES))}))"
    for condition, verb, privilege in (
        ("has_table_privilege(%s, c.oid, 'insert') OR has_table_privilege(%s, c.oid, 'delete')", "change", "ALL"),
        (f"{hidden} AND has_schema_privilege(%s, n.oid, 'usage') AND has_table_privilege(%s, c.oid, 'select')",
         "read", "SELECT"),
    ):  # fmt: skip
        found = db.query(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname IN {_in(schemas)} AND c.relkind = 'r' AND ({condition}) ORDER BY 1, 2",
            (reader, reader),
        )
        if names := [f"{schema}.{table}" for schema, table in found]:
            said = f"{reader} may {verb} {listed(names)}"
            yield Concern("reader", False, said, f"REVOKE {privilege} ON {tables(names)} FROM {quote(reader)}")


def _in(names: Sequence[str]) -> str:
    return f"({', '.join(map(literal, names))})"
