"""SQL at the shop's own MySQL, as its application: for whoever wants to play the shop."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from etl.errors import SourceError

Result = tuple[list[str], list[tuple[Any, ...]]]


def answers(url: str, statements: str) -> Iterator[Result]:
    """What each statement answers, names and rows; those that answer nothing say how many rows they touched.

    All are committed, or up to the one that the server refuses.
    """
    parts = urlsplit(url)
    try:
        with (
            pymysql.connect(
                host=parts.hostname,
                port=parts.port or 3306,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=unquote(parts.path.lstrip("/")),
                charset="utf8mb4",
                autocommit=True,
                client_flag=CLIENT.MULTI_STATEMENTS,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statements)
            more = True
            while more:
                if cursor.description:
                    yield [column[0] for column in cursor.description], list(cursor.fetchall())
                elif cursor.rowcount:
                    yield ["rows"], [(cursor.rowcount,)]
                more = bool(cursor.nextset())
    except pymysql.err.MySQLError as error:
        raise SourceError(f"MySQL answers {': '.join(map(str, error.args))}") from None
