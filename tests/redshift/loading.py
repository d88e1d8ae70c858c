"""One COPY from S3 inside the client's transaction, and what the error tables keep of it."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tests.redshift import copy_load, wire
from tests.redshift.backend import Backend, Failed
from tests.redshift.column_types import TableColumn
from tests.redshift.copy_load import LoadError, LoadFailed
from tests.redshift.copy_statement import CopyStatement, parse_copy
from tests.redshift.errors import Refused
from tests.redshift.wire import Frame, Gone

if TYPE_CHECKING:
    from tests.redshift.service import Service

_TARGET = """
SELECT c.oid, current_user::regrole::oid, coalesce(pg_current_xact_id_if_assigned()::text, '0')
FROM pg_class c WHERE c.oid = to_regclass({table}) AND c.relkind IN ('r', 'p', 't')
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


class Load:
    """`number` is the id that pg_last_copy_id() gives, also of a COPY that failed."""

    def __init__(self, service: "Service", backend: Backend, database: str, check: Callable[[], None]) -> None:
        self._service = service
        self._backend = backend
        self._database = database
        self._check = check
        self.number = 0
        self.rows = 0

    def run(self, text: str) -> list[str]:
        """Load, and return what Redshift tells the client of it.

        Where LoadFailed, Failed or Refused is raised the transaction has failed or is the caller's to fail;
        the error rows of LoadFailed are in the error tables by then, and stay there.
        """
        statement = parse_copy(text)
        started = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        oid, user, transaction = self._target(statement)
        columns = copy_load.chosen(statement, self._columns(oid))
        self.number = self._service.number()
        where = _Where(self._backend.pid, user, self._database, oid, transaction, self.number, started)
        try:
            loaded = self._load(statement, columns)
        except LoadFailed as failed:
            self._record(failed.errors, where)
            raise
        self.rows = loaded.rows
        self._record(loaded.errors, where)
        return loaded.notices(statement.table)

    def _target(self, statement: CopyStatement) -> tuple[int, int, int]:
        names = [name for name in (statement.schema, statement.table) if name]
        quoted = ".".join(_quoted(name) for name in names)
        found = self._backend.run(_TARGET.format(table=_literal(quoted)))
        if not found:
            raise Refused("42P01", f"Cannot COPY into nonexistent table {statement.table}")
        oid, user, transaction = (int(value or 0) for value in found[0])
        return oid, user, transaction

    def _columns(self, oid: int) -> list[TableColumn]:
        return [
            TableColumn(name or "", kind or "", required == "f", default, identity == "a")
            for name, kind, required, default, identity in self._backend.run(_COLUMNS.format(oid=oid))
        ]

    def _load(self, statement: CopyStatement, columns: list[TableColumn]) -> copy_load.Loaded:
        backend = self._backend
        backend.query(copy_load.upstream_copy(statement, columns))
        while (frame := backend.read()).kind != b"G":
            if frame.kind == b"E":
                self._finish()
                raise Failed(frame)
        try:
            loaded = copy_load.load(statement, columns, self._service.s3, self._write)
        except Gone:
            raise
        except BaseException:
            backend.wire.write(Frame(b"f", wire.text("the load failed")))
            self._finish()
            raise
        backend.wire.write(Frame(b"c"))
        if failed := self._finish():
            raise Failed(failed)
        return loaded

    def _write(self, data: bytes) -> None:
        self._check()
        self._backend.wire.write(Frame(b"d", data))

    def _finish(self) -> Frame | None:
        """Read to the end of Postgres's answer; its error, if there is one."""
        self._backend.wire.flush()
        errors = [frame for frame in self._backend.answer() if frame.kind == b"E"]
        return errors[0] if errors else None

    def _record(self, errors: list[LoadError], where: "_Where") -> None:
        """Over a connection of its own, so that the rows stay whatever becomes of the transaction."""
        if not errors:
            return
        with self._service.admin(self._database) as admin:
            for error in errors:
                _insert(admin, "stl_load_errors", where.stl() | error.stl())
                _insert(admin, "sys_load_error_detail", where.sys() | error.sys())


@dataclass(frozen=True)
class _Where:
    """What the error tables say of a COPY, in every row."""

    session: int
    user: int
    database: str
    table: int
    transaction: int
    query: int
    started: datetime.datetime

    def stl(self) -> dict[str, object]:
        return {
            "userid": self.user,
            "slice": 0,
            "tbl": self.table,
            "starttime": self.started,
            "session": self.session,
            "query": self.query,
        }

    def sys(self) -> dict[str, object]:
        return {
            "user_id": self.user,
            "query_id": self.query,
            "transaction_id": self.transaction,
            "session_id": self.session,
            "database_name": self.database,
            "table_id": self.table,
            "start_time": self.started,
        }


def _insert(admin: psycopg.Connection, table: str, row: dict[str, object]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("redshift", table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    admin.execute(statement, list(row.values()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
