"""The warehouse, of whichever engine `[warehouse] url` names. Only this package knows its driver."""

import functools
import os
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import parse_dsn

from etl import config
from etl.errors import ConfigError
from etl.warehouse.postgres import CommitUnknown, Part, Postgres

__all__ = ["CommitUnknown", "Part", "Postgres", "connect", "shared"]


def connect(application: str) -> Postgres:
    """A connection of its own for one piece of work; `application` is what the server shows for it."""
    settings = config.warehouse()
    scheme, _, address = settings.url.partition("://")
    if scheme not in ("postgresql", "postgres") or not address:
        begins = f"begins with {scheme}://" if address else "is no URL"
        raise ConfigError(f"[warehouse] url {begins}; write postgresql://user:…@host/db")
    try:
        _ = urlsplit(settings.url).port
        parse_dsn(settings.url)
    except (ValueError, psycopg2.ProgrammingError):
        # Their messages quote a piece of the URL, which may be one of the password.
        raise ConfigError(
            "[warehouse] url: cannot be read; write postgresql://user:password@host:port/database, "
            "and special characters of the password as %XX (%%XX in luigi.cfg)"
        ) from None
    return Postgres(settings, application)


def shared() -> Postgres:
    """One connection a process for the many small questions "is this done?".

    A forked worker gets one of its own: two processes must not talk over one socket.
    """
    return _shared(config.warehouse(), os.getpid())


@functools.lru_cache(maxsize=1)
def _shared(settings: config.Warehouse, pid: int) -> Postgres:
    return connect("etl completeness")
