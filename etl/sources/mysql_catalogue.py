"""The schema of a whole MySQL database in one query of information_schema."""

import contextlib
import functools
import multiprocessing
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pymysql

from etl.errors import EtlError
from etl.sources.mysql_connection import address, connected, explained
from etl.sources.mysql_types import Column

# UNION and not JOIN: an index over an expression has a member without a column name, which must stay visible,
# since without it the other members would look unique.
_QUERY = """
SELECT TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, NULL, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE,
       NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH,
       CHARACTER_SET_NAME
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE(){of}
UNION ALL
SELECT TABLE_NAME, SEQ_IN_INDEX, COLUMN_NAME, INDEX_NAME, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE(){of} AND NON_UNIQUE = 0
UNION ALL
SELECT TABLE_NAME, TABLE_ROWS, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE(){of} AND TABLE_ROWS IS NOT NULL
"""

_Where = tuple[Any, ...]


class Catalogue(dict[str, list[Column]]):
    """The columns of each table. `rows` is the server's own guess at how many a table has; no view has one."""

    rows: dict[str, int]


_known: dict[_Where, Catalogue] = {}

# How often the schema was found to be outdated. In memory that forked workers share, because luigi forks a task's next
# attempt from the parent, which would not know.
_outdated = multiprocessing.Value("L", lock=False)


def catalogue(connection: pymysql.Connection) -> Catalogue:
    """Every table and view that the user may see, its columns in their own order, the invisible ones too.

    Read once for each server, database and user, by a process and those that it forks from then on.
    """
    where = (connection.host, connection.port, connection.user, connection.db, _outdated.value)
    if where not in _known:
        _known[where] = _read(connection)
    return _known[where]


@functools.cache
def read_ahead() -> None:
    """Read the schema of [mysql] url, for the workers that will be forked. Tried once, and never an error: a server
    that does not answer is for the extracts to report."""
    with contextlib.suppress(EtlError):
        to = address()
        with connected(to) as connection, explained(to, str(to)):
            catalogue(connection)


def forget() -> None:
    """Read the schema again when it is next asked for, whichever process asks: it was found to be outdated."""
    _known.clear()
    _outdated.value += 1


def key(columns: list[Column]) -> list[Column]:
    """The columns that identify a row: the primary key, else the shortest unique one without NULLs, else none."""
    return sorted((column for column in columns if column.key), key=lambda column: column.key)


def columns_now(connection: pymysql.Connection, table: str) -> list[Column]:
    """The columns of one table as they are at this moment, whatever is known of them; none where it is not there."""
    return _read(connection, table).get(table, [])


def _read(connection: pymysql.Connection, only: str = "") -> Catalogue:
    columns: dict[str, list[tuple[int, Column]]] = defaultdict(list)
    indexes: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(of=" AND TABLE_NAME = %s" if only else ""), (only,) * 3 if only else None)
        for row in cursor.fetchall():
            texts: list[Any] = [None if value is None else value.decode() for value in row]
            table, place, name, index, *described = texts
            if name is None and index is None:
                rows[table] = int(place)
            elif index is None:
                columns[table].append((int(place), _column(table, name, *described)))
            else:
                indexes[table][index].append((int(place), name))
    tables = Catalogue()
    tables.rows = rows
    for table, placed in columns.items():
        ordered = [column for _, column in sorted(placed, key=lambda pair: pair[0])]
        members = _key(
            ordered,
            {
                index: [name for _, name in sorted(found, key=lambda pair: pair[0])]
                for index, found in indexes[table].items()
            },
        )
        tables[table] = [
            replace(column, key=members.index(column.name) + 1 if column.name in members else 0) for column in ordered
        ]
    return tables


def _column(table: str, name: str, data_type: str, declared: str, nullable: str, *described: str | None) -> Column:
    *texts, charset = described
    precision, scale, fraction, characters, octets = (None if text is None else int(text) for text in texts)
    column = Column(table, name, data_type.lower(), declared.lower(), nullable == "YES", precision, scale, fraction)
    return replace(column, characters=characters, octets=octets, charset=charset)


def _key(columns: list[Column], indexes: dict[str, list[str]]) -> list[str]:
    required = {column.name for column in columns if not column.nullable}
    unique = [
        (index != "PRIMARY", len(members), index) for index, members in indexes.items() if required.issuperset(members)
    ]
    return indexes[min(unique)[-1]] if unique else []
