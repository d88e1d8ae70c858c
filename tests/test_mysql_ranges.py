"""A table read over several connections: the same rows as over one, and of one snapshot or not at all."""

import contextlib

import pytest

from etl.sources import mysql as mysql_source
from etl.sources import mysql_catalogue, mysql_ranges
from etl.sources.mysql import ExtractTable
from etl.stack import ports
from etl.testing import ShopDatabase, mysql_cursor
from etl.testing.servers import QuickMariaDB, started
from tests.pipeline import day
from tests.test_drift import altered_by
from tests.test_mysql import fresh_tasks, write  # noqa: F401

OVER_SEVERAL = "over 3 connections"


class LoggedMariaDB(QuickMariaDB):
    """It keeps a binary log, as a server with replicas does; `root` may set what happens when others connect."""

    name = "mariadb-logged"
    passwords = (*QuickMariaDB.passwords, "admin")
    options = (*QuickMariaDB.options, "--log-bin=log", "--server-id=1", "--binlog-format=ROW")

    def statements(self) -> list[str]:
        everywhere = f"@'{ports.HOST}'"
        return [
            *super().statements(),
            f"GRANT ALL ON *.* TO admin{everywhere}",
            f"GRANT EXECUTE ON shop.* TO etl_extract{everywhere}",
            f"GRANT EXECUTE ON shop.* TO app{everywhere}",
        ]


@pytest.fixture(scope="module")
def logged(server_folder):
    server = LoggedMariaDB(server_folder / "mariadb-logged")
    with started(server):
        yield server


@pytest.fixture
def shop(logged, settings, monkeypatch, fresh_tasks):  # noqa: F811
    database = ShopDatabase(logged, "shop")
    settings.set("mysql", "url", database.url)
    settings.set("mysql", "connections", 3)
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0)
    monkeypatch.setattr(mysql_ranges, "WORTH_DIVIDING", 0)
    mysql_catalogue.forget()
    database.execute("CREATE OR REPLACE TABLE t (id BIGINT, line INT, name VARCHAR(20), PRIMARY KEY (id, line))")
    return database


@contextlib.contextmanager
def something_committed_on_connecting(logged, times: int):
    """The first connections that anybody opens commit a row of another table; the others commit nothing."""
    with mysql_cursor(logged.url("admin")) as cursor:
        cursor.execute("CREATE OR REPLACE TABLE noise (left_over INT NOT NULL)")
        cursor.execute(f"INSERT INTO noise VALUES ({times})")
        cursor.execute(
            "CREATE OR REPLACE PROCEDURE on_connect() UPDATE noise SET left_over = left_over - 1 WHERE left_over > 0"
        )
        cursor.execute("SET GLOBAL init_connect = 'CALL shop.on_connect()'")
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL init_connect = ''")


@pytest.mark.parametrize(
    "keys", [range(1, 31), [-5, 0, 2**62], [-(2**63), 2**63 - 1], [10, 11, 12, 13]], ids=["even", "odd", "ends", "few"]
)
def test_every_row_is_in_one_range(shop, lake, caplog, keys):
    for key in keys:
        shop.execute(f"INSERT INTO t VALUES ({key}, 1, 'a'), ({key}, 2, NULL)")
    with caplog.at_level("INFO", "luigi-interface.etl"):
        manifest, text = write(ExtractTable(table="t"))
    assert sorted(text.splitlines()) == sorted(line for key in keys for line in (f'{key},1,"a"', f"{key},2,\\N"))
    assert manifest.findings["counted"] == 2 * len(keys)
    assert OVER_SEVERAL in caplog.text


def test_connections_that_see_different_snapshots_are_opened_again(shop, lake, caplog, logged):
    shop.execute("INSERT INTO t VALUES (1, 1, 'a'), (100, 1, 'b')")
    with something_committed_on_connecting(logged, times=6), caplog.at_level("INFO", "luigi-interface.etl"):
        assert sorted(write(ExtractTable(table="t"))[1].splitlines()) == ['1,1,"a"', '100,1,"b"']
    assert "of the server's log" in caplog.text
    assert "read again over one connection" not in caplog.text


def test_where_something_is_always_committed_one_connection_reads(shop, lake, caplog, logged):
    shop.execute("INSERT INTO t VALUES (1, 1, 'a'), (100, 1, 'b')")
    with something_committed_on_connecting(logged, times=1000), caplog.at_level("INFO", "luigi-interface.etl"):
        assert write(ExtractTable(table="t"))[1] == '1,1,"a"\n100,1,"b"\n'
    assert caplog.text.count(OVER_SEVERAL) == 5
    assert "read again over one connection" in caplog.text


def test_a_server_that_does_not_say_which_snapshot_is_read_over_one_connection(
    mysql, lake, settings, monkeypatch, caplog
):
    settings.set("mysql", "connections", 3)
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0)
    monkeypatch.setattr(mysql_ranges, "WORTH_DIVIDING", 0)
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    mysql.execute("INSERT INTO t VALUES (1), (100)")
    with caplog.at_level("INFO", "luigi-interface.etl"):
        assert write(ExtractTable(table="t"))[1] == "1\n100\n"
    assert "read by connectorx" in caplog.text and OVER_SEVERAL not in caplog.text


@pytest.mark.parametrize(
    ("declaration", "rows"),
    [
        ("VARCHAR(10) PRIMARY KEY", "('a'), ('b')"),
        ("DATE PRIMARY KEY", "(20220304), (20230304)"),
        ("INT", "(1), (100)"),
    ],
)
def test_a_table_whose_key_cannot_be_divided_is_read_over_one_connection(shop, lake, caplog, declaration, rows):
    shop.execute(f"CREATE OR REPLACE TABLE t (id {declaration})")
    shop.execute(f"INSERT INTO t VALUES {rows}")
    with caplog.at_level("INFO", "luigi-interface.etl"):
        assert write(ExtractTable(table="t"))[0].rows == 2
    assert OVER_SEVERAL not in caplog.text


def test_an_empty_table(shop, lake):
    manifest, _ = write(ExtractTable(table="t"))
    assert (manifest.rows, manifest.findings["counted"]) == (0, 0)


def test_a_table_that_is_altered_while_it_is_read_stays_locked_until_all_is_read(shop, lake, caplog):
    """Our own connection has read the ends of its key, in the snapshot of which the others read."""
    shop.execute("INSERT INTO t VALUES (1, 1, 'a'), (100, 1, 'b')")
    altering = []

    class Disturbed(ExtractTable):
        def batches(self):
            for batch in super().batches():
                if batch.num_rows and not altering:
                    altering.append(altered_by(shop, "DROP name, ADD place INT DEFAULT 5 FIRST"))
                    assert altering[0].is_alive()
                yield batch

    with caplog.at_level("INFO", "luigi-interface.etl"):
        manifest, text = write(Disturbed(table="t"))
    altering[0].join(20)
    assert OVER_SEVERAL in caplog.text
    assert (manifest.columns, sorted(text.splitlines())) == (("id", "line", "name"), ['1,1,"a"', '100,1,"b"'])
    manifest, text = write(ExtractTable(table="t", date=day(1)))
    assert (manifest.columns, sorted(text.splitlines())) == (("place", "id", "line"), ["5,1,1", "5,100,1"])
