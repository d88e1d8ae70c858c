"""Postgres: connections, locks, COPY, stages; everything that only this engine has."""

import contextlib
import functools
import logging
import queue
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from etl.checksums import Field, Side
from etl.errors import DataError, EtlError, Locked, WarehouseError
from etl.failpoint import failpoint
from etl.warehouse import postgres_columns, sessions
from etl.warehouse.checksum import WarehouseTable
from etl.warehouse.engine import Engine, Note, Part, Parts, Table, first_line, without_values
from etl.warehouse.names import literal, quote
from etl.warehouse.postgres_roles import PostgresRoles

logger = logging.getLogger("luigi-interface.etl")

# Between two statements of a transaction nothing is waited for. So a process that has stopped there keeps rows from
# others for less time than they wait for them; this is the shortest limit that a busy machine may be held to.
_LEAST_IDLE_SECONDS = 10


class Postgres(Engine):
    """A session at a Postgres."""

    name = "postgres"
    port = 5432
    narrow = False
    now = "statement_timestamp()"
    default_now = now

    def note(self, statements: Sequence[Note]) -> None:
        """In one message: a small load is mostly waiting for answers."""
        if statements:
            self.execute(";\n".join(sql for sql, _ in statements), [value for _, said in statements for value in said])

    note_at_once = note

    def begin_anew(self, application: str) -> None:
        self._application = application
        self.execute("SET application_name = %s; SELECT pg_advisory_unlock_all(); DISCARD TEMP", (application[:63],))

    def columns_of(self, sql: str) -> dict[str, str]:
        asked = f"SELECT * FROM (\n{sql}\n) q LIMIT 0"
        with self._explained(asked), self._connection.cursor() as cursor:
            cursor.execute(asked)
            described = [(column.name, column.type_code) for column in cursor.description or ()]
        return {name: self.query("SELECT format_type(%s, NULL)", (oid,))[0][0] for name, oid in described}

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        except BaseException:
            self._rollback()
            raise
        self._commit()

    @contextlib.contextmanager
    def locked(self, target: str, *others: str) -> Iterator[None]:
        """It ends with the session, so a killed process leaves none. A process that was only stopped leaves one that
        does nothing: after [warehouse] lock_timeout its session is ended, and then it can publish nothing any more,
        should it go on. Locked names who holds the lock and is at work. `others` are locked when their time comes.
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

    def claim(self, name: str) -> str:
        target = f"run {name}"
        if self.query(f"SELECT pg_try_advisory_lock({sessions.LOCK})", (target,))[0][0]:
            return ""
        return ", ".join(map(str, sessions.holder(self.query, target))) or "another host"

    def copy(
        self,
        table: str,
        columns: Sequence[str],
        parts: Parts,
        copied: Callable[[int], None],
    ) -> int:
        """Over `[warehouse] copies` connections. This one is among them, so that what is in one part needs no other.

        `copied` hears the rows of each part. The first failure stops the others and is raised.
        """
        statement = (
            f"COPY {table} ({', '.join(map(quote, columns))}) FROM STDIN "
            f"WITH (FORMAT csv, NULL {literal(parts.null)}, ENCODING 'UTF8')"
        )
        opened = parts.opened
        waiting: queue.SimpleQueue[tuple[str, Callable[[], Part]]] = queue.SimpleQueue()
        for part in opened.items():
            waiting.put(part)
        counts: list[int] = []
        failures: list[BaseException] = []

        def work(connection: Any) -> None:
            while not failures:
                try:
                    name, open_it = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    rows = self._copy_part(connection, statement, name, open_it())
                except BaseException as error:
                    failures.append(error)
                    return
                counts.append(rows)
                copied(rows)

        name = f"{sessions.COPIES}{self._pid} {self._application}"
        others = [self._connect(name) for _ in range(min(self.settings.copies, len(opened)) - 1)]
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

    def borrow(self, table: str, columns: Mapping[str, str], parts: Parts) -> str:
        listed = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE TEMPORARY TABLE {table} ({listed})")
        statement = f"COPY pg_temp.{table} FROM STDIN WITH (FORMAT csv, NULL {literal(parts.null)}, ENCODING 'UTF8')"
        for name, opened in parts.opened.items():
            self._copy_part(self._connection, statement, name, opened())
        return f"pg_temp.{table}"

    def side(self, name: str, fields: Sequence[Field], key: Sequence[str], alive: str = "") -> Side:
        return WarehouseTable(self, name, fields, key, alive)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        with self.transaction():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # While the source computes, this side waits for it, for as long as it takes.
            self.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield

    def holders(self, schema: str, table: str) -> list[str]:
        """Also in the middle of a failed transaction."""
        return self._holders([f"{quote(schema)}.{quote(table)}"], readers=True)

    def version(self) -> str:
        return f"Postgres {self.query('SHOW server_version')[0][0].split()[0]}"

    def table(self, schema: str, table: str) -> Table | None:
        """In one question."""
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

    def ensure_schema(self, schema: str, readable: bool) -> None:
        """Under a lock: of two loads that create it or grant at the same time, one would fail."""
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
        """Unlogged: a crash may lose it."""
        self.execute(f"CREATE UNLOGGED TABLE {stage} (LIKE {quote(schema)}.{quote(table)} INCLUDING DEFAULTS)")

    def set_aside(self, name: str, select: str) -> int:
        return self.execute(f"CREATE UNLOGGED TABLE {name} AS\n{select}")

    def has_only(self, target: str, keys: Sequence[str], stage: str, new: str) -> bool:
        """By the sums of the keys' hashes."""
        rows, total = self._sum_of_hashes(stage, keys)
        new_rows, of_new = self._sum_of_hashes(new, keys)
        return self._sum_of_hashes(target, keys) == (rows - new_rows, total - of_new)

    def type_of(self, declared: str, bound: str = "", column: str = "x") -> str:
        """A text is as cheap as any VARCHAR(n), and never too short."""
        return declared

    def canonical(self, kind: str) -> str:
        return postgres_columns.canonical(kind)

    def is_wider(self, was: str, becomes: str) -> bool:
        return postgres_columns.is_wider(was, becomes)

    def land(self, stage: str, columns: Mapping[str, str]) -> None:
        listed = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE UNLOGGED TABLE {stage} ({listed})")

    def without_key(self, schema: str, table: str) -> None:
        """The index is built at once after the rows are in, which is faster."""
        for (name,) in self.query(
            "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'",
            (f"{quote(schema)}.{quote(table)}",),
        ):
            self.execute(f"ALTER TABLE {quote(schema)}.{quote(table)} DROP CONSTRAINT {quote(name)}")

    def unique(self, stage: str, key: Sequence[str]) -> bool:
        """By building its unique index, which the publication then joins over."""
        return self._proves_unique(f"CREATE UNIQUE INDEX ON {stage} ({', '.join(map(quote, key))})")

    def add_key(self, stage: str, key: Sequence[str], primary: bool) -> bool:
        """For good."""
        kind = "PRIMARY KEY" if primary else "UNIQUE"
        return self._proves_unique(f"ALTER TABLE {stage} ADD {kind} ({', '.join(map(quote, key))})")

    def become(self, stage_table: str, schema: str, table: str, create: str, hints: Sequence[str]) -> None:
        """The stage, which is logged and keyed, is moved, renamed and indexed.

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
        for index in _indexes(schema, table, hints):
            self.execute(index)

    def creating(
        self, schema: str, table: str, create: str, hints: Sequence[str], unique: Sequence[str] = ()
    ) -> list[str]:
        listed = ", ".join(map(quote, unique))
        key = [f"ALTER TABLE {quote(schema)}.{quote(table)} ADD UNIQUE ({listed})"] if unique else []
        return [create, *key, *_indexes(schema, table, hints)]

    def alter(self, schema: str, table: str, changes: Sequence[tuple[str, Sequence[Note]]]) -> None:
        """In a moment in which nobody else has the table open: see postgres_columns.between_readers."""
        actions = [action for action, _ in changes if action]

        def work() -> None:
            self.execute(self.altering(f"{quote(schema)}.{quote(table)}", actions))
            self.note([note for _, notes in changes for note in notes])

        postgres_columns.between_readers(self, schema, table, work)

    def altering(self, name: str, actions: Sequence[str]) -> str:
        return f"ALTER TABLE {name} {', '.join(actions)}"

    def retyping(self, schema: str, table: str, column: str, becomes: str, conversion: str) -> str:
        """With the views that use the column dropped before and made again after it."""
        using = f" USING {conversion}" if conversion else ""
        statement = self.altering(f"{schema}.{table}", [f"ALTER COLUMN {quote(column)} TYPE {becomes}{using}"])
        return postgres_columns.around_views(self, schema, table, column, statement)

    def redefining(self, schema: str, table: str, column: str, becomes: str, actions: Sequence[str]) -> str:
        return self.altering(f"{schema}.{table}", actions)

    def rekeying(self, schema: str, table: str, key: Sequence[str], new: Mapping[str, str], emptied: bool) -> str:
        parts = [f"ADD COLUMN {quote(column)} {kind}" for column, kind in new.items()]
        parts += [
            f"DROP CONSTRAINT {quote(constraint)}"
            for (constraint,) in self.query(
                "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'",
                (f"{quote(schema)}.{quote(table)}",),
            )
        ]
        if key:
            parts.append(f"ADD PRIMARY KEY ({', '.join(map(quote, key))})")
        statement = self.altering(f"{schema}.{table}", parts)
        return f"BEGIN; DELETE FROM {schema}.{table}; {statement}; COMMIT" if emptied else statement

    def dependents(self, schema: str, table: str, column: str) -> list[str]:
        return postgres_columns.dependents(self, schema, table, column)

    def hints_for(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"INDEX ({column})" for column in columns)

    def add_indexes(self, schema: str, table: str, columns: Sequence[str]) -> None:
        for column in columns:
            self.execute(f"CREATE INDEX ON {quote(schema)}.{quote(table)} ({column})")

    def analyze(self, schema: str, table: str) -> None:
        self.execute(f"ANALYZE {quote(schema)}.{quote(table)}")

    @property
    def roles(self) -> PostgresRoles:
        return PostgresRoles(self, self._connection)

    def free_disk(self) -> int | None:
        """Below the server's data directory; None for one on another machine."""
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
            raise self._refused(error) from None
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

    def _sum_of_hashes(self, rows: str, columns: Sequence[str]) -> tuple[int, Decimal]:
        """The number of `rows` (FROM what) and the sum of their columns' hashes, which two sets of rows share by chance
        once in 2**64 times."""
        listed = ", ".join(map(quote, columns))
        ((count, total),) = self.query(
            f"SELECT count(*), coalesce(sum(hash_record_extended(ROW({listed}), 0)), 0) FROM {rows}"
        )
        return count, total

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

    def _explanation(self, error: psycopg2.Error, sql: str) -> EtlError:
        copying = re.search(r"^COPY \S+, line (\d+)(, column .+?)?(: |$)", error.diag.context or "", re.MULTILINE)
        if copying and isinstance(error, psycopg2.DataError | psycopg2.IntegrityError):
            said = without_values(first_line(error), error.pgcode or "")
            return DataError(f"line {copying[1]}{copying[2] or ''}: {said}")
        return super()._explanation(error, sql)

    def _blockers(self, sql: str) -> str:
        """They are asked for over another session."""
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


def _indexes(schema: str, table: str, hints: Sequence[str]) -> list[str]:
    for hint in hints:
        if not hint.upper().startswith("INDEX"):
            raise DataError(f"{schema}.{table}: '-- postgres: {hint}' is no hint; write INDEX (column, …)")
    return [f"CREATE INDEX ON {quote(schema)}.{quote(table)} {hint[5:]}" for hint in hints]


_SUFFIXES = {"p": "pkey", "u": "key", "n": "not_null", "c": "check", "f": "fkey", "x": "excl"}


def _constraint_name(table: str, kind: str, columns: Sequence[str]) -> str:
    """As Postgres itself would name it, in its 63 bytes at most."""
    suffix = f"_{_SUFFIXES[kind]}"
    stem = "_".join([table, *([] if kind == "p" else columns)])
    return stem.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix
