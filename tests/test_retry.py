"""Retries: what is tried again and what is not, how often, for how long; and an extract that is read again."""

import contextlib
import itertools
import logging
import multiprocessing
import random
import signal
import socket
from urllib.parse import urlsplit

import psycopg2
import pymysql
import pytest
from luigi.task_register import Register

from etl import retry
from etl.errors import (
    Conflict,
    DataError,
    EtlError,
    LakeBusy,
    LakeError,
    Locked,
    SourceError,
    SourceLost,
    Transient,
    WarehouseError,
    WarehouseLost,
)
from etl.extract import BaseExtractor
from etl.retry import BUDGET, retried
from etl.sources.elasticsearch_server import Server
from etl.sources.mysql import ExtractTable
from etl.sources.mysql_connection import address, explained
from etl.sources.redis_connection import connected as redis_connected
from etl.sources.s3 import S3Extractor
from tests.faults.s3 import S3Proxy, altered, broken_body, lost_answer, refusal, truncated
from tests.faults.tcp import TO_CLIENT, TcpProxy
from tests.pipeline import loader, night, stages

pytest_plugins = ("tests.nights",)


class Clock:
    """Time that passes when somebody sleeps, or says so."""

    def __init__(self):
        self.now, self.pauses = 1000.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(settings, monkeypatch):
    """Retries as they are by default, with the longest pauses, in no time."""
    Register.clear_instance_cache()
    settings.set("etl", "retry_seconds", 300)
    made = Clock()
    monkeypatch.setattr(retry, "time", made)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    return made


class Work:
    """Fails with the errors in turn, and then returns how often it was called."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


@pytest.mark.parametrize("kind", [SourceLost, LakeBusy, WarehouseLost, Conflict])
def test_what_may_succeed_the_next_time_is_done_again(clock, kind):
    assert retried(Work(kind("lost"), kind("lost again")), "t") == 3


@pytest.mark.parametrize("kind", [SourceError, LakeError, WarehouseError, Locked, DataError, ValueError])
def test_what_fails_for_good_is_done_once(clock, kind):
    work = Work(kind("no"))
    with pytest.raises(kind, match=r"^no$"):
        retried(work, "t")
    assert (work.calls, clock.pauses, retry.budget.value) == (1, [], BUDGET)


def test_each_new_attempt_is_a_line_in_the_log(clock, caplog):
    with caplog.at_level(logging.WARNING, "luigi-interface.etl"):
        retried(Work(SourceLost("MySQL is gone"), LakeBusy("S3 is slow")), "ExtractUsers")
    assert [record.getMessage() for record in caplog.records] == [
        "ExtractUsers: MySQL is gone; attempt 2 of 5 in 2.0 s",
        "ExtractUsers: S3 is slow; attempt 3 of 5 in 8.0 s",
    ]


def test_the_fifth_failure_is_the_last_and_says_so(clock):
    work = Work(*(WarehouseLost(f"lost {number}") for number in range(1, 10)))
    with pytest.raises(WarehouseLost, match=r"^lost 5 \(tried 5 times\)$"):
        retried(work, "t")
    assert clock.pauses == [2, 8, 32, 128]


def test_a_pause_is_drawn_from_none_to_the_longest(clock, monkeypatch):
    drawn = []
    monkeypatch.setattr(random, "uniform", lambda low, high: drawn.append((low, high)) or 0.0)
    retried(Work(SourceLost("a"), SourceLost("b")), "t")
    assert drawn == [(0, 2), (0, 8)]


def test_a_deadline_begins_with_the_first_failure(clock, settings):
    """However long the work took that failed: an hour's load is not lost for a second's network."""
    settings.set("etl", "retry_seconds", 20)

    def work():
        clock.now += 3600 if not clock.pauses else 9
        raise SourceLost("lost")

    with pytest.raises(SourceLost, match=r"\(tried 3 times\)"):
        retried(work, "t")
    # The third attempt begins with the deadline at the latest: 2 and 9 seconds of its 20 had passed, 8 remained.
    assert clock.pauses == [2, 8]


def test_a_pause_does_not_outlast_the_deadline(clock, settings):
    settings.set("etl", "retry_seconds", 5)
    with pytest.raises(SourceLost, match=r"\(tried 3 times\)"):
        retried(Work(*itertools.repeat(SourceLost("lost"), 5)), "t")
    assert clock.pauses == [2, 3]


def test_no_seconds_are_no_retries(clock, settings):
    settings.set("etl", "retry_seconds", 0)
    work = Work(SourceLost("lost"))
    with pytest.raises(SourceLost, match=r"^lost$"):
        retried(work, "t")
    assert work.calls == 1


def test_a_server_that_is_gone_is_not_asked_five_times_by_every_task(clock):
    works = [Work(*(SourceLost("gone") for _ in range(5))) for _ in range(20)]
    messages = []
    for work in works:
        with pytest.raises(SourceLost) as failure:
            retried(work, "t")
        messages.append(str(failure.value))
    assert sum(work.calls for work in works) == len(works) + BUDGET
    assert messages[0] == "gone (tried 5 times)"
    assert messages[-1] == "gone (attempt 1, and the last: this run's new attempts are spent)"


def test_work_that_succeeds_earns_attempts_for_other_work(clock):
    retry.budget.value = 0
    for _ in range(2):
        retried(Work(), "t")
    work = Work(SourceLost("gone"), SourceLost("gone"))
    with pytest.raises(SourceLost, match="attempt 2, and the last"):
        retried(work, "t")
    retry.budget.value = BUDGET
    retried(Work(), "t")
    assert retry.budget.value == BUDGET


def test_forked_workers_share_what_there_is(clock):
    def fail():
        with pytest.raises(SourceLost):
            retried(Work(*(SourceLost("gone") for _ in range(5))), "t")

    for _ in range(3):
        worker = multiprocessing.get_context("fork").Process(target=fail)
        worker.start()
        worker.join(30)
        assert worker.exitcode == 0
    assert retry.budget.value == BUDGET - 3 * 4


def test_waiting_can_be_interrupted(settings, monkeypatch):
    settings.set("etl", "retry_seconds", 300)
    monkeypatch.setattr(random, "uniform", lambda low, high: 60)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    work = Work(SourceLost("gone"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            retried(work, "t")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert work.calls == 1


def test_kinds_are_told_apart():
    assert {kind.__name__ for kind in Transient.__subclasses__()} == {
        "SourceLost", "LakeBusy", "WarehouseLost", "Conflict",
    }  # fmt: skip


# ---- sources


@pytest.mark.parametrize(
    ("code", "again"),
    [
        (2003, True),  # cannot connect
        (2006, True),  # gone away
        (2013, True),  # lost
        (1053, True),  # shutting down
        (1077, True),  # shut down
        (1927, True),  # killed
        (1040, True),  # too many connections
        (1203, True),  # too many of the user's
        (1226, True),  # as many as the user may have
        (1205, True),  # lock wait timeout
        (1213, True),  # deadlock
        (1412, True),  # the table was altered
        (1045, False),  # wrong password
        (1049, False),  # unknown database
        (1142, False),  # no right to the table
        (1146, False),  # no such table
        (1064, False),  # no SQL
        (3024, False),  # it takes longer than it may
    ],
)
def test_what_mysql_may_answer_otherwise_the_next_time(mysql, code, again):
    with pytest.raises(SourceError) as failure, explained(address(), "shop.t"):
        raise pymysql.err.OperationalError(code, "said")
    assert isinstance(failure.value, SourceLost) is again


def nowhere():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_a_redis_that_does_not_answer(settings):
    settings.set("redis", "url", f"redis://{nowhere()}/0")
    with pytest.raises(SourceLost, match="no answer"), redis_connected() as server:
        server.ask([("PING",)])


def test_a_search_server_that_does_not_answer():
    with pytest.raises(SourceLost, match="no answer to GET /"):
        Server(f"http://{nowhere()}").ask("GET", "/")


def test_a_partners_bucket_that_breaks_off(bucket, settings, monkeypatch):
    """And one that is not there, which no attempt mends."""
    bucket.put("file.csv", b"a\n1\n")
    with S3Proxy(urlsplit(bucket.endpoint_url).port) as proxy:
        bucket.endpoint_url = f"http://127.0.0.1:{proxy.port}"
        bucket.configure(settings, "s3_source")
        said = {"prefix": "", "columns": ("a",), "known_files": lambda self: set()}
        family = type("ExtractFiles", (S3Extractor,), said)
        proxy.answer("GetObject", 1, broken_body(0.5))
        with pytest.raises(SourceLost, match="broke off while it was read"):
            list(family().batches())
        settings.set("s3_source", "url", "s3://nobody-has-this")
        with pytest.raises(SourceError) as failure:
            list(family().batches())
        assert not isinstance(failure.value, SourceLost)


# ---- an extract


class ExtractTwice(BaseExtractor):
    """Breaks off in the middle, as often as `failures` says."""

    columns = ("id",)
    failures = 1

    def rows(self):
        self.findings.counted = 30_000
        for number in range(30_000):
            if number == 20_000 and self.failures:
                type(self).failures -= 1
                raise SourceLost("broke off")
            yield (number,)


def check_whole(lake, task, rows):
    """One manifest with all rows, and nothing beside what it lists."""
    manifest = task.output().manifest()
    assert manifest.rows == rows
    assert sorted(lake.keys()) == sorted(
        [task.output().key, *(part.url[len(lake.url) + 1 :] for part in manifest.parts)]
    )
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.name)


def test_an_extract_that_breaks_off_is_read_again_from_its_beginning(clock, lake, monkeypatch):
    monkeypatch.setattr(ExtractTwice, "failures", 1)
    task = ExtractTwice()
    task.run()
    check_whole(lake, task, 30_000)
    assert clock.pauses == [2]


def test_an_extract_that_breaks_off_for_good_leaves_nothing(clock, lake, monkeypatch):
    monkeypatch.setattr(ExtractTwice, "failures", 9)
    with pytest.raises(SourceLost, match=r"broke off \(tried 5 times\)"):
        ExtractTwice().run()
    assert lake.keys() == []


def test_a_table_whose_connection_breaks_is_read_again(clock, mysql, mariadb, lake, settings):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(300))")
    mysql.execute("INSERT INTO t VALUES (%s, %s)", [(number, "x" * 300) for number in range(5000)])
    parts = urlsplit(mysql.url)
    with TcpProxy(parts.port) as proxy:
        settings.set("mysql", "url", mysql.url.replace(f":{parts.port}/", f":{proxy.port}/"))
        proxy.at(TO_CLIENT, 500_000, lambda connection: connection.reset())
        task = ExtractTable(table="t")
        task.run()
        assert proxy.fired.is_set()
    check_whole(lake, task, 5000)
    assert clock.pauses == [2]


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("PutObject", refusal(503, "SlowDown")),
        ("PutObject", refusal(500, "InternalError")),
        ("PutObject", lost_answer),
        ("ListObjects", broken_body(0.5)),
    ],
)
def test_a_lake_that_is_overloaded_for_longer_than_boto_waits(clock, lake, settings, monkeypatch, operation, fault):
    monkeypatch.setattr(ExtractTwice, "failures", 0)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with S3Proxy(urlsplit(lake.endpoint_url).port) as proxy:
        settings.set("lake", "endpoint_url", f"http://127.0.0.1:{proxy.port}")
        proxy.answer(operation, 1, fault, times=7)
        task = ExtractTwice()
        task.run()
        assert proxy.seen[operation] > 7
        check_whole(lake, task, 30_000)
    assert clock.pauses == [2]


# ---- a load


@pytest.fixture
def sales(clock, nights, lake, settings):
    """A load whose extract is there, from a lake that may fail: `answer` gives its parts to a fault."""
    nights.table("public.sale", "sale_id INTEGER PRIMARY KEY, note TEXT")
    task = loader("sale", "sale_id | note\n1 | one\n2 | two")()
    night(task.requires())
    with S3Proxy(urlsplit(lake.endpoint_url).port) as proxy:
        settings.set("lake", "endpoint_url", f"http://127.0.0.1:{proxy.port}")
        yield task, proxy


# The manifest is the first object that a load gets, its part the second.
FAULTS = {"altered": altered(0.5, 3), "truncated": truncated(0.5), "broken off": broken_body(0.5)}


@pytest.mark.engines("postgres", reason="Redshift reads the parts itself; tests/test_chaos.py lets it read such ones")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_that_came_otherwise_than_it_was_written_is_read_again(sales, clock, warehouse, fault):
    task, proxy = sales
    proxy.answer("GetObject", 2, FAULTS[fault])
    task.run()
    assert proxy.fired.is_set()
    check_loaded_once(warehouse)
    assert clock.pauses == [2]


def check_loaded_once(warehouse):
    assert warehouse.query("SELECT * FROM sale ORDER BY 1") == [(1, "one"), (2, "two")]
    assert warehouse.query("SELECT count(*) FROM etl.receipts") == [(1,)]
    assert warehouse.query("SELECT count(*) FROM etl.loads") == [(1,)]
    assert stages(warehouse) == []


ALTERED = {
    "postgres": r"has \d+ bytes, sha256 [0-9a-f]{12}, its manifest says \d+ bytes, [0-9a-f]{12}; .* \(tried 5 times\)",
    "redshift": r"part-\S+: was written with \d+ bytes and has \d+ now; delete the manifest and extract again",
}


def test_a_part_that_always_comes_otherwise_is_refused(sales, warehouse, lake):
    task, _ = sales
    (key,) = [key for key in lake.keys() if "part-" in key]
    lake.put(key, lake.get(key) + b"\0")
    with pytest.raises(EtlError, match=ALTERED[warehouse.engine]):
        task.run()
    assert stages(warehouse) == []
    assert warehouse.query("SELECT count(*) FROM etl.loads") == [(0,)]


@pytest.mark.parametrize("when", [200, 3000])
def test_a_load_whose_connection_breaks_is_done_again(sales, clock, warehouse, settings, when):
    task, _ = sales
    parts = urlsplit(warehouse.setting)
    with TcpProxy(parts.port) as proxy:
        settings.set("warehouse", "url", warehouse.setting.replace(f":{parts.port}/", f":{proxy.port}/"))
        proxy.at(TO_CLIENT, when, lambda connection: connection.cut())
        task.run()
        assert proxy.fired.is_set()
    check_loaded_once(warehouse)
    assert clock.pauses == [2]


# ---- what Redshift answers


@pytest.fixture
def arm(warehouse):
    """Let a fault happen to the emulated Redshift; none is left after the test."""
    with contextlib.closing(psycopg2.connect(warehouse.reader_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield lambda fault: cursor.execute("SET emulator.fault TO %s", (fault,))
        cursor.execute("SET emulator.fault TO ''")


ON_REDSHIFT = pytest.mark.engines("redshift", reason="faults that the emulator plays")


@ON_REDSHIFT
@pytest.mark.parametrize(
    "fault",
    [
        "1023 on commit",
        "1023 on commit after 1",
        "1023 on commit 2 after 1",
        "conflict with concurrent transaction /^LOCK/",
        "conflict with concurrent transaction /^COPY/",
        "conflict with concurrent transaction /INTO etl.loads/",
        "conflict with concurrent transaction /^SET timezone/",
        "terminate /^SET timezone/",
        "terminate /^LOCK/",
        "terminate /^COPY/",
        "terminate /INTO etl.receipts/",
    ],
)
def test_what_redshift_may_answer_otherwise_the_next_time_is_done_again(sales, clock, warehouse, arm, fault):
    task, _ = sales
    arm(fault)
    task.run()
    check_loaded_once(warehouse)
    assert clock.pauses == ([2, 8] if " 2 " in fault else [2])


@ON_REDSHIFT
@pytest.mark.parametrize(("fault", "pauses"), [("drop before commit", [2]), ("drop after commit", [])])
def test_a_commit_without_an_answer_is_looked_up_by_its_marker(sales, clock, warehouse, arm, fault, pauses):
    """The load's own, which is the second: what was committed is not done again, and what was not is."""
    task, _ = sales
    arm(f"{fault} after 1")
    task.run()
    check_loaded_once(warehouse)
    assert clock.pauses == pauses


@ON_REDSHIFT
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("disk full", "the disk is full"),
        ("disk full /INSERT INTO etl/", "the disk is full"),
        ("s3 access denied", "may not read s3://.*iam_role"),
    ],
)
def test_what_redshift_refuses_for_good_is_said_at_once(sales, clock, warehouse, arm, fault, said):
    task, _ = sales
    arm(fault)
    with pytest.raises(WarehouseError, match=said):
        task.run()
    assert (clock.pauses, stages(warehouse)) == ([], [])
    task.run()
    check_loaded_once(warehouse)
