"""The contests' work by this pipeline: tasks as anybody writes them, and the calls that a warm process is asked for."""

import datetime

import luigi

from bench.measure import Failed
from etl.load import BaseLoader
from etl.mirror import MirrorTable
from etl.sources.mysql import MySQLExtractor


class ExtractItems(MySQLExtractor):
    @property
    def sql(self):
        return f"SELECT id, name, quantity, price, updated_at FROM items WHERE updated_at >= '{self.date}'"


class LoadItems(BaseLoader):
    extractor = ExtractItems
    table = "items"
    strategy = "upsert"
    key = ("id",)


class LoadItemFacts(BaseLoader):
    table = "fact_item"
    strategy = "upsert"
    key = ("id",)
    sql = "fact_item.sql"
    deletes = luigi.Parameter(default="keep")

    def requires(self):
        return MirrorTable(table="items", changed="updated_at", deletes=self.deletes, date=self.date)


def mirror(tables: list[str], date: str) -> None:
    _build([MirrorTable(table=table, date=datetime.date.fromisoformat(date)) for table in tables])


def upsert(date: str) -> None:
    _build([LoadItems(date=datetime.date.fromisoformat(date))])


def _build(tasks: list[luigi.Task]) -> None:
    done = luigi.build(tasks, local_scheduler=True, detailed_summary=True, log_level="WARNING")
    if done.status != luigi.LuigiStatusCode.SUCCESS:
        raise Failed(done.summary_text)
