"""Whether a table is still what its read was planned for: its columns, their types and order, and its key."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pymysql

from etl.errors import EtlError
from etl.sources.mysql_catalogue import columns_now
from etl.sources.mysql_connection import Address, connected
from etl.sources.mysql_types import Column


class Altered(Exception):
    """A table was altered after its read was planned: what was read of it may be wrong, and is to be read again."""


def check(connection: pymysql.Connection, table: str, planned: Sequence[Column], what: str) -> None:
    """Raise Altered unless the table is as `planned`.

    In a transaction that has read the table it stays so until that ends: MySQL lets nobody alter it.
    """
    now = columns_now(connection, table)
    if now != list(planned):
        raise Altered(f"{what}: was altered after its columns were looked up ({_difference(planned, now)})")


@contextlib.contextmanager
def unaltered(
    connection: pymysql.Connection, to: Address, table: str, planned: Sequence[Column], what: str
) -> Iterator[None]:
    """Around a read over other connections: Altered, before it or after it, unless the table is as `planned`.

    What failed in between is Altered too where the table has been: MySQL and the drivers have many words for that.
    """
    check(connection, table, planned, what)
    try:
        yield
    except Exception:
        with contextlib.suppress(EtlError, pymysql.err.MySQLError):
            _check_anew(to, table, planned, what)
        raise
    _check_anew(to, table, planned, what)


def _check_anew(to: Address, table: str, planned: Sequence[Column], what: str) -> None:
    # Ours has been silent for as long as the read took, and what stands between us and the server may have cut it.
    with connected(to) as connection:
        check(connection, table, planned, what)


def _difference(planned: Sequence[Column], now: Sequence[Column]) -> str:
    was, there = ({column.name: replace(column, key=0) for column in side} for side in (planned, now))
    said = [f"{name} is gone" for name in was if name not in there]
    said += [f"{name} is new" for name in there if name not in was]
    said += [f"{name} is {there[name].declared}" for name in was if there.get(name, was[name]) != was[name]]
    return ", ".join(said) or "another order or key"
