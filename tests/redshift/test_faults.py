"""The faults that a client of the emulator can arm."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg2
import psycopg2.extensions
import pytest

from etl.testing import Bucket
from tests.redshift.conftest import RedshiftDatabase
from tests.redshift.errors import Refused
from tests.redshift.faults import Faults
from tests.redshift.test_wire import COPY, ask, connect, refused, until_gone, with_psycopg2, with_psycopg3  # noqa: F401


@pytest.fixture
def arm(redshift_database: RedshiftDatabase) -> Iterator[Any]:
    """Arms faults over a connection of its own, and forgets them after the test."""
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        connection.autocommit = True

        def armed(fault: str) -> None:
            ask(connection, f"SET emulator.fault TO '{fault}'")

        yield armed
        armed("")


@pytest.fixture
def table(redshift_database: RedshiftDatabase) -> RedshiftDatabase:
    """The database with an empty table t."""
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(10))")
        connection.commit()
    return redshift_database


def rows(database: RedshiftDatabase) -> int:
    return database.query("SELECT count(*) FROM t")[0][0]


def test_1023_on_commit(connect: Any, table: RedshiftDatabase, arm: Any) -> None:  # noqa: F811
    arm("1023 on commit")
    with contextlib.closing(connect(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with refused("XX000", "Serializable isolation violation on table"):
            connection.commit()
        assert rows(table) == 0
        ask(connection, "INSERT INTO t VALUES (2, 'two')")
        connection.commit()
        assert rows(table) == 1


def test_a_commit_that_commits_nothing_meets_no_fault(table: RedshiftDatabase, arm: Any) -> None:
    arm("1023 on commit")
    with contextlib.closing(with_psycopg2(table)) as connection:
        with refused("22012"):
            ask(connection, "SELECT 1 / 0")
        connection.commit()
        ask(connection, "SELECT 1")
        with refused("XX000", "^1023"):
            connection.commit()


def test_1023_leaves_the_session_idle(table: RedshiftDatabase, arm: Any) -> None:
    arm("1023 on commit")
    with contextlib.closing(with_psycopg2(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with refused("XX000", "^1023\nDETAIL:  Serializable isolation violation on table - "):
            connection.commit()
        assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


def test_conflict_with_a_concurrent_transaction(connect: Any, table: RedshiftDatabase, arm: Any) -> None:  # noqa: F811
    arm("conflict with concurrent transaction /^drop/")
    with contextlib.closing(connect(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with refused("XX000", "could not complete because of conflict with concurrent transaction"):
            ask(connection, "DROP TABLE t")
        with refused("25P02"):
            ask(connection, "SELECT 1")
        connection.rollback()
        ask(connection, "DROP TABLE t")


@pytest.mark.parametrize(("fault", "kept"), [("drop before commit", 0), ("drop after commit", 1)])
def test_a_connection_that_drops_around_commit(
    connect: Any,  # noqa: F811
    table: RedshiftDatabase,
    arm: Any,
    fault: str,
    kept: int,
) -> None:
    arm(fault)
    with contextlib.closing(connect(table)) as connection:
        ((pid,),) = ask(connection, "SELECT pg_backend_pid()")
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with pytest.raises(Exception, match=r"server closed the connection|socket closed"):
            connection.commit()
        until_gone(table, pid)
        assert rows(table) == kept
        if connect is not with_psycopg2:
            return
        assert connection.closed


def test_disk_full(connect: Any, table: RedshiftDatabase, bucket: Bucket, arm: Any) -> None:  # noqa: F811
    bucket.put("part", b"1,one\n")
    arm("disk full")
    with contextlib.closing(connect(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with refused("53100", "Disk Full"):
            ask(connection, COPY.format(bucket=bucket.name, key="part"))
        connection.rollback()
        arm("disk full /insert/")
        with refused("53100", "Disk Full"):
            ask(connection, "INSERT INTO t VALUES (%s, %s)", (1, "one"))


def test_s3_access_denied(connect: Any, table: RedshiftDatabase, bucket: Bucket, arm: Any) -> None:  # noqa: F811
    bucket.put("part", b"1,one\n")
    arm("s3 access denied")
    with contextlib.closing(connect(table)) as connection:
        with refused("XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied"):
            ask(connection, COPY.format(bucket=bucket.name, key="part"))
        connection.rollback()
        ask(connection, COPY.format(bucket=bucket.name, key="part"))
        connection.commit()
        assert rows(table) == 1


def test_a_session_that_an_administrator_ends(table: RedshiftDatabase, arm: Any) -> None:
    arm("terminate /select 2/")
    with contextlib.closing(with_psycopg3(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        with pytest.raises(psycopg.errors.AdminShutdown, match="terminating connection due to administrator command"):
            ask(connection, "SELECT 2")
        assert connection.broken
    assert rows(table) == 0


def test_psycopg2_sees_a_session_that_ends_as_a_connection_that_closed(table: RedshiftDatabase, arm: Any) -> None:
    arm("terminate /select 2/")
    with contextlib.closing(with_psycopg2(table)) as connection:
        with pytest.raises(psycopg2.OperationalError, match="server closed the connection unexpectedly"):
            ask(connection, "SELECT 2")
        assert connection.closed


def test_a_slow_statement_takes_its_time_once(table: RedshiftDatabase, arm: Any) -> None:
    arm("slow 0.3s /select 3/")
    with contextlib.closing(with_psycopg2(table)) as connection:
        started = time.monotonic()
        assert ask(connection, "SELECT 3") == [(3,)]
        assert time.monotonic() - started >= 0.3


def test_a_slow_statement_may_be_too_slow(connect: Any, table: RedshiftDatabase, arm: Any) -> None:  # noqa: F811
    with contextlib.closing(connect(table)) as connection:
        ask(connection, "SET statement_timeout TO 100")
        connection.commit()
        arm("slow 20s /select 3/")
        with refused("57014", r"Query \(\d+\) cancelled on user's request"):
            ask(connection, "SELECT 3")


def test_a_fault_lets_others_through_before(table: RedshiftDatabase, arm: Any) -> None:
    arm("conflict with concurrent transaction after 2 /select/")
    with contextlib.closing(with_psycopg2(table)) as connection:
        connection.autocommit = True
        for _ in range(2):
            ask(connection, "SELECT 1")
        ask(connection, "SET statement_timeout TO 0")
        with refused("XX000", "conflict"):
            ask(connection, "SELECT 1")
        ask(connection, "SELECT 1")


def test_a_fault_happens_as_often_as_it_says(table: RedshiftDatabase, arm: Any) -> None:
    arm("1023 on commit 2")
    with contextlib.closing(with_psycopg2(table)) as connection:
        for _ in range(2):
            ask(connection, "INSERT INTO t VALUES (1, 'one')")
            with refused("XX000", "1023"):
                connection.commit()
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        connection.commit()


def test_an_empty_name_forgets_all_faults(table: RedshiftDatabase, arm: Any) -> None:
    arm("1023 on commit")
    arm("drop before commit")
    arm("")
    with contextlib.closing(with_psycopg2(table)) as connection:
        ask(connection, "INSERT INTO t VALUES (1, 'one')")
        connection.commit()
    assert rows(table) == 1


def test_a_fault_is_armed_whatever_the_transaction_does(table: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(table)) as connection:
        with refused("22012"):
            ask(connection, "SELECT 1 / 0")
        ask(connection, "SET emulator.fault TO 'conflict with concurrent transaction /select 4/'")
        connection.rollback()
        with refused("XX000", "conflict"):
            ask(connection, "SELECT 4")


def test_an_unknown_fault_is_refused(connect: Any, table: RedshiftDatabase) -> None:  # noqa: F811
    with contextlib.closing(connect(table)) as connection, refused("22023", "unknown fault: flood"):
        ask(connection, "SET emulator.fault TO 'flood'")


@pytest.mark.parametrize(
    ("armed", "kind", "text", "met"),
    [
        ("1023 on commit", "commit", "COMMIT", True),
        ("1023 on commit", "sql", "SELECT 'commit'", False),
        ("disk full", "copy", "COPY t FROM 's3://b/k'", True),
        ("disk full", "sql", "INSERT INTO t VALUES (1)", False),
        ("disk full /INTO t /", "sql", "insert into t values (1)", True),
        ("s3 access denied /COPY u/", "copy", "COPY t FROM 's3://b/k'", False),
        ("slow 3 0.5s /a b/", "sql", "SELECT 'a b'", True),
    ],
)
def test_what_a_fault_meets(armed: str, kind: str, text: str, met: bool) -> None:
    faults = Faults()
    faults.arm(armed)
    assert (faults.meet(kind, text) is not None) is met


def test_a_fault_says_what_is_wrong_with_its_regex() -> None:
    with pytest.raises(Refused, match=r"not a regular expression: \("):
        Faults().arm("slow /(/")
