"""The pipeline of the simulated year: five mirrors, three dimensions, three facts, by all strategies but partition."""

import luigi

from etl.load import BaseLoader
from etl.mirror import MirrorTable
from tasks.dates import dim_date


def mirror(table, date):
    """Venues are few and read whole; of the others only what has changed."""
    deletes = {"users": "soft", "events": "hard", "listings": "soft", "ticket_sales": "hard"}
    if table not in deletes:
        return MirrorTable(table=table, date=date)
    return MirrorTable(table=table, date=date, changed="updated_at", deletes=deletes[table])


class LoadYearVenues(BaseLoader):
    table = "dim_venue"
    strategy = "scd1"
    key = ("venue_id",)
    sql = "dim_venue.sql"

    def requires(self):
        return mirror("venues", self.date)


class LoadYearEvents(BaseLoader):
    table = "dim_event"
    strategy = "scd1"
    key = ("event_id",)
    sql = "dim_event.sql"

    def requires(self):
        return [mirror("events", self.date), LoadYearVenues(date=self.date)]


class LoadYearUsers(BaseLoader):
    table = "dim_user"
    strategy = "scd2"
    key = ("user_id",)
    sql = "dim_user.sql"

    def requires(self):
        return mirror("users", self.date)


class LoadYearSales(BaseLoader):
    table = "fact_ticket_sale"
    key = ("sale_id",)
    sql = "fact_ticket_sale.sql"

    def requires(self):
        dimensions = [LoadYearUsers(date=self.date), LoadYearEvents(date=self.date), dim_date()]
        return [mirror("ticket_sales", self.date), *dimensions]


class LoadYearListings(BaseLoader):
    table = "fact_listing"
    strategy = "upsert"
    key = ("listing_id",)
    sql = "fact_listing.sql"

    def requires(self):
        dimensions = [LoadYearUsers(date=self.date), LoadYearEvents(date=self.date), dim_date()]
        return [mirror("listings", self.date), *dimensions]


class LoadYearOffers(BaseLoader):
    table = "fact_offer"
    strategy = "append"
    key = ("listing_id", "changed_at")
    sql = "fact_offer.sql"

    def requires(self):
        return mirror("listings", self.date)


class YearNight(luigi.WrapperTask):
    date = luigi.DateParameter(description="the business day whose night this is")

    def requires(self):
        yield LoadYearSales(date=self.date)
        yield LoadYearListings(date=self.date)
        yield LoadYearOffers(date=self.date)
