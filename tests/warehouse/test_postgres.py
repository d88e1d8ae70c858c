"""The connection: what it sets, what it says when it is refused, locks, COPY, transactions that end in doubt."""

import contextlib
import io
import multiprocessing
import re
import socket
import threading
from urllib.parse import urlsplit

import pytest

from etl import config
from etl import warehouse as connections
from etl.errors import ConfigError, Conflict, DataError, Locked, Transient, WarehouseError, WarehouseLost
from etl.testing import postgres_query
from etl.warehouse import CommitUnknown
from etl.warehouse.sessions import holder
from tests.pipeline import busy, meanwhile, session, until

pytestmark = pytest.mark.engines("postgres", reason="its own module")
pytest_plugins = ("tests.nights",)


@pytest.fixture
def db(warehouse, sql):
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        db.execute("CREATE TABLE public.t (id INTEGER PRIMARY KEY, v TEXT)")
        yield db


class Text(io.BytesIO):
    """CSV text as a part."""

    error = None


class Texts:
    """Parts as an engine takes them, by what opens each."""

    null = r"\N"

    def __init__(self, *opened):
        self.opened = {f"part-{number}": one for number, one in enumerate(opened)}

    @classmethod
    def of(cls, *texts):
        return cls(*(lambda text=text: Text(text.encode()) for text in texts))


def copy(db, *texts, table="public.t", columns=("id", "v")):
    heard = []
    count = db.copy(table, columns, Texts.of(*texts), heard.append)
    return count, sorted(heard)


def backend(db):
    return db.query("SELECT pg_backend_pid()")[0][0]


def end(warehouse, pid):
    warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def setting(db, name):
    return db.query(f"SHOW {name}")[0][0]


def test_every_connection_has_limits_and_a_name(settings, warehouse, sql):
    settings.set("warehouse", "lock_timeout", 7)
    settings.set("warehouse", "statement_timeout", 90)
    with connections.connect("LoadA 2014-02-03 run-1") as db:
        assert setting(db, "lock_timeout") == "7s"
        assert setting(db, "statement_timeout") == "90s"
        assert setting(db, "idle_in_transaction_session_timeout") == "10s"
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
        "[warehouse] url is no URL; write postgresql://user:…@host/db or redshift://…"
    )


@pytest.mark.parametrize("rest", ["Tr0ub%zz4dor@127.0.0.1:1/w", "Tr0ub4dor@127.0.0.1:port/w", "Tr0ub4dor@[::1/w"])
def test_a_url_that_cannot_be_read_is_not_repeated(settings, sql, rest):
    said = refused(settings, f"postgresql://etl_load:{rest}")
    assert said.startswith("[warehouse] url: cannot be read") and "Tr0ub" not in said


def test_another_kind_of_database(settings, sql):
    assert refused(settings, "mysql://a:Tr0ub4dor@b/c") == (
        "[warehouse] url begins with mysql://; write postgresql://user:…@host/db or redshift://…"
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
            except Conflict as error:
                raised.append(error)
    (error,) = raised + theirs
    assert isinstance(error, Conflict)
    assert "deadlock detected" in str(error) and "connection" not in str(error)


def test_a_transaction_that_gives_way_to_another_may_come_again(db, warehouse):
    db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(Conflict, match="could not serialize access"), db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.query("SELECT * FROM t")
        warehouse.query("UPDATE t SET v = 'b'")
        db.execute("UPDATE t SET v = 'a'")


def test_a_server_that_only_lets_itself_be_read(db):
    standby = r"read-only transaction; it is a standby .* name the primary"
    with pytest.raises(WarehouseError, match=standby) as failure, db.transaction():
        db.execute("SET TRANSACTION READ ONLY")
        db.execute("INSERT INTO t VALUES (1)")
    assert not isinstance(failure.value, Transient)


def test_too_many_sessions_may_be_fewer_later(db, warehouse, settings):
    warehouse.query(f"ALTER DATABASE {warehouse.name} CONNECTION LIMIT 1")
    with pytest.raises(WarehouseLost, match="cannot connect: too many connections"), connections.connect("second"):
        pass


def test_a_server_that_is_not_there_may_be_later(settings, sql):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.set("warehouse", "url", f"postgresql://etl_load:x@127.0.0.1:{taken.getsockname()[1]}/w")
        with pytest.raises(WarehouseLost), connections.connect("test"):
            pass


def test_a_wrong_password_stays_wrong(settings, warehouse, sql):
    settings.set("warehouse", "url", warehouse.url.replace(urlsplit(warehouse.url).password, "Tr0ub4dor"))
    with pytest.raises(WarehouseError) as failure, connections.connect("test"):
        pass
    assert not isinstance(failure.value, Transient)


def test_a_session_that_is_ended_is_lost(db, warehouse):
    end(warehouse, backend(db))
    with pytest.raises(WarehouseLost, match="connection lost"):
        db.query("SELECT 1")
    with pytest.raises(WarehouseLost, match="connection lost"):
        db.query("SELECT 1")


def test_a_transaction_in_which_nothing_happens_is_ended(db):
    """As that of a process that has stopped is: the rows that it has locked are others' again."""
    with pytest.raises(WarehouseLost, match="connection lost"), db.transaction():
        db.execute("SET idle_in_transaction_session_timeout = 1")
        until(lambda: db.ended)
        db.query("SELECT 1")


def test_columns_of_a_select_without_running_it(db):
    assert db.columns_of("SELECT 1 AS a, 'x'::varchar(3) AS b, pg_sleep(60)::text AS c -- end") == {
        "a": "integer",
        "b": "character varying",
        "c": "text",
    }


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
    with db.locked("public.t"), connections.connect("other") as other, busy(db, warehouse.admin_url):
        with pytest.raises(Locked) as failure, other.locked("public.t"):
            pass
        with other.locked("public.u"):
            pass
    assert re.fullmatch(
        r"public\.t: waited 1 s for LoadA 2014-02-03 run-1 from 127\.0\.0\.1, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; "
        r"wait until it is done, then run again",
        str(failure.value),
    )


def test_a_lock_says_who_holds_it_and_that_includes_a_superuser(settings, warehouse, sql):
    """Whose session is not ours to end."""
    settings.set("warehouse", "lock_timeout", 1)
    lock = "SELECT pg_advisory_lock(hashtextextended('public.t', 20140203))"
    with (
        session(warehouse.admin_url, "SET application_name = 'somebody'", lock),
        connections.connect("A") as db,
        pytest.raises(Locked, match=r"public\.t: waited 1 s for somebody"),
        db.locked("public.t"),
    ):
        pass


def test_a_lock_is_of_one_database(settings, postgres, warehouse, sql):
    """The server numbers its locks by database, and shows those of all."""
    lock = "SELECT pg_advisory_lock(hashtextextended('public.t', 20140203))"
    elsewhere = postgres.url("postgres", "postgres")
    with session(elsewhere, lock), connections.connect("A") as db, db.locked("public.t"):
        assert [held.application for held in holder(db.query, "public.t")] == ["A"]


def test_a_holder_that_does_nothing_loses_its_lock_and_its_session(db, settings, caplog):
    settings.set("warehouse", "lock_timeout", 1)
    with (
        pytest.raises(WarehouseLost),
        db.locked("public.t"),
        connections.connect("other") as other,
        other.locked("public.t"),
    ):
        db.query("SELECT 1")
    assert re.search(
        r"public\.t: waited 1 s for LoadA .*, which did nothing all the time; its session was ended", caplog.text
    )


class Gated(Text):
    """Text that goes on until the event is set; in the meantime it flows, or stands still."""

    def __init__(self, gate, flows):
        super().__init__()
        self.gate, self.flows, self.rows = gate, flows, 0

    def read(self, size=-1):
        if self.gate.wait(0.05 if self.flows else 30):
            return b""
        lines = [f'{self.rows + number},"{"x" * 1000}"\n' for number in range(100)]
        self.rows += len(lines)
        return "".join(lines).encode()


def take(target, gate):
    """Wait for a lock as another load; True when it was had, False when its holder was at work."""
    try:
        with connections.connect("other") as other, other.locked(target):
            return True
    except Locked:
        return False
    finally:
        gate.set()


@pytest.mark.parametrize("flows", [True, False])
def test_a_holder_that_copies_is_at_work_as_long_as_rows_come(settings, warehouse, sql, flows):
    """One of its two sessions has done its share, and waits for the other."""
    settings.set("warehouse", "lock_timeout", 1)
    gate, taken = threading.Event(), []
    with connections.connect("LoadA") as db:
        db.execute("CREATE TABLE public.t (id INTEGER PRIMARY KEY, v TEXT)")
        parts = Texts(lambda: Gated(gate, flows), lambda: Text(b""))
        outcome = contextlib.nullcontext() if flows else pytest.raises(WarehouseLost, match="connection lost")

        def other():
            states = "SELECT state FROM pg_stat_activity WHERE query LIKE 'COPY public.t%' ORDER BY 1"
            until(lambda: warehouse.query(states) == [("active",), ("idle",)])
            taken.append(take("public.t", gate))

        with outcome, db.locked("public.t"), meanwhile(other):
            db.copy("public.t", ("id", "v"), parts, lambda rows: None)
        assert taken == [not flows]
        assert db.ended is not flows


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


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_copy_takes_every_part_over_any_number_of_connections(db, settings, number):
    settings.set("warehouse", "copies", number)
    with connections.connect("test") as db:
        assert copy(db, *(f'{part},"x"\n' for part in range(7))) == (7, [1] * 7)


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
        db.copy("public.t", ("id", "v"), Texts(lambda: Text(b"1,\xff\n")), lambda rows: None)


def test_a_copy_that_is_cut_off_is_a_lost_connection(db, warehouse):
    class Cut(Text):
        def read(self, size=-1):
            warehouse.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'COPY public.t%'"
            )
            return super().read(size)

    with pytest.raises(WarehouseError, match=r"connection lost \(.*\); run again when it answers"):
        db.copy("public.t", ("id", "v"), Texts(lambda: Cut(b"1,a\n" * 100_000)), lambda rows: None)


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
    assert db.copy("public.t", ("id", "v"), Texts(lambda: Watched(b"1,a\n")), lambda rows: None) == 1
    assert at_work == set(db.query("SELECT pg_backend_pid()"))


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


def test_a_statement_that_waits_in_vain_says_for_whom(db, settings, warehouse):
    db.execute("SET lock_timeout = '100ms'")
    warehouse.query("GRANT SELECT ON t TO bi_reader")
    reading = "SELECT v FROM t WHERE v = 's3cret''s' OR id = 1"
    with session(warehouse.reader_url, "SET application_name = 'DBeaver'", reading):
        ((pid, since),) = warehouse.query(
            "SELECT pid, to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM pg_stat_activity "
            "WHERE application_name = 'DBeaver'"
        )
        with pytest.raises(Locked) as failure:
            db.execute("ALTER TABLE public.t ADD COLUMN w TEXT")
        assert db.holders("public", "t") == [
            f"t by session {pid} of bi_reader (DBeaver), since {since}: SELECT v FROM t WHERE v = '…' OR id = 1"
        ]
        # Readers are in no writer's way.
        db.execute("UPDATE public.t SET v = 'x'")
    assert "s3cret" not in str(failure.value)
    assert f"held: t by session {pid} of bi_reader (DBeaver), since {since}: SELECT v" in str(failure.value)
    assert str(failure.value).endswith("or end them by pg_terminate_backend(session); then run again")
    assert db.holders("public", "t") == []


def test_a_row_that_is_waited_for_in_vain(db, warehouse):
    """Also where the server tells us nothing of others' sessions, and in a transaction that has failed."""
    warehouse.query("INSERT INTO t VALUES (1)")
    warehouse.query("REVOKE pg_read_all_stats FROM etl_load")
    warehouse.query("GRANT SELECT ON t TO bi_reader")
    # Who is in no writer's way.
    reader = session(warehouse.reader_url, "SELECT * FROM t")
    by_hand = session(warehouse.admin_url, "SET application_name = 'by hand'", "UPDATE t SET v = 'theirs'")
    said = r"held: t by session \d+ of postgres \(by hand\)\. Wait"
    try:
        with reader, by_hand, pytest.raises(Locked, match=said), db.transaction():
            db.execute("SET lock_timeout = '100ms'")
            db.execute("UPDATE public.t SET v = 'ours'")
    finally:
        warehouse.query("GRANT pg_read_all_stats TO etl_load")


def test_a_shared_session_that_was_ended_is_replaced(warehouse, sql):
    shared = connections.shared()
    end(warehouse, backend(shared))
    assert connections.shared().query("SELECT 1") == [(1,)]


def test_readers_see_nothing_of_a_lock(db, warehouse):
    postgres_query(warehouse.admin_url, "GRANT SELECT ON t TO bi_reader")
    with db.locked("public.t"), session(warehouse.reader_url, "SET lock_timeout = '1s'", "SELECT * FROM t") as reader:
        assert reader.fetchall() == []
