"""dim_venue and dim_event: what is sold, and where it takes place."""

from etl.load import BaseLoader
from etl.mirror import MirrorTable
from tasks.dates import dim_date


class LoadVenues(BaseLoader):
    table = "dim_venue"
    strategy = "scd1"
    key = ("venue_id",)
    sql = "dim_venue.sql"

    def requires(self):
        return MirrorTable(table="venues", date=self.date)


class LoadEvents(BaseLoader):
    table = "dim_event"
    strategy = "scd1"
    key = ("event_id",)
    sql = "dim_event.sql"

    def requires(self):
        return [MirrorTable(table="events", date=self.date), LoadVenues(date=self.date), dim_date()]
