"""growth: what a row costs when there are three times as many, and what a run costs that has none to speak of."""

import contextlib
from collections.abc import Callable, Iterator

from bench import measure, tpch
from bench.contests import Contest
from bench.contests.lineitem import etl_run
from bench.measure import Cost, Failed
from bench.servers import Servers, ShopDatabase


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    log = servers.log("turnstile")
    single = _single(servers)

    def of_lineitem(source: ShopDatabase, expected: tuple) -> Callable[[int], Cost]:
        def mirror(number: int) -> Cost:
            target = servers.warehouse("turnstile")
            environment = servers.luigi_cfg("turnstile", mysql=source.url, warehouse=target.url)
            words = etl_run("MirrorTable", f"2014-02-{number + 1:02}", "--table", "lineitem")
            cost = measure.command(words, environment, log)
            tpch.check(target, "raw.lineitem", expected)
            target.drop()
            return cost

        return mirror

    def of_one_row(number: int) -> Cost:
        target = servers.warehouse("turnstile")
        environment = servers.luigi_cfg("turnstile", mysql=single.url, warehouse=target.url)
        words = etl_run("MirrorTable", f"2014-02-{number + 1:02}", "--table", "single")
        cost = measure.command(words, environment, log)
        if target.query("SELECT id FROM raw.single") != [(1,)]:
            raise Failed("raw.single is not what the source holds")
        target.drop()
        return cost

    ways, rows = {}, {}
    for factor in (1, 3):
        source = tpch.lineitem(servers, factor * scale)
        expected = tpch.sums(source)
        name = f"lineitem, scale {factor * scale:g}"
        ways[name], rows[name] = of_lineitem(source, expected), expected[0]
    # Its time is a run's own: there is nothing to divide by.
    ways["a table of one row"], rows["a table of one row"] = of_one_row, 0
    yield Contest("turnstile by itself: cost a row as a table grows", rows, ways)


def _single(servers: Servers) -> ShopDatabase:
    database = servers.database("single")
    if not database.has("single"):
        database.execute("CREATE TABLE single (id INT NOT NULL PRIMARY KEY)")
        database.execute("INSERT INTO single VALUES (1)")
    return database
