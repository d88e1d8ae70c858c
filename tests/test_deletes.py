"""Rows that the source has deleted without a word: found by their keys, and deleted or marked as such."""

import logging

import pytest

from etl.compare import compare
from etl.errors import DataError
from etl.increment import ExtractChanges
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue
from tests import pipeline
from tests.mirrors import extracted, mark, mirror, night
from tests.pipeline import day, receipts, refused

pytest_plugins = ("tests.nights",)


@pytest.fixture
def shop(nights, mysql):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, price INT, updated_at DATETIME)")
    mysql.execute("INSERT INTO sales SELECT seq, 10 * seq, '2014-02-01' + INTERVAL seq HOUR FROM seq_1_to_10")
    return mysql


def ids(warehouse, condition="TRUE"):
    return [number for (number,) in warehouse.query(f"SELECT id FROM raw.sales WHERE {condition} ORDER BY id")]


@pytest.mark.parametrize("deletes", ["keep", "soft", "hard"])
def test_what_becomes_of_a_row_that_was_deleted(shop, warehouse, deletes):
    night(1, deletes=deletes)
    shop.execute("DELETE FROM sales WHERE id IN (1, 10)")
    night(2, deletes=deletes)
    if deletes == "hard":
        assert ids(warehouse) == list(range(2, 10))
    else:
        assert ids(warehouse) == list(range(1, 11))
    if deletes == "soft":
        assert ids(warehouse, "deleted_at IS NOT NULL") == [1, 10]
        assert ids(warehouse, "deleted_at IS NOT NULL AND loaded_at >= deleted_at") == [1, 10]
    assert receipts(warehouse, "raw.sales")[1][3:] == ((0, 10) if deletes == "keep" else (2, 8))
    assert mark(warehouse)[0] == "2014-02-01 10:00:00"
    assert compare("sales").equal == (deletes != "keep")
    night(3, deletes=deletes)
    assert receipts(warehouse, "raw.sales")[2][1:] == ((0, 0, 0, 10) if deletes == "keep" else (0, 0, 0, 8))


def test_rows_that_are_kept_leave_the_count_unverified(shop, warehouse, caplog):
    night(1)
    shop.execute("DELETE FROM sales WHERE id = 10")
    shop.execute("INSERT INTO sales VALUES (11, 110, '2014-02-01 10:30:00')")
    night(2)
    assert mark(warehouse) == ("2014-02-01 10:30:00", "2014-02-01 10:00:00")
    assert (
        "raw.sales: the source had 2 rows whose updated_at is 2014-02-01 09:00:00 or later, the table has 3; "
        "verified_through stays where it is, `etl compare sales` shows what differs; deletes = 'soft' or 'hard' takes "
        "note of deleted rows" in caplog.text
    )
    night(3, deletes="hard")
    assert mark(warehouse) == ("2014-02-01 10:30:00",) * 2


def test_a_row_that_comes_back(shop, warehouse):
    """With a new time and with its old one, by which no window would read it."""
    night(1, deletes="soft")
    shop.execute("DELETE FROM sales WHERE id IN (1, 2)")
    night(2, deletes="soft")
    shop.execute("INSERT INTO sales VALUES (1, 11, '2014-02-01 01:00:00'), (2, 21, '2014-02-03 02:00:00')")
    night(3, deletes="soft")
    assert ids(warehouse, "deleted_at IS NOT NULL") == []
    assert warehouse.query("SELECT price FROM raw.sales WHERE id < 3 ORDER BY id") == [(11,), (21,)]
    assert [row[1:] for row in receipts(warehouse, "raw.sales")[1:]] == [(0, 0, 2, 8), (2, 0, 0, 10)]
    assert mark(warehouse) == ("2014-02-03 02:00:00",) * 2


def test_a_row_that_came_later_than_the_window_is_read(shop, warehouse, caplog):
    night(1, deletes="hard")
    shop.execute("INSERT INTO sales VALUES (11, 110, '2014-01-01')")
    with caplog.at_level(logging.INFO, "luigi-interface.etl"):
        night(2, deletes="hard")
    assert "sales: 1 rows came later than [mysql] look_back allows for" in caplog.text
    assert ids(warehouse) == list(range(1, 12))
    ((counted, staged),) = warehouse.query(
        "SELECT rows_read, rows_staged FROM etl.receipts ORDER BY loaded_at DESC LIMIT 1"
    )
    assert (counted, staged) == (3, 3)
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2


def many(mysql, rows=60_000, kind="BIGINT"):
    mysql.execute("DROP TABLE IF EXISTS sales")
    mysql.execute(f"CREATE TABLE sales (id {kind} PRIMARY KEY, price INT, updated_at DATETIME)")
    mysql.execute(f"INSERT INTO sales SELECT seq, 1, '2014-02-01' + INTERVAL seq SECOND FROM seq_1_to_{rows}")


@pytest.mark.exam_on("redshift")
@pytest.mark.parametrize("kind", ["BIGINT", "VARCHAR(20)"])
def test_rows_that_are_scattered_over_a_large_table(shop, warehouse, kind):
    """More than are fetched at once, so that the ranges are cut twice."""
    many(shop, kind=kind)
    night(1, deletes="hard")
    shop.execute("DELETE FROM sales WHERE id % 60 = 0")
    shop.execute("INSERT INTO sales SELECT seq + 100000, 2, '2014-01-01' FROM seq_1_to_500")
    night(2, deletes="hard")
    assert compare("sales").equal
    assert receipts(warehouse, "raw.sales")[1][1:] == (500, 0, 1000, 59500)


KEYS = {
    "id INT UNSIGNED": ["0", "1", "4294967295", "7"],
    "id VARCHAR(20) COLLATE utf8mb4_bin": ["'a'", "'A'", "' a'", "'ä'"],
    "id CHAR(5)": ["''", "'x\"'", r"'\\\\'", "'|'"],
    "id VARBINARY(9)": ["''", "x'00'", "x'ff'", "'a'"],
    "id DECIMAL(30,10)": ["0", "-1.5", "12345678901234567890.0123456789", "1"],
    "id DATE": ["'2014-02-01'", "'0001-01-01'", "'9999-12-31'", "'2014-02-03'"],
    "id DATETIME(6)": ["'2014-02-01'", "'2014-02-01 00:00:00.000001'", "'9999-12-31'", "'2014-02-03'"],
    "id TIMESTAMP(3)": ["'2014-02-01'", "'2014-02-01 00:00:00.001'", "'2037-12-31'", "'2014-02-03'"],
    "id DOUBLE": ["0", "-1e-300", "6.429560891534334e16", "0.1"],
    "id BIT(1)": ["b'0'", "b'1'"],
}


@pytest.mark.parametrize("column", KEYS)
def test_keys_of_every_kind(nights, mysql, warehouse, column):
    values = KEYS[column]
    mysql.execute(f"CREATE TABLE sales ({column} PRIMARY KEY, updated_at DATETIME)")
    for value in values:
        mysql.execute(f"INSERT INTO sales VALUES ({value}, '2014-02-01')")
    night(1, deletes="hard", most_deleted=100)
    for value in values[:-1]:
        mysql.execute(f"DELETE FROM sales WHERE id = {value}")
        night(values.index(value) + 2, deletes="hard", most_deleted=100)
        assert compare("sales").equal, value
    assert warehouse.query("SELECT count(*) FROM raw.sales") == [(1,)]


def test_a_key_of_several_columns(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (b VARCHAR(9), a INT, updated_at DATETIME, PRIMARY KEY (a, b))")
    mysql.execute("INSERT INTO sales SELECT CONCAT('x', seq % 7), seq DIV 7, '2014-02-01' FROM seq_1_to_30")
    night(1, deletes="soft")
    mysql.execute("DELETE FROM sales WHERE a = 1 AND b IN ('x1', 'x2')")
    mysql.execute("INSERT INTO sales VALUES ('y', 9, '2013-01-01')")
    night(2, deletes="soft")
    assert warehouse.query("SELECT a, b FROM raw.sales WHERE deleted_at IS NOT NULL ORDER BY 2") == [
        (1, "x1"),
        (1, "x2"),
    ]
    assert compare("sales").equal


# ---- the cap


def test_a_wiped_source_does_not_wipe_the_warehouse(shop, warehouse, lake):
    night(1, deletes="hard")
    shop.execute("DELETE FROM sales")
    task = mirror(2, deletes="hard")
    with pytest.raises(DataError) as failure:
        task.requires().run()
    assert str(failure.value) == (
        "raw.sales: at least 10 of its 10 rows are gone from the source, and no more than 10 % may go in a night; "
        "nothing was published. If they are to go: `etl run MirrorTable --table sales … --most-deleted 100`"
    )
    assert not task.requires().complete()
    assert ids(warehouse) == list(range(1, 11))
    night(2, deletes="hard", most_deleted=100)
    assert ids(warehouse) == []
    assert mirror(2, deletes="hard").complete(), "it is the same night"
    night(3, deletes="hard")


@pytest.mark.parametrize(
    ("gone", "most", "passes"), [(20, 10, True), (21, 10, False), (21, 11, True), (199, 99, False)]
)
def test_how_much_may_go(shop, warehouse, gone, most, passes):
    """Of 199: a tenth, or 20; never all."""
    many(shop, 199)
    night(1, deletes="soft")
    shop.execute(f"DELETE FROM sales WHERE id <= {gone}")
    # As many again, so that not the number of rows tells it.
    shop.execute(f"INSERT INTO sales SELECT seq + 1000, 1, '2014-02-02' FROM seq_1_to_{gone}")
    if passes:
        night(2, deletes="soft", most_deleted=most)
        assert len(ids(warehouse, "deleted_at IS NOT NULL")) == gone
    else:
        with pytest.raises(DataError, match=f"at least {gone} of its 199 rows are gone from the source"):
            mirror(2, deletes="soft", most_deleted=most).requires().run()


# ---- what is known of the rows at the time


def test_rows_in_quarantine_are_not_missing(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, body MEDIUMTEXT, updated_at DATETIME)")
    mysql.execute("INSERT INTO sales VALUES (1, REPEAT('é', 40000), '2014-02-01 10:00:00'), (2, 'x', '2014-02-01')")
    night(1, deletes="hard")
    mysql.execute("INSERT INTO sales VALUES (3, 'x', '2014-02-02 10:00:00')")
    night(2, deletes="hard")
    night(3, deletes="hard")
    assert ids(warehouse) == [2, 3]
    assert mark(warehouse) == ("2014-02-02 10:00:00",) * 2
    mysql.execute("UPDATE sales SET body = 'mended', updated_at = '2014-02-02 10:00:00' WHERE id = 1")
    night(4, deletes="hard")
    assert ids(warehouse) == [1, 2, 3]
    assert compare("sales").equal


def test_deletes_that_were_found_before_a_newer_extract_are_not_applied(shop, warehouse):
    night(1, deletes="hard")
    shop.execute("DELETE FROM sales WHERE id = 5")
    older = extracted(2, deletes="hard")
    shop.execute("INSERT INTO sales VALUES (5, 51, '2014-02-03')")
    night(3, deletes="hard")
    pipeline.night(older)
    assert ids(warehouse) == list(range(1, 11))


def test_deletes_are_in_the_extract_and_need_no_source(shop, warehouse, settings):
    night(1, deletes="soft")
    shop.execute("DELETE FROM sales WHERE id = 5")
    task = extracted(2, deletes="soft")
    shop.execute("INSERT INTO sales VALUES (5, 51, '2014-02-03')")
    settings.set("mysql", "url", "mysql://nobody:x@127.0.0.1:1/shop")
    pipeline.night(task)
    assert ids(warehouse, "deleted_at IS NOT NULL") == [5]


def test_a_part_of_keys_that_was_altered(shop, lake):
    night(1, deletes="soft")
    shop.execute("DELETE FROM sales WHERE id = 5")
    task = extracted(2, deletes="soft")
    (part,) = task.requires().output().manifest().gone
    lake.put(part.url.removeprefix(f"{lake.url}/"), b"")
    assert part.url in refused(task, Exception)


def test_all_that_an_extract_has_written_goes_with_it(shop, lake):
    night(1, deletes="soft")
    shop.execute("DELETE FROM sales WHERE id = 5")
    target = extracted(2, deletes="soft").requires().output()
    assert [key for key in lake.keys(target.folder) if "gone" in key]
    target.remove(target.manifest())
    assert lake.keys(target.folder) == []


@pytest.mark.exam_on("redshift")
def test_an_extract_that_is_stopped_by_the_cap_leaves_nothing(shop, lake):
    """In the middle: some thousand keys were written, and no count had told it before."""
    many(shop, rows=24_000)
    night(1, deletes="hard")
    shop.execute("UPDATE sales SET id = id + 100000 WHERE id % 2 = 0")
    extract = mirror(2, deletes="hard").requires()
    with pytest.raises(DataError, match="rows are gone from the source"):
        extract.run()
    assert lake.keys(extract.output().folder) == []
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.name)
    night(2, deletes="hard", most_deleted=50)
    assert compare("sales").equal


def test_a_row_that_comes_back_between_its_key_and_the_rows(shop, warehouse):
    """Where all rows are read, that is another snapshot than the keys': what is staged is there, whatever was gone."""

    class ExtractMeanwhile(ExtractChanges):
        def _settled(self, *asked):
            yield from super()._settled(*asked)
            shop.execute("INSERT INTO sales VALUES (5, 51, '2014-02-03')")

    class MirrorMeanwhile(MirrorTable):
        def requires(self):
            return ExtractMeanwhile(table="sales", changed="updated_at", deletes="hard", date=self.date)

    night(1, changed="")
    shop.execute("DELETE FROM sales WHERE id = 5")
    mysql_catalogue.forget()
    task = MirrorMeanwhile(table="sales", changed="updated_at", deletes="hard", date=day(2))
    pipeline.night(task)
    assert task.requires().output().manifest().rows_gone == 1
    assert warehouse.query("SELECT count(*), max(price) FROM raw.sales WHERE id = 5") == [(1, 51)]
