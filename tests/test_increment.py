"""A mirror that reads what has changed: nothing is missed, in whatever order rows are stamped and committed."""

import contextlib
import datetime
import itertools
import logging
import multiprocessing
import re
import signal

import hypothesis
import hypothesis.strategies as st
import pytest

from etl.compare import compare
from etl.errors import ConfigError, DataError
from etl.increment import ExtractChanges
from etl.manifest import ManifestTarget
from etl.mirror import MirrorTable
from etl.testing import drawn
from tests import pipeline
from tests.mirrors import extracted, mark, mirror, night, transaction
from tests.pipeline import day, receipts, refused

pytest_plugins = ("tests.nights",)


@pytest.fixture
def shop(nights, mysql):
    mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, price INT, updated_at DATETIME, KEY (updated_at))")
    return mysql


def shows(warehouse, text):
    drawn.shows(warehouse, "raw.sales", text)


def read(date, **said):
    """The ids that were read, by the manifest: rows in the lake."""
    target = mirror(date, **said).requires().output()
    manifest = target.manifest()
    rows = b"".join(target.open_part(part, manifest).read() for part in manifest.parts).decode()
    return sorted(int(line.partition(",")[0]) for line in rows.splitlines())


def test_what_has_changed_is_read_and_nothing_else(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 12:00:00')")
    night(1)
    assert mark(warehouse) == ("2014-02-01 12:00:00",) * 2
    shop.execute("INSERT INTO sales VALUES (3, 30, '2014-02-02 09:00:00')")
    shop.execute("UPDATE sales SET price = 21, updated_at = '2014-02-02 10:00:00' WHERE id = 2")
    shop.execute("UPDATE sales SET price = 11 WHERE id = 1")  # without a word, so that it shows whether it is read
    night(2)
    shows(
        warehouse,
        """
        id | price | updated_at
        1  | 10    | 2014-02-01 10:00:00
        2  | 21    | 2014-02-02 10:00:00
        3  | 30    | 2014-02-02 09:00:00
        """,
    )
    assert receipts(warehouse, "raw.sales") == [(2, 2, 0, 0, 2), (2, 1, 1, 0, 3)]
    assert mark(warehouse) == ("2014-02-02 10:00:00",) * 2


def test_a_night_in_which_nothing_has_changed(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(1)
    written = warehouse.query("SELECT loaded_at, xmin::text FROM raw.sales")
    night(2)
    assert warehouse.query("SELECT loaded_at, xmin::text FROM raw.sales") == written
    assert receipts(warehouse, "raw.sales")[1] == (1, 0, 0, 0, 1)
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2


def test_an_empty_table_becomes_one(shop, warehouse):
    night(1)
    assert warehouse.query("SELECT count(*) FROM raw.sales") == [(0,)]
    assert warehouse.query("SELECT high_water FROM etl.watermarks WHERE target = 'raw.sales'") == [(None,)]
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(2)
    shows(warehouse, "id | price\n1 | 10")


def test_a_first_read_is_as_fast_as_that_of_a_whole_table(shop, warehouse, caplog):
    shop.execute("INSERT INTO sales SELECT seq, seq, '2014-02-01' + INTERVAL seq SECOND FROM seq_1_to_30000")
    shop.execute("ANALYZE TABLE sales")
    with caplog.at_level(logging.INFO, "luigi-interface.etl"):
        night(1)
    assert "sales: read by connectorx" in caplog.text
    assert warehouse.query("SELECT count(*), sum(price) FROM raw.sales") == [(30000, 450015000)]
    assert mark(warehouse) == ("2014-02-01 08:20:00",) * 2


@pytest.mark.parametrize(("look_back", "prices"), [(3600, [(1, 11), (2, 20)]), (3599, [(1, 10), (2, 20)])])
def test_a_row_that_is_committed_late_is_read(shop, warehouse, settings, look_back, prices):
    """Within look_back, and up to the second."""
    settings.set("mysql", "look_back", look_back)
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 09:00:00')")
    with transaction(shop, "UPDATE sales SET price = 11, updated_at = '2014-02-01 10:00:00' WHERE id = 1"):
        shop.execute("INSERT INTO sales VALUES (2, 20, '2014-02-01 11:00:00')")
        night(1)
    night(2)
    assert warehouse.query("SELECT id, price FROM raw.sales ORDER BY id") == prices


def test_a_row_that_came_too_late_is_counted_and_said(shop, warehouse, settings, caplog):
    settings.set("mysql", "look_back", 60)
    with transaction(shop, "INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')"):
        shop.execute("INSERT INTO sales VALUES (2, 20, '2014-02-01 11:00:00')")
        # A mark that is only as far as that row was.
        night(1)
    warehouse.query("UPDATE etl.watermarks SET verified_through = '2014-02-01 09:00:00'")
    shop.execute("INSERT INTO sales VALUES (3, 30, '2014-02-01 12:00:00')")
    night(2)
    assert mark(warehouse) == ("2014-02-01 12:00:00", "2014-02-01 09:00:00")
    assert (
        "raw.sales: the source had 3 rows whose updated_at is 2014-02-01 09:00:00 or later, the table has 2; "
        "verified_through stays where it is" in caplog.text
    )
    night(3, deletes="hard")
    assert mark(warehouse) == ("2014-02-01 12:00:00",) * 2
    assert warehouse.query("SELECT id FROM raw.sales ORDER BY id") == [(1,), (2,), (3,)]


def test_a_row_from_the_future_does_not_take_the_mark_with_it(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2099-01-01'), (2, 20, '2014-02-01 11:00:00')")
    night(1)
    ((now,),) = shop.query("SELECT UTC_TIMESTAMP()")
    high = datetime.datetime.fromisoformat(mark(warehouse)[0])
    assert datetime.timedelta(seconds=59) <= now - high < datetime.timedelta(minutes=5)
    shop.execute("INSERT INTO sales VALUES (3, 30, UTC_TIMESTAMP())")
    shop.execute("UPDATE sales SET price = 11, updated_at = UTC_TIMESTAMP() WHERE id = 1")
    night(2)
    assert warehouse.query("SELECT id, price FROM raw.sales ORDER BY id") == [(1, 11), (2, 20), (3, 30)]
    high, verified = mark(warehouse)
    assert high == verified


def test_times_that_are_equal_at_the_boundary(shop, warehouse, settings):
    settings.set("mysql", "look_back", 0)
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 11:00:00')")
    night(1)
    shop.execute("INSERT INTO sales VALUES (3, 30, '2014-02-01 11:00:00')")
    night(2)
    assert read(2) == [2, 3]
    assert warehouse.query("SELECT id FROM raw.sales ORDER BY id") == [(1,), (2,), (3,)]


def test_rows_without_a_time_are_read_every_night(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, NULL), (2, 20, '2014-02-01 11:00:00'), (3, 30, '0000-00-00')")
    night(1)
    shop.execute("UPDATE sales SET price = price + 1 WHERE id <> 2")
    shop.execute("INSERT INTO sales VALUES (4, 40, NULL)")
    night(2)
    assert warehouse.query("SELECT * FROM (SELECT id, price, updated_at::text FROM raw.sales) q ORDER BY id") == [
        (1, 11, None),
        (2, 20, "2014-02-01 11:00:00"),
        (3, 31, None),
        (4, 40, None),
    ]
    assert mark(warehouse) == ("2014-02-01 11:00:00",) * 2


def test_a_change_that_is_stamped_earlier_than_the_one_before_it(shop, warehouse):
    """By two applications whose clocks differ: the newest snapshot is right, and not the latest stamp."""
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:05')")
    night(1)
    shop.execute("UPDATE sales SET price = 11, updated_at = '2014-02-01 10:00:01'")
    night(2)
    shows(warehouse, "id | price | updated_at\n1 | 11 | 2014-02-01 10:00:01")
    assert mark(warehouse)[0] == "2014-02-01 10:00:05"


def test_a_timestamp_with_fractions_and_a_table_of_many_names(nights, mysql, warehouse):
    mysql.execute(
        "CREATE TABLE `order` (`group` VARCHAR(9), `%s` INT, `Changed At` TIMESTAMP(6) NOT NULL, "
        "PRIMARY KEY (`group`, `%s`), KEY (`Changed At`))"
    )
    mysql.execute("SET time_zone = '+00:00'")
    rows = "('a', 1, FROM_UNIXTIME(1391248800.000001)), ('a', 2, FROM_UNIXTIME(1391248800.000002))"
    mysql.execute(f"INSERT INTO `order` VALUES {rows}")
    said = {"table": "order", "changed": "Changed At", "deletes": "soft"}
    night(1, **said)
    assert mark(warehouse, "order") == ("2014-02-01 10:00:00.000002",) * 2
    mysql.execute("INSERT INTO `order` VALUES ('b', 1, FROM_UNIXTIME(1391248800.5))")
    mysql.execute("DELETE FROM `order` WHERE `%s` = 2")
    night(2, **said)
    assert warehouse.query('SELECT "group", "%%s", deleted_at IS NULL FROM raw."order" ORDER BY 1, 2', ()) == [
        ("a", 1, True),
        ("a", 2, False),
        ("b", 1, True),
    ]
    assert mark(warehouse, "order") == ("2014-02-01 10:00:00.5",) * 2


# ---- the columns that are ours


def test_a_row_says_when_it_was_loaded(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 10:00:00')")
    night(1)
    first = dict(warehouse.query("SELECT id, loaded_at FROM raw.sales"))
    shop.execute("UPDATE sales SET price = 11, updated_at = '2014-02-01 11:00:00' WHERE id = 1")
    night(2)
    then = dict(warehouse.query("SELECT id, loaded_at FROM raw.sales"))
    assert then[1] > first[1]
    assert then[2] == first[2]
    definitions = [text.partition(" USING ")[2] for (text,) in warehouse.query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'raw' ORDER BY 1"
    )]  # fmt: skip
    indexes = {"postgres": ["btree (id)", "btree (loaded_at)", "btree (updated_at)"], "redshift": []}
    assert sorted(definitions) == indexes[warehouse.engine]


def test_a_table_that_was_mirrored_whole_goes_on_by_its_changes_and_back(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 10:00:00')")
    night(1, changed="")
    shop.execute("UPDATE sales SET price = 11 WHERE id = 1")
    shop.execute("DELETE FROM sales WHERE id = 2")
    night(2, deletes="soft")
    shows(warehouse, "id | price | updated_at\n1 | 11 | 2014-02-01 10:00:00\n2 | 20 | 2014-02-01 10:00:00")
    assert warehouse.query("SELECT id FROM raw.sales WHERE deleted_at IS NOT NULL AND loaded_at IS NOT NULL") == [(2,)]
    names = {text.partition(" USING ")[2] for (text,) in warehouse.query("SELECT indexdef FROM pg_indexes")}
    assert warehouse.engine == "redshift" or names >= {"btree (loaded_at)", "btree (updated_at)"}
    assert compare("sales").equal
    shop.execute("INSERT INTO sales VALUES (3, 30, '2014-02-01 10:00:00')")
    night(3, changed="")
    assert warehouse.query("SELECT id, deleted_at FROM raw.sales ORDER BY id") == [(1, None), (3, None)]
    assert compare("sales").equal
    shop.execute("UPDATE sales SET price = 31, updated_at = '2014-02-03 10:00:00' WHERE id = 3")
    night(4, deletes="soft")
    assert compare("sales").equal


def test_rows_that_are_known_to_be_deleted_take_no_part_in_a_comparison(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 10:00:00')")
    night(1, deletes="soft")
    shop.execute("DELETE FROM sales WHERE id = 2")
    found = compare("sales")
    assert [(one.key, one.kind) for one in found.differences] == [(("2",), "only in the warehouse")]
    night(2, deletes="soft")
    found = compare("sales")
    assert (found.equal, found.source_rows, found.warehouse_rows) == (True, 1, 1)
    assert {column.name for column in found.columns} == {"id", "price", "updated_at"}


def test_an_extract_of_changes_is_not_compared_with_a_table(shop):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(1)
    night(2)
    assert compare("sales", day(1)).equal
    with pytest.raises(DataError, match="holds what changed from 2014-02-01 09:00:00 on"):
        compare("sales", day(2))


def test_a_column_that_is_added_is_read_for_all_rows(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-03 10:00:00')")
    night(1)
    shop.execute("ALTER TABLE sales ADD COLUMN fee INT NOT NULL DEFAULT 5")
    night(2)
    assert warehouse.query("SELECT id, fee FROM raw.sales ORDER BY id") == [(1, 5), (2, 5)]
    night(3)
    assert read(3) == [2]
    shop.execute("ALTER TABLE sales DROP COLUMN fee")
    night(4)
    assert read(4) == [1, 2]
    assert warehouse.query("SELECT id, fee FROM raw.sales ORDER BY id") == [(1, None), (2, None)]
    assert compare("sales").equal
    night(5)
    assert read(5) == [2]
    shop.execute("ALTER TABLE sales ADD COLUMN fee INT NOT NULL DEFAULT 6")
    night(6)
    assert warehouse.query("SELECT id, fee FROM raw.sales ORDER BY id") == [(1, 6), (2, 6)]


def test_what_was_lost_in_an_earlier_night_is_known_to_a_comparison(shop):
    shop.execute("ALTER TABLE sales ADD COLUMN note VARCHAR(20)")
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00', CONCAT('a', CHAR(0)))")
    shop.execute("INSERT INTO sales VALUES (2, 20, '2014-02-05 10:00:00', CONCAT('b', CHAR(0)))")
    for date in (1, 2, 3):
        night(date)
    found = compare("sales")
    assert found.equal
    # The second row was read in each night.
    assert [column.losses for column in found.columns if column.name == "note"] == [["4 NUL character replaced"]]


# ---- quarantine


def test_a_row_in_quarantine_comes_back_when_it_is_mended(nights, mysql, warehouse):
    mysql.execute("CREATE TABLE sales (a VARCHAR(9), b INT, body MEDIUMTEXT, updated_at DATETIME, PRIMARY KEY (a, b))")
    mysql.execute("""INSERT INTO sales VALUES ('x"\\\\', 1, 'short', '2014-02-01 10:00:00')""")
    mysql.execute("INSERT INTO sales VALUES ('y', 1, REPEAT('é', 40000), '2014-02-01 10:00:00')")
    night(1)
    held = "SELECT source_key FROM etl.quarantine ORDER BY 1"
    assert warehouse.query(held) == [('["y", "1"]',)]
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2
    mysql.execute("UPDATE sales SET body = REPEAT('é', 40000), updated_at = '2014-02-01 10:30:00' WHERE a <> 'y'")
    night(2)
    assert warehouse.query(held) == [('["x\\"\\\\", "1"]',), ('["y", "1"]',)]
    # The version of it that could be kept is not what the source has.
    assert warehouse.query("SELECT a FROM raw.sales") == []
    assert receipts(warehouse, "raw.sales")[1] == (0, 0, 0, 1, 0)
    # Of what was put aside nothing says how far it is; it is read again.
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2
    assert compare("sales").equal
    mysql.execute("UPDATE sales SET body = 'mended', updated_at = '2014-02-03 10:00:00' WHERE a <> 'y'")
    night(3)
    assert warehouse.query(held) == [('["y", "1"]',)]
    assert warehouse.query("SELECT a FROM raw.sales") == [('x"\\',)]
    assert compare("sales").equal
    mysql.execute("INSERT INTO sales VALUES ('z', 1, 'short', '2014-02-05 10:00:00')")
    night(4)
    # Of the two that were read; the one in quarantine is not counted as missing.
    assert receipts(warehouse, "raw.sales")[-1] == (2, 1, 0, 0, 2)
    assert mark(warehouse) == ("2014-02-05 10:00:00",) * 2


# ---- the order of loads


def test_an_extract_is_loaded_twice(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(1)
    shop.execute("UPDATE sales SET price = 11, updated_at = '2014-02-02 10:00:00'")
    night(2)
    warehouse.query("DELETE FROM etl.loads WHERE business_date = '2014-02-02'")
    night(2)
    shows(warehouse, "id | price\n1 | 11")
    assert receipts(warehouse, "raw.sales")[1:] == [(1, 0, 1, 0, 1), (1, 0, 0, 0, 1)]
    assert mark(warehouse) == ("2014-02-02 10:00:00",) * 2


def test_an_older_extract_changes_nothing(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-02-01 10:00:00')")
    night(1)
    shop.execute("INSERT INTO sales VALUES (3, 30, '2014-02-01 11:00:00')")
    older = extracted(2, deletes="hard")
    shop.execute("UPDATE sales SET price = 11, updated_at = '2014-02-02 10:00:00' WHERE id = 1")
    shop.execute("DELETE FROM sales WHERE id = 3")
    night(3, deletes="hard")
    pipeline.night(older)
    assert warehouse.query("SELECT id, price FROM raw.sales ORDER BY id") == [(1, 11), (2, 20)]
    assert mark(warehouse) == ("2014-02-02 10:00:00",) * 2
    assert receipts(warehouse, "raw.sales")[-1] == (3, 0, 0, 0, 2)


def test_what_an_older_extract_has_put_aside_stays_mended(shop, warehouse):
    shop.execute("ALTER TABLE sales ADD COLUMN body MEDIUMTEXT")
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00', REPEAT('é', 40000))")
    older = extracted(1)
    shop.execute("UPDATE sales SET body = 'mended', updated_at = '2014-02-02 10:00:00'")
    night(2)
    pipeline.night(older)
    assert warehouse.query("SELECT * FROM etl.quarantine") == []
    shows(warehouse, "id | body\n1 | mended")


def test_an_older_extract_of_all_rows_brings_a_dropped_table_back(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    older = extracted(1)
    shop.execute("UPDATE sales SET price = 11, updated_at = '2014-02-03 10:00:00'")
    night(2)
    warehouse.query("DROP TABLE raw.sales")
    pipeline.night(older)
    shows(warehouse, "id | price\n1 | 10")
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2
    night(3)
    shows(warehouse, "id | price\n1 | 11")


def test_an_extract_that_would_leave_a_gap_is_refused(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(1)
    task = extracted(2)
    warehouse.query("UPDATE etl.watermarks SET high_water = '2014-01-01'")
    message = refused(task, DataError)
    assert message == (
        "raw.sales: the extract has read what changed from 2014-02-01 09:00:00 on, and the table has what changed up "
        "to 2014-01-01 00:00:00; nothing was published, delete its manifest and extract again"
    )
    warehouse.query("DROP TABLE raw.sales")
    assert "had 1 rows on 2014-02-01 and is not there any more" in refused(task, DataError)


def test_a_table_that_was_dropped_is_read_whole(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00'), (2, 20, '2014-03-01 10:00:00')")
    night(1)
    warehouse.query("DROP TABLE raw.sales")
    shop.execute("DELETE FROM sales WHERE id = 2")
    night(2)
    assert warehouse.query("SELECT id FROM raw.sales") == [(1,)]
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2


def test_a_table_that_was_dropped_while_its_source_was_empty(shop, warehouse):
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00')")
    night(1)
    warehouse.query("DROP TABLE raw.sales")
    shop.execute("DELETE FROM sales")
    night(2)
    shop.execute("INSERT INTO sales VALUES (2, 20, '2014-01-01')")
    night(3)
    assert warehouse.query("SELECT id FROM raw.sales") == [(2,)]


def test_another_column_begins_anew(shop, warehouse):
    shop.execute("ALTER TABLE sales ADD COLUMN sold_at DATETIME")
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00', '2013-01-01'), (2, 20, NULL, '2013-02-01')")
    night(1)
    night(2, changed="sold_at")
    assert read(2, changed="sold_at") == [1, 2]
    assert mark(warehouse) == ("2013-02-01 00:00:00",) * 2


@pytest.mark.parametrize(
    "failpoint", ["manifest.after", "load.staged", "publish.after", "commit.before:2", "commit.after:2"]
)
def test_a_night_that_is_killed_goes_on_where_it_was(shop, warehouse, monkeypatch, failpoint):
    """The source moves on meanwhile: what was extracted is loaded as it was, and the rest is the next night's."""
    shop.execute("INSERT INTO sales SELECT seq, seq, '2014-02-01' FROM seq_1_to_30")
    night(1, deletes="hard")
    shop.execute("INSERT INTO sales VALUES (31, 31, '2014-02-02')")
    shop.execute("DELETE FROM sales WHERE id = 1")
    # The first commit is the end of the snapshot in which the extract has asked the warehouse.
    monkeypatch.setenv("ETL_FAILPOINT", failpoint)
    dying = multiprocessing.get_context("fork").Process(target=night, args=(2,), kwargs={"deletes": "hard"})
    dying.start()
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL
    monkeypatch.delenv("ETL_FAILPOINT")
    shop.execute("INSERT INTO sales VALUES (1, 32, '2014-02-02'), (32, 32, '2014-02-02')")
    night(2, deletes="hard")
    assert warehouse.query("SELECT count(*), max(id), min(id) FROM raw.sales") == [(30, 31, 2)]
    assert mark(warehouse) == ("2014-02-02 00:00:00",) * 2
    assert [row[1:] for row in receipts(warehouse, "raw.sales")] == [(30, 0, 0, 30), (1, 0, 1, 30)]
    night(3, deletes="hard")
    assert compare("sales").equal


# ---- what is refused


@pytest.mark.parametrize("changed", ["price", "nothing"])
def test_a_column_that_is_no_time(shop, changed):
    with pytest.raises(DataError) as failure:
        ExtractChanges(table="sales", changed=changed, date=day(1)).run()
    assert re.sub(r"shop_\w+", "shop", str(failure.value)) == (
        f"shop.sales: changed = {changed!r} is no DATETIME or TIMESTAMP column that is read, which are: updated_at. "
        f"Name one of them, or mirror the whole table: without `changed`"
    )


def test_a_table_without_a_key(nights, mysql):
    mysql.execute("CREATE TABLE sales (id INT, updated_at DATETIME)")
    with pytest.raises(DataError, match="sales: has no key among the columns that are read"):
        ExtractChanges(table="sales", changed="updated_at", date=day(1)).run()


@pytest.mark.parametrize(
    ("name", "deletes", "cure"),
    [("loaded_at", "keep", "mirror the whole table"), ("deleted_at", "soft", "say deletes = 'hard' or 'keep'")],
)
def test_a_column_that_has_our_name(shop, name, deletes, cure):
    shop.execute(f"ALTER TABLE sales ADD COLUMN {name} DATETIME")
    with pytest.raises(DataError, match=f"has a column {name}, which is a name that its mirror needs .*; {cure}, or"):
        ExtractChanges(table="sales", changed="updated_at", deletes=deletes, date=day(1)).run()


def test_a_column_that_says_itself_what_was_deleted(shop, warehouse):
    shop.execute("ALTER TABLE sales ADD COLUMN deleted_at DATETIME")
    shop.execute("INSERT INTO sales VALUES (1, 10, '2014-02-01 10:00:00', '2014-02-01 10:00:00')")
    night(1, deletes="hard")
    night(2, deletes="hard")
    assert mark(warehouse) == ("2014-02-01 10:00:00",) * 2
    found = compare("sales")
    assert (found.equal, found.warehouse_rows) == (True, 1)


def test_deletes_without_changes(shop):
    task = MirrorTable(table="sales", deletes="soft", date=day(1))
    assert "raw.sales: deletes = 'soft' is for a table with `changed`" in refused(task, ConfigError)


def test_a_manifest_of_an_earlier_version(shop, lake):
    """Without a word of windows or of what is gone, and without a checksum of its own."""
    pipeline.night(MirrorTable(table="sales", date=day(1)).requires())
    target = MirrorTable(table="sales", date=day(1)).requires().output()
    document = lake.get(target.key).decode()
    earlier = re.sub(r',\s*"window": null', "", re.sub(r',\s*"(gone": \[\]|sha256": "\w+")(?=\s*})', "", document))
    assert len(earlier) < len(document)
    lake.put(target.key, earlier.encode())
    assert ManifestTarget(target.folder).manifest().window is None
    pipeline.night(MirrorTable(table="sales", date=day(1)))


# ---- all of it together


_TABLES = itertools.count()
_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete"]),
        st.integers(0, 5),  # which row
        st.integers(1, 9),  # minutes since the change before it
        st.booleans(),  # committed only after the night
    ),
    max_size=5,
)


@pytest.mark.exam_on("redshift")
@hypothesis.settings(
    max_examples=8, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(days=st.lists(_CHANGES, min_size=2, max_size=3), deletes=st.sampled_from(["soft", "hard"]))
def test_in_the_end_the_mirror_is_its_source(nights, mysql, warehouse, days, deletes):
    table = f"sales_{next(_TABLES)}"
    mysql.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, price INT, updated_at DATETIME)")
    mysql.execute(f"INSERT INTO {table} VALUES (0, 0, '2014-02-01'), (1, 0, '2014-02-01'), (2, 0, '2014-02-01')")
    for number, changes in enumerate(days, start=1):
        clock = datetime.datetime(2014, 2, number, 12)
        with contextlib.ExitStack() as open_transactions:
            locked = set()
            for place, (change, row, minutes, late) in enumerate(changes):
                clock += datetime.timedelta(minutes=minutes)
                if row in locked:
                    continue
                statement = {
                    "insert": f"REPLACE INTO {table} VALUES ({row}, {place}, '{clock}')",
                    "update": f"UPDATE {table} SET price = price + 1, updated_at = '{clock}' WHERE id = {row}",
                    "delete": f"DELETE FROM {table} WHERE id = {row}",
                }[change]
                there = mysql.query(f"SELECT 1 FROM {table} WHERE id = {row}")
                # What is not there is locked by the gap around it, in which others could not insert.
                if late and there:
                    locked.add(row)
                    open_transactions.enter_context(transaction(mysql, statement))
                else:
                    mysql.execute(statement)
            night(number, table, deletes=deletes, most_deleted=100)
    night(len(days) + 1, table, deletes=deletes, most_deleted=100)
    alive = "deleted_at IS NULL" if deletes == "soft" else "TRUE"
    listed = f"SELECT id, price, updated_at FROM {{}} WHERE {alive} ORDER BY id"
    assert warehouse.query(listed.format(f"raw.{table}")) == [
        tuple(row) for row in mysql.query(f"SELECT id, price, updated_at FROM {table} ORDER BY id")
    ]
    high, verified = mark(warehouse, table)
    assert high == verified
    ((balance,),) = warehouse.query(
        "SELECT sum(rows_inserted - rows_deleted)::integer FROM etl.receipts WHERE target = %s", (f"raw.{table}",)
    )
    assert balance == len(mysql.query(f"SELECT * FROM {table}"))
