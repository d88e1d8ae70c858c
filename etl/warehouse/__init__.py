"""The warehouse, of whichever engine `[warehouse] url` names. Only this package knows its driver."""

import functools
import os
from urllib.parse import urlsplit

from etl import config
from etl.errors import ConfigError
from etl.warehouse.postgres import CommitUnknown, Part, Postgres

__all__ = ["CommitUnknown", "Part", "Postgres", "connect", "shared"]


def connect(application: str) -> Postgres:
    """A connection of its own for one piece of work; `application` is what the server shows for it."""
    settings = config.warehouse()
    scheme = urlsplit(settings.url).scheme
    if scheme not in ("postgresql", "postgres"):
        raise ConfigError(f"[warehouse] url begins with {scheme or 'nothing'}://; write postgresql://user:…@host/db")
    return Postgres(settings, application)


def shared() -> Postgres:
    """One connection a process for the many small questions "is this done?".

    A forked worker gets one of its own: two processes must not talk over one socket.
    """
    return _shared(config.warehouse(), os.getpid())


@functools.lru_cache(maxsize=1)
def _shared(settings: config.Warehouse, pid: int) -> Postgres:
    return connect("etl completeness")
