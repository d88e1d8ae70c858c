"""Postgres: connections, locks, COPY, stages; everything that only this engine has."""

import contextlib
import functools
import logging
import queue
import re
import select
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from etl import config
from etl.errors import Conflict, DataError, EtlError, Locked, WarehouseError, WarehouseLost
from etl.failpoint import failpoint
from etl.warehouse import sessions
from etl.warehouse.names import literal, quote

logger = logging.getLogger("luigi-interface.etl")

# Between two statements of a transaction nothing is waited for. So a process that has stopped there keeps rows from
# others for less time than they wait for them; this is the shortest limit that a busy machine may be held to.
_LEAST_IDLE_SECONDS = 10

# How libpq and the server say that a session cannot be had now, for which there is no SQLSTATE.
_UNREACHABLE = re.compile(
    r"refused|timeout|timed out|starting up|shutting down|recovery|not (yet )?accepting|too many|connection slots|"
    r"closed (the connection|unexpectedly)|reset by peer|[Bb]roken pipe|unreachable|[Nn]o route|could not receive|"
    r"Temporary failure|EOF"
)


class CommitUnknown(WarehouseError):
    """The connection was lost while COMMIT was under way: only the marker can tell what became of it."""


class Part(Protocol):
    """CSV text to COPY; `error` is what its read raised, since psycopg2 replaces that."""

    @property
    def error(self) -> EtlError | None: ...

    def read(self, size: int = -1) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Table:
    """A table as the server has it: columns with their types, in its order, and its size in bytes with indexes.

    `required` columns are never NULL; each set of `unique` columns is kept unique by the server itself.
    """

    columns: dict[str, str]
    required: frozenset[str]
    key: tuple[str, ...]
    unique: frozenset[frozenset[str]]
    size: int


class Postgres:
    """One connection in autocommit mode, with transactions where they are asked for.

    Every failure is a WarehouseError or DataError that says what the server said, without values. `seen` is for
    what this session has found to be there and nobody takes away again.
    """

    def __init__(self, settings: config.Warehouse, application: str):
        self.settings, self._application = settings, application
        self.seen: set[str] = set()
        self._connection = self._connect()

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def closed(self) -> bool:
        return bool(self._connection.closed)

    @property
    def ended(self) -> bool:
        """Whether an idle session is over: closed here, or the server has said so and nobody has listened yet."""
        return self.closed or bool(select.select([self._connection], [], [], 0)[0])

    def reconnect(self) -> None:
        """A new session in place of the old one, which ends, and its locks with it."""
        self.close()
        self._connection = self._connect()

    def query(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._explained(sql), self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def execute(self, sql: str, values: Sequence[Any] | None = None) -> int:
        """The number of rows that the statement touched."""
        with self._explained(sql), self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.rowcount

    def execute_all(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Statements and their values, sent in one message: a small load is mostly waiting for answers."""
        if statements:
            self.execute(";\n".join(sql for sql, _ in statements), [value for _, said in statements for value in said])

    def begin_anew(self, application: str) -> None:
        """Make the session as good as a new one: another name, and no lock or temporary table of what it did before."""
        self._application = application
        self.execute("SET application_name = %s; SELECT pg_advisory_unlock_all(); DISCARD TEMP", (application[:63],))

    def columns_of(self, sql: str) -> list[tuple[str, str]]:
        """Name and type of what a SELECT yields, without running it."""
        asked = f"SELECT * FROM (\n{sql}\n) q LIMIT 0"
        with self._explained(asked), self._connection.cursor() as cursor:
            cursor.execute(asked)
            described = [(column.name, column.type_code) for column in cursor.description or ()]
        return [(name, self.query("SELECT format_type(%s, NULL)", (oid,))[0][0]) for name, oid in described]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit on leaving, roll back on an exception, which is always raised again."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            # A lost connection has rolled back by itself, and the first error is the one to show.
            with contextlib.suppress(psycopg2.Error, WarehouseError):
                self._rollback()
            raise
        failpoint("commit.before")
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("COMMIT")
        except psycopg2.Error as error:
            if self.closed:
                raise CommitUnknown(f"{self._where()}: connection lost during COMMIT ({_first_line(error)})") from None
            raise self._explanation(error, "COMMIT") from None
        failpoint("commit.after")

    @contextlib.contextmanager
    def locked(self, target: str) -> Iterator[None]:
        """Hold our own lock on a target from start to commit; readers of the table never meet it.

        It ends with the session, so a killed process leaves none. A process that was only stopped leaves one that
        does nothing: after [warehouse] lock_timeout its session is ended, and then it can publish nothing any more,
        should it go on. Locked names who holds the lock and is at work.
        """
        self._lock(target)
        try:
            yield
        finally:
            if not self.closed:
                try:
                    self.execute(f"SELECT pg_advisory_unlock({sessions.LOCK})", (target,))
                except WarehouseError:
                    # With its session the lock ends too.
                    self.close()

    def copy(
        self,
        table: str,
        columns: Sequence[str],
        parts: Mapping[str, Callable[[], Part]],
        null: str,
        copied: Callable[[int], None],
    ) -> int:
        """COPY the named parts into a table over `[warehouse] copies` connections; the server's count of rows.

        This connection is one of them, so that what is in one part needs no other. `copied` hears the rows of each
        part. The first failure stops the others and is raised.
        """
        statement = (
            f"COPY {table} ({', '.join(map(quote, columns))}) FROM STDIN "
            f"WITH (FORMAT csv, NULL {literal(null)}, ENCODING 'UTF8')"
        )
        waiting: queue.SimpleQueue[tuple[str, Callable[[], Part]]] = queue.SimpleQueue()
        for part in parts.items():
            waiting.put(part)
        counts: list[int] = []
        failures: list[BaseException] = []

        def work(connection: Any) -> None:
            while not failures:
                try:
                    name, opened = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    rows = self._copy_part(connection, statement, name, opened())
                except BaseException as error:
                    failures.append(error)
                    return
                counts.append(rows)
                copied(rows)

        name = f"{sessions.COPIES}{self._pid} {self._application}"
        others = [self._connect(name) for _ in range(min(self.settings.copies, len(parts)) - 1)]
        threads = [threading.Thread(target=work, args=(connection,), daemon=True) for connection in others]
        try:
            for thread in threads:
                thread.start()
            work(self._connection)
            for thread in threads:
                thread.join()
        finally:
            for connection in others:
                connection.close()
        if failures:
            raise failures[0]
        return sum(counts)

    def holders(self, schema: str, table: str) -> list[str]:
        """Who else holds locks on a table, readers too; also in the middle of a failed transaction."""
        return self._holders([f"{quote(schema)}.{quote(table)}"], readers=True)

    def exists(self, schema: str, table: str) -> bool:
        return bool(
            self.query(
                "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = %s AND c.relname = %s",
                (schema, table),
            )
        )

    def table(self, schema: str, table: str) -> Table | None:
        """What the server knows of a table, in one question; None where there is none."""
        found = self.query(
            """SELECT pg_total_relation_size(c.oid),
                      (SELECT json_agg(json_build_array(attname, format_type(atttypid, atttypmod), attnotnull)
                                       ORDER BY attnum)
                       FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
                      (SELECT json_agg(json_build_array(i.indisprimary, ARRAY(
                                  SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
                                  JOIN pg_attribute a USING (attnum)
                                  WHERE a.attrelid = c.oid AND k.place <= i.indnkeyatts ORDER BY k.place)))
                       FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                         AND i.indpred IS NULL AND i.indexprs IS NULL)
               FROM pg_class c WHERE c.oid = to_regclass(%s)""",
            (f"{quote(schema)}.{quote(table)}",),
        )
        if not found:
            return None
        ((size, columns, keys),) = found
        return Table(
            columns={name: kind for name, kind, _ in columns or ()},
            required=frozenset(name for name, _, required in columns or () if required),
            key=next((tuple(names) for primary, names in keys or () if primary), ()),
            unique=frozenset(frozenset(names) for _, names in keys or ()),
            size=size,
        )

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Name -> type, in the table's order; nothing for a table that is not there."""
        found = self.table(schema, table)
        return found.columns if found else {}

    def ensure_schema(self, schema: str, readable: bool) -> None:
        """Create a schema that is not there; `readable` ones are opened to the reader's role.

        Under a lock: of two loads that create it or grant at the same time, one would fail.
        """
        if f"schema {schema}" in self.seen:
            return
        if not self._has_schema(schema, readable):
            with self.locked(f"schema {schema}"):
                if not self.query("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)):
                    self.execute(f"CREATE SCHEMA {quote(schema)}")
                if readable:
                    self._grant(f"USAGE ON SCHEMA {quote(schema)}", "has_schema_privilege(%s, %s, 'USAGE')", schema)
        self.seen.add(f"schema {schema}")

    def allow_reading(self, schema: str, table: str) -> None:
        name = f"{quote(schema)}.{quote(table)}"
        self._grant(f"SELECT ON {name}", "has_table_privilege(%s, %s, 'SELECT')", name)

    def like(self, stage: str, schema: str, table: str) -> None:
        """An empty stage with the target's columns and defaults, unlogged: a crash may lose it."""
        self.execute(f"CREATE UNLOGGED TABLE {stage} (LIKE {quote(schema)}.{quote(table)} INCLUDING DEFAULTS)")

    def set_aside(self, name: str, select: str) -> int:
        """A table like a stage, of what a SELECT yields; the number of its rows."""
        return self.execute(f"CREATE UNLOGGED TABLE {name} AS\n{select}")

    def sum_of_hashes(self, rows: str, columns: Sequence[str]) -> tuple[int, Decimal]:
        """The number of `rows` (FROM what) and the sum of their columns' hashes, which two sets of rows share by chance
        once in 2**64 times."""
        listed = ", ".join(map(quote, columns))
        ((count, total),) = self.query(
            f"SELECT count(*), coalesce(sum(hash_record_extended(ROW({listed}), 0)), 0) FROM {rows}"
        )
        return count, total

    def land(self, stage: str, columns: dict[str, str]) -> None:
        listed = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE UNLOGGED TABLE {stage} ({listed})")

    def without_key(self, schema: str, table: str) -> None:
        """Drop a stage's primary key: the index is built at once after the rows are in, which is faster."""
        for (name,) in self.query(
            "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'",
            (f"{quote(schema)}.{quote(table)}",),
        ):
            self.execute(f"ALTER TABLE {quote(schema)}.{quote(table)} DROP CONSTRAINT {quote(name)}")

    def unique(self, stage: str, key: Sequence[str]) -> bool:
        """Prove a key by building its unique index, which the publication then joins over; False for duplicates."""
        return self._proves_unique(f"CREATE UNIQUE INDEX ON {stage} ({', '.join(map(quote, key))})")

    def add_key(self, stage: str, key: Sequence[str], primary: bool) -> bool:
        """Key a stage that is to become a table, for good; False for duplicates."""
        kind = "PRIMARY KEY" if primary else "UNIQUE"
        return self._proves_unique(f"ALTER TABLE {stage} ADD {kind} ({', '.join(map(quote, key))})")

    def become(self, stage_table: str, schema: str, table: str, hints: Sequence[str]) -> None:
        """Turn a logged, keyed stage into a table that does not exist yet: moved, renamed and indexed.

        Constraints get the names that they would have had, had the table been created where it now is.
        """
        self.execute(f"ALTER TABLE stage.{quote(stage_table)} SET SCHEMA {quote(schema)}")
        self.execute(f"ALTER TABLE {quote(schema)}.{quote(stage_table)} RENAME TO {quote(table)}")
        name = f"{quote(schema)}.{quote(table)}"
        for old, kind, columns in self.query(
            "SELECT conname, contype, ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(attnum, place) "
            "JOIN pg_attribute a USING (attnum) WHERE a.attrelid = conrelid ORDER BY place) "
            "FROM pg_constraint WHERE conrelid = to_regclass(%s) AND starts_with(conname, %s)",
            (name, stage_table[:9]),
        ):
            new = _constraint_name(table, kind, columns)
            self.execute(f"ALTER TABLE {name} RENAME CONSTRAINT {quote(old)} TO {quote(new)}")
        for hint in hints:
            if not hint.upper().startswith("INDEX"):
                raise DataError(f"{schema}.{table}: '-- postgres: {hint}' is no hint; write INDEX (column, …)")
            self.execute(f"CREATE INDEX ON {name} {hint[5:]}")

    def analyze(self, schema: str, table: str) -> None:
        self.execute(f"ANALYZE {quote(schema)}.{quote(table)}")

    def free_disk(self) -> int | None:
        """Free bytes below the server's data directory; None where it is not ours to see: another machine."""
        try:
            return shutil.disk_usage(self._data_directory).free if self._data_directory else None
        except OSError:
            return None

    @functools.cached_property
    def _data_directory(self) -> str | None:
        local = "(inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8')"
        found = self.query(f"SELECT setting FROM pg_settings WHERE name = 'data_directory' AND {local}")
        return found[0][0] if found else None

    def _has_schema(self, schema: str, readable: bool) -> bool:
        opened = "EXISTS (SELECT 1 FROM pg_roles r WHERE rolname = %s AND has_schema_privilege(r.oid, n.oid, 'USAGE'))"
        return bool(
            self.query(
                f"SELECT 1 FROM pg_namespace n WHERE nspname = %s AND (NOT %s OR {opened})",
                (schema, readable, self.settings.reader),
            )
        )

    @property
    def _pid(self) -> int:
        return int(self._connection.info.backend_pid)

    def _lock(self, target: str) -> None:
        if self.query(f"SELECT pg_try_advisory_lock({sessions.LOCK})", (target,))[0][0]:
            return
        lock = f"SELECT pg_advisory_lock({sessions.LOCK})"
        before = sessions.holder(self.query, target)
        try:
            self.query(lock, (target,))
        except Locked:
            now = sessions.holder(self.query, target)
            waited = f"{target}: waited {self.settings.lock_timeout} s for {now[0] if now else 'another load'}"
            if not sessions.fenced(self.query, before, now):
                raise Locked(f"{waited}; wait until it is done, then run again") from None
            logger.warning("%s, which did nothing all the time; its session was ended", waited)
            self.query(lock, (target,))

    def _connect(self, application: str = "") -> Any:
        settings = self.settings
        options = {
            "lock_timeout": f"{settings.lock_timeout}s",
            "statement_timeout": f"{settings.statement_timeout}s",
            "idle_in_transaction_session_timeout": f"{max(_LEAST_IDLE_SECONDS, settings.lock_timeout // 2)}s",
            "timezone": "UTC",
            "datestyle": "ISO",
            "extra_float_digits": "1",
        }
        try:
            connection = psycopg2.connect(
                settings.url,
                application_name=(application or self._application)[:63],
                connect_timeout=10,
                options=" ".join(f"-c {name}={value}" for name, value in options.items()),
                keepalives_idle=30,
            )
        except psycopg2.OperationalError as error:
            kind = WarehouseLost if _UNREACHABLE.search(str(error)) else WarehouseError
            raise kind(f"{self._where()}: cannot connect: {_connect_advice(error)}") from None
        connection.autocommit = True
        if connection.server_version >= 140000:
            # A server in the middle of a long statement notices that its client is dead, and frees its locks.
            with self._explained("SET"), connection.cursor() as cursor:
                cursor.execute("SET client_connection_check_interval = '5s'")
        return connection

    def _proves_unique(self, statement: str) -> bool:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.errors.UniqueViolation:
            return False
        except psycopg2.Error as error:
            raise self._explanation(error, statement) from None
        return True

    def _rollback(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("ROLLBACK")

    def _copy_part(self, connection: Any, statement: str, name: str, part: Part) -> int:
        try:
            with self._explained(statement, part), connection.cursor() as cursor:
                cursor.copy_expert(statement, part, size=1 << 17)
                failpoint("copy.part")
                return cursor.rowcount
        except DataError as error:
            raise DataError(f"{name}, {error}") from None
        finally:
            part.close()

    def _grant(self, what: str, held: str, name: str) -> None:
        reader = self.settings.reader
        if not self.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (reader,)):
            raise WarehouseError(
                f"{self._where()}: there is no role {reader}; create it, or name the analysts' role in "
                f"[warehouse] reader"
            )
        if not self.query(f"SELECT {held}", (reader, name))[0][0]:
            self.execute(f"GRANT {what} TO {quote(reader)}")

    @contextlib.contextmanager
    def _explained(self, sql: str, part: Part | None = None) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            if part is not None and part.error is not None:
                raise part.error from None
            raise self._explanation(error, sql) from None

    def _explanation(self, error: psycopg2.Error, sql: str) -> EtlError:
        said = _without_values(_first_line(error), error.pgcode or "")
        copying = re.search(r"^COPY \S+, line (\d+)(, column .+?)?(: |$)", error.diag.context or "", re.MULTILINE)
        if copying and isinstance(error, psycopg2.DataError | psycopg2.IntegrityError):
            return DataError(f"line {copying[1]}{copying[2] or ''}: {said}")
        match error:
            case psycopg2.errors.LockNotAvailable():
                return Locked(f"{self._where()}: {said}{self._blockers(sql)}")
            case psycopg2.errors.DeadlockDetected() | psycopg2.errors.SerializationFailure():
                return Conflict(f"{self._where()}: {said}; run again")
            case psycopg2.errors.ReadOnlySqlTransaction():
                return WarehouseError(
                    f"{self._where()}: {said}; it is a standby or only lets itself be read, name the primary in "
                    f"[warehouse] url"
                )
            case psycopg2.errors.InsufficientPrivilege():
                return WarehouseError(f"{self._where()}: {said}; grant it to {urlsplit(self.settings.url).username}")
            case psycopg2.errors.DiskFull():
                return WarehouseError(f"{self._where()}: the disk is full ({said}); free some space, then run again")
            case psycopg2.errors.QueryCanceled():
                limit = self.settings.statement_timeout
                return WarehouseError(f"{self._where()}: {said}; [warehouse] statement_timeout is {limit} s")
            case _ if _lost(error):
                return WarehouseLost(f"{self._where()}: connection lost ({said}); run again when it answers")
            case psycopg2.DataError() | psycopg2.IntegrityError():
                return DataError(f"{said}")
        if not error.diag.statement_position:
            return WarehouseError(f"{self._where()}: {said}")
        near = sql[int(error.diag.statement_position) - 1 :].partition("\n")[0]
        return WarehouseError(f"{said}, near: {near[:60]}")

    def _blockers(self, sql: str) -> str:
        """Who holds the tables of a statement that waited in vain; they are asked for over another session."""
        tables, readers = sessions.tables_of(sql)
        try:
            found = self._holders(tables, readers) if tables else []
        except WarehouseError:
            found = []
        if not found:
            return "; run again"
        advice = "wait until they are done, or end them by pg_terminate_backend(session); then run again"
        return f"; held: {'; '.join(found)}. {advice.capitalize()}"

    def _holders(self, tables: Sequence[str], readers: bool) -> list[str]:
        with Postgres(self.settings, self._application) as other:
            return sessions.holders(other.query, tables, self._pid, readers)

    def _where(self) -> str:
        parts = urlsplit(self.settings.url)
        return f"warehouse {parts.hostname}:{parts.port or 5432}{parts.path}"


_SUFFIXES = {"p": "pkey", "u": "key", "n": "not_null", "c": "check", "f": "fkey", "x": "excl"}


def _constraint_name(table: str, kind: str, columns: Sequence[str]) -> str:
    """As Postgres itself would name it, in its 63 bytes at most."""
    suffix = f"_{_SUFFIXES[kind]}"
    stem = "_".join([table, *([] if kind == "p" else columns)])
    return stem.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix


def _without_values(message: str, code: str) -> str:
    """A server's message without the value that it quotes: logs are read by more people than the data is.

    Values are quoted by the errors of class 22. Of these, bad COPY text (22P04) is described by columns alone.
    """
    if not code.startswith("22") or code == "22P04":
        return message
    return re.sub(r'(?<!encoding )"(.*)"', lambda value: f"({len(value[1])} characters)", message, flags=re.DOTALL)


def _lost(error: psycopg2.Error) -> bool:
    """Whether it is the session's end: shut down, timed out while idle, or without a word from the server."""
    code = error.pgcode
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return (code or "57P").startswith("57P")
    # In the middle of a COPY psycopg2 says no more than that it is an error of the database.
    return code == "25P03" or (code is None and bool(_UNREACHABLE.search(str(error))))


def _first_line(error: psycopg2.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]


def _connect_advice(error: Exception) -> str:
    # A line for each address that was tried, and a hint after it.
    said = [*re.findall(r".*(?:FATAL|failed): +(.+)", str(error)), str(error).strip()][0]
    if "password authentication failed" in str(error):
        return f"{said}; mend the password in [warehouse] url"
    if "does not exist" in str(error):
        return f"{said}; create it, or mend [warehouse] url"
    return f"{said}; is the server up, and [warehouse] url right?"
