"""Every type out of a real Redis: what a row says, what survives, what a changing keyspace does to it."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import luigi
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from luigi.task_register import Register

from etl.errors import ConfigError, DataError, SourceError
from etl.sources.redis import Element, Key, RedisExtractor
from etl.sources.redis_connection import connected
from etl.sources.redis_text import as_text


@pytest.fixture(autouse=True)
def new_tasks() -> None:
    """Luigi gives the same instance for the same parameters, with the findings of the test before."""
    Register.clear_instance_cache()


class ExtractKeys(RedisExtractor):
    pass


class ExtractOwnRows(ExtractKeys):
    """The same rows, one after the other."""

    def rows_of(self, key, elements):
        yield from super().rows_of(key, elements)


class ExtractCarts(RedisExtractor):
    pattern = "cart:*"
    columns = ("user_id", "event", "quantity")
    types = {"quantity": pa.int64()}

    def rows_of(self, key: Key, elements: Iterable[Element]) -> Iterator[tuple]:
        for element in elements:
            yield key.name.removeprefix(b"cart:"), element.field, int(element.value)


class ExtractWide(ExtractCarts):
    def rows_of(self, key, elements):
        yield "one", "two"


class ExtractWrong(ExtractCarts):
    def rows_of(self, key, elements):
        yield "one", "two", "three"


def read(extractor: RedisExtractor) -> list[dict]:
    return [row for batch in extractor.batches() for row in batch.to_pylist()]


def elements(extractor: RedisExtractor) -> set[tuple]:
    return {(row["key"], row["type"], row["field"], row["value"], row["score"]) for row in read(extractor)}


def from_text(text: str) -> bytes:
    """The rule of `as_text`, read backwards."""
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def reload(url: str, **parts: str) -> str:
    """The URL with another user and password."""
    old = urlsplit(url)
    return old._replace(netloc=f"{parts['user']}:{parts['password']}@{old.hostname}:{old.port}").geturl()


def test_every_type_is_one_row_an_element(redis):
    redis.set("s", "text")
    redis.hset("h", mapping={"a": "1", "b": "2"})
    redis.rpush("l", "x", "y", "x")
    redis.sadd("set", "m")
    redis.zadd("z", {"low": -math.inf, "half": 0.1, "high": math.inf})
    redis.setbit("bits", 1, 1)
    redis.pfadd("visitors", *range(3))
    redis.xadd("stream", {"f": "1"}, id="5-1")
    redis.execute_command("XADD", "stream", "5-2", "f", "1", "g", "2", "f", "3")

    assert elements(ExtractKeys()) == {
        ("s", "string", None, "text", None),
        ("h", "hash", "a", "1", None),
        ("h", "hash", "b", "2", None),
        ("l", "list", "0", "x", None),
        ("l", "list", "1", "y", None),
        ("l", "list", "2", "x", None),
        ("set", "set", "m", None, None),
        ("z", "zset", "low", None, -math.inf),
        ("z", "zset", "half", None, 0.1),
        ("z", "zset", "high", None, math.inf),
        ("bits", "string", None, "@", None),
        ("visitors", "hyperloglog", None, "3", None),
        ("stream", "stream", "5-1", '{"f": "1"}', None),
        ("stream", "stream", "5-2", '{"f": ["1", "3"], "g": "2"}', None),
    }


@pytest.mark.parametrize("kind", ["hash", "list", "set", "zset", "stream"])
def test_a_big_key_is_read_in_pages_and_whole(redis, kind):
    count = 3500
    with redis.pipeline() as pipeline:
        for i in range(count):
            if kind == "hash":
                pipeline.hset("big", f"f{i}", f"v{i}")
            elif kind == "list":
                pipeline.rpush("big", f"v{i}")
            elif kind == "set":
                pipeline.sadd("big", f"f{i}")
            elif kind == "zset":
                pipeline.zadd("big", {f"f{i}": i})
            else:
                pipeline.xadd("big", {"n": i}, id=f"{i // 3 + 1}-{i % 3}")
        pipeline.execute()

    rows = read(ExtractKeys())

    assert len(rows) == len({row["field"] for row in rows}) == count
    expected = {
        "hash": ("f7", "v7", None),
        "list": ("7", "v7", None),
        "set": ("f7", None, None),
        "zset": ("f7", None, 7.0),
        "stream": ("3-1", '{"n": "7"}', None),
    }
    assert expected[kind] in {(row["field"], row["value"], row["score"]) for row in rows}


def test_a_string_that_only_looks_like_a_hyperloglog_stays_a_string(redis):
    redis.set("h", "HYLLO")
    assert elements(ExtractKeys()) == {("h", "string", None, "HYLLO", None)}


def test_expires_at_is_the_moment_and_null_where_there_is_none(redis):
    redis.set("short", 1, ex=3600)
    redis.set("stays", 1)
    before = datetime.now(timezone.utc)

    rows = {row["key"]: row for row in read(ExtractKeys())}

    assert abs(rows["short"]["expires_at"] - before - timedelta(hours=1)) < timedelta(seconds=30)
    assert rows["stays"]["expires_at"] is None
    assert before <= rows["stays"]["read_at"] <= datetime.now(timezone.utc)


def test_an_expiry_beyond_the_calendar_is_none(redis):
    redis.set("k", 1, px=9 * 10**17)
    assert [row["expires_at"] for row in read(ExtractKeys())] == [None]


@given(st.binary())
@example(b"hex:00")
@example(b"hex:")
@example(b"a\0b")
@example("\U0001f3ab".encode())
@example(b"\xed\xa0\x80")
def test_any_bytes_come_back_from_their_text(raw):
    said = as_text(raw)
    assert from_text(said) == raw
    assert "\0" not in said


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(lambda t: t[:4] != "hex:"))
def test_text_is_left_as_it_is(plain):
    assert as_text(plain.encode()) == plain


def test_bytes_survive_everywhere_and_are_counted(redis):
    redis.set(b"k\xff", "v")
    redis.set("hex:6b", "hex:")
    redis.hset("h", b"\xfe", b"\0")
    redis.xadd("x", {b"\xfd": 'say "hex:1"'}, id="1-1")
    extractor = ExtractKeys()

    assert elements(extractor) == {
        ("hex:6bff", "string", None, "v", None),
        ("hex:6865783a3662", "string", None, "hex:6865783a", None),
        ("h", "hash", "hex:fe", "hex:00", None),
        ("x", "stream", "1-1", '{"hex:fd": "say \\"hex:1\\""}', None),
    }
    losses = {column: (loss.count, set(loss.samples)) for (column, _), loss in extractor.findings.losses.items()}
    assert losses == {
        "key": (2, {"hex:6bff", "hex:6865783a3662"}),
        "field": (1, {"h"}),
        "value": (3, {"hex:6865783a3662", "h", "x"}),
    }


@pytest.mark.parametrize(
    ("raw", "said", "lost"),
    [
        (b"a\0b", "hex:610062", 1),
        (b"hex:", "hex:6865783a", 1),
        (b"\xff", "hex:ff", 1),
        (b"so: hex:", "so: hex:", 0),
        (b"", "", 0),
    ],
)
def test_one_value_that_is_no_text_is_found_among_many(redis, raw, said, lost):
    redis.mset({f"k:{i}": "text" for i in range(100)} | {"other": raw})
    extractor = ExtractKeys()

    assert {row["key"]: row["value"] for row in read(extractor)}["other"] == said
    assert sum(loss.count for loss in extractor.findings.losses.values()) == lost


def test_a_subclass_makes_its_own_rows_of_the_keys_that_match(redis):
    redis.hset("cart:7", mapping={"show": 2, "match": 1})
    redis.hset("other:7", mapping={"show": 2})

    rows = read(ExtractCarts())

    assert sorted(row["event"] for row in rows) == ["match", "show"]
    assert {"user_id": "7", "event": "show", "quantity": 2} in rows


def test_columns_made_at_once_say_what_rows_say(redis):
    redis.mset({"s": "text", "empty": "", b"k\xff": "v", "nul": b"a\0b", "says": "so: hex:1"})
    redis.set("short", 1, px=9 * 10**9)
    redis.hset("h", mapping={b"\xfe": b"\xfd", "b": "2"})
    redis.rpush("l", *"abc")
    redis.sadd("set", "m", 7)
    redis.zadd("z", {"low": -math.inf, "half": 0.1})
    redis.pfadd("visitors", *range(3))
    redis.xadd("stream", {b"\xfc": "1"}, id="5-1")
    redis.hset(b"big\xfb", mapping={f"f{i}": i for i in range(1500)})
    redis.rpush("big", *range(1500))
    at_once, by_row = ExtractKeys(), ExtractOwnRows()

    def said(extractor: RedisExtractor) -> set[tuple]:
        texts = ("key", "type", "field", "value", "score")
        return {(*(row[name] for name in texts), row["expires_at"] is None) for row in read(extractor)}

    def lost(extractor: RedisExtractor) -> dict:
        return {where: (loss.count, set(loss.samples)) for where, loss in extractor.findings.losses.items()}

    assert said(at_once) == said(by_row)
    assert lost(at_once) == lost(by_row)
    assert {column for column, _ in lost(at_once)} == {"key", "field", "value"}
    assert len(said(at_once)) == 6 + 2 + 3 + 2 + 2 + 1 + 1 + 3000


@pytest.mark.parametrize(
    ("extractor", "said"),
    [(ExtractWide, "a row has 2 fields, expected 3"), (ExtractWrong, "column quantity is declared int64")],
)
def test_rows_that_do_not_fit_the_declaration_are_refused(redis, extractor, said):
    redis.set("cart:1", 1)
    with pytest.raises(DataError, match=said):
        read(extractor())


def test_without_a_row_the_types_are_still_declared(redis):
    batches = list(ExtractCarts().batches())
    assert [(batch.num_rows, batch.schema.field("quantity").type) for batch in batches] == [(0, pa.int64())]


def test_keys_that_come_and_go_during_the_scan(redis):
    """A key that is there from start to end is read exactly once, however the keyspace is rebuilt meanwhile."""
    redis.mset({f"stays:{i}": i for i in range(15_000)})
    redis.mset({f"goes:{i}": i for i in range(15_000)})
    batches = ExtractKeys().batches()
    read = next(batches).column("key").to_pylist()
    assert 0 < len(read) < 15_000
    redis.delete(*(f"goes:{i}" for i in range(15_000)))
    redis.mset({f"comes:{i}": i for i in range(60_000)})  # enough for Redis to rehash

    read += [key for batch in batches for key in batch.column("key").to_pylist()]

    assert len(read) == len(set(read))
    assert {key for key in read if key.startswith("stays:")} == {f"stays:{i}" for i in range(15_000)}


def test_what_scan_returns_twice_is_one_row(redis):
    """A keyspace that shrinks makes SCAN go back, and meet the keys that it returned last once more."""
    redis.mset({f"k:{i}": i for i in range(50_000)})
    redis.execute_command("CONFIG", "RESETSTAT")
    batches = ExtractKeys().batches()
    read = next(batches).column("key").to_pylist()
    cursor, names = 0, []
    # Names are scanned ahead of what is read.
    for _ in range(redis.info("commandstats")["cmdstat_scan"]["calls"]):
        cursor, names = redis.scan(cursor, count=1000)
    late = set(names[-40:])
    redis.delete(*(name for i in range(50_000) if (name := b"k:%d" % i) not in late))
    # Redis shrinks its table in its own time, and then our own scan goes back too.
    deadline = time.monotonic() + 30
    while late.isdisjoint(redis.scan(cursor, count=1000)[1]):
        assert time.monotonic() < deadline, "Redis did not shrink its table"

    read += [key for batch in batches for key in batch.column("key").to_pylist()]

    assert len(read) == len(set(read))


def test_what_hscan_returns_twice_is_one_row(redis):
    redis.hset("big", mapping={f"f:{i}": i for i in range(50_000)})
    batches = ExtractKeys().batches()
    read = next(batches).column("field").to_pylist()
    late = set(read[-40:])
    redis.hdel("big", *(name for i in range(50_000) if (name := f"f:{i}") not in late))

    read += [field for batch in batches for field in batch.column("field").to_pylist()]

    assert len(read) == len(set(read))


def test_a_key_that_vanishes_between_scan_and_read_is_skipped_and_counted(redis):
    class DeletesTheOthers(ExtractKeys):
        def rows_of(self, key, elements):
            for other in names - {key.name}:
                redis.delete(other)
            yield from super().rows_of(key, elements)

    names = {b"a", b"b", b"c"}
    # Too large to be read in the same pipeline.
    redis.mset(dict.fromkeys(names, b"x" * 6_000_000))
    extractor = DeletesTheOthers()

    assert len(read(extractor)) == 1
    assert extractor.findings.skipped == {"key that expired or was deleted while it was read": 2}


def test_a_key_that_becomes_another_type_is_skipped_and_counted(redis):
    class ReplacesTheOthers(ExtractKeys):
        def rows_of(self, key, elements):
            for other in names - {key.name}:
                redis.delete(other)
                redis.rpush(other, "now a list")
            yield from super().rows_of(key, elements)

    names = {b"a", b"b"}
    redis.mset(dict.fromkeys(names, b"x" * 6_000_000))
    extractor = ReplacesTheOthers()

    assert [row["type"] for row in read(extractor)] == ["string"]
    assert extractor.findings.skipped == {"key that changed its type while it was read": 1}


def test_a_big_key_deleted_between_its_pages_is_counted(redis):
    class Deletes(ExtractKeys):
        def rows_of(self, key, elements):
            for row in super().rows_of(key, elements):
                redis.delete(key.name)
                yield row

    redis.hset("big", mapping={f"f{i}": i for i in range(5000)})
    extractor = Deletes()

    assert 0 < len(read(extractor)) < 5000
    assert extractor.findings.skipped == {"key that expired or was deleted while it was read": 1}


MEASURED = """
import sys
from pathlib import Path
import luigi.configuration
from etl.sources.redis import RedisExtractor

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

parser = luigi.configuration.get_config()
if not parser.has_section("redis"):
    parser.add_section("redis")
parser.set("redis", "url", sys.argv[1])
before = peak()
rows = sum(batch.num_rows for batch in RedisExtractor().batches())
print(rows, peak() - before)
"""


def test_a_big_hash_is_never_in_memory_whole(redis):
    """200,000 fields of 1,000 bytes, 200 MB: what is held is a page, a batch and the fields' names."""
    for start in range(0, 200_000, 10_000):
        redis.hset("big", mapping={f"field:{i}": b"v" * 1000 for i in range(start, start + 10_000)})
    # A process of its own, because the peak of this one was reached by other tests.
    done = subprocess.run([sys.executable, "-c", MEASURED, redis.url], capture_output=True, text=True, check=True)
    rows, kilobytes = map(int, done.stdout.split())

    assert rows == 200_000
    assert kilobytes < 100_000


@pytest.mark.parametrize(("extractor", "rows"), [(ExtractKeys, [3, 3, 2]), (ExtractOwnRows, [2, 2, 2, 2])])
def test_large_strings_are_cut_into_batches_by_size(redis, extractor, rows):
    redis.mset({f"k{i}": b"x" * 2_500_000 for i in range(8)})
    assert [batch.num_rows for batch in extractor().batches()] == rows


def test_options_in_the_url_do_not_change_what_is_read(redis, settings):
    settings.set("redis", "url", f"{redis.url}?decode_responses=true&protocol=3")
    redis.hset("h", b"f", b"\xff")
    assert elements(ExtractKeys()) == {("h", "hash", "f", "hex:ff", None)}


def test_a_server_that_is_down_is_named_without_the_password(settings):
    settings.set("redis", "url", "redis://:hushhush@127.0.0.1:1/3")
    with pytest.raises(SourceError, match=r"redis 127\.0\.0\.1:1/3: no answer .*\[redis\] url") as caught:
        read(ExtractKeys())
    assert "hushhush" not in str(caught.value)


def test_a_connection_that_was_closed_meanwhile_is_made_again(redis):
    redis.mset({f"k:{i}": i for i in range(5000)})
    batches = ExtractKeys().batches()
    read = next(batches).column("key").to_pylist()
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    read += [key for batch in batches for key in batch.column("key").to_pylist()]

    assert sorted(read) == sorted(f"k:{i}" for i in range(5000))


def test_replies_that_were_cut_off_are_asked_for_again(redis):
    large = b"x" * 20_000_000  # more than waits in the buffers of a socket
    redis.mset({"small": "s", "large": large})
    with connected() as server:
        sent = [server.send([("GET", "small"), ("GET", "large")]), server.send([("GET", "small")])]
        redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert [one.replies() for one in reversed(sent)] == [[b"s"], [b"s", large]]


def test_an_error_names_the_command_and_the_key(redis):
    redis.set("text", "x")
    with pytest.raises(SourceError, match="LRANGE text: WRONGTYPE"), connected() as server:
        server.ask([("GET", "text"), ("LRANGE", "text", 0, -1)])


def test_a_server_that_falls_silent_is_an_error(redis, settings):
    settings.set("redis", "url", f"{redis.url}?socket_timeout=1")
    redis.mset({f"k:{i}": i for i in range(5000)})
    batches = ExtractKeys().batches()
    next(batches)
    server = redis.info()["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(SourceError, match="it stopped in the middle of its replies"):
            list(batches)
    finally:
        os.kill(server, signal.SIGCONT)


def test_a_wrong_password_is_not_repeated(redis, settings):
    settings.set("redis", "url", reload(redis.url, user="default", password="hushhush"))
    redis.execute_command("ACL", "SETUSER", "default", ">right")
    try:
        with pytest.raises(SourceError, match=r"refuses the login .*mend user and password") as caught:
            read(ExtractKeys())
    finally:
        redis.execute_command("ACL", "SETUSER", "default", "<right")
    assert "hushhush" not in str(caught.value)


def test_a_refused_permission_says_what_to_grant(redis, settings):
    redis.execute_command("ACL", "SETUSER", "guest", "on", ">hushhush", "+@connection")
    settings.set("redis", "url", reload(redis.url, user="guest", password="hushhush"))
    try:
        with pytest.raises(SourceError, match=r"refuses permission .*\+@read") as caught:
            read(ExtractKeys())
    finally:
        redis.execute_command("ACL", "DELUSER", "guest")
    assert "hushhush" not in str(caught.value)


def test_the_permissions_that_are_named_suffice(redis, settings):
    redis.set("mine:1", 1)
    redis.pfadd("mine:2", 1)
    redis.hset("mine:3", mapping={f"f{i}": i for i in range(2000)})
    redis.execute_command("ACL", "SETUSER", "guest", "on", ">hushhush", "+@read", "+select", "~mine:*")
    settings.set("redis", "url", reload(redis.url, user="guest", password="hushhush"))

    class ExtractMine(ExtractKeys):
        pattern = "mine:*"

    try:
        assert len(read(ExtractMine())) == 2002
    finally:
        redis.execute_command("ACL", "DELUSER", "guest")


@pytest.mark.parametrize("url", ["http://localhost", "redis://:hush/hush@localhost:6379"])
def test_what_is_no_redis_url_is_a_setting_to_mend(settings, url):
    settings.set("redis", "url", url)
    with pytest.raises(ConfigError, match=r"\[redis\] url") as caught:
        read(ExtractKeys())
    assert "hush" not in str(caught.value)


def test_through_luigi_into_the_lake(redis, lake):
    redis.hset("h", mapping={"a": "1"})
    redis.set("s", b"\xff", ex=1000)
    task = ExtractKeys()
    before = datetime.now(timezone.utc)

    assert luigi.build([task], local_scheduler=True, log_level="WARNING")

    manifest = task.output().manifest()
    assert (manifest.rows, manifest.columns) == (2, RedisExtractor.columns)
    assert manifest.types == ("TEXT",) * 4 + ("DOUBLE PRECISION", "TIMESTAMPTZ", "TIMESTAMPTZ")
    assert before <= datetime.fromisoformat(manifest.started) <= datetime.fromisoformat(manifest.ended)
    assert json.loads(lake.get(task.output().key))["meta"]["findings"]["losses"][0]["column"] == "value"
