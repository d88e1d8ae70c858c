"""A year of nights on a shop that changes, crashes and all: everything is right after each of them.

A failure names the seed, the night and what differs. The same year again, or only its first 30 nights:
`YEAR_SEED=42 YEAR_NIGHTS=30 pytest tests/test_year.py -m exam -s`; without a seed it is another one each time.
"""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.testing import ShopDatabase
from etl.testing.servers import started
from tests.year.chance import NIGHTS, SCHEMAS
from tests.year.nights import ROOT, SQL, ZONE, Year
from tests.year.shop import ClockedMariaDB


@pytest.fixture(scope="module")
def clocked(server_folder: Path) -> Iterator[ClockedMariaDB]:
    server = ClockedMariaDB(server_folder / "clocked")
    with started(server):
        yield server


@pytest.fixture
def year(clocked, warehouse, lake, settings, tmp_path) -> Iterator[Callable[[int], Year]]:
    """The year of a seed."""
    name = f"shop_{uuid.uuid4().hex}"
    ShopDatabase(clocked, "shop").execute(f"CREATE DATABASE {name}")
    shop = ShopDatabase(clocked, name)
    sql = shutil.copytree(SQL, tmp_path / "sql")
    shutil.copy(ROOT / "warehouse_sql" / "tables" / "dim_date.sql", sql / "tables")
    settings.set("etl", "sql", sql)
    settings.set("etl", "timezone", ZONE.key)
    settings.set("mysql", "url", shop.url)
    settings.set("warehouse", "lock_timeout", 60)
    settings.set("lake", "keep_days", 0)
    if warehouse.engine == "redshift":
        # A load that has widened a text begins anew.
        settings.set("etl", "retry_seconds", 60)
    with contextlib.ExitStack() as stack:
        where = (clocked, shop.app_url, warehouse, lake, settings, tmp_path / "night.log")
        yield lambda seed: stack.enter_context(contextlib.closing(Year(seed, *where)))
    shop.execute(f"DROP DATABASE {name}")


def test_ten_nights(year):
    """Of every kind, and with every kind of change to the shop's columns."""
    ten = year(2014)
    ten.run(10)
    assert {*NIGHTS, *SCHEMAS, "late commit", "killed", "statement run"} <= set(ten.happened)


@pytest.mark.exam
def test_a_year(year):
    seed = int(os.environ.get("YEAR_SEED", time.time_ns() % 1_000_000))
    print(f"YEAR_SEED={seed}")
    whole = year(seed)
    whole.run(int(os.environ.get("YEAR_NIGHTS", 365)))
    print(dict(whole.happened))
