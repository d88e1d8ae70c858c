"""The connection: what it sets, what it says when it is refused, locks, COPY, what is tried again, commits in doubt."""

import contextlib
import json
import re
import socket
from urllib.parse import urlsplit

import psycopg2
import pytest

from etl import warehouse as connections
from etl.errors import (
    ConfigError,
    Conflict,
    DataError,
    LakeError,
    Locked,
    Transient,
    WarehouseError,
    WarehouseLost,
)
from etl.testing import drawn, postgres_query
from etl.testing.servers import started
from etl.warehouse import CommitUnknown
from etl.warehouse.redshift import lock_table
from tests.pipeline import (
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
)
from tests.redshift.server import RedshiftEmulator

pytestmark = pytest.mark.engines("redshift", reason="its own module")
pytest_plugins = ("tests.nights",)

SALES = "sale_id INTEGER NOT NULL PRIMARY KEY, price NUMERIC(8,2), note VARCHAR(20)"
YESTERDAY = "sale_id|price|note\n1|1.00|a\n2|2.00|b"
TODAY = "sale_id|price|note\n1|1.50|a\n3|3.00|c"


@pytest.fixture
def db(warehouse, sql):
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        db.execute("CREATE TABLE public.t (id INTEGER PRIMARY KEY, v VARCHAR(20))")
        yield db


@pytest.fixture
def sales(nights, warehouse):
    """fact_sale as of yesterday."""
    nights.table("public.fact_sale", SALES)
    load("fact_sale", YESTERDAY)
    return nights


def today(**said):
    """A load of fact_sale whose extract is there."""
    task = loader("fact_sale", TODAY, **said)(date=day(2))
    night(*task.requires() if isinstance(task.requires(), list) else [task.requires()])
    return task


def is_yesterdays(warehouse):
    drawn.shows(warehouse, "fact_sale", YESTERDAY)
    assert len(receipts(warehouse, "public.fact_sale")) == 1
    assert stages(warehouse) == []


def is_todays(warehouse):
    """Loaded, and that once."""
    drawn.shows(warehouse, "fact_sale", TODAY)
    assert receipts(warehouse, "public.fact_sale")[1:] == [(2, 1, 1, 1, 2)]
    assert warehouse.query("SELECT count(*), count(DISTINCT task_key) FROM etl.loads") == [(2, 2)]
    assert stages(warehouse) == []


def backend(db):
    return db.query("SELECT pg_backend_pid()")[0][0]


def end(warehouse, pid):
    warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def setting(db, name):
    return db.query(f"SHOW {name}")[0][0]


# The connection


def test_every_connection_has_a_limit_and_a_name(settings, warehouse, sql):
    settings.set("warehouse", "statement_timeout", 90)
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        assert setting(db, "statement_timeout") in ("90000", "90s")
        assert setting(db, "query_group") == "LoadA 2014-02-03 run-1"
        assert setting(db, "application_name") == "LoadA 2014-02-03 run-1"
        assert setting(db, "TimeZone") == "UTC"


def test_a_session_that_is_used_again_has_another_name_and_nothing_of_before(settings, warehouse, sql):
    with connections.connect("LoadA") as db:
        first = backend(db)
        with db.locked("public.t"):
            pass
    with connections.connect("LoadB") as db:
        assert backend(db) == first
        assert (setting(db, "query_group"), setting(db, "application_name")) == ("LoadB", "LoadB")
        with connections.connect("other") as other, other.locked("public.t"):
            pass


def refusal(settings, url):
    settings.set("warehouse", "url", url)
    with pytest.raises((WarehouseError, ConfigError)) as failure, connections.connect("test"):
        pass
    return failure.value


def test_a_wrong_password(settings, warehouse, sql):
    parts = urlsplit(warehouse.setting)
    said = refusal(settings, warehouse.setting.replace(parts.password, "Tr0ub4dor"))
    where = f"warehouse {parts.hostname}:{parts.port}{parts.path}"
    assert str(said) == (
        f'{where}: cannot connect: password authentication failed for user "etl_load"; '
        f"mend the password in [warehouse] url"
    )
    assert not isinstance(said, Transient)


def test_no_server(settings, sql):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = refusal(settings, f"redshift://etl_load:Tr0ub4dor@127.0.0.1:{taken.getsockname()[1]}/w")
    assert re.fullmatch(
        r"warehouse 127\.0\.0\.1:\d+/w: cannot connect: Connection refused; "
        r"is the server up, and \[warehouse\] url right\?",
        str(said),
    )
    assert isinstance(said, WarehouseLost)


def test_no_database(settings, warehouse, sql):
    said = str(refusal(settings, warehouse.setting + "_not"))
    assert said.endswith(f'database "{warehouse.name}_not" does not exist; create it, or mend [warehouse] url')


def test_a_statement_that_takes_too_long_names_the_setting(settings, warehouse, sql):
    settings.set("warehouse", "statement_timeout", 1)
    limit = pytest.raises(WarehouseError, match=r"\[warehouse\] statement_timeout is 1 s")
    with connections.connect("test") as db, fault(warehouse, "slow 30s /SELECT 7/"), limit:
        db.query("SELECT 7")


def test_a_right_that_is_missing_says_who_needs_it(db, warehouse):
    warehouse.query("CREATE TABLE public.theirs (a INTEGER)")
    with pytest.raises(WarehouseError, match=r"permission denied for .*theirs; grant it to etl_load"):
        db.query("SELECT * FROM public.theirs")


def test_a_session_that_is_ended_is_lost(db, warehouse):
    end(warehouse, backend(db))
    for _ in range(2):
        with pytest.raises(WarehouseLost, match="connection lost"):
            db.query("SELECT 1")


def test_columns_of_a_select_with_their_lengths(db):
    assert db.columns_of("SELECT 1 AS a, CAST('x' AS VARCHAR(3)) AS b, CAST(1 AS DECIMAL(8,2)) AS c -- end") == {
        "a": "integer",
        "b": "character varying(3)",
        "c": "numeric(8,2)",
    }


# Locks


def test_a_lock_says_who_holds_it(db, settings, warehouse):
    settings.set("warehouse", "lock_timeout", 1)
    with db.locked("public.t"), connections.connect("other") as other:
        with pytest.raises(Locked) as failure, other.locked("public.t"):
            pass
        assert setting(other, "statement_timeout") == setting(db, "statement_timeout")
        with other.locked("public.u"):
            pass
        assert re.fullmatch(
            rf'public\.t: waited 1 s for "etl"\."{lock_table("public.t")}" by session {backend(db)} of etl_load, since '
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d; wait until it is done, or end it by SELECT "
            r"pg_terminate_backend\(session\), then run again",
            str(failure.value),
        )


def test_a_lock_ends_with_its_block_and_with_its_session(db, warehouse):
    with pytest.raises(KeyError), db.locked("public.t"):
        raise KeyError
    with connections.connect("other") as other, pytest.raises(WarehouseError), other.locked("public.t"):
        end(warehouse, backend(other))
        with db.locked("public.t"):
            pass


def test_readers_see_nothing_of_a_lock(db, warehouse):
    postgres_query(warehouse.admin_url, "GRANT SELECT ON t TO bi_reader")
    with db.locked("public.t"):
        db.execute("INSERT INTO public.t VALUES (1, 'a')")
        with session(warehouse.reader_url, "SET statement_timeout TO 5000", "SELECT * FROM t") as reader:
            assert reader.fetchall() == []


def test_a_transaction_below_a_lock_is_the_locks(db, warehouse):
    with pytest.raises(KeyError), db.locked("public.t"):
        with db.transaction():
            db.execute("INSERT INTO t VALUES (1, 'a')")
        raise KeyError
    assert warehouse.query("SELECT * FROM t") == []
    with db.locked("public.t"), db.transaction():
        db.execute("INSERT INTO t VALUES (2, 'b')")
    assert warehouse.query("SELECT id FROM t") == [(2,)]


def test_who_waited_sees_what_was_committed_meanwhile_and_is_later(db, warehouse):
    waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND datname = %s"
    seen = []
    with connections.connect("other") as other:

        def wait():
            with other.locked("public.t"):
                seen.extend(other.query("SELECT id FROM public.t"))
                seen.extend(other.query(f"SELECT {other.now} > CAST('{committed}' AS TIMESTAMPTZ)"))

        with other.locked("public.t"):
            pass
        with contextlib.ExitStack() as stack, db.locked("public.t"):
            db.execute("INSERT INTO public.t VALUES (1, 'a')")
            raised = stack.enter_context(meanwhile(wait))
            until(lambda: warehouse.query(waiting, (warehouse.name,)) == [(1,)])
            ((committed,),) = warehouse.query("SELECT clock_timestamp()::text")
        assert raised == []
    assert seen == [(1,), (True,)]


def test_what_all_share_is_written_last_and_in_one_order(redshift, db, warehouse):
    with db.locked("public.t"):
        control_tables(db)
        db.note([("INSERT INTO etl.data_as_of VALUES (%s)", (1,)), ("INSERT INTO etl.receipts VALUES (%s)", (2,))])
        db.note([("INSERT INTO etl.loads VALUES (%s)", (3,))])
        assert db.query("SELECT count(*) FROM etl.loads") == [(0,)]
        db.execute("INSERT INTO public.t VALUES (4, 'own')")
    said = [line["statement"] for line in redshift.logged() if line["database"] == warehouse.name]
    written = [found[1] for one in said if (found := re.match(r"\s*INSERT INTO (\S+)", one))]
    assert written == ["public.t", "etl.loads", "etl.receipts", "etl.data_as_of"]


def control_tables(db):
    for name in ("loads", "receipts", "data_as_of"):
        db.execute(f"CREATE TABLE etl.{name} (a INTEGER)")


def test_what_is_noted_below_a_lock_that_fails_is_not(db):
    with pytest.raises(KeyError), db.locked("public.t"):
        db.note([("INSERT INTO public.t VALUES (%s, %s)", (1, "a"))])
        raise KeyError
    with db.locked("public.t"):
        pass
    assert db.query("SELECT * FROM public.t") == []


# Several loads at once

USERS = """user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20),
    is_inferred BOOLEAN NOT NULL DEFAULT FALSE"""
FACT = "sale_id INTEGER NOT NULL PRIMARY KEY, user_key BIGINT NOT NULL"
SELECT = """-- infer: public.dim_user (user_id) from {stage} (user_id)
SELECT CAST(s.sale_id AS INTEGER) AS sale_id, COALESCE(u.user_key, -1) AS user_key
FROM {stage} s LEFT JOIN public.dim_user u ON u.user_id = CAST(s.user_id AS BIGINT)"""


def at_once(warehouse, *tasks):
    """Run the tasks side by side: all of them wait for a lock before any goes on."""
    waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND datname = %s"
    first = tasks[0]
    held = [f'LOCK TABLE etl."{lock_table(target)}"' for target in sorted({first.target, *first._inferred()})]
    with contextlib.ExitStack() as stack, session(warehouse.admin_url, *held):
        raised = [stack.enter_context(meanwhile(task.run)) for task in tasks]
        until(lambda: warehouse.query(waiting, (warehouse.name,)) == [(len(tasks),)])
    assert raised == [[] for _ in tasks]


def test_racing_twins_load_once(sales, warehouse):
    task = today()
    at_once(warehouse, task, task)
    is_todays(warehouse)


def test_facts_that_infer_the_same_members_at_the_same_time_add_each_once(nights, warehouse):
    nights.table("public.dim_user", USERS)
    load("dim_user", "user_id|city\n7|Ulm", strategy="scd1", key=("user_id",), name="LoadUsers")
    tasks = []
    for name, users in (("fact_one", "1|9\n2|8"), ("fact_two", "1|9\n2|10")):
        nights.table(f"public.{name}", FACT)
        nights.write("loads", name, SELECT)
        said = {"strategy": "upsert", "key": ("sale_id",), "sql": f"{name}.sql", "name": f"Load_{name}"}
        load(name, "sale_id|user_id\n5|7", **said)
        tasks.append(loader(name, f"sale_id|user_id\n{users}", **said)(date=day(2)))
        night(tasks[-1].requires())
    at_once(warehouse, *tasks)
    drawn.shows(warehouse, "(SELECT user_id FROM dim_user) q", "user_id\n-1\n7\n8\n9\n10")
    assert warehouse.query("SELECT count(*), count(DISTINCT user_key) FROM dim_user") == [(5, 5)]
    joined = "SELECT count(*) FROM {} f JOIN dim_user d USING (user_key) WHERE d.user_id > 7"
    assert [warehouse.query(joined.format(name)) for name in ("fact_one", "fact_two")] == [[(2,)], [(2,)]]


@pytest.fixture(scope="session")
def serializable(server_folder, postgres, moto_s3):
    """A cluster whose databases are of the stricter kind."""
    server = RedshiftEmulator(server_folder / "serializable", postgres, moto_s3.endpoint, isolation="serializable")
    with started(server):
        yield server


def test_where_the_database_is_serializable_two_loads_at_once_succeed(nights, warehouse, settings, serializable):
    settings.set("warehouse", "url", serializable.url(database=warehouse.name))
    tasks = []
    for name in ("fact_one", "fact_two"):
        nights.table(f"public.{name}", SALES)
        load(name, YESTERDAY, name=f"Load_{name}")
        tasks.append(loader(name, TODAY, name=f"Load_{name}")(date=day(2)))
        night(tasks[-1].requires())
    with meanwhile(tasks[0].run) as one, meanwhile(tasks[1].run) as other:
        pass
    assert (one, other) == ([], [])
    for name in ("fact_one", "fact_two"):
        drawn.shows(warehouse, name, TODAY)


# COPY


class Listed:
    """Parts as an engine that fetches them takes them: a manifest in the lake, and the token of NULL."""

    opened, compression = {}, "none"

    def __init__(self, lake, *texts, null=r"\N"):
        self.null, self._lake = null, lake
        entries = []
        for number, text in enumerate(texts):
            lake.put(f"part-{number}.csv", text.encode())
            entries.append({"url": f"{lake.url}/part-{number}.csv", "mandatory": True})
        lake.put("manifest.json", json.dumps({"entries": entries}).encode())

    def listed(self):
        return f"{self._lake.url}/manifest.json"


def copy(db, parts, table="public.t", columns=("id", "v")):
    heard = []
    return db.copy(table, columns, parts, heard.append), heard


def test_copy_counts_as_the_server_does(db, lake):
    assert copy(db, Listed(lake, '1,"a"\n2,\\N\n', '3,""\n', "")) == (3, [3])
    assert db.query("SELECT id, v FROM t ORDER BY id") == [(1, "a"), (2, None), (3, "")]


def test_values_that_look_like_null_have_another_token(db, lake):
    assert copy(db, Listed(lake, "1,\\N\n2,\\N1\n", null=r"\N1"))[0] == 2
    assert db.query("SELECT id, v FROM t ORDER BY id") == [(1, r"\N"), (2, None)]


def test_texts_that_look_like_null_arrive(sales, warehouse):
    load("fact_sale", "sale_id|price|note\n1|1.00|\\N\n2|2.00|NULL", date=2)
    assert warehouse.query("SELECT note FROM fact_sale ORDER BY sale_id") == [(r"\N",), (None,)]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("INTEGER", "s3cret", r"\(int4\): Invalid digit, \(1 characters\), Pos 0, Type: Integer \(error 1207\)"),
        ("VARCHAR(3)", "s3cret", r"\(varchar\): .*length.* \(error 1204\)"),
        ("DATE", "s3cret", r"\(date\): .* \(error 120\d\)"),
        ("BOOLEAN", "s3cret", r"\(bool\): .* \(error 12\d\d\)"),
    ],
)
def test_a_bad_value_is_placed_and_not_shown(db, lake, kind, value, said):
    db.execute(f'CREATE TABLE public.v (id INTEGER, "the value" {kind})')
    with pytest.raises(DataError) as failure:
        copy(db, Listed(lake, "1,\\N\n", f'1,\\N\n2,"{value}"\n'), table="public.v", columns=("id", "the value"))
    assert re.fullmatch(rf"{lake.url}/part-1\.csv, line 2, column the value {said}", str(failure.value))
    assert value not in str(failure.value)


def test_load_errors_are_found_where_the_newer_view_is_not(db, lake, warehouse):
    warehouse.query("REVOKE ALL ON redshift.sys_load_error_detail FROM PUBLIC")
    with pytest.raises(
        DataError, match=rf"^{lake.url}/part-0\.csv, line 1, column id \(int4\): Invalid digit.*1207\)$"
    ):
        copy(db, Listed(lake, "x,a\n"))


def test_a_lake_that_the_cluster_may_not_read_says_what_to_grant(sales, warehouse, lake):
    task = today()
    with fault(warehouse, "s3 access denied"):
        message = refused(task, WarehouseError)
    assert "may not read s3://" in message and "Access Denied" in message
    assert message.endswith(
        "let the role of [warehouse] iam_role do s3:GetObject and s3:ListBucket there: docs/redshift.md"
    )
    is_yesterdays(warehouse)


def test_a_part_of_another_size_is_refused_before_anything_is_copied(sales, warehouse, lake, redshift):
    task = today()
    (part,) = lake.keys("ExtractDrawn/date=2014-02-02/20")
    size = len(lake.get(part))
    lake.put(part, lake.get(part) + b"x")
    assert refused(task, LakeError) == (
        f"public.fact_sale: {lake.url}/{part}: was written with {size} bytes and has {size + 1} now; "
        f"delete the manifest and extract again"
    )
    copies = [line for line in redshift.logged() if line["statement"].startswith("COPY") and lake.url in str(line)]
    assert len(copies) == 1
    is_yesterdays(warehouse)


def test_rejected_rows_come_by_a_list_of_their_own(sales, warehouse, lake):
    extract = extractor(f"{TODAY}\n4|4.00|x\0y")
    extract.on_loss = {"note": "quarantine"}
    night(type("LoadDrawn", (loader("fact_sale"),), {"extractor": extract})(date=day(2)))
    drawn.shows(warehouse, "fact_sale", TODAY)
    ((row,),) = warehouse.query("SELECT source_row FROM etl.quarantine")
    assert json.loads(row) == {"sale_id": "4", "price": "4.00", "note": "x\0y"}


ARN = "arn:aws:iam::123456789012:role/turnstile"


@pytest.mark.parametrize(("role", "said"), [("default", "IAM_ROLE default"), (ARN, f"IAM_ROLE '{ARN}'")])
def test_the_role_that_reads_the_lake(sales, settings, warehouse, redshift, lake, role, said):
    settings.set("warehouse", "iam_role", role)
    night(loader("fact_sale", TODAY)(date=day(2)))
    copies = [line["statement"] for line in redshift.logged() if line["database"] == warehouse.name]
    assert said in [one for one in copies if one.startswith("COPY")][-1]


def test_what_is_no_role(sales, settings, warehouse):
    task = today()
    settings.set("warehouse", "iam_role", "arn:aws' NOPE")
    assert refused(task, ConfigError) == (
        "public.fact_sale: [warehouse] iam_role = arn:aws' NOPE: write `default`, or a role's ARN"
    )


# What is tried again, and what is not

CONFLICTS = [
    "1023 on commit",
    "conflict with concurrent transaction /^DELETE FROM/",
    "conflict with concurrent transaction /^DROP TABLE/",
]


@pytest.mark.parametrize("armed", CONFLICTS)
def test_a_transaction_that_gives_way_comes_again_and_is_loaded(sales, settings, warehouse, armed):
    task = today()
    settings.set("etl", "retry_seconds", 60)
    with fault(warehouse, armed):
        task.run()
    is_todays(warehouse)


@pytest.mark.parametrize("armed", CONFLICTS)
def test_a_transaction_that_gives_way_publishes_nothing(sales, warehouse, armed):
    task = today()
    with fault(warehouse, armed):
        message = refused(task, Conflict)
    assert message.startswith("warehouse ") and message.endswith("; run again")
    is_yesterdays(warehouse)


def test_a_commit_whose_answer_is_lost_after_it_is_done(sales, warehouse):
    task = today()
    with fault(warehouse, "drop after commit"):
        task.run()
    is_todays(warehouse)


def test_a_commit_that_is_never_heard(sales, warehouse):
    task = today()
    with fault(warehouse, "drop before commit"):
        message = refused(task, WarehouseLost)
    assert message == "public.fact_sale: the connection was lost during COMMIT, and nothing was published; run again"
    is_yesterdays(warehouse)


def test_a_commit_that_is_never_heard_is_made_again(sales, settings, warehouse):
    task = today()
    settings.set("etl", "retry_seconds", 60)
    with fault(warehouse, "drop before commit"):
        task.run()
    is_todays(warehouse)


def test_a_connection_lost_at_commit_leaves_the_question_open(db, warehouse):
    with pytest.raises(CommitUnknown, match="connection lost during COMMIT"), db.locked("public.t"):
        end(warehouse, backend(db))
    db.reconnect()
    assert db.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize("armed", ["disk full", "disk full /^INSERT INTO .public/"])
def test_a_disk_that_is_full_is_told_and_leaves_nothing(sales, warehouse, armed):
    task = today()
    with fault(warehouse, armed):
        message = refused(task, WarehouseError)
    assert "the disk is full (Disk Full); free some space, then run again" in message
    is_yesterdays(warehouse)


# Who reads


@pytest.fixture
def analysts(warehouse):
    """A role of Postgres's behind is a group of Redshift's, and a role."""
    warehouse.query("DROP ROLE IF EXISTS analysts_of_the_test")
    warehouse.query("CREATE ROLE analysts_of_the_test NOLOGIN")
    yield "analysts_of_the_test"
    warehouse.query("DROP OWNED BY analysts_of_the_test")
    warehouse.query("DROP ROLE analysts_of_the_test")


def may_read(warehouse, who):
    asked = (
        "SELECT has_schema_privilege(%s, 'public', 'USAGE') AND has_table_privilege(%s, 'public.fact_sale', 'SELECT')"
    )
    return warehouse.query(asked, (who, who)) == [(True,)]


def test_the_reader_is_a_user(sales, warehouse):
    assert may_read(warehouse, "bi_reader")


@pytest.mark.parametrize("kind", ["group", "role"])
def test_the_reader_is_a_group_or_a_role(nights, settings, warehouse, analysts, kind):
    settings.set("warehouse", "reader", f"{kind} {analysts}")
    nights.table("public.fact_sale", SALES)
    load("fact_sale", YESTERDAY)
    assert may_read(warehouse, analysts)


@pytest.mark.parametrize(
    ("reader", "said"), [("tableau", "user"), ("group tableau", "group"), ("role tableau", "role")]
)
def test_a_reader_that_is_not_there(settings, warehouse, sql, reader, said):
    settings.set("warehouse", "reader", reader)
    with (
        connections.connect("test") as db,
        pytest.raises(WarehouseError, match=f"there is no {said} tableau; create it"),
    ):
        db.ensure_schema("mart", readable=True)


def test_what_is_no_reader(settings, warehouse, sql):
    settings.set("warehouse", "reader", "club tableau")
    with connections.connect("test") as db, pytest.raises(ConfigError, match="reader = club tableau: write a user"):
        db.ensure_schema("mart", readable=True)


# What Redshift's texts and keys are


@pytest.mark.parametrize("strategy", ["replace", "upsert", "append"])
def test_a_blank_at_the_end_of_a_value_is_a_change(nights, warehouse, strategy):
    nights.table("public.fact_sale", SALES)
    extract = extractor("sale_id|price|note\n1|1.00|a\n2|2.00|b")
    blank = extractor("sale_id|price|note\n1|1.00|a\n2|2.00|b")
    blank.rows = lambda self: [("1", "1.00", "a"), ("2", "2.00", "b ")]
    said = {"strategy": strategy, "key": ("sale_id",)}
    night(type("LoadDrawn", (loader("fact_sale"),), {"extractor": extract} | said)(date=day(1)))
    task = type("LoadDrawn", (loader("fact_sale"),), {"extractor": blank} | said)(date=day(2))
    if strategy == "append":
        assert "sale_id" in refused(task, DataError)
        return
    night(task)
    assert warehouse.query("SELECT note || '|' FROM fact_sale ORDER BY sale_id") == [("a|",), ("b |",)]
    assert receipts(warehouse, "public.fact_sale")[1] == (2, 0, 1, 0, 2)


def test_keys_that_differ_by_blanks_at_their_end_are_duplicates(nights, warehouse):
    nights.table("public.dim_city", "code VARCHAR(9) NOT NULL PRIMARY KEY, city VARCHAR(20)")
    extract = extractor("code|city\nx|y")
    extract.rows = lambda self: [("R", "Rome"), ("R ", "Roma"), ("O", "Oslo")]
    task = type("LoadDrawn", (loader("dim_city"),), {"extractor": extract, "key": ("code",)})(date=day(1))
    message = refused(task, DataError)
    assert re.fullmatch(
        r"public\.dim_city: the key \(code\) is not unique: R ? 2 times "
        r"\(to the warehouse blanks at the end are no difference\)",
        message,
    )
    assert stages(warehouse) == []


def test_hints_are_part_of_the_table_that_is_created(nights, warehouse, redshift):
    hints = ("DISTSTYLE KEY", "DISTKEY (sale_id)", "COMPOUND SORTKEY (sale_id)")
    nights.table("public.fact_sale", SALES, *(f"redshift: {hint}" for hint in hints))
    load("fact_sale", YESTERDAY)
    (created,) = [
        line["statement"]
        for line in redshift.logged()
        if line["database"] == warehouse.name and re.match(r"CREATE TABLE \"?public\"?\.", line["statement"])
    ]
    assert created.endswith("DISTSTYLE KEY DISTKEY (sale_id) COMPOUND SORTKEY (sale_id)")


# A table that changes


def test_columns_are_added_one_by_one_with_the_load(db, redshift, warehouse):
    changes = [('ADD COLUMN "a" INTEGER', ()), ('ADD COLUMN "b" VARCHAR(9)', ())]
    with pytest.raises(KeyError), db.locked("public.t"):
        db.alter("public", "t", changes)
        raise KeyError
    assert list(db.columns("public", "t")) == ["id", "v"]
    with db.locked("public.t"):
        db.alter("public", "t", changes)
    assert db.columns("public", "t") == {
        "id": "integer",
        "v": "character varying(20)",
        "a": "integer",
        "b": "character varying(9)",
    }
    said = [line["statement"] for line in redshift.logged() if line["database"] == warehouse.name]
    assert all(one.count("ADD COLUMN") == 1 for one in said if "ADD COLUMN" in one)


def test_a_varchar_grows_outside_of_the_load_which_begins_anew(db):
    anew = pytest.raises(Conflict, match=r"public\.t: columns were widened, and the load begins anew")
    with anew, db.locked("public.t"):
        db.alter("public", "t", [('ALTER COLUMN "v" TYPE VARCHAR(40)', ())])
    assert db.columns("public", "t")["v"] == "character varying(40)"


def test_another_change_of_type_is_a_statement_that_a_person_can_run(db, warehouse):
    db.execute("INSERT INTO public.t VALUES (1, '17'), (2, NULL)")
    statement = db.retyping("public", "t", "v", "BIGINT", "")
    with contextlib.closing(psycopg2.connect(warehouse.url)) as person, person.cursor() as cursor:
        person.autocommit = True
        for one in statement.split("; "):
            cursor.execute(one)
    assert db.columns("public", "t")["v"] == "bigint"
    assert db.query("SELECT id, v FROM public.t ORDER BY id") == [(1, 17), (2, None)]
