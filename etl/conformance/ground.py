"""What a check stands on: a session, a schema and a lake prefix of its own; and how a check becomes a Finding."""

import contextlib
import datetime
import functools
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from etl import config
from etl.errors import EtlError
from etl.lake import Bucket
from etl.warehouse.names import literal, quote


class Session(Protocol):
    """What an engine offers: see etl.warehouse. Its errors are EtlErrors with the server's own words."""

    def query(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]: ...
    def execute(self, sql: str, values: Sequence[Any] | None = None) -> int: ...
    def transaction(self) -> contextlib.AbstractContextManager[None]: ...
    def reconnect(self) -> None: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...


@dataclass(frozen=True)
class Finding:
    """`why` is what of ours relies on what was expected."""

    name: str
    expected: str
    found: str
    holds: bool
    why: str


@dataclass(frozen=True)
class Like:
    """An expectation in `words`, which holds where the found text matches `pattern`."""

    words: str
    pattern: str


class Said(str):
    """Words of ours, and not a value of the server's: shown without quotes."""


REFUSED = Like("refused", r"^refused")
# What a server refuses that knows neither the syntax, the function nor the table proves nothing.
UNDERSTOOD = Like("understood and refused", r"^refused(?! \((42601|42883|42P01)\))")


@dataclass(frozen=True)
class Check:
    name: str
    expected: object
    function: Callable[["Ground"], object]

    def of(self, ground: "Ground") -> Finding:
        """The finding; whatever the check raises is one that does not hold."""
        try:
            found = self.function(ground)
            holds = _holds(self.expected, found)
            text = shown(found)
        except EtlError as error:
            holds, text = False, f"error: {error}"
        except Exception as error:
            holds, text = False, f"error: {type(error).__name__}: {error}"
        why = " ".join((self.function.__doc__ or "").split())
        ground.recover()
        return Finding(self.name, shown(self.expected), text, holds, why)


CHECKS: list[Check] = []


def check(name: str, expected: object) -> Callable[[Callable[["Ground"], object]], Callable[["Ground"], object]]:
    """Register a check, whose docstring says what of ours relies on it; it returns what was found."""

    def register(function: Callable[["Ground"], object]) -> Callable[["Ground"], object]:
        CHECKS.append(Check(name, expected, function))
        return function

    return register


class Undo(Exception):
    """Leaves a transaction without an outcome."""


class Ground:
    """Checks work in `schema`; each names its tables by `name`, which is never the same twice."""

    def __init__(self, db: Session, beside: Callable[[], Session]):
        self.db, self._open = db, beside
        self.schema = f"turnstile_conformance_{secrets.token_hex(4)}"
        self._number = 0

    def make(self) -> Finding:
        why = "Every check works in a schema of its own; the user needs CREATE on the database."
        try:
            self.db.execute(f"CREATE SCHEMA {self.schema}")
        except EtlError as error:
            return Finding("a schema to work in", "created", f"error: {error}", False, why)
        return Finding("a schema to work in", "created", "created", True, why)

    def remove(self) -> Finding:
        """Schema and prefix go, whatever state the session is in."""
        failures = []
        self.recover()
        try:
            self.db.execute(f"DROP SCHEMA {self.schema} CASCADE")
        except EtlError as error:
            failures.append(f"schema {self.schema} is left: {error}")
        if "lake" in vars(self):
            try:
                self.lake.delete([found.key for found in self.lake.list()])
            except EtlError as error:
                failures.append(f"{self.lake.url('')} is left: {error}")
        why = "Nothing of this remains; what is named here has to be removed by hand."
        return Finding("everything removed", "removed", "; ".join(failures) or "removed", not failures, why)

    def recover(self) -> None:
        """A session that can be used, whatever the last check has left."""
        with contextlib.suppress(EtlError):
            if not self.db.closed:
                self.db.execute("ROLLBACK")
                return
        with contextlib.suppress(EtlError):
            self.db.reconnect()

    def name(self) -> str:
        """A table's name, with its schema, that no other check uses."""
        self._number += 1
        return f"{self.schema}.t{self._number}"

    def table(self, columns: str, rows: str = "") -> str:
        """A table of these columns, and `rows` for its INSERT … VALUES."""
        name = self.name()
        self.db.execute(f"CREATE TABLE {name} ({columns})")
        if rows:
            self.db.execute(f"INSERT INTO {name} VALUES {rows}")
        return name

    def one(self, sql: str, values: Sequence[Any] | None = None) -> Any:
        """The value of a query that yields one."""
        ((value,),) = self.db.query(sql, values)
        return value

    def refused(self, sql: str, values: Sequence[Any] | None = None) -> Said:
        """What the server says to a statement that it should not run."""
        try:
            self.db.execute(sql, values)
        except EtlError as error:
            return refusal(error)
        return Said("accepted")

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction that is rolled back."""
        with contextlib.suppress(Undo), self.db.transaction():
            yield
            raise Undo

    @contextlib.contextmanager
    def beside(self) -> Iterator[Session]:
        """Another session of the same user."""
        other = self._open()
        try:
            yield other
        finally:
            other.close()

    @functools.cached_property
    def lake(self) -> Bucket:
        """A prefix of the lake that nobody else uses."""
        store = config.lake()
        return Bucket(
            config.Store(
                f"{store.url.rstrip('/')}/{self.schema}",
                store.endpoint_url,
                store.region,
                store.access_key_id,
                store.secret_access_key,
            )
        )

    def put(self, parts: Sequence[bytes], extra: dict[str, Any] | None = None) -> str:
        """Write parts and a manifest of them, with `extra` beside its entries; the manifest's URL."""
        self._number += 1
        urls = []
        for number, body in enumerate(parts):
            key = f"{self._number}/part-{number}.csv"
            self.lake.put_new(key, body)
            urls.append(self.lake.url(key))
        return self.listed(urls, extra)

    def listed(self, urls: Sequence[str], extra: dict[str, Any] | None = None) -> str:
        self._number += 1
        key = f"{self._number}/manifest.json"
        entries = [{"url": url, "mandatory": True} for url in urls]
        self.lake.put_new(key, json.dumps({"entries": entries, **(extra or {})}).encode())
        return self.lake.url(key)

    def copying(
        self, table: str, columns: Sequence[str], manifest: str, compression: str = "", null: str = r"\N"
    ) -> str:
        """The statement, as a load sends it: \\N is the server's own NULL, and a backslash in a literal an escape."""
        role, region = config.warehouse().iam_role, config.lake().region
        words = [
            f"COPY {table} ({', '.join(map(quote, columns))}) FROM {literal(manifest)}",
            "IAM_ROLE default" if role == "default" else f"IAM_ROLE {literal(role)}",
            "MANIFEST FORMAT AS CSV QUOTE AS '\"'",
            "" if null == r"\N" else f"NULL AS {literal(null.replace(chr(92), 2 * chr(92)))}",
            "ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF",
            compression,
            f"REGION {literal(region)}" if region else "",
        ]
        return " ".join(filter(None, words))

    def copy(self, columns: str, text: str | bytes) -> str:
        """A table with `columns`, the first of them `n INT` to tell rows apart, into which CSV text was loaded."""
        table = self.table(columns)
        body = text.encode() if isinstance(text, str) else text
        self.db.execute(self.copying(table, _names(columns), self.put([body])))
        return table

    def copied(self, kind: str, *fields: str) -> list[Any]:
        """What fields of a column of this type, as they stand in a file, become."""
        text = "".join(f"{number},{field}\n" for number, field in enumerate(fields))
        table = self.copy(f"n INT, v {kind}", text)
        return [value for (value,) in self.db.query(f"SELECT v FROM {table} ORDER BY n")]

    def copy_refused(self, columns: str, text: str | bytes) -> Said:
        """What the server says to a file that it should not load."""
        table = self.table(columns)
        body = text.encode() if isinstance(text, str) else text
        return self.refused(self.copying(table, _names(columns), self.put([body])))


def refusal(error: EtlError) -> Said:
    """In the server's words, with its SQLSTATE where the driver's error is at hand."""
    cause: BaseException | None = error
    while cause is not None and not getattr(cause, "pgcode", None):
        cause = cause.__cause__ or cause.__context__
    code = f" ({getattr(cause, 'pgcode', '')})" if cause is not None else ""
    return Said(f"refused{code}: {error}")


def shown(value: object) -> str:
    """A value as a report shows it."""
    match value:
        case Like():
            return value.words
        case None:
            return "NULL"
        case Decimal() | datetime.date() | datetime.time():
            return str(value)
        case list() | tuple() | set():
            return ", ".join(map(shown, value)) or "nothing"
        case Said():
            return str(value)
    return repr(value)


def _holds(expected: object, found: object) -> bool:
    if isinstance(expected, Like):
        return bool(re.search(expected.pattern, shown(found), re.DOTALL))
    return bool(expected == found)


def _names(columns: str) -> list[str]:
    """Of a list of columns; a type's own commas stand in brackets."""
    return [part.split()[0] for part in re.sub(r"\([^)]*\)", "", columns).split(",")]
