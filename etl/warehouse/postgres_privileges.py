"""How a Postgres is set, and what its roles may do: what the loader lacks, and what loader and reader should not have.

A warehouse has one owner of everything, the loader itself, or `etl init` has given what people read to another one:
then the loader writes to tables that it does not own.
"""

from collections.abc import Iterator, Sequence

from etl.warehouse.engine import Engine
from etl.warehouse.names import literal, quote
from etl.warehouse.privileges import HIDDEN_SCHEMAS, Concern, listed, tables
from etl.warehouse.roles import SAMPLES

# Roles by which one reads or writes everybody's rows, the server's files, or runs its programs.
_TOO_MUCH = (
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_execute_server_program",
    "pg_signal_backend",
)
_ATTRIBUTES = ("createrole", "createdb", "replication", "bypassrls")


def concerns(db: Engine, schemas: Sequence[str], owner: str | None) -> Iterator[Concern]:
    """`schemas` are those that loads write to; `owner` is the role that owns their tables, where it is another."""
    ((user, database, superuser, *attributes),) = db.query(
        "SELECT current_user, current_database(), rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "FROM pg_roles WHERE rolname = current_user"
    )
    yield from _settings(db)
    yield from _lacks(db, user, database, schemas, owner)
    if superuser:
        said = f"{user} is a superuser: a load that goes wrong may do anything to the server"
        yield Concern("excess", False, said, f"ALTER ROLE {quote(user)} NOSUPERUSER")
    else:
        yield from _has_too_much(db, user, schemas, dict(zip(_ATTRIBUTES, attributes, strict=True)), owner)
    yield from _of_the_reader(db, db.settings.reader, schemas)


def _settings(db: Engine) -> Iterator[Concern]:
    """The session's zone is what we ask for; a pooler may not hand that on."""
    for name, wanted, remedy in (
        ("server_encoding", "UTF8", "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"),
        ("TimeZone", "UTC", "connect to the server itself, or let what stands between pass options on"),
    ):
        ((said,),) = db.query(f"SHOW {name}")
        if said != wanted:
            yield Concern(name.lower(), True, f"{name} is {said}, where {wanted} is needed", remedy)


def encrypted(db: Engine) -> bool:
    return bool(db.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0][0])


def _lacks(db: Engine, user: str, database: str, schemas: Sequence[str], owner: str | None) -> Iterator[Concern]:
    ((temporary, create),) = db.query(
        "SELECT has_database_privilege(current_database(), 'TEMP'), "
        "has_database_privilege(current_database(), 'CREATE')"
    )
    if not temporary:
        said = f"{user} may make no temporary tables in {database}"
        yield Concern("privileges", True, said, f"GRANT TEMP ON DATABASE {quote(database)} TO {quote(user)}")
    there = {
        name: (uses, creates)
        for name, uses, creates in db.query(
            "SELECT nspname, has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') FROM pg_namespace "
            "WHERE nspname IN %s",
            (tuple(schemas),),
        )
    }
    absent = [name for name in schemas if name not in there]
    if absent and not create and not owner:
        said = f"{user} may make no schemas in {database}, and there is no {', '.join(absent)}"
        yield Concern("privileges", True, said, f"GRANT CREATE ON DATABASE {quote(database)} TO {quote(user)}")
    for name, (uses, creates) in there.items():
        if not uses or not (creates or (owner and name not in HIDDEN_SCHEMAS)):
            wanted = "USAGE" if owner and name not in HIDDEN_SCHEMAS else "USAGE, CREATE"
            said = f"{user} may not {'create tables in' if uses else 'use'} schema {name}"
            yield Concern("privileges", True, said, f"GRANT {wanted} ON SCHEMA {quote(name)} TO {quote(user)}")
    closed = [
        f"{schema}.{table}"
        for schema, table in db.query(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN %s AND c.relkind IN ('r', 'p') "
            "AND NOT ((has_table_privilege(c.oid, 'SELECT') OR (n.nspname = 'etl' AND c.relname IN %s)) "
            "AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1, 2",
            (tuple(schemas), tuple(SAMPLES)),
        )
    ]
    if closed:
        said = f"{user} may not write to {listed(closed)}"
        grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables(closed)} TO {quote(user)}"
        yield Concern("privileges", True, said, "etl init" if owner else grant)
    ((stats,),) = db.query("SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')")
    if not stats:
        said = f"{user} cannot see other users' sessions, so no message can say what it is that holds a lock"
        yield Concern("privileges", False, said, f"GRANT pg_read_all_stats TO {quote(user)}")


def _has_too_much(
    db: Engine, user: str, schemas: Sequence[str], attributes: dict[str, bool], owner: str | None
) -> Iterator[Concern]:
    if has := [name for name, is_so in attributes.items() if is_so]:
        remedy = f"ALTER ROLE {quote(user)} {' '.join(f'NO{name.upper()}' for name in has)}"
        yield Concern("excess", False, f"{user} has {', '.join(map(str.upper, has))}, and no load needs it", remedy)
    member = [
        name
        for (name,) in db.query(
            "SELECT rolname FROM pg_roles WHERE rolname IN %s AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY 1",
            (_TOO_MUCH,),
        )
    ]
    if member:
        said = f"{user} is a member of {', '.join(member)}, and no load needs it"
        yield Concern("excess", False, said, f"REVOKE {', '.join(map(quote, member))} FROM {quote(user)}")
    foreign = [
        name
        for (name,) in db.query(
            "SELECT nspname FROM pg_namespace WHERE nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) "
            "AND nspname NOT IN %s AND nspname NOT LIKE 'pg\\_%%' ORDER BY 1",
            (tuple(schemas),),
        )
    ]
    if foreign:
        said = f"{user} owns schemas that are none of the pipeline's: {listed(foreign)}"
        yield Concern("excess", False, said, f"ALTER SCHEMA {quote(foreign[0])} OWNER TO their_owner")
    if owner:
        own = [
            f"{schema}.{table}"
            for schema, table in db.query(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = current_user AND n.nspname IN %s "
                "AND n.nspname NOT IN %s AND c.relkind IN ('r', 'p') ORDER BY 1, 2",
                (tuple(schemas), HIDDEN_SCHEMAS),
            )
        ]
        if own:
            said = f"{user} owns {listed(own)}, and {owner} owns the rest ([warehouse] owner_url)"
            yield Concern("excess", False, said, "etl init")


def _of_the_reader(db: Engine, reader: str, schemas: Sequence[str]) -> Iterator[Concern]:
    found = db.query("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (reader,))
    if not found:
        said = f"there is no role {reader}, which is the analysts' one"
        yield Concern("reader", True, said, f"CREATE ROLE {quote(reader)} LOGIN, or mend [warehouse] reader")
        return
    if found[0][0]:
        said = f"{reader}, the analysts' role, is a superuser"
        yield Concern("reader", False, said, f"ALTER ROLE {quote(reader)} NOSUPERUSER")
        return
    writes = "has_table_privilege({0}, c.oid, 'INSERT') OR has_table_privilege({0}, c.oid, 'UPDATE') OR " \
        "has_table_privilege({0}, c.oid, 'DELETE') OR has_table_privilege({0}, c.oid, 'TRUNCATE')"  # fmt: skip
    if changed := _tables(db, schemas, writes.format(literal(reader))):
        said = f"{reader} may change {listed(changed)}"
        remedy = f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {tables(changed)} FROM {quote(reader)}"
        yield Concern("reader", False, said, remedy)
    hidden = f"(n.nspname IN {_in(HIDDEN_SCHEMAS)} OR (n.nspname = 'etl' AND c.relname IN {_in(tuple(SAMPLES))}))"
    reads = f"{hidden} AND has_schema_privilege({literal(reader)}, n.oid, 'USAGE') " \
        f"AND has_table_privilege({literal(reader)}, c.oid, 'SELECT')"  # fmt: skip
    if seen := _tables(db, schemas, reads):
        said = f"{reader} may read {listed(seen)}, which hold rows of the sources as they are"
        yield Concern("reader", False, said, f"REVOKE SELECT ON {tables(seen)} FROM {quote(reader)}")
    creates = [
        name
        for (name,) in db.query(
            "SELECT nspname FROM pg_namespace WHERE nspname IN %s AND has_schema_privilege(%s, oid, 'CREATE')",
            (tuple(schemas), reader),
        )
    ]
    if creates:
        said = f"{reader} may create tables in {', '.join(creates)}"
        # Up to Postgres 14 everybody may in public.
        remedy = f"REVOKE CREATE ON SCHEMA {', '.join(map(quote, creates))} FROM {quote(reader)}, PUBLIC"
        yield Concern("reader", False, said, remedy)


def _tables(db: Engine, schemas: Sequence[str], condition: str) -> list[str]:
    found = db.query(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE n.nspname IN {_in(schemas)} AND c.relkind IN ('r', 'p') AND ({condition}) ORDER BY 1, 2"
    )
    return [f"{schema}.{table}" for schema, table in found]


def _in(names: Sequence[str]) -> str:
    return f"({', '.join(map(literal, names))})"
