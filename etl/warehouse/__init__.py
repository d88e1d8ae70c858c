"""The warehouse, of whichever engine `[warehouse] url` names. Only this package knows its driver."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import parse_dsn

from etl import config
from etl.errors import ConfigError, WarehouseError
from etl.warehouse.engine import CommitUnknown, Engine, Part
from etl.warehouse.postgres import Postgres

__all__ = ["CommitUnknown", "Engine", "Part", "admin", "beside", "connect", "loader", "owner", "shared"]

_SCHEMES = ("postgresql", "postgres", "redshift")

# The session that the process's last piece of work has left, by process: a forked worker must not talk over its
# parent's socket. A new session costs more than all that a small load asks of it.
_idle: dict[int, Engine] = {}


@contextlib.contextmanager
def connect(application: str) -> Iterator[Engine]:
    """A session of its own for one piece of work; `application` is what the server shows for it.

    It is kept for the next piece of this process's when the work has succeeded, and ends when it has not.
    """
    db = _taken(application) or _opened(_settings(), application)
    try:
        yield db
    except BaseException:
        db.close()
        raise
    if not db.closed and _idle.setdefault(os.getpid(), db) is not db:
        db.close()


def shared() -> Engine:
    """One connection a process for the many small questions "is this done?", a new one where the server ended it.

    A forked worker gets one of its own: two processes must not talk over one socket.
    """
    db = _shared(_settings(), os.getpid())
    if db.ended:
        db.reconnect()
    return db


def _taken(application: str) -> Engine | None:
    db = _idle.pop(os.getpid(), None)
    if db is None:
        return None
    try:
        if db.settings == _settings():
            db.begin_anew(application)
            return db
    except WarehouseError:
        # The server was restarted since, or has ended what was idle.
        pass
    db.close()
    return None


@functools.lru_cache(maxsize=1)
def _shared(settings: config.Warehouse, pid: int) -> Engine:
    return _opened(settings, "etl completeness")


def _opened(settings: config.Warehouse, application: str) -> Engine:
    if settings.url.startswith("redshift://"):
        # It brings boto3 and Arrow along, for which a command at a Postgres need not wait.
        from etl.warehouse.redshift import Redshift

        return Redshift(settings, application)
    return Postgres(settings, application)


def loader(application: str) -> Engine:
    """A session of [warehouse] url's, which is closed by whoever asked for it."""
    return _opened(_settings(), application)


def owner(application: str) -> Engine:
    """The same of owner_url's."""
    return _other("owner_url", config.owner_url(), application)


def admin(application: str) -> Engine:
    """The same of admin_url's."""
    return _other("admin_url", config.admin_url(), application)


def beside(db: Engine, application: str) -> Engine:
    """Another session of the same user's."""
    return type(db)(db.settings, application)


def _other(key: str, url: str | None, application: str) -> Engine:
    if url is None:
        raise ConfigError(f"[warehouse] {key}: not set; add it to the [warehouse] section of luigi.cfg")
    settings = _checked(dataclasses.replace(config.warehouse(), url=url), key)
    if urlsplit(url).scheme != urlsplit(config.warehouse().url).scheme:
        raise ConfigError(f"[warehouse] {key}: is of another kind than url; write the same server's")
    try:
        return _opened(settings, application)
    except WarehouseError as error:
        raise type(error)(str(error).replace("[warehouse] url", f"[warehouse] {key}")) from None


def _settings() -> config.Warehouse:
    """The section [warehouse]; ConfigError for a URL that cannot be read."""
    return _checked(config.warehouse(), "url")


def _checked(settings: config.Warehouse, key: str) -> config.Warehouse:
    scheme, _, address = settings.url.partition("://")
    if scheme not in _SCHEMES or not address:
        begins = f"begins with {scheme}://" if address else "is no URL"
        raise ConfigError(f"[warehouse] {key} {begins}; write postgresql://user:…@host/db or redshift://…")
    try:
        _ = urlsplit(settings.url).port
        parse_dsn(f"postgresql://{address}")
    except (ValueError, psycopg2.ProgrammingError):
        # Their messages quote a piece of the URL, which may be one of the password.
        raise ConfigError(
            f"[warehouse] {key}: cannot be read; write postgresql://user:password@host:port/database, "
            "and special characters of the password as %XX (%%XX in luigi.cfg)"
        ) from None
    return settings
