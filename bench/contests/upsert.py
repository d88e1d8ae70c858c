"""upsert: one row in a hundred of a table changed, found by updated_at and put into its copy, by a warm process."""

import contextlib
import datetime
import tempfile
from collections.abc import Iterator

from bench import with_dlt
from bench.contests import OURS, Contest
from bench.measure import Cost, Failed, warm
from bench.servers import Servers, ShopDatabase, WarehouseDatabase

_ROWS = 1_500_000
SUMS = "SELECT COUNT(*), SUM(id), SUM(quantity), SUM(price), SUM(LENGTH(name)), MAX(updated_at) FROM {table}"


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    rows = round(_ROWS * scale)
    source = items(servers, rows)
    mirror, copy = servers.warehouse("turnstile"), servers.warehouse("dlt")
    luigi = servers.luigi_cfg("turnstile", mysql=source.url, warehouse=mirror.url)
    # Each round is a business day of its own, also over several benches on the same data.
    first_day = source.query("SELECT MIN(updated_at) FROM items")[0][0].date()
    today = source.query("SELECT MAX(updated_at) FROM items")[0][0].date()

    def change(number: int) -> None:
        """Moments differ from row to row, so that a cursor has no large group of equals at its end."""
        nonlocal today
        today += datetime.timedelta(days=1)
        source.execute(
            f"UPDATE items SET quantity = quantity + 1, updated_at = TIMESTAMP('{today}') + INTERVAL id MICROSECOND "
            f"WHERE id % 100 = {number % 100}"
        )

    with (
        tempfile.TemporaryDirectory(dir=servers.folder) as folder,
        warm("bench.ours", "upsert", luigi, servers.log("turnstile")) as upserting,
        warm("bench.with_dlt", "upsert", with_dlt.settings(source.url, copy.url, folder), servers.log("dlt")) as dlt,
    ):

        def ours(number: int) -> Cost:
            cost = upserting.call(date=str(today if number >= 0 else first_day))
            _check(source, mirror, "public")
            return cost

        def theirs(number: int) -> Cost:
            cost = dlt.call(table="items", key="id", cursor="updated_at", file_format="csv")
            _check(source, copy, with_dlt.DATASET)
            return cost

        ways = {OURS: ours, "dlt": theirs}
        for way in ways.values():
            way(-1)
        title = f"{rows // 100:,} changed rows upserted into {rows:,}, warm"
        yield Contest(title, dict.fromkeys(ways, rows // 100), ways, before=change)
    mirror.drop()
    copy.drop()


def items(servers: Servers, rows: int) -> ShopDatabase:
    """A database with a table of so many rows, which know when they changed."""
    database = servers.database(f"upsert_{rows}")
    if not database.has("items"):
        database.execute(
            f"CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL, quantity INT NOT NULL, "
            f"price DECIMAL(12,2) NOT NULL, updated_at DATETIME(6) NOT NULL, KEY (updated_at)) "
            f"SELECT seq AS id, CONCAT('ticket ', seq) AS name, seq % 9 AS quantity, seq % 10000 / 100 AS price, "
            f"TIMESTAMP('2014-01-01') + INTERVAL seq MICROSECOND AS updated_at FROM seq_1_to_{rows}"
        )
    return database


def _check(source: ShopDatabase, target: WarehouseDatabase, schema: str) -> None:
    expected = source.query(SUMS.format(table="items"))[0]
    found = target.query(SUMS.format(table=f"{schema}.items"))[0]
    # dlt makes moments of it, in UTC, which is what the source's clock is.
    found = (*found[:-1], found[-1].replace(tzinfo=None))
    if found != expected:
        raise Failed(f"{schema}.items holds {found}, the source {expected}")
