"""The emulator's wire protocol and sessions, through three unchanged drivers."""

import contextlib
import dataclasses
import datetime
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psutil
import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest
import redshift_connector

from etl.testing import Bucket
from etl.testing.servers import started
from tests.redshift.conftest import RedshiftDatabase
from tests.redshift.server import RedshiftEmulator

Connect = Callable[..., Any]


def with_psycopg2(database: RedshiftDatabase, /, **changes: Any) -> Any:
    return psycopg2.connect(**{**database.parameters, **changes})


def with_psycopg3(database: RedshiftDatabase, /, **changes: Any) -> Any:
    parameters = {**database.parameters, **changes}
    parameters["dbname"] = parameters.pop("database")
    return psycopg.connect(**parameters, prepare_threshold=None, client_encoding="utf8")


def with_redshift_connector(database: RedshiftDatabase, /, **changes: Any) -> Any:
    return redshift_connector.connect(**{**database.parameters, **changes}, ssl=False)


DRIVERS = [with_psycopg2, with_psycopg3, with_redshift_connector]


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.__name__.removeprefix("with_"))
def connect(request: pytest.FixtureRequest) -> Connect:
    return request.param


@pytest.fixture
def connection(connect: Connect, redshift_database: RedshiftDatabase) -> Iterator[Any]:
    with contextlib.closing(connect(redshift_database)) as made:
        yield made


def ask(connection: Any, sql: str, values: Any = None) -> list[tuple]:
    cursor = connection.cursor()
    cursor.execute(sql, values) if values is not None else cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def sqlstate(error: Exception) -> str:
    """Of any of the drivers."""
    if isinstance(error.args[0], dict):
        return error.args[0]["C"]
    return getattr(error, "sqlstate", None) or error.pgcode  # type: ignore[attr-defined]


@contextlib.contextmanager
def refused(expected: str, match: str | None = None) -> Iterator[None]:
    with pytest.raises(Exception, match=match) as raised:
        yield
    assert sqlstate(raised.value) == expected, raised.value


def test_a_session_is_told_that_it_talks_to_redshift(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        assert connection.server_version == 80002
        assert connection.encoding == "UNICODE"
        assert connection.get_parameter_status("server_version") == "8.0.2"
        assert connection.info.backend_pid == ask(connection, "SELECT pg_backend_pid()")[0][0]


def test_a_client_of_a_later_protocol_is_told_the_one_there_is(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg3(redshift_database, max_protocol_version="latest")) as connection:
        assert connection.pgconn.full_protocol_version == 30000
        assert ask(connection, "SELECT 1") == [(1,)]


def test_values_of_every_type_and_null_come_as_the_drivers_know_them(connection: Any) -> None:
    ask(
        connection,
        "CREATE TABLE t (i INTEGER, s SMALLINT, l BIGINT, d DECIMAL(10, 2), f DOUBLE PRECISION, v VARCHAR(20),"
        " c CHAR(3), day DATE, at TIMESTAMP, yes BOOLEAN, nothing INTEGER)",
    )
    row = (
        *(-1, 2, 1 << 40, Decimal("12345678.90"), 0.5, "Zoë 🎫", "abc"),
        *(datetime.date(2026, 2, 28), datetime.datetime(2026, 2, 28, 23, 59, 59, 123456), True, None),
    )
    ask(connection, f"INSERT INTO t VALUES ({', '.join(['%s'] * len(row))})", row)
    assert ask(connection, "SELECT * FROM t") == [row]
    assert ask(connection, "SELECT v FROM t WHERE i = %s AND nothing IS NULL", (-1,)) == [("Zoë 🎫",)]


def test_a_backslash_in_a_value_stays_one(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (v VARCHAR(20))")
    ask(connection, "INSERT INTO t VALUES (%s)", (r"a\b\\N'\n",))
    assert ask(connection, "SELECT v FROM t") == [(r"a\b\\N'\n",)]


def test_a_varchar_is_described_with_redshifts_type_and_length(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v VARCHAR(20), d DECIMAL(10, 2))")
        cursor.execute("SELECT v, d FROM t")
        assert [column.type_code for column in cursor.description] == [1043, 1700]
        assert cursor.description[0].internal_size == 20


def test_binary_results(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg3(redshift_database)) as connection:
        connection.execute("CREATE TABLE t (i INTEGER, v VARCHAR(20), d DECIMAL(10, 2))")
        connection.execute("INSERT INTO t VALUES (%s, %s, %s)", (1, "one", Decimal("1.50")))
        rows = connection.execute("SELECT * FROM t WHERE i = %b", (1,), binary=True).fetchall()
        assert rows == [(1, "one", Decimal("1.50"))]


def test_a_wrong_password_is_refused(connect: Connect, redshift_database: RedshiftDatabase) -> None:
    with pytest.raises(Exception, match='password authentication failed for user "etl_load"'):
        connect(redshift_database, password="wrong")


def test_a_database_that_is_not_there_is_refused(connect: Connect, redshift_database: RedshiftDatabase) -> None:
    with pytest.raises(Exception, match='database "nowhere" does not exist'):
        connect(redshift_database, database="nowhere")


def test_commit_and_rollback(connection: Any, redshift_database: RedshiftDatabase) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER)")
    ask(connection, "INSERT INTO t VALUES (%s)", (1,))
    connection.commit()
    ask(connection, "INSERT INTO t VALUES (%s)", (2,))
    connection.rollback()
    assert ask(connection, "SELECT a FROM t") == [(1,)]
    assert redshift_database.query("SELECT a FROM t") == [(1,)]


def test_a_failed_block_takes_nothing_but_its_end(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER)")
    connection.commit()
    ask(connection, "INSERT INTO t VALUES (1)")
    with refused("22012", "division by zero"):
        ask(connection, "SELECT 1 / 0")
    with refused("25P02", "current transaction is aborted"):
        ask(connection, "SELECT 1")
    connection.rollback()
    assert ask(connection, "SELECT count(*) FROM t") == [(0,)]


def test_a_refused_statement_fails_its_block(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER)")
    with refused("42601"):
        ask(connection, "SELEC 1")
    with refused("25P02"):
        ask(connection, "SELECT 1")
    connection.rollback()
    with refused("42P01"):
        ask(connection, "SELECT * FROM t")
    connection.rollback()
    assert ask(connection, "SELECT 1") == [(1,)]


def test_commit_of_a_failed_block_rolls_back(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        ask(connection, "CREATE TABLE t (a INTEGER)")
        with refused("22012"):
            ask(connection, "SELECT 1 / 0")
        connection.commit()
        with refused("42P01"):
            ask(connection, "SELECT * FROM t")


def test_statements_of_one_message_are_one_transaction(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        connection.autocommit = True
        assert ask(connection, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); SELECT a FROM t") == [(1,)]
        with refused("22012"):
            ask(connection, "INSERT INTO t VALUES (2); SELECT 1 / 0; INSERT INTO t VALUES (3)")
        assert connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        assert ask(connection, "SELECT a FROM t") == [(1,)]


def test_commit_within_a_message_keeps_what_came_before_it(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        connection.autocommit = True
        with refused("22012"):
            ask(connection, "BEGIN; CREATE TABLE t (a INTEGER); COMMIT; INSERT INTO t VALUES (1); SELECT 1 / 0")
        assert ask(connection, "SELECT a FROM t") == []


def test_begin_within_a_message_opens_a_block(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        connection.autocommit = True
        ask(connection, "CREATE TABLE t (a INTEGER); BEGIN; INSERT INTO t VALUES (1)")
        assert connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
        ask(connection, "ROLLBACK")
        assert redshift_database.query("SELECT to_regclass('t')") == [(None,)]


def test_an_empty_message(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg3(redshift_database)) as connection:
        assert connection.execute("").pgresult.status == psycopg.pq.ExecStatus.EMPTY_QUERY
        assert connection.execute("", prepare=True).pgresult.status == psycopg.pq.ExecStatus.EMPTY_QUERY
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pipeline_is_answered_in_order(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg3(redshift_database)) as connection:
        with connection.pipeline():
            connection.execute("CREATE TABLE t (a INTEGER)")
            connection.execute("INSERT INTO t VALUES (%s)", (1,))
            connection.execute("TRUNCATE t")
            connection.execute("SET query_group TO 'nightly'")
            found = connection.execute("SELECT count(*) FROM t WHERE a = %s", (1,))
            assert found.fetchone() == (0,)
        with pytest.raises(psycopg.errors.SyntaxError), connection.pipeline():
            connection.execute("SELECT %s", (1,))
            connection.execute("SELEC %s", (1,))
            connection.execute("SELECT %s", (1,))
        connection.rollback()
        assert connection.execute("SELECT 2").fetchone() == (2,)


def test_truncate_commits_all_that_came_before_it(connection: Any, redshift_database: RedshiftDatabase) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER)")
    ask(connection, "CREATE TABLE u (a INTEGER)")
    ask(connection, "INSERT INTO t VALUES (1)")
    connection.commit()
    ask(connection, "INSERT INTO u VALUES (2)")
    ask(connection, "TRUNCATE t")
    connection.rollback()
    assert ask(connection, "SELECT count(*) FROM t") == [(0,)]
    assert redshift_database.query("SELECT a FROM u") == [(2,)]


def test_vacuum_is_refused_in_a_block_and_runs_alone(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER)")
    with refused("25001", "VACUUM cannot run inside a transaction block"):
        ask(connection, "VACUUM t")
    with refused("25P02"):
        ask(connection, "SELECT 1")
    connection.rollback()
    connection.autocommit = True
    ask(connection, "VACUUM")
    assert ask(connection, "SELECT 1") == [(1,)]


def test_copy_from_the_client_is_refused(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg3(redshift_database)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
        connection.commit()
        with pytest.raises(psycopg.Error), connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write("1\n")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_options_and_application_name_of_the_connection(redshift_database: RedshiftDatabase) -> None:
    options = "-c statement_timeout=4321 -c query_group=nightly"
    changes = {"options": options, "application_name": "turnstile"}
    with contextlib.closing(with_psycopg2(redshift_database, **changes)) as connection:
        assert ask(connection, "SHOW statement_timeout") == [("4321ms",)]
        assert connection.get_parameter_status("application_name") == "turnstile"
        ask(connection, "SET application_name TO 'later'")
        assert connection.get_parameter_status("application_name") == "later"


def test_a_statement_that_takes_too_long_is_cancelled(redshift_database: RedshiftDatabase) -> None:
    with (
        contextlib.closing(with_psycopg2(redshift_database)) as holder,
        contextlib.closing(with_psycopg2(redshift_database)) as waiter,
    ):
        ask(holder, "CREATE TABLE t (a INTEGER)")
        holder.commit()
        ask(holder, "LOCK t")
        ask(waiter, "SET statement_timeout TO 50")
        with refused("57014", r"Query \(\d+\) cancelled on user's request"):
            ask(waiter, "LOCK t")


def test_a_client_cancels_its_statement(redshift_database: RedshiftDatabase) -> None:
    with (
        contextlib.closing(with_psycopg2(redshift_database)) as holder,
        contextlib.closing(with_psycopg2(redshift_database)) as waiter,
    ):
        ask(holder, "CREATE TABLE t (a INTEGER)")
        holder.commit()
        ask(holder, "LOCK t")
        ask(waiter, "SELECT 1")
        cancelling = threading.Thread(target=cancel_when_waiting, args=(redshift_database, waiter))
        cancelling.start()
        with refused("57014", r"Query \(\d+\) cancelled on user's request"):
            ask(waiter, "LOCK t")
        cancelling.join()
        waiter.rollback()
        assert ask(waiter, "SELECT 1") == [(1,)]


def cancel_when_waiting(database: RedshiftDatabase, connection: Any) -> None:
    until_waiting(database, connection.info.backend_pid)
    connection.cancel()


def until_waiting(database: RedshiftDatabase, pid: int) -> None:
    """Return once a session waits for a lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
    while database.query(waiting, (pid,)) == [(0,)]:
        pass


CLIENT = """
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor()
cursor.execute("INSERT INTO t VALUES (1)")
cursor.execute("LOCK t")
print(connection.info.backend_pid, flush=True)
cursor.execute(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_killed_client_loses_its_transaction_and_its_locks(redshift_database: RedshiftDatabase) -> None:
    redshift_database.query("CREATE TABLE t (a integer); ALTER TABLE t OWNER TO etl_load")
    command = [sys.executable, "-c", CLIENT, redshift_database.dsn, "SELECT 1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        assert client.stdout.readline() and client.stdout.readline() == "locked\n"
        os.kill(client.pid, signal.SIGKILL)
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        ask(connection, "SET statement_timeout TO 10000")
        ask(connection, "LOCK t")
        assert ask(connection, "SELECT count(*) FROM t") == [(0,)]


def test_a_client_killed_while_it_waits_leaves_no_session(redshift_database: RedshiftDatabase) -> None:
    redshift_database.query(
        "CREATE TABLE t (a integer); ALTER TABLE t OWNER TO etl_load;"
        "CREATE TABLE u (a integer); ALTER TABLE u OWNER TO etl_load"
    )
    with contextlib.closing(with_psycopg2(redshift_database)) as holder:
        ask(holder, "LOCK u")
        command = [sys.executable, "-c", CLIENT, redshift_database.dsn, "LOCK u"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout
            pid = int(client.stdout.readline())
            until_waiting(redshift_database, pid)
            os.kill(client.pid, signal.SIGKILL)
        with contextlib.closing(with_psycopg2(redshift_database)) as connection:
            ask(connection, "SET statement_timeout TO 10000")
            ask(connection, "LOCK t")
        until_gone(redshift_database, pid)


def until_gone(database: RedshiftDatabase, pid: int) -> None:
    while database.query("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)):
        pass


def test_an_idle_session_that_is_ended_hears_so_at_once(redshift_database: RedshiftDatabase) -> None:
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        ((pid,),) = ask(connection, "SELECT pg_backend_pid()")
        connection.rollback()
        redshift_database.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        assert select.select([connection], [], [], 10)[0]
        with pytest.raises(psycopg2.OperationalError):
            ask(connection, "SELECT 1")
        assert connection.closed


def test_of_two_snapshots_that_update_one_row_one_gets_1023(redshift_database: RedshiftDatabase) -> None:
    with (
        contextlib.closing(with_psycopg2(redshift_database)) as first,
        contextlib.closing(with_psycopg2(redshift_database)) as second,
    ):
        ask(first, "CREATE TABLE t (a INTEGER)")
        ask(first, "INSERT INTO t VALUES (1)")
        first.commit()
        ask(second, "SELECT a FROM t")
        ask(first, "UPDATE t SET a = 2")
        first.commit()
        with refused("XX000", r"1023\nDETAIL:  Serializable isolation violation on table"):
            ask(second, "UPDATE t SET a = 3")


def test_many_sessions_at_once(redshift_database: RedshiftDatabase, redshift: RedshiftEmulator) -> None:
    redshift_database.query("CREATE TABLE t (a integer); ALTER TABLE t OWNER TO etl_load")

    def work(number: int) -> None:
        with contextlib.closing(with_psycopg2(redshift_database)) as connection:
            for step in range(20):
                ask(connection, "INSERT INTO t VALUES (%s)", (number * 100 + step,))
                connection.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redshift_database.query("SELECT count(*), count(DISTINCT a) FROM t") == [(240, 240)]


def test_nothing_is_left_of_a_session_or_a_server(
    redshift: RedshiftEmulator, redshift_database: RedshiftDatabase
) -> None:
    server = RedshiftEmulator(redshift.folder.with_name("redshift-ended"), redshift.upstream, "http://127.0.0.1:1")
    server.start()
    process = psutil.Process(int((server.folder / "pid").read_text()))
    at_first = process.num_threads()
    connections = [psycopg2.connect(**server.parameters(database=redshift_database.name)) for _ in range(5)]
    pids = [connection.info.backend_pid for connection in connections]
    ask(connections[0], "SELECT 1")
    for connection in connections[1:]:
        connection.close()
    for pid in pids[1:]:
        until_gone(redshift_database, pid)
    while process.num_threads() > at_first + 1:
        pass
    server.stop()
    assert not process.is_running()
    until_gone(redshift_database, pids[0])
    server.remove()


def test_every_statement_is_logged_as_it_was_sent(
    redshift: RedshiftEmulator, redshift_database: RedshiftDatabase
) -> None:
    with contextlib.closing(with_psycopg2(redshift_database, application_name="logged")) as connection:
        ask(connection, "SELECT /* as sent */ 'x' AS x")
        pid = connection.info.backend_pid
        with refused("42601"):
            ask(connection, "SELEC 1")
    lines = [line for line in redshift.logged() if line["pid"] == pid]
    assert [line["statement"] for line in lines] == ["BEGIN", "SELECT /* as sent */ 'x' AS x", "SELEC 1"]
    assert {(line["user"], line["application_name"]) for line in lines} == {("etl_load", "logged")}


COPY = "COPY t FROM 's3://{bucket}/{key}' IAM_ROLE default FORMAT AS CSV NULL AS '\\N'"


def test_copy_loads_within_the_transaction(
    connection: Any, redshift_database: RedshiftDatabase, bucket: Bucket
) -> None:
    bucket.put("part", b"1,one\n2,two\n")
    ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(10))")
    connection.commit()
    assert ask(connection, "SELECT pg_last_copy_id(), pg_last_copy_count()") == [(-1, -1)]
    ask(connection, COPY.format(bucket=bucket.name, key="part"))
    assert ask(connection, "SELECT pg_last_copy_count()") == [(2,)]
    assert redshift_database.query("SELECT count(*) FROM t") == [(0,)]
    connection.rollback()
    assert ask(connection, "SELECT pg_last_copy_count()") == [(2,)]
    assert ask(connection, "SELECT count(*) FROM t") == [(0,)]
    ask(connection, COPY.format(bucket=bucket.name, key="part"))
    connection.commit()
    assert redshift_database.query("SELECT a, b::text FROM t ORDER BY a") == [(1, "one"), (2, "two")]


def test_the_error_rows_of_a_copy_survive_its_rollback(connection: Any, bucket: Bucket) -> None:
    bucket.put("bad", b"1,one\nx,two\n")
    ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(10))")
    connection.commit()
    ask(connection, "INSERT INTO t VALUES (7, 'before')")
    with refused("XX000", "Load into table 't' failed.  Check 'stl_load_errors' system table for details."):
        ask(connection, COPY.format(bucket=bucket.name, key="bad"))
    with refused("25P02"):
        ask(connection, "SELECT 1")
    connection.rollback()
    assert ask(connection, "SELECT count(*) FROM t") == [(0,)]
    ((number, session),) = ask(connection, "SELECT pg_last_copy_id(), pg_backend_pid()")
    found = (
        "SELECT line_number, trim(column_name), error_code FROM sys_load_error_detail"
        " WHERE query_id = %s AND session_id = %s"
    )
    assert ask(connection, found, (number, session)) == [(2, "a", 1207)]
    found = "SELECT line_number, trim(colname), err_code FROM stl_load_errors WHERE query = %s"
    assert ask(connection, found, (number,)) == [(2, "a", 1207)]


def test_copy_without_a_block_commits(redshift_database: RedshiftDatabase, bucket: Bucket) -> None:
    bucket.put("part", b"1,one\n")
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        connection.autocommit = True
        ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(10))")
        ask(connection, COPY.format(bucket=bucket.name, key="part"))
        assert connection.notices[-1] == "INFO:  Load into table 't' completed, 1 record(s) loaded successfully.\n"
        with refused("42P01"):
            ask(connection, COPY.format(bucket=bucket.name, key="part").replace("COPY t", "COPY missing"))
        assert redshift_database.query("SELECT count(*) FROM t") == [(1,)]


COPYING = """
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = sys.argv[2] == "autocommit"
print(connection.info.backend_pid, flush=True)
connection.cursor().execute(sys.argv[3])
"""


@pytest.mark.parametrize(("mode", "kept"), [("autocommit", 1), ("block", 0)])
def test_copy_outlives_its_client_only_outside_a_block(
    redshift: RedshiftEmulator, redshift_database: RedshiftDatabase, bucket: Bucket, mode: str, kept: int
) -> None:
    bucket.put("part", b"1,one\n")
    with contextlib.closing(with_psycopg2(redshift_database)) as connection:
        ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(10))")
        ask(connection, "SET emulator.fault TO 'slow 0.5s /^COPY t /'")
        connection.commit()
    copy = COPY.format(bucket=bucket.name, key="part")
    command = [sys.executable, "-c", COPYING, redshift_database.dsn, mode, copy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        pid = int(client.stdout.readline())
        while not any(line["pid"] == pid and line["statement"] == copy for line in redshift.logged()):
            pass
        os.kill(client.pid, signal.SIGKILL)
    until_gone(redshift_database, pid)
    assert redshift_database.query("SELECT count(*) FROM t") == [(kept,)]


def test_a_large_result_comes_whole(connection: Any) -> None:
    ask(connection, "CREATE TABLE t (a INTEGER, b VARCHAR(100))")
    ask(connection, "INSERT INTO t VALUES (1, %s)", ("x" * 99,))
    for _ in range(14):
        ask(connection, "INSERT INTO t SELECT a, b FROM t")
    assert ask(connection, "SELECT a, b FROM t") == [(1, "x" * 99)] * (1 << 14)


@pytest.fixture
def serializable(redshift: RedshiftEmulator, redshift_database: RedshiftDatabase) -> Iterator[RedshiftDatabase]:
    """The same database behind an emulator of the stricter level."""
    folder = redshift.folder.with_name("redshift-serializable")
    server = RedshiftEmulator(folder, redshift.upstream, "http://127.0.0.1:1", isolation="serializable")
    with started(server):
        yield dataclasses.replace(redshift_database, server=server)
    server.remove()


def test_write_skew_is_a_violation_only_where_it_is_serializable(
    redshift_database: RedshiftDatabase, serializable: RedshiftDatabase
) -> None:
    for database, violated in ((redshift_database, False), (serializable, True)):
        with (
            contextlib.closing(with_psycopg2(database)) as first,
            contextlib.closing(with_psycopg2(database)) as second,
        ):
            ask(first, "DROP TABLE IF EXISTS t")
            ask(first, "DROP TABLE IF EXISTS u")
            ask(first, "CREATE TABLE t (a INTEGER)")
            ask(first, "CREATE TABLE u (a INTEGER)")
            first.commit()
            ask(first, "SELECT * FROM t")
            ask(second, "SELECT * FROM u")
            ask(first, "INSERT INTO u VALUES (1)")
            ask(second, "INSERT INTO t VALUES (1)")
            first.commit()
            with refused("XX000", "^1023\n") if violated else contextlib.nullcontext():
                second.commit()
