"""small: thirty tables of a thousand rows, mirrored by a process that runs already."""

import contextlib
import tempfile
from collections.abc import Iterator

from bench import with_dlt
from bench.contests import OURS, Contest
from bench.measure import Cost, Failed, warm
from bench.servers import Servers, ShopDatabase, WarehouseDatabase

_TABLES = [f"small_{number:02}" for number in range(30)]
_ROWS = 1000
_SUMS = "SELECT COUNT(*), SUM(id), SUM(quantity), SUM(price), SUM(LENGTH(name)) FROM {table}"


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    """The tables are small at any scale."""
    source = _seeded(servers)
    mirror, copy = servers.warehouse("turnstile"), servers.warehouse("dlt")
    luigi = servers.luigi_cfg("turnstile", mysql=source.url, warehouse=mirror.url)

    def change(number: int) -> None:
        for table in _TABLES:
            source.execute(f"UPDATE {table} SET quantity = quantity + 1 WHERE id % 10 = {number % 10}")

    with (
        tempfile.TemporaryDirectory(dir=servers.folder) as folder,
        warm("bench.ours", "mirror", luigi, servers.log("turnstile")) as mirroring,
        warm("bench.with_dlt", "replace", with_dlt.settings(source.url, copy.url, folder), servers.log("dlt")) as dlt,
    ):

        def ours(number: int) -> Cost:
            cost = mirroring.call(tables=_TABLES, date=f"2014-02-{number + 2:02}")
            _check(source, mirror, "raw")
            return cost

        def theirs(number: int) -> Cost:
            cost = dlt.call(tables=_TABLES, file_format="csv")
            _check(source, copy, with_dlt.DATASET)
            return cost

        ways = {OURS: ours, "dlt": theirs}
        for way in ways.values():
            way(-1)
        rows = dict.fromkeys(ways, len(_TABLES) * _ROWS)
        yield Contest(f"{len(_TABLES)} tables of {_ROWS:,} rows, warm", rows, ways, before=change)
    mirror.drop()
    copy.drop()


def _seeded(servers: Servers) -> ShopDatabase:
    database = servers.database("small")
    for table in _TABLES:
        if not database.has(table):
            database.execute(
                f"CREATE TABLE {table} (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL, "
                f"quantity INT NOT NULL, price DECIMAL(12,2) NOT NULL, sold_on DATE NULL) "
                f"SELECT seq AS id, CONCAT('ticket ', seq) AS name, seq % 9 AS quantity, seq / 100 AS price, "
                f"DATE '2014-01-01' + INTERVAL seq % 365 DAY AS sold_on FROM seq_1_to_{_ROWS}"
            )
    return database


def _check(source: ShopDatabase, target: WarehouseDatabase, schema: str) -> None:
    for table in _TABLES:
        expected = source.query(_SUMS.format(table=table))
        found = target.query(_SUMS.format(table=f"{schema}.{table}"))
        if found != expected:
            raise Failed(f"{schema}.{table} holds {found}, the source {expected}")
