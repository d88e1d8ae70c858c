"""refresh: the whole lineitem again, after one row in a hundred changed at the source."""

import contextlib
import tempfile
from collections.abc import Iterator

from bench import measure, tpch, with_dlt
from bench.contests import OURS, Contest
from bench.contests.lineitem import dlt_replace, etl_run
from bench.measure import Cost
from bench.servers import Servers


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    source = tpch.lineitem(servers, scale)
    expected = tpch.sums(source)
    mirror_log, dlt_log = servers.log("turnstile"), servers.log("dlt")
    mirror, copy = servers.warehouse("turnstile"), servers.warehouse("dlt")
    luigi = servers.luigi_cfg("turnstile", mysql=source.url, warehouse=mirror.url)

    def change(number: int) -> None:
        nonlocal expected
        source.execute(f"UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE l_orderkey % 100 = {number}")
        expected = tpch.sums(source)

    def ours(number: int) -> Cost:
        cost = measure.command(etl_run("MirrorTable", _day(number), "--table", "lineitem"), luigi, mirror_log)
        tpch.check(mirror, "raw.lineitem", expected)
        return cost

    with tempfile.TemporaryDirectory(dir=servers.folder) as folder:
        environment = with_dlt.settings(source.url, copy.url, folder)

        def dlt(number: int) -> Cost:
            cost = measure.command(dlt_replace("parquet"), environment, dlt_log)
            tpch.check(copy, f"{with_dlt.DATASET}.lineitem", expected)
            return cost

        ways = {OURS: ours, "dlt": dlt}
        for way in ways.values():
            way(-1)
        yield Contest(
            "lineitem refreshed whole after 1% changed", dict.fromkeys(ways, expected[0]), ways, before=change
        )
    mirror.drop()
    copy.drop()


def _day(number: int) -> str:
    """Round -1 is the load that the others refresh."""
    return f"2014-02-{number + 2:02}"
