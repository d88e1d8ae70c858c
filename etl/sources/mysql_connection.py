"""A connection to the MySQL of [mysql] url, whose errors say what to do next and never hold the password."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
import pymysql.cursors
from pymysql.constants import CR, ER
from pymysql.converters import encoders

from etl import config
from etl.errors import ConfigError, SourceError, SourceLost

_CONNECT_SECONDS = 10
# The longest silence of the server: COUNT(*) of a huge table. Without a limit a vanished server hangs the night.
_SILENCE_SECONDS = 1800

# Said on every connection. A reader that waits for the lake is no reason to hang up on it, which the server does
# after 60 s.
SESSION = ("SET time_zone = '+00:00'", "SET net_write_timeout = 3600")
# All that is read from then on was true at this moment. Nothing can be written.
SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)

_KILLED = 1927  # MariaDB's ER_CONNECTION_KILLED, which PyMySQL has no name for
# 1698 is what a server says to users that it knows by their unix socket only.
_REFUSED = {ER.ACCESS_DENIED_ERROR, 1698}
_LOST = {
    CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR, ER.QUERY_INTERRUPTED, ER.SERVER_SHUTDOWN, ER.NORMAL_SHUTDOWN, _KILLED,
}  # fmt: skip
# Somebody else is in the way for now: too many connections, of all or of the user, and locks.
_BUSY = {
    ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED, ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK,
}  # fmt: skip


Connection = pymysql.Connection


@dataclass(frozen=True)
class Address:
    """mysql://user:password@host:port/database[?ssl_ca=path], percent-decoded."""

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    ssl_ca: str | None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


def address() -> Address:
    try:
        url = urlsplit(config.mysql().url)
        query = parse_qs(url.query, strict_parsing=True) if url.query else {}
        port = url.port or 3306
    except ValueError:
        # The reason may quote the URL, and so the password.
        raise _bad_url() from None
    database = unquote(url.path.removeprefix("/"))
    if url.scheme != "mysql" or not (url.hostname and url.username and database) or set(query) - {"ssl_ca"}:
        raise _bad_url()
    ssl_ca = query.get("ssl_ca", [None])[0]
    if ssl_ca and not Path(ssl_ca).is_file():
        raise ConfigError(f"[mysql] url: ssl_ca={ssl_ca} is not a file; name the CA certificate of {url.hostname}")
    return Address(unquote(url.username), unquote(url.password or ""), url.hostname, port, database, ssl_ca)


def _bad_url() -> ConfigError:
    return ConfigError(
        "[mysql] url: write mysql://user:password@host:port/database, optionally with ?ssl_ca=path, and "
        "percent-encode what is special in the password (@ is %40, / is %2F)"
    )


@contextlib.contextmanager
def connected(to: Address) -> Iterator[pymysql.Connection]:
    """A connection that sends every value as the bytes of its text, in UTF-8 and UTC.

    It is kept for the process's next read when this one has succeeded, and ends when it has not.
    """
    connection = _kept(to) or _new(to)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    try:
        # The end of its snapshot, which keeps others from altering what was read.
        connection.rollback()
    except pymysql.err.MySQLError:
        connection.close()
    if connection.open and _idle.setdefault(os.getpid(), (to, connection)) != (to, connection):
        connection.close()


# What the process's last read has left. To connect costs more than to read a small table: the certificates that the
# system trusts are loaded anew each time. By process, since a forked worker must not talk over its parent's socket.
_idle: dict[int, tuple[Address, pymysql.Connection]] = {}


def _kept(to: Address) -> pymysql.Connection | None:
    if os.getpid() not in _idle:
        return None
    where, connection = _idle.pop(os.getpid())
    if where == to:
        try:
            _wait_for_answers(connection, _CONNECT_SECONDS)
            connection.ping(reconnect=False)
            _wait_for_answers(connection, _SILENCE_SECONDS)
            return connection
        except pymysql.err.MySQLError:
            # The server has ended it since.
            pass
    connection.close()
    return None


def _new(to: Address) -> pymysql.Connection:
    verified = {"ssl_ca": to.ssl_ca, "ssl_verify_cert": True, "ssl_verify_identity": True} if to.ssl_ca else {}
    with explained(to, str(to)):
        try:
            connection = pymysql.connect(
                host=to.host,
                port=to.port,
                user=to.user,
                password=to.password.encode(),  # PyMySQL would encode text as latin1
                database=to.database,
                charset="utf8mb4",
                use_unicode=False,
                conv=encoders,
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_CONNECT_SECONDS,
                write_timeout=_SILENCE_SECONDS,
                **verified,
            )
        except RuntimeError as error:
            # PyMySQL's word for "the server's way to check passwords needs a package that is not installed".
            raise ConfigError(f"{to}: {error}; pip install 'pymysql[rsa]'") from None
        with connection.cursor() as cursor:
            for statement in SESSION:
                cursor.execute(statement)
        _wait_for_answers(connection, _SILENCE_SECONDS)
    return connection


def _wait_for_answers(connection: pymysql.Connection, seconds: int) -> None:
    """A server that hangs still takes connections: until it has said a word, it is waited for as for a connection."""
    connection._read_timeout = seconds


def begin_snapshot(connection: pymysql.Connection) -> None:
    with connection.cursor() as cursor:
        for statement in SNAPSHOT:
            cursor.execute(statement)


@contextlib.contextmanager
def streamed(connection: pymysql.Connection, statement: str) -> Iterator[Any]:
    """A cursor whose rows stay at the server until they are fetched. When left early, the connection is spent."""
    cursor = connection.cursor(pymysql.cursors.SSCursor)
    try:
        cursor.execute(statement)
        yield cursor
    finally:
        # Else closing the cursor reads the rest of the result, from a server that may be gone.
        if connection._result is not None:
            connection._result.unbuffered_active = False
        cursor.close()


def lost(said: str) -> bool:
    """Whether an error's text, from a driver without numbers for them, says that a connection broke or was too many."""
    words = ("Lost connection", "gone away", "was killed", "IoError", "IO error", "shutdown", "Too many connections")
    return any(word in said for word in words)


@contextlib.contextmanager
def explained(to: Address, what: str) -> Iterator[None]:
    """Turns the driver's errors into SourceError, or SourceLost where the same again may succeed.

    `what` is the table or query that is read.
    """
    try:
        yield
    except pymysql.err.MySQLError as error:
        raise _explanation(to, what, error) from None


def _explanation(to: Address, what: str, error: pymysql.err.MySQLError) -> SourceError:
    code, said = (*error.args, "", "")[:2]
    if code == CR.CR_CONN_HOST_ERROR:
        reason = getattr(error, "original_exception", said)
        return SourceLost(
            f"MySQL at {to.host}:{to.port} cannot be reached ({reason}); see that it runs and [mysql] url"
        )
    if code in _REFUSED:
        return SourceError(
            f"MySQL at {to.host}:{to.port} refuses user {to.user}: wrong password, or no such user from this host; "
            f"see [mysql] url"
        )
    if code in (ER.BAD_DB_ERROR, ER.DBACCESS_DENIED_ERROR):
        return SourceError(
            f"MySQL at {to.host}:{to.port} has no database {to.database} that {to.user} may read; see [mysql] url, "
            f"or GRANT SELECT ON `{to.database}`.* TO the user"
        )
    if code in (ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR):
        return SourceError(f"{what}: {to.user} may not read it ({said}); GRANT SELECT on it to that user at MySQL")
    if code in _LOST:
        return SourceLost(
            f"{what}: the connection to {to.host}:{to.port} was lost ({said}); nothing is published, run again"
        )
    if code in _BUSY:
        return SourceLost(f"{what}: MySQL at {to.host}:{to.port} is too busy ({said}); run again")
    if code == ER.TABLE_DEF_CHANGED:
        return SourceLost(f"{what}: the table was altered while it was read; nothing is published, run again")
    return SourceError(f"{what}: MySQL at {to.host}:{to.port} answers {code}: {said}")
