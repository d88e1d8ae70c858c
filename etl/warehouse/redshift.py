"""Redshift: connections, locks, COPY, stages; everything that only this engine has.

A load is one transaction on one connection, from the lock to the commit: whatever ends the session undoes all of it.
Nothing on its way commits by itself (TRUNCATE, ALTER TABLE APPEND, VACUUM), and what exists is neither renamed nor
dropped.
"""

import contextlib
import datetime
import functools
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from etl import config
from etl.checksums import Field, Side
from etl.errors import ConfigError, Conflict, DataError, EtlError, Locked, WarehouseError
from etl.failpoint import failpoint
from etl.warehouse import redshift_columns, redshift_types
from etl.warehouse.engine import Engine, Note, Parts, Table, first_line
from etl.warehouse.names import quote
from etl.warehouse.redshift_checksum import RedshiftTable
from etl.warehouse.redshift_copy import copy_statement, lake_error, load_error
from etl.warehouse.redshift_credentials import credentials
from etl.warehouse.redshift_roles import RedshiftRoles

# What all loads write to, in the one order in which they do: two that wait for each other would be a deadlock.
_SHARED = (
    "loads",
    "receipts",
    "losses",
    "files",
    "extracts",
    "quarantine",
    "watermarks",
    "schema_changes",
    "data_as_of",
)

# What a transaction says that has to give way to another one: the same again may succeed.
_CONFLICT = re.compile(
    r"\b1023\b|\b1018\b|[Ss]erializable isolation violation|conflict with concurrent transaction|"
    r"could not open relation with OID|dropped by a concurrent transaction|concurrently updated"
)


class Redshift(Engine):
    """A session at a Redshift, provisioned or serverless."""

    name = "redshift"
    port = 5439
    narrow = True
    default_now = "SYSDATE"

    def __init__(self, settings: config.Warehouse, application: str):
        # The lock tables that this transaction has; none where no transaction is open.
        self._locks: set[str] = set()
        self._moment = ""
        self._notes: list[Note] = []
        self._borrowed: list[str] = []
        super().__init__(settings, application)

    def begin_anew(self, application: str) -> None:
        self._application = application
        while self._borrowed:
            self.execute(f"DROP TABLE IF EXISTS {self._borrowed.pop()}")
        self.execute("SET application_name TO %s; SET query_group TO %s", (self._label, self._label))

    # ---- transactions and locks

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Under a lock it is the lock's own, which is committed with all that was done under it."""
        if self._locks:
            yield
            return
        self._begin()
        try:
            yield
        except BaseException:
            self._rollback()
            raise
        self._commit()

    @contextlib.contextmanager
    def locked(self, target: str, *others: str) -> Iterator[None]:
        """A table of its own for each target is locked, which ends with the transaction: a killed process leaves none.

        The lock comes first, since the transaction sees what was committed when it first looks, and not what was while
        it waited. So `others` are locked at once as well.
        """
        wanted = {lock_table(name) for name in (target, *others)}
        if self._locks:
            self._lock(target, sorted(wanted - self._locks))
            yield
            return
        self._make_room(target, *others)
        self._begin()
        try:
            self._lock(target, sorted(wanted))
            ((said,),) = self.query("SELECT TIMEOFDAY()")
            self._moment = _moment(said)
            yield
            self._write_notes()
            self._commit()
        except BaseException:
            self._rollback()
            raise
        finally:
            self._locks, self._notes = set(), []

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        self.execute("BEGIN READ ONLY")
        try:
            yield
        except BaseException:
            self._rollback()
            raise
        self._commit()

    def note(self, statements: Sequence[Note]) -> None:
        """Under a lock at the very end: who writes to a table keeps all others from writing to it until the commit."""
        self._notes += statements
        if not self._locks:
            self._write_notes()

    def note_at_once(self, statements: Sequence[Note]) -> None:
        """Over another session."""
        if statements:
            with Redshift(self.settings, self._application) as other:
                other.note(statements)

    def holders(self, schema: str, table: str) -> list[str]:
        """As far as Redshift tells us: who is no superuser sees the sessions of its own user only."""
        with Redshift(self.settings, self._application) as other:
            found = other.query(
                "SELECT DISTINCT t.pid, TRIM(t.txn_owner), t.txn_start FROM svv_transactions t "
                "JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = %s AND c.relname = %s AND t.granted ORDER BY 3",
                (schema, table),
            )
        mine = self._connection.info.backend_pid
        return [
            f'"{schema}"."{table}" by session {pid} of {user}, since {since:%F %T}'
            for pid, user, since in found
            if pid != mine
        ]

    @property
    def now(self) -> str:
        """That of a transaction's beginning, which SYSDATE is, would be before the end of those it waited for."""
        return self._moment if self._locks else "SYSDATE"

    # ---- what is there

    def version(self) -> str:
        ((said,),) = self.query("SELECT version()")
        found = re.search(r"(?:emulated )?Redshift [\d.]*\d", said)
        return found[0] if found else str(said)

    def table(self, schema: str, table: str) -> Table | None:
        columns = self.query(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            (schema, table),
        )
        if not columns:
            return None
        keys = self.query(
            "SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE k.contype = 'p' AND n.nspname = %s AND c.relname = %s",
            (schema, table),
        )
        return Table(
            columns={name: kind for name, kind, _ in columns},
            required=frozenset(name for name, _, required in columns if required),
            key=_names_in(keys[0][0]) if keys else (),
            # A key is declared here, and enforced by nobody.
            unique=frozenset(),
            size=0,
        )

    def columns_of(self, sql: str) -> dict[str, str]:
        """By a table of it without rows: a result's description does not tell how long its texts may be."""
        self.execute(f"CREATE TEMP TABLE columns_of_it AS SELECT * FROM (\n{sql}\n) q LIMIT 0")
        found = self.query(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'columns_of_it' AND a.attnum > 0 ORDER BY a.attnum"
        )
        self.execute("DROP TABLE columns_of_it")
        return dict(found)  # type: ignore[arg-type]

    def ensure_schema(self, schema: str, readable: bool) -> None:
        if f"schema {schema}" in self.seen:
            return
        self._create(f"SCHEMA {quote(schema)}", "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
        if readable:
            self._grant(f"USAGE ON SCHEMA {quote(schema)}", "has_schema_privilege(%s, %s, 'usage')", schema)
        self.seen.add(f"schema {schema}")

    def allow_reading(self, schema: str, table: str) -> None:
        name = f"{quote(schema)}.{quote(table)}"
        self._grant(f"SELECT ON {name}", "has_table_privilege(%s, %s, 'select')", name)

    @property
    def roles(self) -> RedshiftRoles:
        return RedshiftRoles(self)

    def free_disk(self) -> int | None:
        return None

    # ---- types and values

    def type_of(self, declared: str, bound: str = "", column: str = "x") -> str:
        return redshift_types.type_of(declared, bound, column)

    def canonical(self, kind: str) -> str:
        return redshift_types.folded(kind)

    def is_wider(self, was: str, becomes: str) -> bool:
        return redshift_types.is_wider(was, becomes)

    def same(self, one: str, other: str, kind: str) -> str:
        """Blanks at the end of a text count for nothing in a comparison, and for something in its length."""
        if not kind.startswith("character"):
            return f"{one} = {other}"
        return f"({one} = {other} AND OCTET_LENGTH({one}) = OCTET_LENGTH({other}))"

    def exactly(self, column: str, kind: str) -> list[str]:
        return [f"OCTET_LENGTH({column})"] if kind.startswith("character") else []

    def side(self, name: str, fields: Sequence[Field], key: Sequence[str], alive: str = "") -> Side:
        return RedshiftTable(self, name, fields, key, alive)

    # ---- stages

    def copy(self, table: str, columns: Sequence[str], parts: Parts, copied: Callable[[int], None]) -> int:
        """One COPY by the parts' manifest, which reads them all side by side."""
        url = parts.listed()
        statement = copy_statement(table, columns, parts, url, self.settings.iam_role)
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.Error as error:
            raise self._why_not_loaded(error, statement, url) from None
        failpoint("copy.part")
        ((rows,),) = self.query("SELECT pg_last_copy_count()")
        copied(rows)
        return int(rows)

    def borrow(self, table: str, columns: Mapping[str, str], parts: Parts) -> str:
        """Under a name that no other table can have, so that what goes with the session's next work is surely ours."""
        name = quote(f"{table}_{uuid.uuid4().hex}")
        self.execute(f"CREATE TEMP TABLE {name} ({_listed(columns)})")
        self._borrowed.append(name)
        if parts.opened:
            self.copy(name, list(columns), parts, lambda _: None)
        return name

    def like(self, stage: str, schema: str, table: str) -> None:
        self.execute(f"CREATE TABLE {stage} (LIKE {quote(schema)}.{quote(table)} INCLUDING DEFAULTS)")

    def land(self, stage: str, columns: Mapping[str, str]) -> None:
        self.execute(f"CREATE TABLE {stage} ({_listed(columns)})")

    def set_aside(self, name: str, select: str) -> int:
        self.execute(f"CREATE TABLE {name} AS\n{select}")
        return int(self.query(f"SELECT count(*) FROM {name}")[0][0])

    def without_key(self, schema: str, table: str) -> None:
        """It is one that nobody enforces."""

    def unique(self, stage: str, key: Sequence[str]) -> bool:
        listed = ", ".join(map(quote, key))
        return not self.query(f"SELECT {listed} FROM {stage} GROUP BY {listed} HAVING count(*) > 1 LIMIT 1")

    def add_key(self, stage: str, key: Sequence[str], primary: bool) -> bool:
        return self.unique(stage, key)

    def become(self, stage_table: str, schema: str, table: str, create: str, hints: Sequence[str]) -> None:
        for statement in self.creating(schema, table, create, hints):
            self.execute(statement)
        self.execute(f"INSERT INTO {quote(schema)}.{quote(table)} SELECT * FROM stage.{quote(stage_table)}")

    def creating(
        self, schema: str, table: str, create: str, hints: Sequence[str], unique: Sequence[str] = ()
    ) -> list[str]:
        return [" ".join([create, *hints])]

    def has_only(self, target: str, keys: Sequence[str], stage: str, new: str) -> bool:
        return False

    def analyze(self, schema: str, table: str) -> None:
        """Redshift lets owners do it, and does it by itself besides."""
        if schema != "raw" and self.owner:
            return
        self.execute(f"ANALYZE {quote(schema)}.{quote(table)}")

    # ---- changing a table that people read

    def alter(self, schema: str, table: str, changes: Sequence[tuple[str, Sequence[Note]]]) -> None:
        """A VARCHAR grows outside of the load, which has to begin anew then: Redshift does it in no transaction."""
        if growing := [(action, notes) for action, notes in changes if " TYPE " in action]:
            for action, notes in growing:
                with contextlib.closing(Redshift(self.settings, self._application)) as other:
                    other._alter(schema, table, action)
                self.note_at_once(notes)
            raise Conflict(f"{schema}.{table}: columns were widened, and the load begins anew")
        with self.transaction():
            self._alter_in_place(schema, table, changes)

    def _alter_in_place(self, schema: str, table: str, changes: Sequence[tuple[str, Sequence[Note]]]) -> None:
        for action, _ in changes:
            if found := re.fullmatch('ALTER COLUMN "(.+)" DROP NOT NULL', action):
                column = found[1].replace('""', '"')
                kind = self.columns(schema, table)[column]
                cure = "; ".join(redshift_columns.replaced(f"{schema}.{table}", column, kind, "", required=False))
                raise DataError(
                    f"{schema}.{table}: {column} is NOT NULL, and its source has it no more; Redshift cannot take that "
                    f"back where it stands: run: {cure}; then load it again"
                )
            if action:
                self._alter(schema, table, action)
        self.note([note for _, notes in changes for note in notes])

    def _alter(self, schema: str, table: str, action: str) -> None:
        """Which waits for whoever reads the table, and all who come after it wait with it."""
        seconds = self.settings.lock_timeout
        self.execute("SET statement_timeout TO %s", (1000 * seconds,))
        statement = f"ALTER TABLE {quote(schema)}.{quote(table)} {action}"
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.errors.QueryCanceled:
            held = "; ".join(self.holders(schema, table)) or "sessions that are not ours to see"
            raise Locked(
                f"{schema}.{table}: its columns are to change, and for {seconds} s it was held by {held}; end what "
                f"reads there, or wait for it, then run again"
            ) from None
        except psycopg2.Error as error:
            raise self._explanation(error, statement) from None
        self.execute("SET statement_timeout TO %s", (1000 * self.settings.statement_timeout,))

    def altering(self, name: str, actions: Sequence[str]) -> str:
        return redshift_columns.altering(name, actions)

    def retyping(self, schema: str, table: str, column: str, becomes: str, conversion: str) -> str:
        return redshift_columns.retyping(self, schema, table, column, becomes, conversion)

    def redefining(self, schema: str, table: str, column: str, becomes: str, actions: Sequence[str]) -> str:
        return redshift_columns.redefined(f"{schema}.{table}", column, becomes)

    def rekeying(self, schema: str, table: str, key: Sequence[str], new: Mapping[str, str], emptied: bool) -> str:
        return redshift_columns.rekeying(self, schema, table, key, new, emptied)

    def dependents(self, schema: str, table: str, column: str) -> list[str]:
        return []

    def hints_for(self, columns: Sequence[str]) -> tuple[str, ...]:
        return (f"SORTKEY ({columns[0]})",) if columns else ()

    def add_indexes(self, schema: str, table: str, columns: Sequence[str]) -> None:
        """Redshift has none, and finds a sort key by itself."""

    # ---- behind it

    @property
    def _label(self) -> str:
        return self._application[:63]

    def _connect(self, application: str = "") -> Any:
        settings = self.settings
        url = urlsplit(settings.url)
        said: dict[str, Any] = {} if url.port else {"port": self.port}
        if not url.password:
            temporary = credentials(settings.url)
            said |= {"user": temporary.user, "password": temporary.password}
        try:
            connection = psycopg2.connect(
                f"postgresql://{settings.url.partition('://')[2]}",
                application_name=self._label,
                connect_timeout=10,
                keepalives_idle=30,
                **said,
            )
        except psycopg2.OperationalError as error:
            raise self._refused(error) from None
        connection.autocommit = True
        options = {
            "statement_timeout": 1000 * settings.statement_timeout,
            "timezone": "UTC",
            "datestyle": "ISO",
            "query_group": self._label,
            # A name that is quoted keeps its capitals, as it does with the other engine.
            "enable_case_sensitive_identifier": "true",
        }
        # Whoever explains a refusal asks whether this session is still open.
        self._connection = connection
        try:
            with self._explained("SET"), connection.cursor() as cursor:
                cursor.execute("; ".join(f"SET {name} TO %s" for name in options), list(options.values()))
        except EtlError:
            connection.close()
            raise
        return connection

    def _make_room(self, *targets: str) -> None:
        """What a load needs to be there before its transaction begins, so that two first ones wait for nothing."""
        self.ensure_schema("etl", readable=True)
        for target in targets:
            if schema := target.rpartition(".")[0]:
                self.ensure_schema("stage", readable=False)
                self.ensure_schema(schema, readable=schema != "raw")
            self._ensure_lock(target)
        if self._serializable:
            self._ensure_lock("")

    def _ensure_lock(self, target: str) -> None:
        lock = lock_table(target)
        if lock not in self.seen:
            self._create(
                f"TABLE etl.{quote(lock)} (target VARCHAR(200))",
                "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = 'etl' AND c.relname = %s",
                (lock,),
            )
            self.seen.add(lock)

    def _create(self, what: str, there: str, values: Sequence[Any]) -> None:
        if self.query(there, values):
            return
        try:
            self.execute(f"CREATE {what}")
        except EtlError:
            # Another first load may have been quicker.
            if self._locks or not self.query(there, values):
                raise

    def _lock(self, target: str, tables: Sequence[str]) -> None:
        if not tables:
            return
        if self._serializable and not self._locks:
            # There every two loads would be in each other's way, since all look into the same tables.
            tables = [lock_table(""), *tables]
        limit, usual = (1000 * seconds for seconds in (self.settings.lock_timeout, self.settings.statement_timeout))
        listed = ", ".join(f"etl.{quote(table)}" for table in tables)
        self.execute("SET statement_timeout TO %s", (limit,))
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(f"LOCK {listed}")
        except psycopg2.errors.QueryCanceled:
            held = [who for table in tables for who in self.holders("etl", table)]
            raise Locked(
                f"{target}: waited {self.settings.lock_timeout} s for {'; '.join(held) or 'another load'}; wait until "
                f"it is done, or end it by SELECT pg_terminate_backend(session), then run again"
            ) from None
        except psycopg2.Error as error:
            raise self._explanation(error, "LOCK") from None
        self.execute("SET statement_timeout TO %s", (usual,))
        self._locks |= set(tables)

    @functools.cached_property
    def _serializable(self) -> bool:
        """Whether the database is one of the stricter kind."""
        found = self.query(
            "SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database()"
        )
        return bool(found) and "serializable" in str(found[0][0]).lower()

    def _write_notes(self) -> None:
        notes, self._notes = self._notes, []
        if notes:
            notes.sort(key=lambda note: _place(note[0]))
            self.execute(";\n".join(sql for sql, _ in notes), [value for _, values in notes for value in values])

    def _why_not_loaded(self, error: psycopg2.Error, statement: str, url: str) -> EtlError:
        if self.closed or "load_error" not in str(error):
            if of_the_lake := lake_error(str(error), url, self._where()):
                return of_the_lake
            explained = self._explanation(error, statement)
            if type(explained) is WarehouseError and ";" not in str(explained):
                explained.args = (f"{explained}; run again, and where it says so again delete {url} and extract again",)
            return explained
        self._rollback()
        with contextlib.suppress(WarehouseError):
            if found := load_error(self):
                return found
        return WarehouseError(f"{self._where()}: {first_line(error)}")

    def _explanation(self, error: psycopg2.Error, sql: str) -> EtlError:
        if not self.closed and _CONFLICT.search(str(error)):
            return Conflict(
                f"{self._where()}: {' '.join(str(error).split())} in {' '.join(sql.split()[:3])}; run again"
            )
        if re.search(r"[Dd]isk [Ff]ull", str(error)):
            return WarehouseError(
                f"{self._where()}: the disk is full ({first_line(error)}); free some space, then run again"
            )
        return super()._explanation(error, sql)

    def _grant(self, what: str, held: str, name: str) -> None:
        """To `[warehouse] reader`: a user, or `group …` or `role …`."""
        kind, _, reader = self.settings.reader.rpartition(" ")
        known = {
            "": "SELECT 1 FROM pg_user WHERE usename = %s",
            "group": "SELECT 1 FROM pg_group WHERE groname = %s",
            "role": "SELECT 1 FROM svv_roles WHERE role_name = %s",
        }
        if kind.lower() not in known:
            raise ConfigError(f"[warehouse] reader = {self.settings.reader}: write a user, `group …` or `role …`")
        if not self.query(known[kind.lower()], (reader,)):
            raise WarehouseError(
                f"{self._where()}: there is no {kind or 'user'} {reader}; create it, or name the analysts' user, group "
                f"or role in [warehouse] reader"
            )
        if kind and self.owner:
            # What is another's is another's to grant, and what a group has nobody tells.
            return
        if kind or not self.query(f"SELECT {held}", (reader, name))[0][0]:
            whom = " ".join(filter(None, (kind.upper(), quote(reader))))
            self.execute(f"GRANT {what} TO {whom}")


def lock_table(target: str) -> str:
    """The table in schema etl that is locked for a target."""
    return f"lock_{hashlib.sha256(target.encode()).hexdigest()[:8]}_{re.sub(r'[^a-z0-9_]', '_', target.lower())[:48]}"


def _moment(said: str) -> str:
    """From how TIMEOFDAY() writes it: Sat Nov 21 22:31:00.123456 2026 UTC."""
    at = datetime.datetime.strptime(said.rpartition(" ")[0], "%a %b %d %H:%M:%S.%f %Y")
    return f"TIMESTAMPTZ '{at.isoformat(' ')}+00'"


def _place(statement: str) -> int:
    """Of a statement among those that are written at the end; what is of no shared table comes last."""
    found = re.search(r"\b(?:INTO|UPDATE|FROM)\s+etl\.(\w+)", statement)
    return _SHARED.index(found[1]) if found and found[1] in _SHARED else len(_SHARED)


def _names_in(constraint: str) -> tuple[str, ...]:
    """The columns of PRIMARY KEY (a, "B c")."""
    listed = constraint.partition("(")[2].rpartition(")")[0]
    return tuple(
        quoted.replace('""', '"') if quoted else plain
        for quoted, plain in re.findall(r'"((?:[^"]|"")+)"|([^\s,"]+)', listed)
    )


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
