"""The scenarios behind the golden files: what comes before the `yield` is not in them, and what comes after it is."""

from collections.abc import Callable, Iterator

import click
import luigi
import pytest

from etl import again, initialise, migration, status, warehouse
from etl.compare import compare
from etl.dictionary import standing
from etl.doctor import warehouse as doctor
from etl.errors import DataError, LakeError, Locked, WarehouseError
from etl.load import BaseLoader
from etl.mart import Mart
from etl.mirror import MirrorTable
from etl.preview import preview
from etl.run_report import facts
from etl.sources.s3 import S3Extractor
from etl.status import history as histories
from etl.status import why
from etl.sweep import sweep
from etl.warehouse import control
from etl.warehouse.stage import _family
from tests import mirrors
from tests.golden.world import Scenario, World
from tests.ledgers import run_of
from tests.pipeline import day, extractor, load, loader, night, refused

SCENARIOS: dict[str, Scenario] = {}

SALE = "sale_id INTEGER NOT NULL PRIMARY KEY, price DECIMAL(8,2), note VARCHAR(20)"
FIRST = "sale_id|price|note\n1|1.00|a\n2|2.00|b"
LATER = "sale_id|price|note\n1|1.50|a\n3|3.00|c"
USER = "user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20)"
PERIOD = """, valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31',
    is_current BOOLEAN NOT NULL DEFAULT TRUE"""
INFERRED = ", is_inferred BOOLEAN NOT NULL DEFAULT FALSE"
SHOP = "CREATE TABLE sales (id INT PRIMARY KEY, price INT, note VARCHAR(9), updated_at DATETIME)"
SHOP_ROWS = "INSERT INTO sales SELECT seq, 10 * seq, 'a', '2014-02-01' + INTERVAL seq HOUR FROM seq_1_to_10"


def scenario(act: Callable[[World], Iterator[None]]) -> Scenario:
    SCENARIOS[act.__name__] = act
    return act


def loads(world: World, columns: str, *nights: str, comments: tuple[str, ...] = (), **said: object) -> Iterator[None]:
    """A night of the fact for each drawing, the first of a warehouse that has its control tables."""
    world.sql.table("public.fact_sale", columns, *comments)
    world.prepare()
    yield
    for number, text in enumerate(nights, start=1):
        load("fact_sale", text, date=number, **said)


# ---- the warehouse's first hour, and sessions


@scenario
def first_preparation(world: World) -> Iterator[None]:
    """The control tables are made, in a warehouse in which nothing was."""
    yield
    with warehouse.connect("LoadFirst") as db:
        control.prepare(db)


@scenario
def a_session_goes_on(world: World) -> Iterator[None]:
    """The next piece of work takes the session that the last has left."""
    world.prepare()
    yield
    for name in ("LoadFirst", "LoadSecond"):
        with warehouse.connect(name) as db:
            control.prepare(db)


@scenario
def a_schema_cannot_be_made(world: World) -> Iterator[None]:
    """And nobody else has been quicker."""
    world.prepare()
    world.sql.table("public.fact_sale", SALE)
    world.fault("disk full /CREATE SCHEMA .stage/")
    task = loader("fact_sale", FIRST)(date=day(1))
    yield
    refused(task, WarehouseError)


@scenario
def commit_without_an_answer(world: World) -> Iterator[None]:
    """The session is lost during COMMIT, and the marker is asked for in another."""
    world.prepare()
    world.sql.table("public.fact_sale", SALE)
    task = loader("fact_sale", FIRST)(date=day(1))
    night(task.requires())
    world.as_loader("CREATE SCHEMA stage", 'CREATE TABLE etl."lock_unused" (target VARCHAR(200))')
    world.fault("drop after commit")
    yield
    task.run()


@scenario
def locked(world: World) -> Iterator[None]:
    """Another load has the table, for longer than this one waits."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    task = loader("fact_sale", LATER)(date=day(2))
    night(task.requires())
    world.settings.set("warehouse", "lock_timeout", 1)
    with warehouse.connect("LoadOther") as other, other.locked("public.fact_sale"):
        warehouse._idle.clear()
        yield
        refused(task, Locked)


@scenario
def three_roles(world: World) -> Iterator[None]:
    """`etl init` by an administrator and the owner, a night's load, and `etl init` once more."""
    world.sql.table("public.fact_sale", SALE, "Sales.")
    world.three_roles()
    yield
    initialise.init()
    load("fact_sale", FIRST)
    world.new_process()
    initialise.init()


@scenario
def a_migration(world: World) -> Iterator[None]:
    """A column that the file of a table has gained, and one that it has no more."""
    world.sql.table("public.fact_sale", SALE, "Sales.")
    world.three_roles()
    initialise.init()
    world.sql.table("public.fact_sale", SALE.replace(", note VARCHAR(20)", ", day DATE -- when\n"), "Sales.")
    yield
    migration.migrate()


# ---- strategies


@scenario
def replace_with_a_key(world: World) -> Iterator[None]:
    return loads(world, SALE, FIRST, LATER, strategy="replace")


@scenario
def replace_without_a_key(world: World) -> Iterator[None]:
    return loads(world, SALE.replace(" PRIMARY KEY", ""), FIRST, LATER, strategy="replace")


@scenario
def append(world: World) -> Iterator[None]:
    return loads(world, SALE, FIRST, "sale_id|price|note\n2|2.00|b\n3|3.00|c", strategy="append", key=("sale_id",))


@scenario
def append_of_other_values(world: World) -> Iterator[None]:
    """A row that is there says something else now: refused."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST, strategy="append", key=("sale_id",))
    yield
    refused(loader("fact_sale", LATER, strategy="append", key=("sale_id",))(date=day(2)), DataError)


@scenario
def upsert(world: World) -> Iterator[None]:
    return loads(world, SALE, FIRST, LATER, strategy="upsert", key=("sale_id",))


@scenario
def partition_with_a_key(world: World) -> Iterator[None]:
    columns = "date_key INTEGER NOT NULL, sale_id INTEGER NOT NULL, price INTEGER, PRIMARY KEY (date_key, sale_id)"
    rows = "date_key|sale_id|price\n20140201|1|1\n20140201|2|2", "date_key|sale_id|price\n20140202|1|1\n20140201|2|3"
    return loads(world, columns, *rows, strategy="partition", key=("date_key",))


@scenario
def partition_without_a_key(world: World) -> Iterator[None]:
    columns = "city VARCHAR(20) NOT NULL, price INTEGER"
    return loads(
        world, columns, "city|price\nRome|1", "city|price\nRome|2\nOslo|1", strategy="partition", key=("city",)
    )


@scenario
def dimension(world: World) -> Iterator[None]:
    """Numbers for its members, which they keep, and the unknown one."""
    world.sql.table("public.dim_user", USER)
    world.prepare()
    yield
    said = {"strategy": "scd1", "key": ("user_id",)}
    load("dim_user", "user_id|city\n7|Ulm\n8|Rome", **said)
    load("dim_user", "user_id|city\n7|Bonn\n9|Oslo", date=2, **said)


@scenario
def history(world: World) -> Iterator[None]:
    """Versions of a dimension's members, and columns of which only the last value is kept."""
    world.sql.table("public.dim_user", USER + ", email VARCHAR(20)" + PERIOD + INFERRED, "history: city")
    world.prepare()
    yield
    said = {"strategy": "scd2", "key": ("user_id",)}
    load("dim_user", "user_id|city|email\n7|Ulm|a\n8|Rome|b", **said)
    load("dim_user", "user_id|city|email\n7|Bonn|a\n8|Rome|c\n9|Oslo|d", date=2, **said)


@scenario
def inferred_members(world: World) -> Iterator[None]:
    """A fact names a member that its dimension has not yet, and its SELECT shapes what has landed."""
    world.sql.table("public.dim_user", USER + INFERRED)
    columns = "sale_id INTEGER NOT NULL PRIMARY KEY, user_key BIGINT NOT NULL"
    world.sql.table("public.fact_sale", columns, "foreign key: user_key -> public.dim_user (user_key)")
    world.sql.write(
        "loads",
        "fact_sale",
        "-- infer: public.dim_user (user_id) from {stage} (user_id)\n"
        "SELECT CAST(s.sale_id AS INTEGER) AS sale_id, COALESCE(u.user_key, -1) AS user_key\n"
        "FROM {stage} s LEFT JOIN public.dim_user u ON u.user_id = CAST(s.user_id AS BIGINT)",
    )
    load("dim_user", "user_id|city\n7|Ulm", strategy="scd1", key=("user_id",), name="LoadUsers")
    yield
    said = {"strategy": "upsert", "key": ("sale_id",), "sql": "fact_sale.sql"}
    load("fact_sale", "sale_id|user_id\n1|7\n2|9", **said)


@scenario
def taken_since_the_last_time(world: World) -> Iterator[None]:
    """Rows of another table that are new to this one."""
    world.sql.table("public.fact_sale", "sale_id INTEGER NOT NULL PRIMARY KEY")
    world.sql.table("raw.sales", "sale_id INTEGER NOT NULL PRIMARY KEY, loaded_at TIMESTAMPTZ NOT NULL DEFAULT SYSDATE")
    world.sql.write("loads", "fact_sale", "SELECT sale_id FROM raw.sales WHERE loaded_at >= {since raw.sales}")
    world.prepare()
    world.as_loader(
        'CREATE SCHEMA "raw"',
        'CREATE TABLE "raw".sales (sale_id INTEGER NOT NULL, loaded_at TIMESTAMPTZ NOT NULL)',
        "INSERT INTO \"raw\".sales VALUES (1, TIMESTAMPTZ '2014-02-01 00:00:00+00')",
    )
    yield
    for number in (1, 2):
        said = {"strategy": "upsert", "key": ("sale_id",), "sql": "fact_sale.sql", "requires": lambda self: []}
        night(type("LoadSales", (BaseLoader,), {"table": "fact_sale"} | said)(date=day(number)))


# ---- what is refused, and what is kept


@scenario
def duplicates(world: World) -> Iterator[None]:
    world.sql.table("public.fact_sale", SALE)
    world.prepare()
    yield
    refused(loader("fact_sale", FIRST + "\n2|3.00|c")(date=day(1)), DataError)


@scenario
def a_key_that_is_null(world: World) -> Iterator[None]:
    world.sql.table("public.fact_sale", "sale_id INTEGER, price INTEGER")
    world.prepare()
    yield
    task = loader("fact_sale", "sale_id|price\nNULL|1", strategy="upsert", key=("sale_id",))(date=day(1))
    refused(task, DataError)


@scenario
def orphans(world: World) -> Iterator[None]:
    world.sql.table("public.dim_user", USER)
    columns = "sale_id INTEGER NOT NULL PRIMARY KEY, user_key BIGINT NOT NULL"
    world.sql.table("public.fact_sale", columns, "foreign key: user_key -> public.dim_user (user_key)")
    load("dim_user", "user_id|city\n7|Ulm", strategy="scd1", key=("user_id",), name="LoadUsers")
    yield
    refused(loader("fact_sale", "sale_id|user_key\n1|1\n2|9")(date=day(1)), DataError)


@scenario
def a_source_that_became_empty(world: World) -> Iterator[None]:
    """Refused, and then kept."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    empty = "sale_id|price|note"
    yield
    refused(loader("fact_sale", empty)(date=day(2)), DataError)
    world.new_process()
    load("fact_sale", empty, date=2, on_empty="keep")


@scenario
def an_older_extract(world: World) -> Iterator[None]:
    """Of a whole table, which holds a newer one already: nothing is published."""
    world.sql.table("public.fact_sale", SALE)
    older = loader("fact_sale", LATER)(date=day(1))
    night(older.requires())
    load("fact_sale", FIRST, date=2)
    yield
    night(older)


@scenario
def copy_error(world: World) -> Iterator[None]:
    """Of what COPY could not read its system table tells."""
    world.sql.table("public.fact_sale", SALE)
    world.prepare()
    yield
    refused(loader("fact_sale", "sale_id|price|note\n1|x|a")(date=day(1)), DataError)


@scenario
def copy_error_of_a_provisioned_cluster(world: World) -> Iterator[None]:
    """SYS_LOAD_ERROR_DETAIL is not to be had, and STL_LOAD_ERRORS is asked."""
    world.sql.table("public.fact_sale", SALE)
    world.prepare()
    world.warehouse.query("REVOKE SELECT ON redshift.sys_load_error_detail FROM PUBLIC")
    yield
    refused(loader("fact_sale", "sale_id|price|note\n1|x|a")(date=day(1)), DataError)


@scenario
def losses_and_quarantine(world: World) -> Iterator[None]:
    """Values that no warehouse holds: lost ones are counted, rows put aside go into the quarantine."""
    world.sql.table("public.fact_sale", SALE)
    world.prepare()
    task = loader("fact_sale", "sale_id|price|note\n1|1.00|x\0y\n2|2.00|b", name="LoadHeld")(date=day(1))
    task.extractor.on_loss = {"note": "quarantine"}
    yield
    night(task)


# ---- mirrors


@scenario
def mirror_of_a_whole_table(world: World) -> Iterator[None]:
    world.mysql.execute(SHOP)
    world.mysql.execute(SHOP_ROWS)
    world.prepare()
    yield
    for number in (1, 2):
        mirrors.night(number, changed="")
        world.mysql.execute(f"UPDATE sales SET price = 7 WHERE id = {number}")


def by_changes(world: World, deletes: str) -> Iterator[None]:
    world.mysql.execute(SHOP)
    world.mysql.execute(SHOP_ROWS)
    world.prepare()
    yield
    mirrors.night(1, deletes=deletes)
    world.mysql.execute("DELETE FROM sales WHERE id IN (1, 10)")
    world.mysql.execute("UPDATE sales SET price = 7, updated_at = '2014-02-02 10:00:00' WHERE id = 5")
    mirrors.night(2, deletes=deletes)


@scenario
def mirror_by_changes(world: World) -> Iterator[None]:
    """What the source deletes stays."""
    return by_changes(world, "keep")


@scenario
def mirror_by_changes_with_soft_deletes(world: World) -> Iterator[None]:
    return by_changes(world, "soft")


@scenario
def mirror_by_changes_with_hard_deletes(world: World) -> Iterator[None]:
    return by_changes(world, "hard")


@scenario
def mirror_that_is_read_by_its_changes_now(world: World) -> Iterator[None]:
    """It was mirrored whole, and lacks what the mirror keeps for itself."""
    world.mysql.execute(SHOP)
    world.mysql.execute(SHOP_ROWS)
    mirrors.night(1, changed="")
    yield
    mirrors.night(2, deletes="soft")


@scenario
def mirror_with_a_quarantine(world: World) -> Iterator[None]:
    """A row of a table that is read by its changes goes into the quarantine, and comes back mended."""
    world.mysql.execute(
        "CREATE TABLE sales (a VARCHAR(9), b INT, body MEDIUMTEXT, updated_at DATETIME, PRIMARY KEY (a, b))"
    )
    world.mysql.execute("INSERT INTO sales VALUES ('x', 1, 'short', '2014-02-01 10:00:00')")
    mirrors.night(1)
    yield
    world.mysql.execute("UPDATE sales SET body = REPEAT('é', 40000), updated_at = '2014-02-01 10:30:00'")
    mirrors.night(2)
    world.mysql.execute("UPDATE sales SET body = 'mended', updated_at = '2014-02-03 10:00:00'")
    mirrors.night(3)


@scenario
def mirror_of_an_older_extract_of_changes(world: World) -> Iterator[None]:
    """With a row that was put aside then and is mended since."""
    world.mysql.execute("CREATE TABLE sales (id INT PRIMARY KEY, body MEDIUMTEXT, updated_at DATETIME)")
    world.mysql.execute("INSERT INTO sales VALUES (1, 'short', '2014-02-01 10:00:00')")
    mirrors.night(1)
    world.mysql.execute("UPDATE sales SET body = REPEAT('é', 40000), updated_at = '2014-02-01 10:30:00'")
    older = mirrors.extracted(2)
    world.mysql.execute("UPDATE sales SET body = 'mended', updated_at = '2014-02-03 10:00:00'")
    mirrors.night(3)
    yield
    night(older)


# ---- drift


def mirrored(world: World, *columns: str) -> None:
    world.mysql.execute(f"CREATE TABLE sales (id INT PRIMARY KEY, {', '.join(columns)})")
    world.mysql.execute("INSERT INTO sales (id) VALUES (1), (2)")
    mirrors.night(1, changed="")


@scenario
def drift_added_removed_and_back(world: World) -> Iterator[None]:
    mirrored(world, "price INT", "note VARCHAR(9)")
    yield
    world.mysql.execute("ALTER TABLE sales ADD fee DECIMAL(5,2), DROP note")
    mirrors.night(2, changed="")
    world.mysql.execute("ALTER TABLE sales ADD note VARCHAR(9)")
    mirrors.night(3, changed="")


@scenario
def drift_widened(world: World) -> Iterator[None]:
    """A VARCHAR grows over another session, and the load begins anew."""
    mirrored(world, "note VARCHAR(9)")
    world.settings.set("etl", "retry_seconds", 60)
    yield
    world.mysql.execute("ALTER TABLE sales MODIFY note VARCHAR(90)")
    mirrors.night(2, changed="")


@scenario
def drift_that_stops(world: World) -> Iterator[None]:
    """What looks like a rename, another type, and keys that the rows may not have."""
    mirrored(world, "price INT", "code INT NOT NULL DEFAULT 0")
    yield
    changes = (
        "ALTER TABLE sales CHANGE price cost INT",
        "ALTER TABLE sales CHANGE cost price DATE",
        "ALTER TABLE sales MODIFY price INT, DROP PRIMARY KEY, ADD PRIMARY KEY (id, code)",
        "ALTER TABLE sales DROP PRIMARY KEY, ADD id2 INT NOT NULL AUTO_INCREMENT PRIMARY KEY",
    )
    for number, change in enumerate(changes, start=2):
        world.mysql.execute(change)
        world.new_process()
        refused(MirrorTable(table="sales", date=day(number)), DataError)


# ---- marts, what is asked, what goes


@scenario
def mart(world: World) -> Iterator[None]:
    """Computed twice, from a load that its receipt names; then its SELECT has other columns than the table."""
    world.sql.table("public.fact_sale", "id INTEGER NOT NULL PRIMARY KEY, city VARCHAR(20), price INTEGER")
    world.prepare()
    sales = loader("fact_sale", "id|city|price\n1|Rome|10\n2|Oslo|1", name="LoadSales")
    night(sales(date=day(1)))
    said = {"table": "sums", "key": ("city",), "requires": lambda self: sales(date=day(1))}
    selected = "SELECT city, SUM(price) AS price FROM public.fact_sale GROUP BY city"
    yield
    for number, select in enumerate((selected, selected.replace("price)", "price + 1)")), start=1):
        world.sql.write("marts", "sums", select)
        night(type("Sums", (Mart,), said)(date=day(number)))
    world.sql.write("marts", "sums", selected.replace(" AS price", " AS price, COUNT(*) AS sales"))
    refused(type("Sums", (Mart,), said)(date=day(3)), DataError)


@scenario
def status_of_all_tables(world: World) -> Iterator[None]:
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    yield
    with warehouse.connect("etl status") as db:
        status.tables(db)
        status.changes(db, ["20140204T023000-00000001"])
        histories.named(db, "fact_sale")


@scenario
def report_of_a_run(world: World) -> Iterator[None]:
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    yield
    assert not facts.gather(run_of()).unknown


@scenario
def why_a_task_is_done(world: World) -> Iterator[None]:
    """A load, and its extract that has been swept since."""
    world.sql.table("public.fact_sale", SALE)
    task = load("fact_sale", FIRST)
    world.settings.set("lake", "keep_days", 0)
    with warehouse.connect("sweep") as db:
        sweep(db)
    yield
    for one in (task, *luigi.task.flatten(task.requires())):
        assert why.explain(one).done


@scenario
def preview_of_a_mart(world: World) -> Iterator[None]:
    """Nothing is written; the types of its columns are the warehouse's to tell."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    world.sql.write("marts", "sums", "SELECT note, SUM(price) AS price FROM public.fact_sale GROUP BY note")
    yield
    assert preview(type("Sums", (Mart,), {"table": "sums", "requires": lambda self: []})(date=day(1)), 5).rows


@scenario
def dictionary_of_all_tables(world: World) -> Iterator[None]:
    """What `etl docs` asks, beside what `etl status` does."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    yield
    standing.ask()


@scenario
def what_the_doctor_asks(world: World) -> Iterator[None]:
    world.prepare()
    yield
    list(doctor.check())


def compared(world: World) -> None:
    world.mysql.execute(
        "CREATE TABLE sales (id INT PRIMARY KEY, price DECIMAL(9,2), rate DOUBLE, note VARCHAR(9), body TEXT, "
        "sold DATETIME(6), day DATE, really TINYINT(1), page BLOB, clock TIME)"
    )
    world.mysql.execute(
        "INSERT INTO sales "
        "VALUES (1, 1.5, 0.1, 'a', 'b', '2014-02-01 10:00:00.5', '2014-02-01', 1, x'00ff', '10:00:00')"
    )
    mirrors.night(1, changed="")
    world.warehouse.query("UPDATE raw.sales SET price = 2")


@scenario
def compare_with_the_source(world: World) -> Iterator[None]:
    """A row differs, and is found."""
    compared(world)
    yield
    assert not compare("sales").equal


@scenario
def compare_with_an_extract(world: World) -> Iterator[None]:
    """Twice in one session, which drops what it has borrowed."""
    compared(world)
    yield
    assert not compare("sales", day(1)).equal
    assert not compare("sales", day(1)).equal


@scenario
def sweep_and_retention(world: World) -> Iterator[None]:
    """Files that were loaded go, and receipts of long ago, and stages of runs that are dead."""
    world.sql.table("public.fact_sale", SALE)
    # By its name the sweep finds out that it is by day.
    by_day = loader("fact_sale", name="LoadGoldenDays", strategy="append", key=("sale_id",))
    for number in (1, 2):
        by_day.extractor = extractor(f"sale_id|price|note\n{number}|1.00|x\0y\n{number + 10}|1.00|z")
        by_day.extractor.on_loss = {"note": "quarantine"}
        night(by_day(date=day(number)))
    for table in ("receipts", "losses", "quarantine"):
        aged = "loaded_at = loaded_at - INTERVAL '20 years'"
        world.warehouse.query(f"UPDATE etl.{table} SET {aged} WHERE business_date = '2014-02-01'")
    # Of several the server gives one or the other first.
    world.warehouse.query("UPDATE etl.extracts SET swept_at = now() WHERE manifest LIKE '%2014-02-01%'")
    world.as_loader('CREATE TABLE stage."0123abcd_sales_20140101_0123abcd" (a INTEGER)')
    world.settings.set("lake", "keep_days", 0)
    yield
    with warehouse.connect("sweep") as db:
        sweep(db)


@scenario
def stages_that_were_left(world: World) -> Iterator[None]:
    """Whatever wrote them: the next load of the table drops them."""
    world.sql.table("public.fact_sale", SALE)
    load("fact_sale", FIRST)
    family = _family("public.fact_sale")
    world.as_loader(f'CREATE TABLE stage."{family}fact_sale_20140101_0123abcd" (a INTEGER)')
    yield
    load("fact_sale", LATER, date=2)


# ---- work that is done again


class ExtractGoldenNotes(S3Extractor):
    """Each file is read once."""

    prefix = "notes/"
    columns = ("id", "text")


class LoadGoldenNotes(BaseLoader):
    extractor = ExtractGoldenNotes
    table = "note"
    strategy = "append"
    key = ("id",)


@scenario
def files_that_are_read_once(world: World) -> Iterator[None]:
    """Then its load is undone for `etl rerun`, and asked for again after its extract has gone."""
    world.sql.table("public.note", "id INTEGER NOT NULL PRIMARY KEY, text VARCHAR(20)")
    world.files.put("notes/a.csv", b"id,text\n1,a\n")
    world.prepare()
    yield
    night(LoadGoldenNotes(date=day(1)))
    world.new_process()
    again.rerun(LoadGoldenNotes(date=day(1)), downstream=False).undo()
    night(LoadGoldenNotes(date=day(1)))
    world.new_process()
    for key in world.lake.keys():
        world.lake.client.delete_object(Bucket=world.lake.name, Key=key)
    with pytest.raises(LakeError):
        again.replay(LoadGoldenNotes(date=day(1)))


@scenario
def a_history_that_is_closed(world: World) -> Iterator[None]:
    """A day before the one that a dimension's history is at cannot be loaded again."""
    world.sql.table("public.dim_user", USER + PERIOD, "history: city")
    said = {"strategy": "scd2", "key": ("user_id",), "name": "LoadUsers"}
    for number in (1, 2):
        task = load("dim_user", "user_id|city\n7|Ulm", date=number, **said)
    earlier = type(task)(date=day(1))
    yield
    with pytest.raises(click.UsageError):
        again.replay(earlier)


@scenario
def a_range_of_days(world: World) -> Iterator[None]:
    """Which days are done is one question, as `etl backfill` asks it."""
    world.sql.table("public.fact_sale", SALE)
    task = load("fact_sale", FIRST)
    yield
    assert type(task).bulk_complete([day(1), day(2)]) == [day(1)]
