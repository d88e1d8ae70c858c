"""A Sixpack keyspace, recorded from the real Sixpack, put back into Redis key by key."""

import json
from pathlib import Path
from typing import Any

import redis

KEYSPACE = Path(__file__).parent / "data" / "sixpack_keyspace.json"
_BYTES = "hex:"  # bitmaps are bytes, which JSON cannot hold


def keyspace() -> dict[str, tuple[str, Any]]:
    """The recorded keys: what type each is and what it holds."""
    recorded = json.loads(KEYSPACE.read_text(encoding="utf-8"))
    return {key: (kind, value) for key, (kind, value) in recorded.items()}


def load(url: str) -> dict[str, int]:
    """Make every recorded key hold exactly what was recorded, all at once; other keys are left alone."""
    keys = keyspace()
    with redis.Redis.from_url(url) as server, server.pipeline(transaction=True) as pipeline:
        pipeline.delete(*keys)
        for key, (kind, value) in keys.items():
            if kind == "string":
                pipeline.set(key, bytes.fromhex(value.removeprefix(_BYTES)) if value.startswith(_BYTES) else value)
            elif kind == "set":
                pipeline.sadd(key, *value)
            elif kind == "hash":
                pipeline.hset(key, mapping=value)
            elif kind == "list":
                pipeline.rpush(key, *value)
            elif kind == "zset":
                pipeline.zadd(key, dict(value))
            else:
                raise ValueError(f"{KEYSPACE.name}: {key} is a {kind}, which nobody taught us to restore")
        pipeline.execute()
    return {"sixpack_keys": len(keys)}
