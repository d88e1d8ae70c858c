"""The pipeline that the chaos tests break: an upsert, an append and a replacement, each from an extract of its own.

Luigi imports it in the command under test. The SQL is in tests/faults/sql.
"""

import datetime

import luigi

from etl.load import BaseLoader
from etl.sources.mysql import ExtractTable, MySQLExtractor


class LoadFans(BaseLoader):
    table = "dim_fan"
    strategy = "upsert"
    key = ("fan_id",)

    def requires(self):
        return ExtractFans(date=self.date)


class ExtractFans(MySQLExtractor):
    sql = "SELECT id AS fan_id, name, email, city FROM fans"


class ExtractVisits(MySQLExtractor):
    """The day and the one before: half of the rows are in the warehouse already."""

    @property
    def sql(self):
        before = self.date - datetime.timedelta(days=1)
        return (
            f"SELECT id, fan_id, gate, seconds, visited_on FROM visits WHERE visited_on IN ('{before}', '{self.date}')"
        )


class LoadVisits(BaseLoader):
    table = "fact_visit"
    strategy = "append"
    key = ("visit_id",)
    sql = "fact_visit.sql"

    def requires(self):
        return [ExtractVisits(date=self.date), LoadFans(date=self.date)]


class LoadPrices(BaseLoader):
    table = "price"

    def requires(self):
        return ExtractTable(table="prices", date=self.date)


class LoadPages(BaseLoader):
    table = "page"

    def requires(self):
        return ExtractTable(table="pages", date=self.date)


class Night(luigi.WrapperTask):
    date = luigi.DateParameter()

    def requires(self):
        return [LoadVisits(date=self.date), LoadPrices(date=self.date)]
