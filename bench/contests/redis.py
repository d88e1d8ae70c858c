"""redis: all keys of a Redis, of five types and half of them with a TTL, as rows."""

import contextlib
import json
from collections.abc import Iterator

import redis as redis_driver

from bench.contests import OURS, Contest
from bench.contests.exports import extract, script
from bench.ours_redis import ExtractKeys
from bench.servers import Servers

_KEYS = 500_000
_KINDS = 5
_A_PIPELINE = 5000
_TEN_YEARS = 10 * 366 * 86400


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    keys = round(_KEYS * scale)
    rows = _seeded(servers, keys)
    url = servers.redis.url()
    ways = {
        OURS: lambda number: extract(ExtractKeys, number, rows, servers, redis=url),
        "redis-py loop": lambda number: script("bench.plain_redis", [url], rows, servers),
    }
    yield Contest(f"{keys:,} keys of Redis to CSV", dict.fromkeys(ways, rows), ways)


def _seeded(servers: Servers, keys: int) -> int:
    """How many elements the keys have."""
    record = servers.folder / "redis.json"
    with redis_driver.Redis.from_url(servers.redis.url()) as server:
        if record.exists():
            known = json.loads(record.read_text())
            if known["keys"] == keys == server.dbsize():
                return known["elements"]
            record.unlink()
        server.flushall()
        elements = 0
        for first in range(0, keys, _A_PIPELINE):
            with server.pipeline(transaction=False) as pipeline:
                for number in range(first, min(first + _A_PIPELINE, keys)):
                    elements += _write(pipeline, number)
                pipeline.execute()
    record.write_text(json.dumps({"keys": keys, "elements": elements}))
    return elements


def _write(pipeline: redis_driver.client.Pipeline, number: int) -> int:
    kind = number % _KINDS
    few = 2 + number // _KINDS % 4
    if kind == 0:
        key, few = f"session:{number}", 1
        pipeline.set(key, f"user {number % 9973}, page {number % 89}")
    elif kind == 1:
        key = f"user:{number}"
        pipeline.hset(key, mapping={f"field_{place}": f"value {number + place}" for place in range(few)})
    elif kind == 2:
        key = f"seen:{number}"
        pipeline.sadd(key, *(f"event-{number + place}" for place in range(few)))
    elif kind == 3:
        key = f"score:{number}"
        pipeline.zadd(key, {f"event-{number + place}": number / 7 + place for place in range(few)})
    else:
        key = f"queue:{number}"
        pipeline.rpush(key, *(f"job {number + place}" for place in range(few)))
    if number // _KINDS % 2:
        pipeline.expire(key, _TEN_YEARS)
    return few
