"""Redis: whether it answers, its TLS and clock, whether our user may write, and whether keys are thrown away."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etl import config
from etl.doctor import machine, network
from etl.doctor.finding import OK, WARNING, Finding

if TYPE_CHECKING:
    from etl.sources.redis_connection import Server


def check() -> Iterator[Finding]:
    if absent := machine.missing("redis"):
        yield absent
        return
    from etl.sources.redis_connection import connected

    url = urlsplit(config.redis().url)
    if url.hostname and (gone := network.unreachable("redis", url.hostname, url.port or 6379)):
        yield gone
        return
    with connected() as server:
        # What a night does, and a user who may only read is allowed; all that follows may be refused to him.
        server.ask([("SCAN", "0", "COUNT", "1")])
        version = _info(server, "server").get("redis_version", "")
        yield Finding("redis", "connection", OK, f"Redis {version} at {server.address} answers".replace("  ", " "))
        safe = url.scheme == "rediss"
        yield network.tls("redis", url.hostname or "", safe, safe, "[redis] url = rediss://…")
        asked = time.time()
        if said := server.allowed("TIME"):
            seconds, micros = said
            yield network.clock("redis", int(seconds) + int(micros) / 1e6, asked)
        yield _user(server)
        yield from _eviction(_info(server, "memory"))


def _user(server: "Server") -> Finding:
    """A dry run writes nothing; before Redis 7 there is none, and who may not ask is no administrator."""
    name = (server.allowed("ACL", "WHOAMI") or b"").decode()
    if not name or server.allowed("ACL", "DRYRUN", name, "SET", "etl:doctor", "1") != b"OK":
        return Finding("redis", "privileges", OK, "its user is not known to have more than it needs")
    said = f"its user {name} may write, and only reads are needed"
    remedy = "ACL SETUSER etl_extract on >password ~* -@all +@read +select, and its name and password in [redis] url"
    return Finding("redis", "excess", WARNING, said, remedy)


def _eviction(memory: dict[str, str]) -> Iterator[Finding]:
    policy = memory.get("maxmemory_policy")
    if not policy:
        return
    if int(memory.get("maxmemory", "0")) and policy != "noeviction":
        said = f"maxmemory-policy is {policy}: a full Redis throws keys away, also before they were read"
        yield Finding("redis", "eviction", WARNING, said, "CONFIG SET maxmemory-policy noeviction")
    else:
        yield Finding("redis", "eviction", OK, "no key is thrown away for want of memory")


def _info(server: "Server", section: str) -> dict[str, str]:
    lines = (server.allowed("INFO", section) or b"").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)
