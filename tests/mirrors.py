"""Nights of mirrors that read what has changed, as in processes of their own."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymysql
from luigi.task_register import Register

from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue
from tests import pipeline
from tests.pipeline import day


def mirror(date: int, table: str = "sales", **said: Any) -> MirrorTable:
    Register.clear_instance_cache()
    return MirrorTable(table=table, date=day(date), **{"changed": "updated_at"} | said)


def night(date: int, table: str = "sales", **said: Any) -> None:
    mysql_catalogue.forget()
    pipeline.night(mirror(date, table, **said))


def extracted(date: int, table: str = "sales", **said: Any) -> MirrorTable:
    """A mirror whose extract is done, and which is not loaded."""
    mysql_catalogue.forget()
    task = mirror(date, table, **said)
    pipeline.night(task.requires())
    return task


def mark(warehouse, table: str = "sales") -> tuple[str, str | None]:
    """high_water and verified_through."""
    ((high, verified),) = warehouse.query(
        "SELECT high_water::text, verified_through::text FROM etl.watermarks WHERE target = %s", (f"raw.{table}",)
    )
    return high, verified


@contextlib.contextmanager
def transaction(mysql, *statements: str) -> Iterator[Any]:
    """A cursor of the shop's application whose statements are not committed before the block ends."""
    parts = urlsplit(mysql.app_url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        yield cursor
        connection.commit()
