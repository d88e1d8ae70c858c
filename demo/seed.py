"""Fill every source of the sample business, and remember with what."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pymysql
import redis as redis_driver
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from demo import elasticsearch, mysql, partners, redis
from demo.business import SEED, Business
from etl.config import Store
from etl.errors import SourceError

RECORD = "demo.json"
VAR = Path("var")

_REFUSALS = (
    pymysql.MySQLError,
    redis_driver.RedisError,
    urllib3.exceptions.HTTPError,
    BotoCoreError,
    ClientError,
)


def seed(
    scale: float,
    day: date,
    mysql_url: str,
    redis_url: str,
    elasticsearch_url: str,
    store: Store,
    report: Callable[[str], None] = print,
    folder: Path = VAR,
) -> dict[str, int]:
    """Replace what the demo keeps in each source by a business that ends with `day`; answers rows per object.

    The record that `seeded` reads is taken away first and written last: while it is there, all of it is there.
    """
    business = Business(scale, day, SEED)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    record.unlink(missing_ok=True)
    counts: dict[str, int] = {}
    with ThreadPoolExecutor() as pool:
        loads = {
            "MySQL": pool.submit(mysql.load, business, mysql_url, report),
            "Redis": pool.submit(redis.load, redis_url),
            "Elasticsearch": pool.submit(elasticsearch.load, business, elasticsearch_url),
            "S3": pool.submit(partners.load, business, store),
        }
        for source, load in loads.items():
            try:
                loaded = load.result()
            except _REFUSALS as error:
                raise SourceError(f"{source}: {error}; the demo is seeded in part, mend this and seed again") from error
            report(f"{source}: " + ", ".join(f"{rows:,} {name}" for name, rows in loaded.items()))
            counts |= loaded
    new = record.with_suffix(".new")
    new.write_text(
        json.dumps({"scale": scale, "day": day.isoformat(), "seed": SEED, "counts": counts}, indent=1) + "\n"
    )
    new.replace(record)
    return counts


def seeded(folder: Path = VAR) -> dict[str, Any] | None:
    """What the sources were last filled with (scale, day, seed, counts), or None if that was never finished."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except FileNotFoundError:
        return None
    return record
