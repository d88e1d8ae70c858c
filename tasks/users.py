"""dim_user: the shop's users, and where they lived when."""

from etl.load import BaseLoader
from etl.mirror import MirrorTable
from tasks.dates import dim_date


class LoadUsers(BaseLoader):
    table = "dim_user"
    strategy = "scd2"
    key = ("user_id",)
    sql = "dim_user.sql"

    def requires(self):
        return [MirrorTable(table="users", date=self.date), dim_date()]
