"""fact_listing and fact_ticket_sale: what is offered and what is sold, and the mart of daily sales.

The shop keeps every sale and changes old ones (refunds), so the facts are made equal to it each night.
"""

from etl.load import BaseLoader
from etl.mart import Mart
from etl.mirror import MirrorTable
from tasks.dates import dim_date
from tasks.events import LoadEvents
from tasks.users import LoadUsers


class LoadListings(BaseLoader):
    table = "fact_listing"
    key = ("listing_id",)
    sql = "fact_listing.sql"

    def requires(self):
        mirror = MirrorTable(table="listings", date=self.date)
        return [mirror, LoadUsers(date=self.date), LoadEvents(date=self.date), dim_date()]


class LoadTicketSales(BaseLoader):
    table = "fact_ticket_sale"
    key = ("sale_id",)
    sql = "fact_ticket_sale.sql"

    def requires(self):
        # The shop's largest table, which says of each row when it changed.
        mirror = MirrorTable(table="ticket_sales", changed="updated_at", deletes="hard", date=self.date)
        return [mirror, LoadUsers(date=self.date), LoadEvents(date=self.date), dim_date()]


class DailySales(Mart):
    table = "daily_sales"
    key = ("sold_date_key", "event_key")

    def requires(self):
        return LoadTicketSales(date=self.date)
