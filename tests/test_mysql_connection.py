"""The connection that is kept from one read to the next."""

import socket

import pytest

from etl.errors import SourceLost
from etl.sources import mysql_connection
from etl.sources.mysql_connection import address, begin_snapshot, connected
from etl.testing import mysql_cursor


def identity(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


def test_the_next_read_has_the_same_connection_and_no_snapshot_of_the_one_before(mysql):
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO t VALUES (1)")
    with connected(address()) as connection:
        begin_snapshot(connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM t")
        first = identity(connection)
    mysql.execute("SET STATEMENT lock_wait_timeout=2 FOR ALTER TABLE t ADD COLUMN name VARCHAR(10)")
    with connected(address()) as connection, connection.cursor() as cursor:
        assert identity(connection) == first
        cursor.execute("SELECT name FROM t")
        assert cursor.fetchall() == ((None,),)


def test_a_connection_that_the_server_ended_meanwhile_is_made_anew(mysql):
    with connected(address()) as connection:
        first = identity(connection)
    # A user may always end connections of its own.
    with mysql_cursor(mysql.url) as cursor:
        cursor.execute(f"KILL {first}")
    with connected(address()) as connection:
        assert identity(connection) != first


def test_two_reads_at_a_time_have_two_connections(mysql):
    with connected(address()) as one, connected(address()) as other:
        assert identity(one) != identity(other)


def test_a_read_that_failed_leaves_no_connection(mysql):
    try:
        with connected(address()) as connection:
            first = identity(connection)
            raise RuntimeError
    except RuntimeError:
        pass
    with connected(address()) as connection:
        assert identity(connection) != first


def test_another_address_is_another_connection(mysql, settings, mariadb):
    with connected(address()) as connection:
        first = identity(connection)
    settings.set("mysql", "url", mariadb.url())
    with connected(address()) as connection:
        assert identity(connection) != first


def test_a_server_that_takes_connections_and_says_nothing_is_not_waited_for(settings, monkeypatch):
    monkeypatch.setattr(mysql_connection, "_CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.set("mysql", "url", f"mysql://etl:secret@127.0.0.1:{silent.getsockname()[1]}/shop")
        with pytest.raises(SourceLost, match=r"cannot be reached|was lost"), connected(address()):
            pass


def test_a_query_may_take_longer_than_a_connection(mysql, monkeypatch):
    monkeypatch.setattr(mysql_connection, "_CONNECT_SECONDS", 1)
    with connected(address()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(1.5)")
        assert [int(row[0]) for row in cursor.fetchall()] == [0]
