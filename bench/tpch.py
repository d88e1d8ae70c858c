"""TPC-H's lineitem at the shop, and what tells whether a copy of it is right."""

import subprocess
import sysconfig
import tempfile
from pathlib import Path

from bench.measure import Failed
from bench.servers import Servers, ShopDatabase, WarehouseDatabase

KEY = ("l_orderkey", "l_linenumber")

_LINEITEM = """
CREATE TABLE lineitem (
    l_orderkey      BIGINT        NOT NULL,
    l_partkey       INT           NOT NULL,
    l_suppkey       INT           NOT NULL,
    l_linenumber    INT           NOT NULL,
    l_quantity      DECIMAL(15,2) NOT NULL,
    l_extendedprice DECIMAL(15,2) NOT NULL,
    l_discount      DECIMAL(15,2) NOT NULL,
    l_tax           DECIMAL(15,2) NOT NULL,
    l_returnflag    CHAR(1)       NOT NULL,
    l_linestatus    CHAR(1)       NOT NULL,
    l_shipdate      DATE          NOT NULL,
    l_commitdate    DATE          NOT NULL,
    l_receiptdate   DATE          NOT NULL,
    l_shipinstruct  CHAR(25)      NOT NULL,
    l_shipmode      CHAR(10)      NOT NULL,
    l_comment       VARCHAR(44)   NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber)
)
"""

# Both servers understand it, and every column is in it.
_SUMS = """
SELECT COUNT(*), SUM(l_orderkey), SUM(l_partkey), SUM(l_suppkey), SUM(l_linenumber), SUM(l_quantity),
    SUM(l_extendedprice), SUM(l_discount), SUM(l_tax), SUM(ASCII(l_returnflag)), SUM(ASCII(l_linestatus)),
    SUM(EXTRACT(DAY FROM l_shipdate)), SUM(EXTRACT(DAY FROM l_commitdate)), SUM(EXTRACT(DAY FROM l_receiptdate)),
    SUM(LENGTH(l_shipinstruct)), SUM(LENGTH(l_shipmode)), SUM(LENGTH(l_comment))
FROM {table}
"""

_KEY_COLUMNS = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = '{table}'::regclass AND i.indisunique AND i.indisvalid
"""


def lineitem(servers: Servers, scale: float) -> ShopDatabase:
    """The shop's database that has it at this scale, generated if it is not there yet."""
    database = servers.database(f"lineitem_{scale:g}".replace(".", "_"))
    if not database.has("lineitem"):
        with tempfile.TemporaryDirectory(dir=servers.folder) as folder:
            program = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
            words = ["-s", f"{scale:g}", "-T", "lineitem", "-o", folder, "--quiet"]
            subprocess.run([program, *words], check=True)
            database.execute(_LINEITEM.replace("lineitem (", "lineitem_new (", 1))
            database.execute(
                f"LOAD DATA LOCAL INFILE '{folder}/lineitem.tbl' INTO TABLE lineitem_new "
                f"FIELDS TERMINATED BY '|' LINES TERMINATED BY '|\\n'"
            )
        database.execute("RENAME TABLE lineitem_new TO lineitem")
    return database


def sums(source: ShopDatabase) -> tuple:
    """What `check` compares with."""
    return source.query(_SUMS.format(table="lineitem"))[0]


def check(target: WarehouseDatabase, table: str, expected: tuple) -> None:
    """Failed unless the table is the source's, with its key's index in place."""
    found = target.query(_SUMS.format(table=table))[0]
    if found != expected:
        raise Failed(f"{table} is not what the source holds: counts and sums are {found}, expected {expected}")
    indexed = {name for (name,) in target.query(_KEY_COLUMNS.format(table=table))}
    if indexed != set(KEY):
        raise Failed(f"{table} has no unique index of {', '.join(KEY)}")
