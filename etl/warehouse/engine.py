"""An engine: what the pipeline asks of a warehouse. What only one of them has lives in postgres.py or redshift.py."""

import abc
import contextlib
import functools
import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors

from etl import config
from etl.checksums import Field, Side
from etl.errors import Conflict, DataError, EtlError, Locked, WarehouseError, WarehouseLost
from etl.failpoint import failpoint
from etl.warehouse.roles import Roles

# How libpq and the server say that a session cannot be had now, for which there is no SQLSTATE.
_UNREACHABLE = re.compile(
    r"refused|timeout|timed out|starting up|shutting down|recovery|not (yet )?accepting|too many|connection slots|"
    r"closed (the connection|unexpectedly)|reset by peer|[Bb]roken pipe|unreachable|[Nn]o route|could not receive|"
    r"Temporary failure|EOF"
)


# A statement and its values.
Note = tuple[str, Sequence[Any]]


class CommitUnknown(WarehouseError):
    """The connection was lost while COMMIT was under way: only the marker can tell what became of it."""


class Part(Protocol):
    """CSV text to COPY; `error` is what its read raised, since psycopg2 replaces that."""

    @property
    def error(self) -> EtlError | None: ...

    def read(self, size: int = -1) -> bytes: ...
    def close(self) -> None: ...


class Parts(Protocol):
    """Parts of one shape, for an engine that is sent their text and for one that fetches them itself.

    `opened` is by the part's URL. `listed` returns the URL of a COPY manifest of these parts, each of which has been
    found to be as it was written. `null` is the token that stands for NULL, `compression` none, gzip or zstd.
    """

    @property
    def opened(self) -> Mapping[str, Callable[[], Part]]: ...
    @property
    def null(self) -> str: ...
    @property
    def compression(self) -> str: ...
    def listed(self) -> str: ...


@dataclass(frozen=True)
class Table:
    """A table as the server has it: columns with their types, in its order, and its size in bytes with indexes.

    `required` columns are never NULL; each set of `unique` columns is kept unique by the server itself. `size` is 0
    where rows are counted at no cost.
    """

    columns: dict[str, str]
    required: frozenset[str]
    key: tuple[str, ...]
    unique: frozenset[frozenset[str]]
    size: int


class Engine(abc.ABC):
    """One connection in autocommit mode, with transactions where they are asked for.

    Every failure is a WarehouseError or DataError that says what the server said, without values. `seen` is for
    what this session has found to be there and nobody takes away again. `name` is what a table's file calls the engine
    in its hints. `narrow` is whether its checksums are of the kind that knows limits of a text, no MD5 of bytes and
    no digits of a double: the other side of a comparison is then asked for the same.
    """

    name: ClassVar[str]
    port: ClassVar[int]
    narrow: ClassVar[bool]

    def __init__(self, settings: config.Warehouse, application: str):
        self.settings, self._application = settings, application
        self.seen: set[str] = set()
        self._connection = self._connect()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def closed(self) -> bool:
        return bool(self._connection.closed)

    def claim(self, name: str) -> str:
        """Who has this name, in words; '' where this session has it now, for as long as it lasts.

        An engine whose locks end with a transaction gives it to everybody.
        """
        return ""

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

    def names_of(self, sql: str) -> list[str]:
        """The columns that a SELECT yields, without running it."""
        asked = f"SELECT * FROM (\n{sql}\n) q LIMIT 0"
        with self._explained(asked), self._connection.cursor() as cursor:
            cursor.execute(asked)
            return [column.name for column in cursor.description or ()]

    def exists(self, schema: str, table: str) -> bool:
        return bool(
            self.query(
                "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = %s AND c.relname = %s",
                (schema, table),
            )
        )

    @functools.cached_property
    def owner(self) -> str | None:
        """Who owns what people read, where it is not who is connected: `etl init` has made it so."""
        found = self.query(
            "SELECT pg_get_userbyid(nspowner) FROM pg_namespace "
            "WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user"
        )
        return found[0][0] if found else None

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Name -> type, in the table's order; nothing for a table that is not there."""
        found = self.table(schema, table)
        return found.columns if found else {}

    # ---- sessions and transactions

    @abc.abstractmethod
    def begin_anew(self, application: str) -> None:
        """Make the session as good as a new one: another name, and no lock or temporary table of what it did before."""

    @abc.abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Commit on leaving, roll back on an exception, which is always raised again.

        Where a lock is a transaction's, it is that one: all that is done under the lock is committed with it.
        """

    @abc.abstractmethod
    def locked(self, target: str, *others: str) -> contextlib.AbstractContextManager[None]:
        """Hold our own lock on a target; readers of the table never meet it. Locked names who holds it.

        `others` are targets that may have to be locked within, for an engine that must take all its locks at once.
        """

    @abc.abstractmethod
    def snapshot(self) -> contextlib.AbstractContextManager[None]:
        """All that is read inside is of one moment, and nothing can be written."""

    @abc.abstractmethod
    def note(self, statements: Sequence[Note]) -> None:
        """Write to tables that all loads share, with as little waiting as the engine allows.

        Inside a transaction it is done at its end at the latest.
        """

    @abc.abstractmethod
    def note_at_once(self, statements: Sequence[Note]) -> None:
        """The same, committed whatever becomes of what is under way; no transaction() is open."""

    @abc.abstractmethod
    def holders(self, schema: str, table: str) -> list[str]:
        """Who else holds locks on a table, readers too, as far as the server tells us."""

    # ---- what is there

    @abc.abstractmethod
    def version(self) -> str:
        """What the server says it is, for people."""

    @abc.abstractmethod
    def table(self, schema: str, table: str) -> Table | None:
        """What the server knows of a table; None where there is none."""

    @abc.abstractmethod
    def columns_of(self, sql: str) -> dict[str, str]:
        """Name and type of what a SELECT yields, without running it."""

    @abc.abstractmethod
    def ensure_schema(self, schema: str, readable: bool) -> None:
        """Create a schema that is not there; `readable` ones are opened to the reader's role."""

    @abc.abstractmethod
    def allow_reading(self, schema: str, table: str) -> None: ...

    @property
    @abc.abstractmethod
    def roles(self) -> Roles:
        """How roles are made here, and what they may."""

    @abc.abstractmethod
    def free_disk(self) -> int | None:
        """Free bytes at the server; None where it is not ours to see."""

    # ---- types and values

    @property
    @abc.abstractmethod
    def now(self) -> str:
        """This moment by the server's clock, to the microsecond: later than all that a lock was waited for."""

    @property
    @abc.abstractmethod
    def default_now(self) -> str:
        """The DEFAULT of a column for the moment in which its row was written, where nobody says it better."""

    @abc.abstractmethod
    def type_of(self, declared: str, bound: str = "", column: str = "x") -> str:
        """The type of a column for what a manifest declares, of which `bound` is the narrowest form that is known.

        DataError, which speaks of `column`, where the warehouse has no such type.
        """

    @abc.abstractmethod
    def canonical(self, kind: str) -> str:
        """A type as the server itself writes it."""

    @abc.abstractmethod
    def is_wider(self, was: str, becomes: str) -> bool:
        """Whether a column of the one type can become one of the other in place, each value staying what it is."""

    def same(self, one: str, other: str, kind: str) -> str:
        """Whether two expressions of a type are the same to the last byte; NULL where one of them is."""
        return f"{one} = {other}"

    def exactly(self, column: str, kind: str) -> list[str]:
        """What a column is to be grouped by besides itself, so that only values that are the same fall together."""
        return []

    # ---- comparisons

    @abc.abstractmethod
    def side(self, name: str, fields: Sequence[Field], key: Sequence[str], alive: str = "") -> Side:
        """A table, by its name in SQL, as one side of a comparison; its rows that are `alive`."""

    # ---- stages

    @abc.abstractmethod
    def copy(self, table: str, columns: Sequence[str], parts: Parts, copied: Callable[[int], None]) -> int:
        """COPY parts into a table; the server's count of rows. `copied` hears the rows as they come."""

    @abc.abstractmethod
    def borrow(self, table: str, columns: Mapping[str, str], parts: Parts) -> str:
        """The rows of parts as a table that only this connection sees and that goes with it; returns its name."""

    @abc.abstractmethod
    def like(self, stage: str, schema: str, table: str) -> None:
        """An empty stage with the target's columns and defaults."""

    @abc.abstractmethod
    def land(self, stage: str, columns: Mapping[str, str]) -> None:
        """An empty stage with these columns."""

    @abc.abstractmethod
    def set_aside(self, name: str, select: str) -> int:
        """A table like a stage, of what a SELECT yields; the number of its rows."""

    @abc.abstractmethod
    def without_key(self, schema: str, table: str) -> None:
        """Make a new stage's primary key one that is proved once its rows are in."""

    @abc.abstractmethod
    def unique(self, stage: str, key: Sequence[str]) -> bool:
        """Prove a key; False for duplicates."""

    @abc.abstractmethod
    def add_key(self, stage: str, key: Sequence[str], primary: bool) -> bool:
        """Prove the key of a stage that is to become a table; False for duplicates."""

    @abc.abstractmethod
    def become(self, stage_table: str, schema: str, table: str, create: str, hints: Sequence[str]) -> None:
        """Publish a proved stage as a table that does not exist yet, which `create` would create, with its hints."""

    @abc.abstractmethod
    def creating(
        self, schema: str, table: str, create: str, hints: Sequence[str], unique: Sequence[str] = ()
    ) -> list[str]:
        """The statements that make an empty table, which `create` creates, with its hints, as a first load would.

        `unique` are columns that are to be unique besides its primary key.
        """

    @abc.abstractmethod
    def has_only(self, target: str, keys: Sequence[str], stage: str, new: str) -> bool:
        """Whether a table is known to have no key but those of the stage without those that are `new` (FROM what).

        False where to find out would cost as much as to look for the others.
        """

    @abc.abstractmethod
    def analyze(self, schema: str, table: str) -> None: ...

    # ---- changing a table that people read

    @abc.abstractmethod
    def alter(self, schema: str, table: str, changes: Sequence[tuple[str, Sequence[Note]]]) -> None:
        """ALTER a table by what each change says, and note each with it; readers wait no longer than they must.

        All of it is done or nothing, however often it is called.
        """

    @abc.abstractmethod
    def altering(self, name: str, actions: Sequence[str]) -> str:
        """What a person runs to ALTER a table so."""

    @abc.abstractmethod
    def retyping(self, schema: str, table: str, column: str, becomes: str, conversion: str) -> str:
        """What a person runs to give a column another type, by an expression where one is needed."""

    @abc.abstractmethod
    def redefining(self, schema: str, table: str, column: str, becomes: str, actions: Sequence[str]) -> str:
        """What a person runs so that a column is as its file defines it: by `actions` of an ALTER TABLE where the
        engine changes a column in place, and where it does not by another column, defined as `becomes`.
        """

    @abc.abstractmethod
    def rekeying(self, schema: str, table: str, key: Sequence[str], new: Mapping[str, str], emptied: bool) -> str:
        """What a person runs to give a table another primary key, of which the columns `new` are to be added.

        `emptied` says that the rows which are there cannot have it, and go.
        """

    @abc.abstractmethod
    def dependents(self, schema: str, table: str, column: str) -> list[str]:
        """What keeps the server from widening the column, as it describes it."""

    @abc.abstractmethod
    def hints_for(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The hints of a table that is asked for rows by these columns each night."""

    @abc.abstractmethod
    def add_indexes(self, schema: str, table: str, columns: Sequence[str]) -> None:
        """Indexes for what is asked for each night, where the engine has any."""

    # ---- failures

    @abc.abstractmethod
    def _connect(self, application: str = "") -> Any: ...

    def _begin(self) -> None:
        self.execute("BEGIN")

    def _commit(self) -> None:
        """CommitUnknown where the answer to COMMIT does not come."""
        failpoint("commit.before")
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("COMMIT")
        except psycopg2.Error as error:
            if self.closed:
                raise CommitUnknown(f"{self._where()}: connection lost during COMMIT ({first_line(error)})") from None
            raise self._explanation(error, "COMMIT") from None
        failpoint("commit.after")

    def _rollback(self) -> None:
        # A lost connection has rolled back by itself, and the first error is the one to show.
        with contextlib.suppress(psycopg2.Error), self._connection.cursor() as cursor:
            cursor.execute("ROLLBACK")

    @contextlib.contextmanager
    def _explained(self, sql: str, part: Part | None = None) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            if part is not None and part.error is not None:
                raise part.error from None
            raise self._explanation(error, sql) from None

    def _explanation(self, error: psycopg2.Error, sql: str) -> EtlError:
        said = without_values(first_line(error), error.pgcode or "")
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
                return WarehouseError(f"{self._where()}: {said}; grant it to {self._user}")
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
        """Who holds the tables of a statement that waited in vain, and what to do."""
        return "; run again"

    @property
    def _user(self) -> str:
        return urlsplit(self.settings.url).username or "the user of [warehouse] url"

    def _where(self) -> str:
        parts = urlsplit(self.settings.url)
        return f"warehouse {parts.hostname}:{parts.port or self.port}{parts.path}"

    def _refused(self, error: psycopg2.OperationalError) -> EtlError:
        """Of a connection that could not be had."""
        kind = WarehouseLost if _UNREACHABLE.search(str(error)) else WarehouseError
        return kind(f"{self._where()}: cannot connect: {_connect_advice(error)}")


def without_values(message: str, code: str) -> str:
    """A server's message without the value that it quotes: logs are read by more people than the data is.

    Values are quoted by the errors of class 22. Of these, bad COPY text (22P04) is described by columns alone.
    """
    if not code.startswith("22") or code == "22P04":
        return message
    return re.sub(r'(?<!encoding )"(.*)"', lambda value: f"({len(value[1])} characters)", message, flags=re.DOTALL)


def first_line(error: psycopg2.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]


def _lost(error: psycopg2.Error) -> bool:
    """Whether it is the session's end: shut down, timed out while idle, or without a word from the server."""
    code = error.pgcode
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return (code or "57P").startswith("57P")
    # In the middle of a COPY psycopg2 says no more than that it is an error of the database.
    return code == "25P03" or (code is None and bool(_UNREACHABLE.search(str(error))))


def _connect_advice(error: Exception) -> str:
    # A line for each address that was tried, and a hint after it.
    said = [*re.findall(r".*(?:FATAL|failed): +(.+)", str(error)), str(error).strip()][0]
    if "password authentication failed" in str(error):
        return f"{said}; mend the password in [warehouse] url"
    if "does not exist" in str(error):
        return f"{said}; create it, or mend [warehouse] url"
    return f"{said}; is the server up, and [warehouse] url right?"
