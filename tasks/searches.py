"""fact_search: what people looked for on the site, a business day at a time."""

from datetime import datetime, time, timedelta

from etl import config
from etl.load import BaseLoader
from etl.sources.elasticsearch import ElasticsearchExtractor
from tasks.dates import dim_date
from tasks.events import LoadEvents
from tasks.users import LoadUsers


class ExtractSearches(ElasticsearchExtractor):
    index = "searches"
    columns = (
        "search_id", "user_id", "session", "query_text", "category", "event_clicked", "results", "took_ms",
        "price_max", "searched_at",
    )  # fmt: skip
    fields = {"query_text": "query"}
    arrays = {"category": "join"}

    def query(self):
        begin = datetime.combine(self.date, time(), config.timezone())
        end = datetime.combine(self.date + timedelta(days=1), time(), config.timezone())
        return {"range": {"searched_at": {"gte": begin.isoformat(), "lt": end.isoformat()}}}


class LoadSearches(BaseLoader):
    table = "fact_search"
    strategy = "partition"
    key = ("date_key",)
    sql = "fact_search.sql"

    def requires(self):
        extract = ExtractSearches(date=self.date)
        return [extract, LoadUsers(date=self.date), LoadEvents(date=self.date), dim_date()]
