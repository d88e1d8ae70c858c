"""The connection: what it sets, what it says when it is refused, locks, COPY, transactions that end in doubt."""

import io
import multiprocessing
import re
import socket
from urllib.parse import urlsplit

import pytest

from etl import config
from etl import warehouse as connections
from etl.errors import ConfigError, DataError, Locked, WarehouseError
from etl.warehouse import CommitUnknown
from tests.conftest import postgres_query
from tests.pipeline import meanwhile, session, until

pytest_plugins = ("tests.nights",)


@pytest.fixture
def db(warehouse, sql):
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        db.execute("CREATE TABLE public.t (id INTEGER PRIMARY KEY, v TEXT)")
        yield db


class Text(io.BytesIO):
    """CSV text as a part."""

    error = None

    @classmethod
    def parts(cls, *texts):
        return {f"part-{number}": lambda text=text: cls(text.encode()) for number, text in enumerate(texts)}


def copy(db, *texts, table="public.t", columns=("id", "v")):
    heard = []
    count = db.copy(table, columns, Text.parts(*texts), r"\N", heard.append)
    return count, sorted(heard)


def setting(db, name):
    return db.query(f"SHOW {name}")[0][0]


def test_every_connection_has_limits_and_a_name(settings, warehouse, sql):
    settings.set("warehouse", "lock_timeout", 7)
    settings.set("warehouse", "statement_timeout", 90)
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        assert setting(db, "lock_timeout") == "7s"
        assert setting(db, "statement_timeout") == "90s"
        assert setting(db, "idle_in_transaction_session_timeout") == "10min"
        assert setting(db, "application_name") == "LoadA 2014-02-03 run-1"
        assert setting(db, "TimeZone") == "UTC"


def refused(settings, url):
    settings.set("warehouse", "url", url.replace("%", "%%"))
    with pytest.raises((WarehouseError, ConfigError)) as failure, connections.connect("test"):
        pass
    return str(failure.value)


def test_a_wrong_password(settings, warehouse, sql):
    parts = urlsplit(warehouse.url)
    said = refused(settings, warehouse.url.replace(parts.password, "Tr0ub4dor"))
    where = f"warehouse {parts.hostname}:{parts.port}{parts.path}"
    assert said == (
        f'{where}: cannot connect: password authentication failed for user "etl_load"; '
        f"mend the password in [warehouse] url"
    )


def test_no_server(settings, sql):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = refused(settings, f"postgresql://etl_load:Tr0ub4dor@127.0.0.1:{taken.getsockname()[1]}/w")
    assert re.fullmatch(
        r"warehouse 127\.0\.0\.1:\d+/w: cannot connect: Connection refused; "
        r"is the server up, and \[warehouse\] url right\?",
        said,
    )


def test_no_database(settings, warehouse, sql):
    said = refused(settings, warehouse.url + "_not")
    assert said.endswith(f'database "{warehouse.name}_not" does not exist; create it, or mend [warehouse] url')


def test_what_is_no_url_is_not_repeated(settings, sql):
    assert refused(settings, "host=h password=Tr0ub4dor") == (
        "[warehouse] url is no URL; write postgresql://user:…@host/db"
    )


@pytest.mark.parametrize("rest", ["Tr0ub%zz4dor@127.0.0.1:1/w", "Tr0ub4dor@127.0.0.1:port/w", "Tr0ub4dor@[::1/w"])
def test_a_url_that_cannot_be_read_is_not_repeated(settings, sql, rest):
    said = refused(settings, f"postgresql://etl_load:{rest}")
    assert said.startswith("[warehouse] url: cannot be read") and "Tr0ub" not in said


def test_another_kind_of_database(settings, sql):
    assert refused(settings, "mysql://a:Tr0ub4dor@b/c") == (
        "[warehouse] url begins with mysql://; write postgresql://user:…@host/db"
    )


def test_no_role_for_the_analysts(settings, warehouse, sql):
    settings.set("warehouse", "reader", "tableau")
    with connections.connect("test") as db, pytest.raises(WarehouseError, match="there is no role tableau; create it"):
        db.ensure_schema("mart", readable=True)


def test_a_statement_that_is_wrong_is_shown_where_it_is(db):
    with pytest.raises(WarehouseError, match=r'^relation "raw\.nothing" does not exist, near: raw\.nothing$'):
        db.columns_of("SELECT 1\nFROM raw.nothing\n  WHERE x")


def test_a_right_that_is_missing_says_who_needs_it(db, warehouse):
    warehouse.query("CREATE TABLE public.theirs (a INTEGER)")
    with pytest.raises(WarehouseError, match="permission denied for table theirs; grant it to etl_load"):
        db.query("SELECT * FROM public.theirs")


def test_a_statement_that_takes_too_long_names_the_setting(settings, warehouse, sql):
    settings.set("warehouse", "statement_timeout", 1)
    with (
        connections.connect("test") as db,
        pytest.raises(WarehouseError, match=r"\[warehouse\] statement_timeout is 1 s"),
    ):
        db.query("SELECT pg_sleep(30)")


def test_a_deadlock_is_not_called_a_lost_connection(db, warehouse):
    db.execute("INSERT INTO t VALUES (1), (2)")
    with connections.connect("other") as other:

        def second():
            with other.transaction():
                other.execute("UPDATE t SET v = 'b' WHERE id = 2")
                locked.append(True)
                until(lambda: waiting)
                other.execute("UPDATE t SET v = 'b' WHERE id = 1")

        locked, waiting, raised = [], [], []
        with meanwhile(second) as theirs:
            try:
                with db.transaction():
                    db.execute("UPDATE t SET v = 'a' WHERE id = 1")
                    until(lambda: locked)
                    waiting.append(True)
                    db.execute("UPDATE t SET v = 'a' WHERE id = 2")
            except WarehouseError as error:
                raised.append(error)
    (error,) = raised + theirs
    assert "deadlock detected" in str(error) and "connection" not in str(error)


def test_columns_of_a_select_without_running_it(db):
    assert db.columns_of("SELECT 1 AS a, 'x'::varchar(3) AS b, pg_sleep(60)::text AS c -- end") == [
        ("a", "integer"),
        ("b", "character varying"),
        ("c", "text"),
    ]


def test_a_transaction_is_all_or_nothing_and_raises_what_was_raised(db):
    with pytest.raises(KeyboardInterrupt), db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
        raise KeyboardInterrupt
    assert db.query("SELECT * FROM t") == []
    with db.transaction():
        db.execute("INSERT INTO t VALUES (2)")
    assert db.query("SELECT id FROM t") == [(2,)]


def test_a_connection_lost_at_commit_leaves_the_question_open(db, warehouse):
    with pytest.raises(CommitUnknown, match="connection lost during COMMIT"), db.transaction():
        (pid,) = db.query("SELECT pg_backend_pid()")[0]
        warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    db.reconnect()
    assert db.query("SELECT 1") == [(1,)]


def test_a_commit_that_is_refused_leaves_none(db):
    """The server answered: nothing was committed, and the connection is as good as before."""
    db.execute("CREATE TABLE u (id INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(DataError, match="foreign key"), db.transaction():
        db.execute("INSERT INTO u VALUES (1)")
    assert db.query("SELECT * FROM u") == []


def test_reconnecting_ends_the_old_session_and_its_locks(db, warehouse):
    with db.locked("public.t"):
        db.reconnect()
        with connections.connect("other") as other, other.locked("public.t"):
            pass


def test_a_lock_says_who_holds_it(db, settings, warehouse):
    settings.set("warehouse", "lock_timeout", 1)
    with db.locked("public.t"), connections.connect("other") as other:
        with pytest.raises(Locked) as failure, other.locked("public.t"):
            pass
        with other.locked("public.u"):
            pass
    assert re.fullmatch(
        r"public\.t: waited 1 s for LoadA 2014-02-03 run-1 from 127\.0\.0\.1, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; "
        r"wait until it is done, then run again",
        str(failure.value),
    )


def test_a_lock_ends_with_its_block_and_with_its_session(db, warehouse):
    with pytest.raises(KeyError), db.locked("public.t"):
        raise KeyError
    with connections.connect("other") as other, other.locked("public.t"):
        (pid,) = other.query("SELECT pg_backend_pid()")[0]
        warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with db.locked("public.t"):
            pass


def test_copy_counts_as_the_server_does(db):
    assert copy(db, '1,"a"\n2,\\N\n', '3,"\\N"\n4,""\n', "") == (4, [0, 2, 2])
    assert db.query("SELECT id, v FROM t ORDER BY id") == [(1, "a"), (2, None), (3, r"\N"), (4, "")]


@pytest.mark.parametrize("copies", [0, 1, 2, 5])
def test_copy_takes_every_part_over_any_number_of_connections(db, settings, copies):
    settings.set("warehouse", "copies", copies)
    with connections.connect("test") as db:
        assert copy(db, *(f'{number},"x"\n' for number in range(7))) == (7, [1] * 7)


def test_a_hint_of_copys_makes_no_difference_to_what_is_a_column(db):
    db.execute('CREATE TABLE public.odd ("order" INTEGER, "a ""b" TEXT)')
    assert copy(db, '1,"x"\n', table="public.odd", columns=("order", 'a "b')) == (1, [1])


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("INTEGER", "s3cret", "invalid input syntax for type integer: (6 characters)"),
        ("INTEGER", 's3"cret', "invalid input syntax for type integer: (7 characters)"),
        ("INTEGER", "12345678901", "value (11 characters) is out of range for type integer"),
        ("DOUBLE PRECISION", "1e999", "(5 characters) is out of range for type double precision"),
        ("DATE", "2014-02-30", "date/time field value out of range: (10 characters)"),
        ("TIMESTAMPTZ", "2014-02-03 Nowhere/Secret", "time zone (14 characters) not recognized"),
        ("VARCHAR(3)", "s3cret", "value too long for type character varying(3)"),
        ("NUMERIC(4,2)", "1234", "numeric field overflow"),
        ("BOOLEAN", "s3cret", "invalid input syntax for type boolean: (6 characters)"),
    ],
)
def test_a_bad_value_is_placed_and_not_shown(db, kind, value, said):
    db.execute(f'CREATE TABLE public.v (id INTEGER, "the value" {kind})')
    quoted = value.replace('"', '""')
    with pytest.raises(DataError) as failure:
        copy(db, f'1,\\N\n2,"{quoted}"\n', table="public.v", columns=("id", "the value"))
    assert str(failure.value) == f"part-0, line 2, column the value: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n", 'line 1: missing data for column "v"'),
        ("1,a,b\n", "line 1: extra data after last expected column"),
        ("\\N,a\n", 'line 1: null value in column "id" of relation "t" violates not-null constraint'),
        ('1,"a\n', "line 1: unterminated CSV quoted field"),
        ("1,a\n1,b\n", 'line 2: duplicate key value violates unique constraint "t_pkey"'),
    ],
)
def test_a_bad_line_is_placed(db, text, said):
    with pytest.raises(DataError) as failure:
        copy(db, text)
    assert str(failure.value) == f"part-0, {said}"


def test_bytes_that_are_no_text_are_placed(db):
    with pytest.raises(DataError, match=r'^part-0, line 1: invalid byte sequence for encoding "UTF8": 0xff$'):
        db.copy("public.t", ("id", "v"), {"part-0": lambda: Text(b"1,\xff\n")}, r"\N", lambda rows: None)


def test_a_copy_that_is_cut_off_is_a_lost_connection(db, warehouse):
    class Cut(Text):
        def read(self, size=-1):
            warehouse.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'COPY public.t%'"
            )
            return super().read(size)

    with pytest.raises(WarehouseError, match=r"connection lost \(.*\); run again when it answers"):
        db.copy("public.t", ("id", "v"), {"part-0": lambda: Cut(b"1,a\n" * 100_000)}, r"\N", lambda rows: None)


def test_the_first_failure_stops_the_other_parts(db, settings):
    settings.set("warehouse", "copies", 1)
    with connections.connect("test") as db, pytest.raises(DataError, match=r"^part-1"):
        copy(db, "1,a\n", "x,a\n", "y,b\n")
    assert db.closed or db.query("SELECT id FROM t") == [(1,)]


def test_a_small_copy_needs_no_other_connection(db, warehouse):
    class Watched(Text):
        def read(self, size=-1):
            at_work.update(
                warehouse.query(
                    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY public.t%' AND state = 'active'"
                )
            )
            return super().read(size)

    at_work = set()
    assert db.copy("public.t", ("id", "v"), {"part-0": lambda: Watched(b"1,a\n")}, r"\N", lambda rows: None) == 1
    assert at_work == set(db.query("SELECT pg_backend_pid()"))


def backend(db):
    return db.query("SELECT pg_backend_pid()")[0][0]


def test_a_session_is_used_again_and_is_as_good_as_new(warehouse, sql):
    with connections.connect("LoadA") as db:
        first = backend(db)
        db.query("SELECT pg_advisory_lock(1)")
        db.execute("CREATE TEMPORARY TABLE left_over (a INTEGER)")
    with connections.connect("LoadB") as db:
        assert backend(db) == first
        assert setting(db, "application_name") == "LoadB"
        assert db.query("SELECT to_regclass('left_over')") == [(None,)]
        assert db.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s", (first,)) == [(0,)]


def test_two_at_once_have_a_session_each(warehouse, sql):
    with connections.connect("LoadA") as one, connections.connect("LoadB") as other:
        assert backend(one) != backend(other)


def test_what_failed_leaves_its_session_to_nobody(warehouse, sql):
    with pytest.raises(KeyError), connections.connect("LoadA") as db:
        first = backend(db)
        raise KeyError
    with connections.connect("LoadB") as db:
        assert backend(db) != first


def test_a_session_of_other_settings_is_not_used_again(settings, warehouse, sql):
    with connections.connect("LoadA") as db:
        first = backend(db)
    settings.set("warehouse", "statement_timeout", 90)
    with connections.connect("LoadB") as db:
        assert backend(db) != first
        assert setting(db, "statement_timeout") == "90s"


def test_a_session_that_the_server_has_ended_is_replaced(warehouse, sql):
    with connections.connect("LoadA") as db:
        first = backend(db)
    warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (first,))
    with connections.connect("LoadB") as db:
        assert backend(db) != first


def test_a_forked_worker_leaves_its_parents_session_alone(warehouse, sql):
    with connections.connect("LoadA") as db:
        first = backend(db)
    fork = multiprocessing.get_context("fork")
    theirs = fork.SimpleQueue()

    def work():
        with connections.connect("LoadB") as db:
            theirs.put(backend(db))

    worker = fork.Process(target=work)
    worker.start()
    assert theirs.get() != first
    worker.join(30)
    assert worker.exitcode == 0
    with connections.connect("LoadC") as db:
        assert backend(db) == first


def test_the_shared_connection_is_one_a_process(warehouse, sql):
    assert connections.shared() is connections.shared()
    assert connections.shared().settings == config.warehouse()


def test_readers_see_nothing_of_a_lock(db, warehouse):
    postgres_query(warehouse.admin_url, "GRANT SELECT ON t TO bi_reader")
    with db.locked("public.t"), session(warehouse.reader_url, "SET lock_timeout = '1s'", "SELECT * FROM t") as reader:
        assert reader.fetchall() == []
