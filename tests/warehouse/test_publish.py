"""Publication: what each strategy makes of a table, row by row, and that it touches no other row."""

import pytest

from etl.errors import ConfigError, DataError
from etl.testing import drawn
from tests.pipeline import VENUE, day, load, loader, night, receipts, refused, stages

pytest_plugins = ("tests.nights",)

SALES = "sale_id INTEGER NOT NULL PRIMARY KEY, date_key INTEGER NOT NULL, price NUMERIC(8,2), note TEXT"


def versions(warehouse, table, column):
    """Which row version stands for each value: it changes when a row is written again, if only with the same."""
    return dict(warehouse.query(f"SELECT {column}::text, (ctid, xmin)::text FROM {table}"))


def touched(before, after):
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_replace_makes_the_table_equal_and_writes_only_what_differs(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    load(
        "fact_sale",
        """
        sale_id | date_key | price | note
        1       | 20140201 | 10.00 | same
        2       | 20140201 | 20.00 | dearer tomorrow
        3       | 20140201 | 30.00 | gone tomorrow
        """,
    )
    before = versions(warehouse, "fact_sale", "sale_id")
    tomorrow = """
        sale_id | date_key | price | note
        1       | 20140201 | 10.00 | same
        2       | 20140201 | 21.00 | dearer tomorrow
        4       | 20140202 | 40.00 | new
        """
    load("fact_sale", tomorrow, date=2)
    drawn.shows(warehouse, "fact_sale", tomorrow)
    assert touched(before, versions(warehouse, "fact_sale", "sale_id")) == {"2", "3", "4"}
    assert receipts(warehouse, "public.fact_sale") == [(3, 3, 0, 0, 3), (3, 1, 1, 1, 3)]


@pytest.mark.parametrize("strategy", ["replace", "upsert"])
def test_a_null_is_equal_to_a_null_and_to_nothing_else(nights, warehouse, strategy):
    nights.table("public.fact_sale", SALES)
    said = {"strategy": strategy, "key": ("sale_id",)}
    load(
        "fact_sale",
        """
        sale_id | date_key | price | note
        1       | 20140201 | NULL  | NULL
        2       | 20140201 | NULL  | a
        3       | 20140201 | 3.00  | NULL
        4       | 20140201 | 4.00  | ''
        """,
        **said,
    )
    before = versions(warehouse, "fact_sale", "sale_id")
    tomorrow = """
        sale_id | date_key | price | note
        1       | 20140201 | NULL  | NULL
        2       | 20140201 | 2.00  | a
        3       | 20140201 | NULL  | NULL
        4       | 20140201 | 4.00  | NULL
        """
    load("fact_sale", tomorrow, date=2, **said)
    drawn.shows(warehouse, "fact_sale", tomorrow)
    assert touched(before, versions(warehouse, "fact_sale", "sale_id")) == {"2", "3", "4"}
    assert receipts(warehouse, "public.fact_sale")[1] == (4, 0, 3, 0, 4)


def test_replace_without_a_key_compares_bags_of_rows(nights, warehouse):
    nights.table("public.fact_click", "page VARCHAR(10), clicks INTEGER")
    today = "page | clicks\n a | 1\n a | 1\n NULL | NULL"
    load("fact_click", today)
    before = versions(warehouse, "fact_click", "ctid")
    load("fact_click", today, date=2)
    assert versions(warehouse, "fact_click", "ctid") == before
    fewer = "page | clicks\n a | 1\n NULL | NULL"
    load("fact_click", fewer, date=3)
    drawn.shows(warehouse, "fact_click", fewer)
    load("fact_click", "page | clicks\n a | 1\n NULL | NULL\n NULL | NULL", date=4)
    assert receipts(warehouse, "public.fact_click") == [
        (3, 3, 0, 0, 3),
        (3, 0, 0, 0, 3),
        (2, 2, 0, 3, 2),
        (3, 3, 0, 2, 3),
    ]


def test_upsert_replaces_rows_of_the_same_key_and_keeps_the_others(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    said = {"strategy": "upsert", "key": ("sale_id",)}
    load("fact_sale", "sale_id|date_key|price|note\n1|20140201|1.00|a\n2|20140201|2.00|b\n3|20140201|3.00|c", **said)
    before = versions(warehouse, "fact_sale", "sale_id")
    load(
        "fact_sale",
        "sale_id|date_key|price|note\n2|20140201|2.50|b\n3|20140201|3.00|c\n4|20140202|4.00|d",
        date=2,
        **said,
    )
    drawn.shows(
        warehouse,
        "fact_sale",
        """
        sale_id | date_key | price | note
        1       | 20140201 | 1.00  | a
        2       | 20140201 | 2.50  | b
        3       | 20140201 | 3.00  | c
        4       | 20140202 | 4.00  | d
        """,
    )
    assert touched(before, versions(warehouse, "fact_sale", "sale_id")) == {"2", "4"}
    assert receipts(warehouse, "public.fact_sale")[1] == (3, 1, 1, 0, 4)


def test_a_partition_is_replaced_whole_and_the_others_stay(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    said = {"strategy": "partition", "key": ("date_key",)}
    load("fact_sale", "sale_id|date_key|price|note\n1|20140131|1.00|a\n2|20140201|2.00|b\n3|20140201|3.00|c", **said)
    before = versions(warehouse, "fact_sale", "sale_id")
    load("fact_sale", "sale_id|date_key|price|note\n2|20140201|2.00|b\n4|20140202|4.00|d", date=2, **said)
    drawn.shows(
        warehouse, "fact_sale", "sale_id|date_key|price|note\n1|20140131|1.00|a\n2|20140201|2.00|b\n4|20140202|4.00|d"
    )
    assert touched(before, versions(warehouse, "fact_sale", "sale_id")) == {"3", "4"}
    assert receipts(warehouse, "public.fact_sale")[1] == (2, 1, 0, 1, 3)


def test_a_row_may_move_to_another_partition(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    said = {"strategy": "partition", "key": ("date_key",)}
    load("fact_sale", "sale_id|date_key|price|note\n1|20140201|1.00|a", **said)
    load("fact_sale", "sale_id|date_key|price|note\n1|20140202|1.00|a", date=2, **said)
    drawn.shows(warehouse, "fact_sale", "sale_id|date_key|price|note\n1|20140202|1.00|a")


@pytest.mark.parametrize("key", ["NOT NULL PRIMARY KEY", ""])
def test_a_day_that_became_empty_is_emptied_and_no_other(nights, warehouse, key):
    nights.table("public.fact_sale", f"sale_id INTEGER {key}, date_key INTEGER")
    said = {"strategy": "partition", "key": ("date_key",)}
    load("fact_sale", "sale_id|date_key\n1|20140201", date=1, **said)
    load("fact_sale", "sale_id|date_key\n2|20140202\n3|20140202", date=2, **said)
    warehouse.query("DELETE FROM etl.loads WHERE business_date = '2014-02-02'")
    load("fact_sale", "sale_id|date_key", date=2, name="LoadAgain", **said)
    drawn.shows(warehouse, "fact_sale", "sale_id|date_key\n1|20140201")
    assert receipts(warehouse, "public.fact_sale")[2] == (0, 0, 0, 2, 1)


def test_a_partition_without_a_primary_key_is_written_anew(nights, warehouse):
    nights.table("public.fact_click", "date_key INTEGER, page VARCHAR(10)")
    said = {"strategy": "partition", "key": ("date_key",)}
    load("fact_click", "date_key|page\n20140131|a\n20140201|b\n20140201|b", **said)
    load("fact_click", "date_key|page\n20140201|b\n20140201|c", date=2, **said)
    drawn.shows(warehouse, "fact_click", "date_key|page\n20140131|a\n20140201|b\n20140201|c")


def test_a_row_of_no_partition_is_refused(nights, warehouse):
    """Nothing would ever replace it: each night would add it once more."""
    nights.table("public.fact_click", "date_key INTEGER, page VARCHAR(10)")
    task = loader("fact_click", "date_key|page\nNULL|a\n20140201|b", strategy="partition", key=("date_key",))(
        date=day(1)
    )
    assert refused(task, DataError) == "public.fact_click: 1 rows have no date_key, which is the key"


def test_a_partition_has_one_column(nights):
    task = loader("fact_click", "a|b\n1|2", strategy="partition", key=("a", "b"))()
    assert "takes one column" in refused(task, ConfigError)


@pytest.mark.parametrize("strategy", ["replace", "upsert"])
def test_surrogate_keys_follow_the_natural_key_and_stay_for_ever(nights, warehouse, strategy):
    nights.table("public.dim_venue", VENUE)
    said = {"strategy": strategy, "key": ("venue_id",)}
    load("dim_venue", "venue_id|city\n30|Rome\n9|Oslo\n200|Bonn", **said)
    first = """
        venue_key | venue_id | city
        -1        | -1       | unknown
        1         | 9        | Oslo
        2         | 30       | Rome
        3         | 200      | Bonn
        """
    drawn.shows(warehouse, "dim_venue", first)
    load("dim_venue", "venue_id|city\n250|Pisa\n200|Cologne\n1|Kiel\n30|Rome", date=2, **said)
    stays = "1 | 9 | Oslo" if strategy == "upsert" else ""
    drawn.shows(
        warehouse,
        "dim_venue",
        f"""
        venue_key | venue_id | city
        -1        | -1       | unknown
        2         | 30       | Rome
        3         | 200      | Cologne
        4         | 1        | Kiel
        5         | 250      | Pisa
        {stays}
        """,
    )


@pytest.mark.parametrize(
    ("strategy", "key"),
    [("replace", ()), ("replace", ("venue_id",)), ("upsert", ("venue_id",)), ("partition", ("city",))],
)
def test_the_unknown_member_is_there_and_stays(nights, warehouse, strategy, key):
    nights.table("public.dim_venue", VENUE)
    unknown = "SELECT ctid::text, venue_id, city FROM dim_venue WHERE venue_key = -1"
    said = {"strategy": strategy, "key": key}
    load("dim_venue", "venue_key|venue_id|city\n7|70|Rome", **said)
    before = warehouse.query(unknown)
    assert [row[1:] for row in before] == [(-1, "unknown")]
    load("dim_venue", "venue_key|venue_id|city\n8|80|Rome", date=2, **said)
    assert warehouse.query(unknown) == before
    assert receipts(warehouse, "public.dim_venue")[0] == (1, 2, 0, 0, 2)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("upsert", "2 rows + 1 inserted - 0 deleted should be 3, and are 4; nothing was published"),
        (
            "replace",
            "would have 2 rows where 1 were staged, because rows in it share a key (sale_id), or something else "
            "writes to it; delete those that should not be there, nothing was published",
        ),
    ],
)
def test_counts_that_do_not_add_up_publish_nothing(nights, warehouse, strategy, said):
    """A trigger adds a row of its own, as a foreign hand might."""
    nights.table("public.fact_sale", SALES)
    yesterday = "sale_id|date_key|price|note\n1|20140201|1.00|a\n3|20140201|1.00|a"
    load("fact_sale", yesterday)
    warehouse.query(
        "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO fact_sale VALUES (99, 1); RETURN NULL; END'"
    )
    warehouse.query("CREATE TRIGGER t AFTER INSERT ON fact_sale WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION add()")
    tomorrow = "sale_id|date_key|price|note\n2|20140201|2.00|b"
    task = loader("fact_sale", tomorrow, key=("sale_id",), strategy=strategy)(date=day(2))
    assert refused(task, DataError) == f"public.fact_sale: {said}"
    drawn.shows(warehouse, "fact_sale", yesterday)
    assert not task.complete()


@pytest.mark.parametrize(
    "twice",
    [
        # As many rows as before: the second takes the place of one that is to go.
        "1|20140201|1.00|same",
        "1|20140201|1.00|same\n1|20140201|1.00|same",
        "1|20140201|1.00|same\n1|20140201|9.00|changed",
        "1|20140201|8.00|changed\n1|20140201|9.00|changed",
        "7|20140201|7.00|new\n7|20140201|7.00|new",
    ],
)
def test_a_key_that_is_left_to_the_table_is_proved_all_the_same(nights, warehouse, twice):
    """Rows twice in a whole replacement, be they there already or not."""
    nights.table("public.fact_sale", SALES)
    yesterday = "sale_id|date_key|price|note\n1|20140201|1.00|same\n2|20140201|2.00|b"
    load("fact_sale", yesterday)
    message = refused(loader("fact_sale", f"{yesterday.rpartition(chr(10))[0]}\n{twice}")(date=day(2)), DataError)
    assert message.startswith("public.fact_sale: the key (sale_id) is not unique: ")
    drawn.shows(warehouse, "fact_sale", yesterday)
    assert stages(warehouse) == []


def test_a_row_without_a_key_that_somebody_added_goes_with_a_replacement(nights, warehouse):
    nights.table("public.fact_click", "page VARCHAR(10), clicks INTEGER")
    load("fact_click", "page|clicks\na|1", key=("page",))
    drawn.insert(warehouse, "fact_click", "page|clicks\nNULL|7")
    load("fact_click", "page|clicks\na|1\nb|2", key=("page",), date=2)
    drawn.shows(warehouse, "fact_click", "page|clicks\na|1\nb|2")
    assert receipts(warehouse, "public.fact_click")[1] == (2, 1, 0, 1, 2)


def test_a_doubled_row_that_changed_is_replaced_by_one(nights, warehouse):
    nights.table("public.fact_click", "page VARCHAR(10), clicks INTEGER")
    load("fact_click", "page|clicks\na|1\nb|2", key=("page",), strategy="upsert")
    warehouse.query("ALTER TABLE fact_click DROP CONSTRAINT IF EXISTS fact_click_page_key")
    drawn.insert(warehouse, "fact_click", "page|clicks\na|1")
    load("fact_click", "page|clicks\na|3", key=("page",), strategy="upsert", date=2)
    drawn.shows(warehouse, "fact_click", "page|clicks\na|3\nb|2")


def test_a_key_that_somebody_doubled_in_the_table_is_not_taken_for_replaced(nights, warehouse):
    nights.table("public.fact_click", "page VARCHAR(10), clicks INTEGER")
    today = "page|clicks\na|1"
    load("fact_click", today, key=("page",))
    warehouse.query("ALTER TABLE fact_click DROP CONSTRAINT IF EXISTS fact_click_page_key")
    drawn.insert(warehouse, "fact_click", today)
    message = refused(loader("fact_click", today, key=("page",))(date=day(2)), DataError)
    assert "would have 2 rows where 1 were staged" in message and "(page)" in message
    assert warehouse.query("SELECT count(*) FROM etl.receipts") == [(1,)]


def test_a_key_that_is_no_column_is_named(nights):
    nights.table("public.fact_click", "page VARCHAR(10), clicks INTEGER")
    message = refused(loader("fact_click", "page|clicks\na|1", strategy="upsert", key=("url",))(), DataError)
    assert message == (
        "public.fact_click: has no column url, which the load's `key` names; its columns are page, clicks"
    )


APPEND = {"strategy": "append", "key": ("sale_id",)}


def test_append_adds_what_is_not_there(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    load("fact_sale", "sale_id|date_key|price|note\n1|20140201|1.00|a\n2|20140201|2.00|NULL", **APPEND)
    before = versions(warehouse, "fact_sale", "sale_id")
    load("fact_sale", "sale_id|date_key|price|note\n2|20140201|2.00|NULL\n3|20140202|3.00|c", date=2, **APPEND)
    drawn.shows(
        warehouse,
        "fact_sale",
        "sale_id|date_key|price|note\n1|20140201|1.00|a\n2|20140201|2.00|NULL\n3|20140202|3.00|c",
    )
    assert touched(before, versions(warehouse, "fact_sale", "sale_id")) == {"3"}
    assert receipts(warehouse, "public.fact_sale") == [(2, 2, 0, 0, 2), (2, 1, 0, 0, 3)]


def test_append_changes_no_row(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    load("fact_sale", "sale_id|date_key|price|note\n1|20140201|1.00|a\n2|20140201|2.00|b", **APPEND)
    task = loader("fact_sale", "sale_id|date_key|price|note\n1|20140201|1.50|a\n2|20140201|2.00|NULL", **APPEND)
    message = refused(task(date=day(2)), DataError)
    assert "2 rows are there with other values, and append changes none: sale_id = 1; 2;" in message
    drawn.shows(warehouse, "fact_sale", "sale_id|date_key|price|note\n1|20140201|1.00|a\n2|20140201|2.00|b")


def test_scd1_is_for_members_of_a_dimension(nights, warehouse):
    nights.table("public.dim_venue", VENUE)
    said = {"strategy": "scd1", "key": ("venue_id",)}
    load("dim_venue", "venue_id|city\n7|Ulm\n8|Rom", **said)
    load("dim_venue", "venue_id|city\n8|Bonn\n9|Linz", date=2, **said)
    drawn.shows(warehouse, "dim_venue", "venue_key|venue_id|city\n-1|-1|unknown\n1|7|Ulm\n2|8|Bonn\n3|9|Linz")


# ---- what was read earlier, and comes later


def read_in_turn(table, earlier, later, **said):
    """Two extracts, of which the one that was read first is loaded last."""
    tasks = [
        loader(table, text, name=f"LoadDrawn{number}", **said)(date=day(number))
        for number, text in enumerate((earlier, later), 1)
    ]
    night(*(task.requires() for task in tasks))
    night(tasks[1])
    night(tasks[0])


def test_an_older_extract_of_a_whole_table_changes_nothing(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    head = "sale_id|date_key|price|note\n"
    read_in_turn("fact_sale", head + "1|20140201|1.00|a\n2|20140201|2.00|b", head + "1|20140201|9.00|a")
    drawn.shows(warehouse, "fact_sale", head + "1|20140201|9.00|a")
    assert receipts(warehouse, "public.fact_sale") == [(1, 1, 0, 0, 1), (0, 0, 0, 0, 1)]
    assert warehouse.query("SELECT business_date::text, rows FROM etl.data_as_of") == [("2014-02-02", 1)]
    assert warehouse.query("SELECT count(*) FROM etl.loads") == [(2,)]


def test_an_older_upsert_adds_rows_and_overwrites_none(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    head = "sale_id|date_key|price|note\n"
    said = {"strategy": "upsert", "key": ("sale_id",)}
    read_in_turn("fact_sale", head + "1|20140201|1.00|a\n2|20140201|2.00|b", head + "1|20140201|9.00|a", **said)
    drawn.shows(warehouse, "fact_sale", head + "1|20140201|9.00|a\n2|20140201|2.00|b")


def test_a_table_that_was_dropped_is_filled_by_an_older_extract(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    head = "sale_id|date_key|price|note\n"
    read_in_turn("fact_sale", head + "1|20140201|1.00|a", head + "1|20140201|9.00|a")
    warehouse.query("DROP TABLE fact_sale; DELETE FROM etl.loads WHERE business_date = '2014-02-01'")
    load("fact_sale", head + "1|20140201|1.00|a", name="LoadDrawn1")
    drawn.shows(warehouse, "fact_sale", head + "1|20140201|1.00|a")


# ---- rows of another table that are new


RAW = "id INTEGER NOT NULL PRIMARY KEY, price NUMERIC(8,2), loaded_at TIMESTAMPTZ NOT NULL"
NEW_SALES = (
    "SELECT r.id AS sale_id, 20140201 AS date_key, r.price AS price, CAST(NULL AS TEXT) AS note "
    "FROM raw.sales r WHERE r.loaded_at > {since raw.sales}"
)


def test_a_load_takes_each_row_of_its_source_once(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    said = {"strategy": "upsert", "key": ("sale_id",), "sql": nights.write("loads", "fact_sale", NEW_SALES)}
    warehouse.query("CREATE SCHEMA raw AUTHORIZATION etl_load")
    warehouse.query(f"CREATE TABLE raw.sales ({RAW}); GRANT SELECT ON raw.sales TO etl_load")

    def write(number, rows):
        for id, price in rows:
            warehouse.query("DELETE FROM raw.sales WHERE id = %s", (id,))
            warehouse.query("INSERT INTO raw.sales VALUES (%s, %s, %s)", (id, price, f"2014-02-0{number} 00:00+00"))
        night(loader("fact_sale", requires=lambda self: [], **said)(date=day(number)))

    write(1, [(1, 1), (2, 2)])
    write(2, [(2, 3), (3, 3)])
    write(3, [])
    drawn.shows(warehouse, "fact_sale", "sale_id|price\n1|1.00\n2|3.00\n3|3.00")
    assert receipts(warehouse, "public.fact_sale") == [(2, 2, 0, 0, 2), (2, 1, 1, 0, 3), (0, 0, 0, 0, 3)]


def test_what_is_new_cannot_replace_what_is_there(nights, warehouse):
    nights.table("public.fact_sale", SALES)
    task = loader("fact_sale", requires=lambda self: [], sql=nights.write("loads", "fact_sale", NEW_SALES))
    assert "strategy replace deletes the rest; write upsert or append" in refused(task(date=day(1)), ConfigError)
