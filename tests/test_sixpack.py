"""Sixpack's numbers out of a keyspace that the real Sixpack 2.7.0 wrote, and every trap in its keys."""

import json
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import luigi
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from luigi.task_register import Register

from demo import redis as demo_redis
from etl.errors import ConfigError, MissingData
from etl.sources.redis import RedisExtractor
from etl.sources.sixpack import SixpackAssignmentExtractor, SixpackExperimentExtractor, SixpackExtractor, offsets

NUMBERS = Path(__file__).parent / "data" / "sixpack_numbers.json"
CREATED = datetime(2026, 11, 21, 7, 56)


@pytest.fixture(autouse=True)
def new_tasks() -> None:
    """Luigi gives the same instance for the same parameters, with the findings of the test before."""
    Register.clear_instance_cache()


class ExtractExperimentDays(SixpackExtractor):
    pass


def read(extractor: RedisExtractor) -> list[dict]:
    return [row for batch in extractor.batches() for row in batch.to_pylist()]


def experiment(redis, name: bytes | str, alternatives=("a", "b"), **said: str) -> bytes:
    """Write an experiment as Sixpack does; its key."""
    raw = name.encode() if isinstance(name, str) else name
    redis.sadd("sxp:e", raw)
    redis.hset(b"sxp:e:" + raw, mapping={"created_at": "2014-01-01 10:00", "traffic_fraction": "1.0"} | said)
    redis.rpush(b"sxp:e:" + raw + b":alternatives", *alternatives)
    return b"sxp:e:" + raw


def participate(redis, name: bytes | str, client: str, alternative: str, day: str) -> int:
    raw = name.encode() if isinstance(name, str) else name
    users = b"sxp:e:" + raw + b":users"
    redis.zadd(users, {client: redis.zcard(users)}, nx=True)
    offset = int(redis.zscore(users, client))
    redis.sadd(b"sxp:p:" + raw + b":days", day)
    for period in ("all", day):
        redis.setbit(b"sxp:p:" + raw + f":{alternative}:{period}".encode(), offset, 1)
    return offset


def convert(redis, name: bytes | str, client: str, alternative: str, day: str, kpi: str | None = None) -> None:
    raw = name.encode() if isinstance(name, str) else name
    scope = raw
    if kpi:
        redis.sadd(b"sxp:e:" + raw + b":kpis", kpi)
        scope += b"/" + kpi.encode()
    offset = int(redis.zscore(b"sxp:e:" + raw + b":users", client))
    redis.sadd(b"sxp:c:" + scope + b":days", day)
    for period in ("all", day):
        redis.setbit(b"sxp:c:" + scope + f":{alternative}:users:{period}".encode(), offset, 1)


def test_the_numbers_that_the_real_sixpack_reports(redis):
    demo_redis.load(redis.url)
    expected = [
        (n["day"], n["experiment"], n["alternative"], n["kpi"], n["participants"], n["conversions"])
        for n in json.loads(NUMBERS.read_text())
    ]

    rows = read(SixpackExtractor())

    assert len(expected) == 14
    assert [
        (str(r["date"]), r["experiment"], r["alternative"], r["kpi"], r["participants"], r["conversions"]) for r in rows
    ] == expected
    assert {row["created_at"] for row in rows} == {CREATED}


def test_through_luigi_into_the_lake(redis, lake):
    demo_redis.load(redis.url)
    task = ExtractExperimentDays(date=date(2014, 1, 2))

    assert luigi.build([task], local_scheduler=True, log_level="WARNING")

    manifest = task.output().manifest()
    assert (manifest.rows, manifest.date) == (14, "2014-01-02")
    assert manifest.types == ("DATE", "TEXT", "TIMESTAMP", "TEXT", "TEXT", "BIGINT", "BIGINT")
    part = task.output().open_part(manifest.parts[0], manifest)
    text = b"".join(iter(lambda: part.read(1 << 16), b"")).decode()
    assert text.startswith(r'2013-12-31,"button-color",2026-11-21 07:56:00.000000,"blue",\N,4,2' + "\n")


@pytest.mark.parametrize(
    ("days", "first", "last"), [(1, (2014, 1, 1), (2014, 1, 1)), (2, (2013, 12, 31), (2014, 1, 1))]
)
def test_the_window_ends_with_the_date(redis, settings, days, first, last):
    demo_redis.load(redis.url)
    settings.set("sixpack", "window_days", days)
    seen = {row["date"] for row in read(SixpackExtractor(date=date(2014, 1, 1)))}
    assert (min(seen), max(seen)) == (date(*first), date(*last))


@pytest.mark.parametrize(("days", "said"), [(3, "give it a date"), (-1, "write a number of days")])
def test_a_window_that_has_no_end_is_a_setting_to_mend(redis, settings, days, said):
    demo_redis.load(redis.url)
    settings.set("sixpack", "window_days", days)
    with pytest.raises(ConfigError, match=said):
        read(SixpackExtractor())


def test_another_prefix(redis, settings):
    settings.set("sixpack", "prefix", "ab")
    redis.sadd("ab:e", "x")
    redis.rpush("ab:e:x:alternatives", "one", "two")
    redis.sadd("ab:p:x:days", "2014-01-01")
    redis.setbit("ab:p:x:one:2014-01-01", 3, 1)
    assert [(row["alternative"], row["participants"]) for row in read(SixpackExtractor())] == [("one", 1)]


@pytest.mark.parametrize(
    "extractor", [SixpackExtractor, SixpackExperimentExtractor, SixpackAssignmentExtractor], ids=lambda e: e.__name__
)
def test_a_database_without_sixpack_is_told_from_one_without_numbers(redis, extractor):
    with pytest.raises(MissingData, match=r"sxp:e is not there.*\[sixpack\] prefix"):
        read(extractor())


def test_back_dated_conversions_stand_alone_and_kpis_are_counted_apart(redis):
    experiment(redis, "x")
    participate(redis, "x", "u0", "a", "2014-01-05")
    convert(redis, "x", "u0", "a", "2014-01-03")
    convert(redis, "x", "u0", "a", "2014-01-06", kpi="buy")

    rows = read(SixpackExtractor())

    assert [(row["date"].day, row["kpi"], row["participants"], row["conversions"]) for row in rows] == [
        (3, None, 0, 1),
        (5, None, 1, 0),
        (5, "buy", 1, 0),
        (6, "buy", 0, 1),
    ]


@pytest.mark.parametrize("name", ["we/ird:name", "a:b:c", "sxp:e", "d\u00e9j\u00e0 vu", " ", "users"])
def test_names_are_taken_as_they_are(redis, name):
    experiment(redis, name)
    participate(redis, name, "u0", "b", "2014-01-01")
    convert(redis, name, "u0", "b", "2014-01-02", kpi="buy")
    counted = [(row["experiment"], row["alternative"], row["participants"], row["conversions"], row["kpi"])
               for row in read(SixpackExtractor())]  # fmt: skip
    assert counted == [(name, "b", 1, 0, None), (name, "b", 1, 0, "buy"), (name, "b", 0, 1, "buy")]
    assert [(row["experiment"], row["client_id"]) for row in read(SixpackAssignmentExtractor())] == [(name, "u0")]


def test_a_name_that_is_no_text_is_written_as_hex_and_counted(redis):
    experiment(redis, b"\xff")
    participate(redis, b"\xff", "u0", "a", "2014-01-01")
    extractor = SixpackExtractor()
    assert [row["experiment"] for row in read(extractor)] == ["hex:ff"]
    assert [loss.column for loss in extractor.findings.losses.values()] == ["experiment"]


def test_an_experiment_whose_key_another_name_took_does_not_stop_the_others(redis):
    experiment(redis, "fine")
    participate(redis, "fine", "u0", "a", "2014-01-01")
    experiment(redis, "x:alternatives")
    redis.sadd("sxp:e", "x")
    extractor = SixpackExtractor()
    assert [row["experiment"] for row in read(extractor)] == ["fine"]
    assert extractor.findings.skipped == {"experiment with a key that another experiment's name has taken": 1}


def test_what_a_reset_leaves_behind_is_no_experiment(redis):
    experiment(redis, "fine")
    redis.hset("sxp:e:orphan", mapping={"description": "was reset", "traffic_fraction": "False"})
    redis.sadd("sxp:e", "half-gone")
    extractor = SixpackExperimentExtractor()
    assert [row["experiment"] for row in read(extractor)] == ["fine"]
    assert extractor.findings.skipped == {"experiment without alternatives: deleted or reset while it was read": 1}


def test_an_experiment_without_created_at_is_kept_and_counted(redis):
    redis.hdel(experiment(redis, "x"), "created_at")
    participate(redis, "x", "u0", "a", "2014-01-01")
    extractor = SixpackExtractor()
    assert [(row["experiment"], row["created_at"]) for row in read(extractor)] == [("x", None)]
    assert [(loss.column, loss.samples) for loss in extractor.findings.losses.values()] == [("created_at", ["x"])]


def test_the_experiments_of_the_recorded_keyspace(redis):
    demo_redis.load(redis.url)
    rows = {row["experiment"]: row for row in read(SixpackExperimentExtractor())}
    assert rows["button-color"] == {
        "experiment": "button-color",
        "created_at": CREATED,
        "description": "Which colour sells",
        "traffic_fraction": 1.0,
        "archived": False,
        "paused": False,
        "winner": "blue",
        "kpi_winners": None,
        "control": "red",
        "alternatives": '["red", "blue"]',
        "kpis": '["checkout"]',
    }
    assert rows["half"]["traffic_fraction"] == 0.5
    assert [name for name, row in rows.items() if row["archived"]] == ["old"]
    assert [name for name, row in rows.items() if row["paused"]] == ["paused"]


@pytest.mark.parametrize(
    ("said", "fraction", "losses"),
    [("0.25", 0.25, 0), ("False", 1.0, 0), ("", 1.0, 1), ("nan", 1.0, 1), ("7", 1.0, 1), ("0,5", 1.0, 1)],
)
def test_the_traffic_fraction(redis, said, fraction, losses):
    experiment(redis, "x", traffic_fraction=said)
    extractor = SixpackExperimentExtractor()
    assert [row["traffic_fraction"] for row in read(extractor)] == [fraction]
    assert sum(loss.count for loss in extractor.findings.losses.values()) == losses


def test_a_winner_that_was_set_while_a_kpi_was_looked_at(redis):
    experiment(redis, "x", created_at="2013-05-01 10:00:00.123456")
    redis.sadd("sxp:e:x:kpis", "buy", "look")
    redis.set("sxp:e:x/buy:winner", "b")
    [row] = read(SixpackExperimentExtractor())
    assert (row["winner"], json.loads(row["kpi_winners"])) == (None, {"buy": "b"})
    assert row["created_at"] == datetime(2013, 5, 1, 10, 0, 0, 123456)


def test_the_clients_of_the_recorded_keyspace(redis):
    demo_redis.load(redis.url)
    extractor = SixpackAssignmentExtractor()

    rows = read(extractor)

    assert Counter((row["experiment"], row["alternative"], row["excluded"]) for row in rows) == {
        ("button-color", "red", False): 3,
        ("button-color", "blue", False): 9,
        ("half", "a", False): 5,
        ("half", "b", False): 6,
        ("half", None, True): 9,
        ("paused", "y", False): 1,
    }
    by_client = {row["client_id"]: row for row in rows}
    assert by_client["u01"] == {
        "experiment": "button-color",
        "created_at": CREATED,
        "client_id": "u01",
        "alternative": "red",
        "participated_on": date(2014, 1, 1),
        "excluded": False,
        "converted_on": None,
        "kpis": '{"checkout": "2014-01-02"}',
    }
    assert by_client["u02"]["converted_on"] == date(2013, 12, 31)
    assert extractor.findings.skipped == {"archived experiment: its clients' ids are gone": 1}
    assert not extractor.findings.losses


def test_days_add_up_to_the_clients(redis):
    """The two extracts read different commands' answers; each client's first days are the numbers of those days."""
    demo_redis.load(redis.url)
    days = {
        (row["date"], row["experiment"], row["alternative"]): row["participants"]
        for row in read(SixpackExtractor())
        if row["kpi"] is None and row["experiment"] != "old" and row["participants"]
    }
    clients = Counter(
        (row["participated_on"], row["experiment"], row["alternative"])
        for row in read(SixpackAssignmentExtractor())
        if not row["excluded"]
    )
    assert clients == days


def test_the_first_of_several_days_counts_and_a_forced_client_has_two_rows(redis):
    experiment(redis, "x")
    for day in ("2014-03-01", "2014-01-31", "2014-02-01"):
        participate(redis, "x", "u0", "a", day)
    participate(redis, "x", "u0", "b", "2014-02-02")
    rows = [(row["alternative"], row["participated_on"]) for row in read(SixpackAssignmentExtractor())]
    assert rows == [("a", date(2014, 1, 31)), ("b", date(2014, 2, 2))]


def test_clients_that_took_no_part_have_no_row(redis):
    experiment(redis, "x")
    redis.zadd("sxp:e:x:users", {"stranger": 0})
    participate(redis, "x", "u1", "a", "2014-01-01")
    redis.zadd("sxp:e:x:users", {"later": 2})
    assert [row["client_id"] for row in read(SixpackAssignmentExtractor())] == ["u1"]


def test_an_alternative_that_was_named_twice_is_one(redis):
    experiment(redis, "x", alternatives=("a", "a", "b"))
    participate(redis, "x", "u0", "a", "2014-01-01")
    assert [row["participants"] for row in read(SixpackExtractor())] == [1]
    assert [row["client_id"] for row in read(SixpackAssignmentExtractor())] == ["u0"]


def test_a_bit_that_no_client_has_is_a_loss(redis):
    experiment(redis, "x")
    offset = participate(redis, "x", "u0", "a", "2014-01-01")
    redis.setbit("sxp:p:x:a:2014-01-01", offset + 9, 1)
    extractor = SixpackAssignmentExtractor()
    assert [row["client_id"] for row in read(extractor)] == ["u0"]
    assert [(loss.count, loss.samples) for loss in extractor.findings.losses.values()] == [(1, ["x 9"])]


def test_many_clients_are_read_in_pages(redis):
    count = 25_003
    experiment(redis, "x")
    redis.zadd("sxp:e:x:users", {f"u{i}": i for i in range(count)})
    redis.sadd("sxp:p:x:days", "2014-01-01")
    redis.set("sxp:p:x:b:2014-01-01", b"\xff" * (count // 8) + b"\xe0")
    rows = read(SixpackAssignmentExtractor())
    assert [row["client_id"] for row in rows] == [f"u{i}" for i in range(count)]
    assert {row["alternative"] for row in rows} == {"b"}


@given(bits=st.sets(st.integers(0, 3000)))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_bits_are_decoded_as_redis_counts_them(redis, bits):
    redis.delete("bits")
    with redis.pipeline() as pipeline:
        for bit in bits:
            pipeline.setbit("bits", bit, 1)
        pipeline.execute()
    bitmap = redis.get("bits") or b""

    found = list(offsets(bitmap))

    assert found == sorted(bits)
    assert len(found) == redis.bitcount("bits")
    assert all(redis.getbit("bits", bit) for bit in found)
