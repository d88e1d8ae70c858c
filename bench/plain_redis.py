"""The loop that one writes first: every key, its type, its TTL and its value, a question each, as rows of CSV."""

import csv
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import redis


def export(url: str, path: str) -> None:
    server: Any = redis.Redis.from_url(url, decode_responses=True)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for key in server.scan_iter(count=1000):
            kind, left = server.type(key), server.pttl(key)
            expires_at = time.time() + left / 1000 if left >= 0 else None
            for field, value in elements(server, key, kind):
                writer.writerow((key, kind, field, value, expires_at))


def elements(server: Any, key: str, kind: str) -> Iterable[tuple[Any, Any]]:
    if kind == "string":
        return [(None, server.get(key))]
    if kind == "hash":
        return server.hgetall(key).items()
    if kind == "list":
        return enumerate(server.lrange(key, 0, -1))
    if kind == "set":
        return [(member, None) for member in server.smembers(key)]
    return server.zrange(key, 0, -1, withscores=True)


if __name__ == "__main__":
    export(*sys.argv[1:])
