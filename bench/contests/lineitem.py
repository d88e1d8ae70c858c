"""lineitem: TPC-H's largest table from MariaDB into an empty Postgres, with the index of its key."""

import contextlib
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench import measure, tpch, with_dlt
from bench.contests import OURS, Contest
from bench.measure import Cost
from bench.programs import program
from bench.servers import Servers, WarehouseDatabase

# Text and decimals without a length, as the other ways make them, and in the source's own order.
_PIPE_TABLE = """
CREATE TABLE public.lineitem (
    l_orderkey BIGINT NOT NULL, l_partkey INTEGER NOT NULL, l_suppkey INTEGER NOT NULL, l_linenumber INTEGER NOT NULL,
    l_quantity NUMERIC NOT NULL, l_extendedprice NUMERIC NOT NULL, l_discount NUMERIC NOT NULL, l_tax NUMERIC NOT NULL,
    l_returnflag TEXT NOT NULL, l_linestatus TEXT NOT NULL, l_shipdate DATE NOT NULL, l_commitdate DATE NOT NULL,
    l_receiptdate DATE NOT NULL, l_shipinstruct TEXT NOT NULL, l_shipmode TEXT NOT NULL, l_comment TEXT NOT NULL
);
"""

_PGLOADER = """
LOAD DATABASE FROM {source} INTO {target}
WITH include drop, create tables, create indexes, reset no sequences, workers = 2, concurrency = 1
INCLUDING ONLY TABLE NAMES MATCHING 'lineitem';
"""


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    source = tpch.lineitem(servers, scale)
    expected = tpch.sums(source)
    mirror_log, pipe_log, pgloader_log, dlt_log = map(servers.log, ("turnstile", "pipe", "pgloader", "dlt"))

    def ours(number: int) -> Cost:
        with empty("turnstile") as target:
            environment = servers.luigi_cfg("turnstile", mysql=source.url, warehouse=target.url)
            words = etl_run("MirrorTable", f"2014-02-{number + 1:02}", "--table", "lineitem")
            cost = measure.command(words, environment, mirror_log)
            tpch.check(target, "raw.lineitem", expected)
        return cost

    def pipe(number: int) -> Cost:
        """mariadb prints rows as COPY's own text format reads them: both escape tab, line feed and backslash alike."""
        url = urlsplit(source.url)
        client = [
            program("mariadb"), "--no-defaults", f"--host={url.hostname}", f"--port={url.port}",
            f"--user={url.username}", source.name, "--default-character-set=utf8mb4",
            "--quick", "--batch", "--skip-column-names", "--execute=SELECT * FROM lineitem",
        ]  # fmt: skip
        with empty("pipe") as target:
            psql = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", target.url]
            script = (
                f"set -eu -o pipefail; {shlex.join(psql)} -c {shlex.quote(_PIPE_TABLE)}; "
                f"{shlex.join(client)} | {shlex.join(psql)} -c '\\copy public.lineitem FROM STDIN'; "
                f"{shlex.join(psql)} -c 'ALTER TABLE public.lineitem ADD PRIMARY KEY ({', '.join(tpch.KEY)})'"
            )
            cost = measure.command(["bash", "-c", script], {"MYSQL_PWD": str(url.password)}, pipe_log)
            tpch.check(target, "public.lineitem", expected)
        return cost

    def pgloader(number: int) -> Cost:
        with empty("pgloader") as target, tempfile.TemporaryDirectory(dir=servers.folder) as folder:
            script = Path(folder) / "lineitem.load"
            script.write_text(_PGLOADER.format(source=source.url, target=target.url))
            words = [program("pgloader"), "--root-dir", folder, "--on-error-stop", str(script)]
            cost = measure.command(words, {}, pgloader_log)
            # It names the schema after the source's database.
            tpch.check(target, f"{source.name}.lineitem", expected)
        return cost

    def dlt(file_format: str | None) -> Cost:
        with empty("dlt") as target, tempfile.TemporaryDirectory(dir=servers.folder) as folder:
            environment = with_dlt.settings(source.url, target.url, folder)
            cost = measure.command(dlt_replace(file_format), environment, dlt_log)
            tpch.check(target, f"{with_dlt.DATASET}.lineitem", expected)
        return cost

    @contextlib.contextmanager
    def empty(name: str) -> Iterator[WarehouseDatabase]:
        made = servers.warehouse(name)
        yield made
        made.drop()

    rows = expected[0]
    ways = {
        OURS: ours,
        "mariadb | psql": pipe,
        "pgloader": pgloader,
        "dlt": lambda number: dlt("parquet"),
        "dlt, as it comes": lambda number: dlt(None),
    }
    yield Contest("lineitem, MariaDB to Postgres, with its key's index", dict.fromkeys(ways, rows), ways)


def etl_run(task: str, date: str, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("etl")), "run", task, "--date", date, *arguments]


def dlt_replace(file_format: str | None) -> list[str]:
    said = {"tables": ["lineitem"], "file_format": file_format, "key": tpch.KEY}
    return [sys.executable, "-m", "bench.with_dlt", json.dumps(said)]
