"""BaseLoader: all or nothing, once, in place, and what is said and left when something goes wrong."""

import contextlib
import datetime
import json
import multiprocessing
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import luigi
import luigi.configuration
import psycopg2
import pytest
from luigi.tools.range import RangeDaily

from etl import warehouse as connections
from etl.errors import ConfigError, DataError, LakeError, Locked, WarehouseError
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.testing import drawn, postgres_query
from etl.warehouse.redshift import lock_table
from tasks.dates import LoadDateTable
from tests.pipeline import (
    VENUE,
    busy,
    day,
    extractor,
    fault,
    load,
    loader,
    meanwhile,
    night,
    receipts,
    refused,
    session,
    stages,
    until,
)  # fmt: skip

pytest_plugins = ("tests.nights",)

SALES = "sale_id INTEGER NOT NULL PRIMARY KEY, price NUMERIC(8,2), note TEXT"
YESTERDAY = "sale_id|price|note\n1|1.00|a\n2|2.00|b"
TODAY = "sale_id|price|note\n1|1.50|a\n3|3.00|c"


@pytest.fixture
def sales(nights, warehouse):
    """fact_sale as of yesterday."""
    nights.table("public.fact_sale", SALES)
    load("fact_sale", YESTERDAY)
    return nights


def today():
    return loader("fact_sale", TODAY)(date=day(2))


def is_yesterdays(warehouse):
    drawn.shows(warehouse, "fact_sale", YESTERDAY)
    assert warehouse.query("SELECT business_date FROM etl.data_as_of") == [(day(1),)]
    assert stages(warehouse) == []


# The surface


def test_the_listing_of_the_post_runs(nights, settings, warehouse):
    settings.set("etl", "sql", Path(__file__).parent.parent / "warehouse_sql")
    night(LoadDateTable(start_year=2014, end_year=2015))
    drawn.shows(
        warehouse,
        "public.dim_date WHERE date_key IN (-1, 20140203, 20141225)",
        """
        date_key | full_date  | day_of_week | day_name | holiday_name
        -1       | NULL       | NULL        | unknown  | NULL
        20140203 | 2014-02-03 | 1           | Monday   | NULL
        20141225 | 2014-12-25 | 4           | Thursday | Christmas Day
        """,
    )
    assert receipts(warehouse, "public.dim_date") == [(730, 731, 0, 0, 731)]
    task = "SELECT task_key, business_date FROM etl.loads"
    assert warehouse.query(task) == [('LoadDateTable {"end_year": "2015", "start_year": "2014"}', None)]


def test_a_load_by_hand_written_classes(nights, warehouse):
    """As an engineer writes it: an extractor of its own, a SELECT that shapes, two requirements."""

    class ExtractClicks(BaseExtractor):
        columns = ("city", "clicks")

        def rows(self):
            yield ("Rome", 3)
            yield ("Atlantis", 4)

    class LoadCities(BaseLoader):
        table, key, extractor = "dim_city", ("city",), extractor("city\nRome", "ExtractCities")

    class LoadClicks(BaseLoader):
        table, strategy, key, sql = "fact_click", "partition", ("date_key",), "fact_click.sql"

        def requires(self):
            return [ExtractClicks(date=self.date), LoadCities()]

    nights.table("public.dim_city", "city_key INTEGER PRIMARY KEY, city TEXT NOT NULL DEFAULT 'unknown'")
    nights.table("public.fact_click", "date_key INTEGER NOT NULL, city_key INTEGER, clicks INTEGER")
    nights.write(
        "loads",
        "fact_click",
        "SELECT {date_key} AS date_key, COALESCE(c.city_key, -1) AS city_key, CAST(clicks AS INTEGER) AS clicks\n"
        "FROM {stage} s LEFT JOIN public.dim_city c ON c.city = s.city -- {timezone}",
    )
    night(LoadClicks(date=day(3)))
    drawn.shows(warehouse, "fact_click", "date_key|city_key|clicks\n20140203|1|3\n20140203|-1|4")
    (inputs,) = warehouse.query("SELECT inputs FROM etl.receipts WHERE target = 'public.fact_click'")
    assert [entry["task"] for entry in json.loads(inputs[0])] == ["LoadCities {}"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"table": ""}, "say which `table` it loads"),
        ({"strategy": "merge"}, "strategy = 'merge'; write one of replace, append, upsert, partition, scd1, scd2"),
        ({"strategy": "upsert"}, "strategy upsert needs a `key`"),
        ({"strategy": "append"}, "strategy append needs a `key`"),
        (
            {"strategy": "scd1", "key": ("a",)},
            "strategy scd1 is for dimensions, named dim_…, and not for t",
        ),
        (
            {"strategy": "scd2", "key": ("a",), "table": "dim_t"},
            "strategy scd2 keeps a history by days; give the task a `date`",
        ),
        ({"on_empty": "ignore"}, "on_empty = 'ignore'; write one of fail, keep, replace"),
    ],
)
def test_a_declaration_that_cannot_be(nights, said, message):
    task = type("LoadDrawn", (BaseLoader,), {"table": "t", "extractor": extractor("a\n1")} | said)()
    assert refused(task, ConfigError) == f"LoadDrawn: {message}"


def test_rows_must_come_from_somewhere(nights):
    with pytest.raises(ConfigError, match=r"LoadDrawn: say where the rows come from: `extractor`, or requires\(\)"):
        loader("t")().requires()


def test_two_extracts_are_one_too_many(nights):
    def requires(self):
        return [extractor("a\n1", "ExtractOne")(), extractor("a\n1", "ExtractOther")()]

    task = type("LoadDrawn", (BaseLoader,), {"table": "t", "requires": requires})()
    assert refused(task, ConfigError) == "LoadDrawn: requires 2 extracts; a load takes one"


def test_a_table_of_the_warehouse_needs_a_select(nights):
    nights.table("public.t", "a INTEGER")
    task = type("LoadDrawn", (BaseLoader,), {"table": "t", "requires": lambda self: []})()
    assert refused(task, ConfigError) == "LoadDrawn: has neither an extract nor `sql` to load from"


def test_a_day_that_has_not_begun(nights):
    task = loader("t", "a\n1")(date=datetime.date(2999, 1, 1))
    with pytest.raises(DataError, match="2999-01-01 is in the future"):
        task.run()


# What is recorded


def test_a_receipt_says_everything(sales, warehouse, lake):
    night(loader("fact_sale", TODAY)(date=day(2)))
    (key,) = lake.keys("ExtractDrawn/date=2014-02-02/manifest.json")
    columns = (
        "task_key, business_date, manifest, manifest_sha256 = encode(sha256(%s), 'hex'), rows_read, rows_written, "
        "rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes > 0, "
        "seconds BETWEEN 0.001 AND 60, code_version LIKE '%%.%%', length(fingerprint)"
    )
    (receipt,) = warehouse.query(
        f"SELECT {columns} FROM etl.receipts WHERE business_date = '2014-02-02'", (lake.get(key),)
    )
    counts = (None, 2, 2, 1, 1, 1, 0, 2)
    task = 'LoadDrawn {"date": "2014-02-02"}'
    assert receipt == (task, day(2), f"{lake.url}/{key}", True, *counts, True, True, True, 16)
    runs = (
        "SELECT count(DISTINCT run_id) FROM (SELECT run_id FROM etl.loads UNION ALL SELECT run_id FROM etl.receipts) r"
    )
    assert warehouse.query(runs) == [(1,)]
    as_of = "SELECT table_name, business_date, rows FROM etl.data_as_of"
    assert postgres_query(warehouse.reader_url, as_of) == [("public.fact_sale", day(2), 2)]


class ExtractLossy(BaseExtractor):
    columns = ("sale_id", "price", "note")

    def rows(self):
        self.findings.counted = 2
        self.findings.loss("note", "zero date", 2, ["1", "2"])
        self.findings.file("partners/a.csv", "etag-1", 123, 2)
        yield (1, 2, None)
        yield ("x" if self.date == day(2) else 2, 2, None)


def test_losses_and_files_land_with_the_rows(sales, warehouse):
    task = type("LoadLossy", (BaseLoader,), {"table": "fact_sale", "extractor": ExtractLossy})
    night(task(date=day(3)))
    assert warehouse.query(
        "SELECT target, business_date, column_name, reason, occurrences, samples FROM etl.losses"
    ) == [("public.fact_sale", day(3), "note", "zero date", 2, '["1", "2"]')]
    assert warehouse.query("SELECT task, file_key, etag, size, rows FROM etl.files") == [
        ("ExtractLossy", "partners/a.csv", "etag-1", 123, 2)
    ]
    assert warehouse.query("SELECT rows_read FROM etl.receipts WHERE business_date = '2014-02-03'") == [(2,)]


def test_losses_and_files_of_a_load_that_fails_do_not(sales, warehouse):
    task = type("LoadLossy", (BaseLoader,), {"table": "fact_sale", "extractor": ExtractLossy})(date=day(2))
    refused(task, DataError)
    for table in ("losses", "files", "extracts WHERE task_key LIKE 'LoadLossy%'"):
        assert warehouse.query(f"SELECT count(*) FROM etl.{table}") == [(0,)]
    is_yesterdays(warehouse)


def held_back(text, name="LoadDrawn", counted=None, **said):
    """A loader whose rows with a NUL character in their note go to the quarantine."""
    extract = extractor(text, name.replace("Load", "Extract"), counted)
    extract.on_loss = {"note": "quarantine"}
    return type(name, (BaseLoader,), {"table": "fact_sale", "extractor": extract} | said)


def held(warehouse):
    """The rows that are held back: whose, why, and the row as it was read."""
    columns = "target, business_date, column_name, reason, source_row"
    found = warehouse.query(f"SELECT {columns} FROM etl.quarantine ORDER BY loaded_at")
    return [(*said, json.loads(row)) for *said, row in found]


BOOKS = "SELECT rows_read, rows_written, rows_staged, rows_rejected, rows_after FROM etl.receipts ORDER BY loaded_at"


def test_rows_that_are_held_back_are_all_that_the_table_lacks(sales, warehouse):
    night(held_back(f"{TODAY}\n4|4.00|x\0y", counted=3)(date=day(2)))
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert held(warehouse) == [
        (
            "public.fact_sale",
            day(2),
            "note",
            "NUL character replaced",
            {"sale_id": "4", "price": "4.00", "note": "x\0y"},
        )
    ]
    assert warehouse.query(BOOKS)[1] == (3, 2, 2, 1, 2)
    night(loader("fact_sale", f"{TODAY}\n4|4.00|xy")(date=day(3)))
    assert held(warehouse) == []


def test_a_load_that_adds_rows_replaces_what_it_held_back_itself(sales, warehouse):
    said = {"strategy": "upsert", "key": ("sale_id",)}
    night(held_back("sale_id|price|note\n4|4.00|x\0y\n5|5.00|a", name="LoadMore", **said)(date=day(2)))
    night(held_back("sale_id|price|note\n6|6.00|x\0y", name="LoadMore", **said)(date=day(3)))
    assert [row["sale_id"] for *_, row in held(warehouse)] == ["4", "6"]
    warehouse.query("DELETE FROM etl.loads WHERE business_date = '2014-02-03'")
    night(held_back("sale_id|price|note\n6|6.00|x\0y", name="LoadMore", **said)(date=day(3)))
    assert [row["sale_id"] for *_, row in held(warehouse)] == ["4", "6"]


def test_rows_of_a_load_that_fails_are_not_held_back(sales, warehouse):
    refused(held_back("sale_id|price|note\n4|4.00|x\0y\n5|5.00|a\n5|5.00|a")(date=day(2)), DataError)
    assert held(warehouse) == []
    is_yesterdays(warehouse)


def test_a_source_of_which_every_row_is_held_back_is_not_called_empty(sales, warehouse):
    message = refused(held_back("sale_id|price|note\n4|4.00|x\0y")(date=day(2)), DataError)
    assert message.startswith("public.fact_sale: all 1 rows of the source were put aside and the table has 2; if that")
    is_yesterdays(warehouse)


def test_rows_held_back_that_were_altered(sales, warehouse, lake):
    task = held_back(f"{TODAY}\n4|4.00|x\0y")(date=day(2))
    night(task.requires())
    manifest = task.requires().output().manifest()
    part = task.requires().output().manifest().rejected[0].url.removeprefix(f"{lake.url}/")
    lake.put(part, lake.get(part)[:-1])
    assert refused(task, LakeError).startswith(f"public.fact_sale: {manifest.rejected[0].url}: ")
    is_yesterdays(warehouse)


def unsealed(lake, key):
    """A manifest without its own checksum, as one that was written wrong and not altered."""
    manifest = json.loads(lake.get(key))
    del manifest["meta"]["sha256"]
    return manifest


def test_rows_that_were_read_and_are_nowhere(sales, warehouse, lake):
    task = today()
    night(task.requires())
    key = "ExtractDrawn/date=2014-02-02/manifest.json"
    manifest = unsealed(lake, key)
    manifest["meta"]["findings"]["counted"] = 5
    lake.put(key, json.dumps(manifest).encode())
    assert refused(task, DataError) == (
        "public.fact_sale: its source counted 5 rows, 2 were written and 0 put aside; nothing was published, "
        "delete the manifest and extract again"
    )
    is_yesterdays(warehouse)


def test_rows_that_become_more_on_their_way(nights, warehouse):
    """A dimension in which somebody has doubled a member would be numbered twice."""
    nights.table("public.dim_venue", VENUE)
    rome = "venue_id|city\n30|Rome"
    load("dim_venue", rome, key=("venue_id",), strategy="upsert")
    warehouse.query("ALTER TABLE dim_venue DROP CONSTRAINT IF EXISTS dim_venue_venue_id_key")
    warehouse.query("INSERT INTO dim_venue VALUES (7, 30, 'Rome')")
    task = loader("dim_venue", rome, key=("venue_id",), strategy="upsert")(date=day(2))
    assert refused(task, DataError) == (
        "public.dim_venue: 1 rows were written and 2 staged, because rows in the table share a key (venue_id); "
        "delete those that should not be there, nothing was published"
    )


def test_a_record_that_fails_takes_the_rows_with_it(sales, warehouse):
    """One transaction: whatever of it cannot be written, nothing is."""
    warehouse.query("ALTER TABLE etl.receipts ADD CHECK (business_date < '2014-02-02')")
    assert "receipts" in refused(today(), DataError)
    is_yesterdays(warehouse)


def test_the_day_of_a_table_never_goes_back(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    for date in (2, 1):
        load("fact_sale", YESTERDAY, date=date, strategy="upsert", key=("sale_id",))
    assert warehouse.query("SELECT business_date FROM etl.data_as_of") == [(day(2),)]


# Once


def test_the_same_task_twice_does_nothing(sales, warehouse):
    again = loader("fact_sale", TODAY)(date=day(1))
    assert again.complete()
    again.run()
    assert receipts(warehouse, "public.fact_sale") == [(2, 2, 0, 0, 2)]
    is_yesterdays(warehouse)


def test_racing_twins_load_once_and_both_are_content(sales, warehouse):
    task = today()
    night(task.requires())
    fork = multiprocessing.get_context("fork")
    twins = [fork.Process(target=night, args=(task,)) for _ in range(2)]
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE locktype IN ('advisory', 'relation') AND NOT granted AND datname = current_database()"
    )
    with connections.connect("test") as db, db.locked("public.fact_sale"):
        for twin in twins:
            twin.start()
        until(lambda: warehouse.query(waiting) == [(2,)])
    for twin in twins:
        twin.join(30)
    assert [twin.exitcode for twin in twins] == [0, 0]
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert receipts(warehouse, "public.fact_sale")[1:] == [(2, 1, 1, 1, 2)]


def test_a_range_asks_for_all_its_days_at_once(sales, warehouse):
    cls = type(today())
    days = [datetime.datetime(2014, 2, number) for number in (1, 2, 3)]
    missing = RangeDaily(of=cls, start=day(1), stop=day(4)).missing_datetimes(days)
    assert sorted(missing) == days[1:]


@pytest.mark.parametrize(
    "shape", [lambda date: date, lambda date: (date,), lambda date: [date], lambda date: {"date": date}]
)
def test_parameters_come_in_every_shape(sales, shape):
    assert type(today()).bulk_complete([shape(day(1)), shape(day(2))]) == [shape(day(1))]
    assert type(today()).bulk_complete([]) == []


# What readers see


def test_everything_that_readers_hold_survives_a_whole_replacement(sales, warehouse):
    warehouse.query("CREATE VIEW public.dear AS SELECT * FROM fact_sale WHERE price > 1")
    warehouse.query("GRANT SELECT ON public.dear TO bi_reader")
    declare = "DECLARE c CURSOR FOR SELECT sale_id FROM fact_sale ORDER BY 1"
    with (
        session(warehouse.reader_url) as prepared,
        session(warehouse.reader_url, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1") as snapshot,
        session(warehouse.reader_url, declare, "FETCH 1 FROM c") as open_cursor,
    ):
        prepared.connection.autocommit = True
        prepared.execute("PREPARE q AS SELECT sale_id FROM fact_sale ORDER BY 1")
        assert open_cursor.fetchall() == [(1,)]
        night(loader("fact_sale", "sale_id|price|note\n7|7.00|x\n8|8.00|y")(date=day(2)))
        prepared.execute("EXECUTE q")
        assert prepared.fetchall() == [(7,), (8,)]
        open_cursor.execute("FETCH ALL FROM c")
        assert open_cursor.fetchall() == [(2,)]
        snapshot.execute("SELECT sale_id FROM fact_sale ORDER BY 1")
        assert snapshot.fetchall() == [(1,), (2,)]
    assert postgres_query(warehouse.reader_url, "SELECT sale_id FROM public.dear ORDER BY 1") == [(7,), (8,)]


def test_a_reader_blocks_no_publication(sales, warehouse):
    with session(warehouse.reader_url, "SELECT * FROM fact_sale"):
        night(today())
    drawn.shows(warehouse, "fact_sale", TODAY)


def test_a_publication_blocks_no_reader_and_shows_nothing_half_done(sales, warehouse):
    """The load stands in the middle of its transaction, held up by a lock on the table of receipts."""
    task = today()
    night(task.requires())
    holding = "SELECT count(*) FROM pg_locks WHERE relation = 'etl.receipts'::regclass AND NOT granted"
    with (
        session(warehouse.admin_url, "LOCK TABLE etl.receipts IN EXCLUSIVE MODE") as lock,
        meanwhile(task.run) as failed,
    ):
        until(lambda: warehouse.query(holding) == [(1,)])
        with session(
            warehouse.reader_url, "SET statement_timeout TO 5000", "SELECT sale_id FROM fact_sale ORDER BY 1"
        ) as reader:
            assert reader.fetchall() == [(1,), (2,)]
            reader.execute("SELECT business_date FROM etl.data_as_of")
            assert reader.fetchall() == [(day(1),)]
        lock.connection.rollback()
    assert failed == []
    drawn.shows(warehouse, "fact_sale", TODAY)


def test_the_reader_reads_what_is_published_and_nothing_else(sales, warehouse):
    sales.write("tables", "audit", "CREATE TABLE raw.audit (id INTEGER)")
    load("raw.audit", "id\n1", name="LoadRaw")
    assert postgres_query(warehouse.reader_url, "SELECT count(*) FROM public.fact_sale") == [(2,)]
    denied = ('SELECT * FROM "raw".audit', "CREATE TABLE public.mine (a INTEGER)", "DELETE FROM public.fact_sale")
    for forbidden in (*denied, "CREATE TEMPORARY TABLE mine (a INTEGER)"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            postgres_query(warehouse.reader_url, forbidden)


# Empty sources


def test_an_empty_source_fails_where_there_were_rows(sales, warehouse):
    message = refused(loader("fact_sale", "sale_id|price|note")(date=day(2)), DataError)
    assert message == (
        "public.fact_sale: the source gave 0 rows and the table has 2; if that is right, set "
        "on_empty = 'replace' (empty the table) or 'keep' (leave it) on LoadDrawn"
    )
    is_yesterdays(warehouse)


def test_an_empty_source_may_leave_the_table(sales, warehouse):
    task = load("fact_sale", "sale_id|price|note", date=2, on_empty="keep")
    assert task.complete()
    assert receipts(warehouse, "public.fact_sale")[1] == (0, 0, 0, 0, 2)
    is_yesterdays(warehouse)


def test_an_empty_source_may_empty_the_table(sales, warehouse):
    load("fact_sale", "sale_id|price|note", date=2, on_empty="replace")
    drawn.shows(warehouse, "fact_sale", "sale_id|price|note")
    assert receipts(warehouse, "public.fact_sale")[1] == (0, 0, 0, 2, 0)


def test_an_empty_table_may_stay_empty(nights, warehouse):
    """Also a dimension, whose unknown member is no row of the source."""
    nights.table("public.dim_venue", VENUE)
    for date in (1, 2):
        load("dim_venue", "venue_id|city", date=date, key=("venue_id",))
    assert receipts(warehouse, "public.dim_venue") == [(0, 1, 0, 0, 1), (0, 0, 0, 0, 1)]


# When something goes wrong


def test_a_part_that_was_altered(sales, warehouse, lake):
    """Also where it is the server that reads it, and might take it."""
    task = today()
    night(task.requires())
    (part,) = lake.keys("ExtractDrawn/date=2014-02-02/20")
    body = lake.get(part)
    lake.put(part, body[:-1] + bytes([body[-1] ^ 1]))
    message = refused(task, LakeError)
    assert message.startswith(f"public.fact_sale: {lake.url}/{part}: ")
    is_yesterdays(warehouse)


def test_a_part_that_is_gone(sales, warehouse, lake):
    task = today()
    night(task.requires())
    (part,) = lake.keys("ExtractDrawn/date=2014-02-02/20")
    lake.client.delete_object(Bucket=lake.name, Key=part)
    message = refused(task, LakeError)
    said = {
        "postgres": "not there any more; extract it again",
        "redshift": "was written with 39 bytes and is not there any more; delete the manifest and extract again",
    }
    assert message == f"public.fact_sale: {lake.url}/{part}: {said[warehouse.engine]}"
    is_yesterdays(warehouse)


def test_a_manifest_that_promises_more_rows_than_there_are(sales, warehouse, lake):
    task = today()
    night(task.requires())
    key = "ExtractDrawn/date=2014-02-02/manifest.json"
    manifest = unsealed(lake, key)
    manifest["entries"][0]["meta"]["record_count"] = manifest["meta"]["rows"] = 3
    lake.put(key, json.dumps(manifest).encode())
    assert refused(task, DataError) == f"public.fact_sale: COPY took 2 rows of {lake.url}/{key}, which lists 3"
    is_yesterdays(warehouse)


@pytest.mark.engines("postgres", reason="only of a server on this machine we see the disk")
def test_a_disk_that_is_too_small_is_found_before_anything_is_copied(sales, warehouse, lake):
    task = today()
    night(task.requires())
    key = "ExtractDrawn/date=2014-02-02/manifest.json"
    manifest = unsealed(lake, key)
    manifest["entries"][0]["meta"]["content_length"] = 1 << 50
    lake.put(key, json.dumps(manifest).encode())
    message = refused(task, WarehouseError)
    assert re.fullmatch(
        r"public\.fact_sale: about 128849\d{5} MiB of disk are needed to load it, \d+ MiB are free at the warehouse; "
        r"free some space, then run again",
        message,
    )
    is_yesterdays(warehouse)


def test_a_bad_value_is_placed_and_not_shown(sales, warehouse, lake):
    text = "sale_id|price|note\n1|1.00|a\n2|4111-1111|b"
    task = loader("fact_sale", text)(date=day(2))
    message = refused(task, DataError)
    (part,) = lake.keys("ExtractDrawn/date=2014-02-02/20")
    said = {
        "postgres": "column price: invalid input syntax for type numeric: (9 characters)",
        "redshift": "column price (numeric): Invalid digit, (1 characters), Pos 4, Type: Decimal (error 1207)",
    }
    assert message == f"public.fact_sale: {lake.url}/{part}, line 2, {said[warehouse.engine]}"
    is_yesterdays(warehouse)


def test_a_bad_value_in_a_select_is_not_shown_either(sales, warehouse):
    sales.write("loads", "sale", "SELECT CAST(sale_id AS INTEGER) AS sale_id, 1 AS price, note FROM {stage}")
    task = loader("fact_sale", "sale_id|note\n4111-1111|a", sql="sale.sql")(date=day(2))
    assert refused(task, DataError) == ("public.fact_sale: invalid input syntax for type integer: (9 characters)")
    is_yesterdays(warehouse)


def test_a_table_that_the_select_wants_and_nobody_has(sales, warehouse):
    sales.write("loads", "sale", "SELECT * FROM {stage}\nJOIN raw.nothing USING (sale_id)")
    message = refused(loader("fact_sale", TODAY, sql="sale.sql")(date=day(2)), WarehouseError)
    said = 'relation "raw.nothing" does not exist'
    where = re.escape(urlsplit(warehouse.url).netloc.rpartition("@")[2])
    assert re.fullmatch(
        {
            "postgres": rf'public\.fact_sale: {said}, near: "raw"\.nothing USING \(sale_id\)',
            "redshift": rf"public\.fact_sale: warehouse {where}/{warehouse.name}: {said}",
        }[warehouse.engine],
        message,
    )
    is_yesterdays(warehouse)


def test_a_target_that_is_being_loaded_names_who_does(sales, settings, warehouse):
    settings.set("warehouse", "lock_timeout", 1)
    task = today()
    night(task.requires())
    with (
        connections.connect("LoadOther 2014-02-02 run-7") as other,
        other.locked("public.fact_sale"),
        busy(other, warehouse.admin_url),
    ):
        message = refused(task, Locked)
    holder = {
        "postgres": r"LoadOther 2014-02-02 run-7 from 127\.0\.0\.1",
        "redshift": rf'"etl"\."{lock_table("public.fact_sale")}" by session \d+ of etl_load',
    }
    assert re.match(rf"public\.fact_sale: waited 1 s for {holder[warehouse.engine]}, since \d{{4}}-", message)
    is_yesterdays(warehouse)


@contextlib.contextmanager
def cannot_analyze(warehouse):
    if warehouse.engine == "redshift":
        with fault(warehouse, r"disk full /^ANALYZE/"):
            yield
    else:
        with session(warehouse.admin_url, "LOCK TABLE fact_sale IN SHARE UPDATE EXCLUSIVE MODE"):
            yield


def test_what_fails_after_the_commit_is_a_warning(sales, settings, warehouse, caplog):
    """The load is done; that its table could not be analyzed now changes nothing about it."""
    settings.set("warehouse", "lock_timeout", 1)
    with cannot_analyze(warehouse):
        night(today())
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert any("public.fact_sale: loaded, but:" in record.message for record in caplog.records)


class CuttingProxy(socketserver.ThreadingTCPServer):
    """Passes bytes on to a server, and cuts the first connection that sends COMMIT: before it is sent, or after."""

    allow_reuse_address = daemon_threads = True
    COMMIT = b"Q\0\0\0\x0bCOMMIT\0"

    def __init__(self, to: tuple[str, int], committed: bool) -> None:
        super().__init__(("127.0.0.1", 0), CuttingProxy.Handler)
        self.to, self.committed, self.cuts = to, committed, 0

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(self.server.to) as server:
                back = threading.Thread(target=self.pump, args=(server, self.request, False), daemon=True)
                back.start()
                self.pump(self.request, server, True)
                back.join()

        def pump(self, source: socket.socket, sink: socket.socket, forth: bool) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(1 << 16):
                    cut = forth and data.endswith(CuttingProxy.COMMIT) and not self.server.cuts
                    if cut:
                        self.server.cuts += 1
                        self.request.shutdown(socket.SHUT_RD if self.server.committed else socket.SHUT_RDWR)
                        self.silent = True
                    if cut and not self.server.committed:
                        break
                    if forth or not getattr(self, "silent", False):
                        sink.sendall(data)
                    else:
                        break
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def commits_are_cut(settings, warehouse, committed):
    parts = urlsplit(warehouse.url)
    with CuttingProxy((parts.hostname, parts.port), committed) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        settings.set("warehouse", "url", warehouse.setting.replace(f":{parts.port}/", f":{proxy.server_address[1]}/"))
        yield
        settings.set("warehouse", "url", warehouse.setting)
        proxy.shutdown()
    assert proxy.cuts == 1


def test_a_connection_lost_before_the_commit_publishes_nothing(sales, settings, warehouse):
    task = today()
    night(task.requires())
    with commits_are_cut(settings, warehouse, committed=False):
        message = refused(task, WarehouseError)
    assert message == "public.fact_sale: the connection was lost during COMMIT, and nothing was published; run again"
    is_yesterdays(warehouse)
    night(today())
    drawn.shows(warehouse, "fact_sale", TODAY)


def test_a_connection_lost_after_the_commit_is_settled_by_the_marker(sales, settings, warehouse):
    task = today()
    night(task.requires())
    with commits_are_cut(settings, warehouse, committed=True):
        task.run()
    assert task.complete()
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert receipts(warehouse, "public.fact_sale")[1:] == [(2, 1, 1, 1, 2)]
    assert stages(warehouse) == []


def test_a_connection_lost_while_publishing_publishes_nothing(sales, warehouse):
    """The backend is terminated in the middle of the transaction, where the lock on the receipts holds it."""
    task = today()
    night(task.requires())
    held = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE relation = 'etl.receipts'::regclass AND NOT granted"
    )
    with session(warehouse.admin_url, "LOCK TABLE etl.receipts IN EXCLUSIVE MODE"), meanwhile(task.run) as failed:
        until(lambda: warehouse.query(held))
    assert re.search(r"connection lost \(.*\); run again when it answers", str(failed[0]))
    drawn.shows(warehouse, "fact_sale", YESTERDAY)
    night(today())
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert stages(warehouse) == []


@pytest.mark.parametrize("name", ["load.copied", "load.staged", "publish.before", "publish.after", "commit.before"])
def test_a_load_that_is_killed_publishes_nothing_and_the_next_one_all(sales, warehouse, monkeypatch, name):
    task = today()
    night(task.requires())
    monkeypatch.setenv("ETL_FAILPOINT", name)
    killed = multiprocessing.get_context("fork").Process(target=task.run)
    killed.start()
    killed.join(30)
    assert killed.exitcode == -9
    monkeypatch.delenv("ETL_FAILPOINT")
    drawn.shows(warehouse, "fact_sale", YESTERDAY)
    night(task)
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert receipts(warehouse, "public.fact_sale")[1:] == [(2, 1, 1, 1, 2)]
    assert stages(warehouse) == []


def test_a_load_that_is_killed_after_its_commit_is_done(sales, warehouse, monkeypatch):
    task = today()
    night(task.requires())
    monkeypatch.setenv("ETL_FAILPOINT", "commit.after")
    killed = multiprocessing.get_context("fork").Process(target=task.run)
    killed.start()
    killed.join(30)
    monkeypatch.delenv("ETL_FAILPOINT")
    assert killed.exitcode == -9 and task.complete()
    drawn.shows(warehouse, "fact_sale", TODAY)


MODULE = """
from etl.extract import BaseExtractor
from etl.load import BaseLoader

class ExtractBad(BaseExtractor):
    columns = ("sale_id", "price", "note")
    def rows(self):
        yield ("4111-1111", 1, "x")

class LoadBad(BaseLoader):
    table = "fact_sale"
    extractor = ExtractBad
"""


def test_luigis_own_command_says_why_and_fails(sales, warehouse, lake, tmp_path):
    (tmp_path / "bad_tasks.py").write_text(MODULE)
    with (tmp_path / "luigi.cfg").open("w") as file:
        luigi.configuration.get_config().write(file)
    done = subprocess.run(
        [sys.executable, "-m", "luigi", "--module", "bad_tasks", "LoadBad", "--local-scheduler"],
        cwd=tmp_path,
        env=os.environ | {"LUIGI_CONFIG_PATH": str(tmp_path / "luigi.cfg"), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 30
    said = {
        "postgres": "column sale_id: invalid input syntax for type integer: (9 characters)",
        "redshift": "column sale_id (int4): Invalid digit, (1 characters), Pos 4, Type: Integer (error 1207)",
    }
    assert f"line 1, {said[warehouse.engine]}" in done.stderr
    for hidden in ("Traceback", "4111", urlsplit(warehouse.url).password):
        assert hidden not in done.stderr + done.stdout
    is_yesterdays(warehouse)


@pytest.mark.parametrize("strategy", ["append", "upsert", "partition"])
def test_a_table_that_somebody_dropped_is_not_begun_anew_with_a_part_of_its_rows(nights, warehouse, strategy):
    nights.table("public.t", "a INTEGER NOT NULL PRIMARY KEY")
    said = {"strategy": strategy, "key": ("a",)}
    load("t", "a\n1\n2", **said)
    warehouse.query("DROP TABLE t")
    message = refused(loader("t", "a\n3", **said)(date=day(2)), DataError)
    assert message.startswith("public.t: had 2 rows on 2014-02-01 and is not there any more")
    for statement in re.findall(r"(DELETE FROM .+?);", message):
        warehouse.query(statement)
    load("t", "a\n3", date=2, **said)
    drawn.shows(warehouse, "t", "a\n3")


def test_a_later_day_is_never_older_whatever_the_clocks_say(nights, warehouse):
    nights.table("public.t", "a INTEGER NOT NULL PRIMARY KEY")
    load("t", "a\n1", key=("a",))
    warehouse.query("UPDATE etl.watermarks SET extracted_at = extracted_at + INTERVAL '2 hours'")
    load("t", "a\n2", date=2, key=("a",))
    drawn.shows(warehouse, "t", "a\n2")
