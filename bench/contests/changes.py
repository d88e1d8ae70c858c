"""changes: one day's changes, mirrored and made facts of, in a table and in one ten times as large."""

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator

from bench import measure
from bench.contests import Contest
from bench.contests.upsert import SUMS, items
from bench.measure import Cost, Failed
from bench.servers import Servers, ShopDatabase, WarehouseDatabase

_ROWS = 600_000
_CHANGES = 6_000


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    changes = round(_CHANGES * scale)
    sources = {rows: items(servers, rows) for rows in (round(_ROWS * scale), round(10 * _ROWS * scale))}
    days = {rows: source.query("SELECT MAX(updated_at) FROM items")[0][0].date() for rows, source in sources.items()}

    def change(number: int) -> None:
        """As many rows in each table, all over it."""
        for rows, source in sources.items():
            days[rows] += datetime.timedelta(days=1)
            when = f"TIMESTAMP('{days[rows]}') + INTERVAL id MICROSECOND"
            every = rows // changes
            source.execute(
                f"UPDATE items SET quantity = quantity + 1, updated_at = {when} WHERE id % {every} = {number % every}"
            )

    with contextlib.ExitStack() as stack:

        def way(rows: int, deletes: str) -> Callable[[int], Cost]:
            name = f"turnstile_{rows}_{deletes}"
            warehouse = servers.warehouse(name)
            stack.callback(warehouse.drop)
            luigi = servers.luigi_cfg(name, mysql=sources[rows].url, warehouse=warehouse.url)
            words = [sys.executable, "-m", "luigi", "--module", "bench.ours", "LoadItemFacts", "--deletes", deletes]

            def night(number: int) -> Cost:
                said = ["--date", str(days[rows]), "--local-scheduler"]
                cost = measure.command([*words, *said], luigi, servers.log("turnstile"))
                _check(sources[rows], warehouse)
                return cost

            return night

        ways = {f"{rows:,} rows": way(rows, "keep") for rows in sources}
        ways |= {f"{rows:,}, deleted rows looked for": way(rows, "hard") for rows in sources}
        # All rows were made in one moment, to which the night after the first looks back.
        for settling in range(2):
            for night in ways.values():
                night(-1)
            if not settling:
                change(0)
        title = f"{changes:,} changed rows of a table, mirrored and made facts of"
        yield Contest(title, dict.fromkeys(ways, changes), ways, before=change)


def _check(source: ShopDatabase, warehouse: WarehouseDatabase) -> None:
    expected = source.query(SUMS.format(table="items"))[0]
    for table in ("raw.items", "public.fact_item"):
        found = warehouse.query(SUMS.format(table=table))[0]
        if found != expected:
            raise Failed(f"{table} holds {found}, the source {expected}")
