"""Every fault of the list, thrown at a night of three loads; and what must hold after it, whatever it was.

The faults of TIMING come at a random moment: a byte of the traffic with a server, the nth request to the lake, the
nth statement at the warehouse. A seed names the moment; `make test` tries one a fault, `make exam` twenty more.
"""

import contextlib
import dataclasses
import functools
import random
import re
import signal
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import libfaketime
import pytest

from etl.testing import postgres_query
from etl.warehouse.redshift import lock_table
from tests.faults import night, s3
from tests.faults.cut import DAY, NEXT, NIGHT, PAGES, SCANS, Cut, a_day_passes, open_shop
from tests.faults.invariants import (
    Undisturbed,
    check_markers,
    check_mended,
    check_said,
    check_secrets,
    check_sights,
    check_source,
)
from tests.faults.server_errors import arm, count_statements, counted, sent, stop_counting, tell
from tests.faults.table import ELSEWHERE, MENDED, SURVIVED
from tests.faults.tcp import TO_CLIENT, TO_SERVER, Action, Connection, TcpProxy
from tests.faults.watch import look, watched
from tests.marketplace import ROOT, House, checksums, killed_at_the_end
from tests.redshift.server import RedshiftEmulator

pytest_plugins = ("tests.faults.cut",)

EXAM = 20
# The longest that a night is waited for, and what happens in the moment in which one ends.
SECONDS, SOON = 90, 5


@dataclasses.dataclass(frozen=True)
class Stage:
    """The house as the night finds it, what a night makes of it that nothing happens to, and what crosses each wire."""

    cut: Cut
    evening: House
    expected: Undisturbed
    traffic: dict[str, dict[str, int]]
    requests: Counter[str]
    statements: int
    commits: int

    def house(self, rng: random.Random | None = None, **settings: dict[str, str]) -> House:
        """Another house on that evening. By chance its loads try again at once, or leave that to the next night."""
        self.cut.clear()
        patience = rng.choice(("0", "2")) if rng else "0"
        return self.cut.house(self.evening, etl={"retry_seconds": patience}, **settings)


@pytest.fixture(scope="module")
def stage(cut: Cut) -> Stage:
    open_shop(cut.shop)
    evening = cut.house()
    assert night.start(evening, NIGHT, DAY).wait(SECONDS) == 0, evening.log.read_text()
    evening.query("UPDATE etl.watermarks SET extracted_at = extracted_at - INTERVAL '1 day'")
    a_day_passes(cut.shop)
    house = cut.house(evening)
    before = look(house.database)
    if isinstance(cut.server, RedshiftEmulator):
        tell(house, "")
    else:
        count_statements(house)
    cut.clear()
    assert night.start(house, NIGHT, NEXT).wait(SECONDS) == 0, house.log.read_text()
    traffic, requests = {name: dict(proxy.crossed) for name, proxy in cut.proxies.items()}, Counter(cut.s3.seen)
    if isinstance(cut.server, RedshiftEmulator):
        statements, commits = sent(cut.server, house), sent(cut.server, house, commits=True)
    else:
        statements, commits = counted(house), 0
        stop_counting(house)
    check_source(cut, house)
    expected = Undisturbed.of(before, house)
    assert all(before.tables[table] != after for table, after in expected.after.tables.items())
    return Stage(cut, evening, expected, traffic, requests, statements, commits)


# ---- moments


@dataclasses.dataclass
class Injection:
    """One fault at one moment. The command under test is `command` once it has been started."""

    stage: Stage
    house: House
    rng: random.Random
    command: Future[night.Command] = dataclasses.field(default_factory=Future)
    task: str = NIGHT

    @property
    def cut(self) -> Cut:
        return self.stage.cut

    def at_a_byte(self, action: Action, *wires: str, directions: tuple[str, ...] = (TO_SERVER, TO_CLIENT)) -> TcpProxy:
        """Do it at any byte of what the command says to one of the servers, or is told by it."""
        wire, direction = self.rng.choice(wires), self.rng.choice(directions)
        proxy = self.cut.proxies[wire]
        proxy.at(direction, self.rng.randrange(self.stage.traffic[wire][direction]), action)
        return proxy

    def at_a_request(self, fault: s3.Fault, *operations: str, times: int = 1) -> None:
        """Answer any request of the kinds so, all of them being equally likely."""
        asked = [name for name, count in sorted(self.stage.requests.items()) for _ in range(count)]
        operation = self.rng.choice([name for name in asked if not operations or name in operations])
        self.cut.s3.answer(operation, self.rng.randint(1, self.stage.requests[operation]), fault, times)

    def run(self, room: int | None = None) -> int:
        return self.start(room).wait(SECONDS)

    def start(self, room: int | None = None) -> night.Command:
        self.command.set_result(night.start(self.house, self.task, NEXT, workers=self.rng.choice((1, 2)), room=room))
        return self.command.result()

    def signal(self, number: int) -> Action:
        return lambda connection: self.command.result().signal(number)


Fault = Callable[[Injection], int]


def killed(injection: Injection) -> int:
    proxy = injection.at_a_byte(injection.signal(signal.SIGKILL), "mysql", "warehouse", "lake")
    code = injection.run()
    assert proxy.fired.wait(SOON) and code == -signal.SIGKILL
    return code


def terminated(injection: Injection) -> int:
    proxy = injection.at_a_byte(injection.signal(signal.SIGTERM), "mysql", "warehouse", "lake")
    code = injection.run()
    assert proxy.fired.wait(SOON) and code == -signal.SIGTERM
    return code


def stopped(injection: Injection) -> int:
    """A second night comes while the first stands still; then the first goes on."""
    proxy = injection.at_a_byte(injection.signal(signal.SIGSTOP), "mysql", "warehouse", "lake")
    first = injection.start()
    with first.ended():
        assert proxy.fired.wait(SECONDS)
        other = another_host(injection, warehouse={"lock_timeout": "1"})
        second = night.start(other, NIGHT, NEXT).wait(SECONDS)
        check_said_where_it_failed(other, second)
        first.signal(signal.SIGCONT)
        return first.wait(SECONDS)


def refused_by_the_lake(injection: Injection) -> int:
    answer = injection.rng.choice((s3.refusal(500, "InternalError"), s3.refusal(503, "SlowDown")))
    injection.at_a_request(answer, times=injection.rng.choice((1, 2, 4, 30)))
    code = injection.run()
    assert injection.cut.s3.fired.wait(SOON)
    return code


def broken_off_by_the_lake(injection: Injection) -> int:
    rng, cut = injection.rng, injection.cut
    if rng.random() < 0.5:
        proxy = injection.at_a_byte(rng.choice((Connection.cut, Connection.reset)), "lake")
        code = injection.run()
        assert proxy.fired.wait(SOON)
        return code
    fault, operations = rng.choice(
        (
            (s3.broken_body(rng.random()), ("GetObject",)),
            (s3.dripping(20, 0.02), ("GetObject", "ListObjects")),
            (s3.lost_request, ()),
        )
    )
    injection.at_a_request(fault, *operations, times=rng.choice((1, 3)))
    code = injection.run()
    assert cut.s3.fired.wait(SOON)
    return code


def unsure_of_a_write(injection: Injection) -> int:
    """The lake has taken an object, or part of one, and the client never hears; or it hears 200 and an error in it."""
    rng, cut = injection.rng, injection.cut
    if rng.random() < 0.5:
        injection.at_a_request(s3.lost_answer, "PutObject", times=rng.choice((1, 2)))
        code = injection.run()
        assert cut.s3.fired.wait(SOON)
        return code
    fault = rng.choice((s3.lost_answer, s3.refusal(200, "InternalError"), s3.refusal(500, "InternalError")))
    operation = rng.choice(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"))
    cut.s3.answer(operation, 1, fault if operation == "CompleteMultipartUpload" else s3.lost_answer)
    injection.task = SCANS
    code = injection.run()
    assert cut.s3.fired.wait(SOON)
    return code


def altered_in_the_lake(injection: Injection) -> int:
    rng = injection.rng
    fault = rng.choice((s3.truncated(rng.random()), s3.altered(rng.random(), rng.randrange(8))))
    if injection.cut.engine == "redshift":
        # Nothing but TLS keeps bits from being altered on their way to COPY.
        fault = s3.truncated(rng.random())
    injection.at_a_request(fault, "GetObject", times=rng.choice((1, 30)))
    code = injection.run()
    assert injection.cut.s3.fired.wait(SOON)
    return code


def lost_by_the_source(injection: Injection) -> int:
    action = injection.rng.choice((Connection.cut, Connection.reset))
    proxy = injection.at_a_byte(action, "mysql")
    code = injection.run()
    assert proxy.fired.wait(SOON)
    return code


def conflict(injection: Injection) -> int:
    if injection.cut.engine == "redshift":
        return at_one_it_is_sent(injection, "1023 on commit", "conflict with concurrent transaction")
    state = injection.rng.choice(("40P01", "40001", "55P03"))
    return at_a_statement(injection, state, 0)


def too_slow(injection: Injection) -> int:
    """The server itself ends the statement after the one second that it has; a COMMIT has as long as it takes."""
    if injection.cut.engine == "redshift":
        return at_one_it_is_sent(injection, "slow 3s")
    return at_a_statement(injection, "", 3)


def at_a_statement(injection: Injection, sqlstate: str, seconds: float) -> int:
    nth = injection.rng.randint(1, injection.stage.statements)
    count_statements(injection.house, nth, sqlstate, seconds)
    code = injection.run()
    assert counted(injection.house) >= nth
    stop_counting(injection.house)
    return code


def at_one_it_is_sent(injection: Injection, *faults: str) -> int:
    """One of the emulator's own, at any statement, or at any commit where it is one of commits."""
    house, stage, server = injection.house, injection.stage, injection.cut.server
    assert isinstance(server, RedshiftEmulator)
    fault = injection.rng.choice(faults)
    commits = fault.endswith("commit")
    nth = injection.rng.randint(1, stage.commits if commits else stage.statements)
    arm(house, fault, nth, commits)
    code = injection.run()
    assert sent(server, house, commits) >= nth
    tell(house, "")
    return code


def restarted(injection: Injection) -> int:
    """The warehouse stops in good order, or crashes and recovers; it is back before the command hears of it."""
    server = injection.cut.server

    def restart(connection: Connection) -> None:
        server.stop()
        server.start()

    crash = signal.SIGKILL if injection.cut.engine == "redshift" else signal.SIGQUIT
    server.stop_signal = injection.rng.choice((signal.SIGINT, crash))
    try:
        proxy = injection.at_a_byte(restart, "warehouse")
        code = injection.run()
        assert proxy.fired.wait(SECONDS)
    finally:
        del server.stop_signal
    return code


def cut_off_from_the_warehouse(injection: Injection) -> int:
    """One connection, or all of them and every new one for as long as the command runs.

    The emulated Redshift may also end a session itself, at any statement, or by its COMMIT, done or not.
    """
    rng, cut = injection.rng, injection.cut
    if cut.engine == "redshift" and rng.random() < 0.5:
        return at_one_it_is_sent(injection, "terminate", "drop before commit", "drop after commit")
    action = rng.choice((Connection.cut, Connection.reset, lambda connection: cut.warehouse.down()))
    proxy = injection.at_a_byte(action, "warehouse")
    code = injection.run()
    assert proxy.fired.wait(SOON)
    return code


TIMING: dict[str, tuple[str, Fault, dict[str, dict[str, str]]]] = {
    "F1": ("kill -9 at any byte to or from a server", killed, {}),
    "F2": ("SIGTERM at any byte", terminated, {}),
    "F8": ("stopped at any byte, goes on after a second night", stopped, {}),
    "F9": ("S3 answers 500 or 503, 1 to 30 times from any request on", refused_by_the_lake, {}),
    "F10": ("S3 breaks off at any byte, drips, or loses a request", broken_off_by_the_lake, {}),
    # For one connection, parts are as large as they get.
    "F11": (
        "S3 takes a write and its answer is lost, or is 200 with an error",
        unsure_of_a_write,
        {"warehouse": {"copies": "1"}},
    ),
    "F12": ("S3 gives an object that is cut short or altered by one bit", altered_in_the_lake, {}),
    "F17": ("the source's connection is cut or reset at any byte", lost_by_the_source, {}),
    "F25": ("deadlock, serialization failure or lock time-out at any statement", conflict, {}),
    "F26": ("statement time-out at any statement", too_slow, {"warehouse": {"statement_timeout": "1"}}),
    "F27": ("the warehouse restarts or crashes at any byte", restarted, {}),
    "F27c": (
        "the warehouse's connection breaks at any byte, once or for good",
        cut_off_from_the_warehouse,
        {},
    ),
}


# ---- faults without a moment, once each


def out_of_memory(injection: Injection) -> int:
    """`ulimit -v` leaves a little room beyond what the imports take, and the pages need more."""
    injection.task = SCANS
    return injection.run(room=128 << 20)


def two_nights_at_once(injection: Injection) -> int:
    """Of two hosts, one of which reads what the other has just written."""
    other = another_host(injection, warehouse={"lock_timeout": "20"})
    first, second = (night.start(house, NIGHT, NEXT, workers=2) for house in (injection.house, other))
    codes = {first.wait(SECONDS), second.wait(SECONDS)}
    assert codes == {0}, injection.house.log.read_text() + other.log.read_text()
    return 0


def fired_twice(injection: Injection) -> int:
    """Cron starts the same command again while it runs: luigi refuses the second one, with an exit code of its own."""
    standing, released = threading.Event(), threading.Event()

    def stand_still(connection: Connection) -> None:
        standing.set()
        released.wait(SECONDS)

    injection.at_a_byte(stand_still, "lake", directions=(TO_SERVER,))
    house = injection.house
    twin = dataclasses.replace(house, settings=house.settings.with_suffix(".twin.cfg"))
    injection.cut.configure(twin, core={"lock_pid_dir": str(house.settings.with_suffix(".lock"))})
    first = house.start(NIGHT, NEXT)
    with killed_at_the_end(first):
        assert standing.wait(SECONDS)
        second = twin.start(NIGHT, NEXT).wait(SECONDS)
        released.set()
        assert (first.wait(SECONDS), second) == (0, 10)
    return 0


def wrong_clock(injection: Injection, hours: int) -> int:
    library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
    house = injection.house
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("FAKETIME", f"{hours:+}h")
        # A wait that is to end is measured by another clock.
        patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        code = house.start(NIGHT, NEXT).wait(SECONDS)
    shift = "SELECT round(extract(epoch FROM extracted_at - now()) / 3600) FROM etl.watermarks"
    assert set(house.query(shift)) == {(hours,)}
    return code


def credentials_expired(injection: Injection) -> int:
    injection.at_a_request(s3.refusal(403, "ExpiredToken"), times=1000)
    code = injection.run()
    assert code == 30 or code == 35
    assert re.search("credentials have expired; renew|check access_key_id and", injection.house.log.read_text())
    return code


def stale_objects(injection: Injection) -> int:
    """Beside the parts lie others, of a run that died and of somebody who copied: no prefix is ever read."""
    lake, manifest = injection.house.lake, "ExtractFans/date=2024-02-29/manifest.json"
    for name in ("part-00000.csv.zst", "part-1", "manifest.json.bak", "run=20240101T000000-00000000/00000.csv.zst"):
        lake.put(manifest.replace("manifest.json", name), b"stale")
    return injection.run()


def disk_full(injection: Injection) -> int:
    """Stages go to a disk of 2 MB, which is smaller than the prices."""
    with small_disk() as folder:
        house, server = injection.house, injection.cut.postgres.url("postgres", "postgres")
        postgres_query(server, f"CREATE TABLESPACE small LOCATION '{folder}'")
        try:
            postgres_query(server, "GRANT CREATE ON TABLESPACE small TO etl_load")
            house.query(f"ALTER DATABASE {house.database.name} SET default_tablespace = small")
            code = injection.run()
            house.query(f"ALTER DATABASE {house.database.name} RESET default_tablespace")
            assert code == 30 and "disk is full" in house.log.read_text()
            return code
        finally:
            left = (
                "SELECT format('ALTER TABLE %s SET TABLESPACE pg_default', c.oid::regclass) FROM pg_class c "
                "JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname = 'small' AND c.relkind = 'r'"
            )
            for (move,) in house.query(left):
                house.query(move)
            for (move,) in house.query(left.replace("ALTER TABLE", "ALTER INDEX").replace("'r'", "'i'")):
                house.query(move)
            postgres_query(server, "DROP TABLESPACE small")


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    options = ["-o", "size=2M,mode=0700,uid=65534,gid=65534"]
    if subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("may not mount a small disk here; a full disk is played at any statement all the same")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def no_connection_left(injection: Injection) -> int:
    """The role may have one session: that which asks what is done takes it, and none is left to load with."""
    injection.house.query("ALTER ROLE etl_load CONNECTION LIMIT 1")
    try:
        return refused(injection, "too many connections")
    finally:
        injection.house.query("ALTER ROLE etl_load CONNECTION LIMIT -1")


def altered_target(injection: Injection) -> int:
    injection.house.query("ALTER TABLE public.price RENAME COLUMN note TO notes")
    code = refused(injection, "public.price: .* lacks notes and has note")
    injection.house.query("ALTER TABLE public.price RENAME COLUMN notes TO note")
    return code


def privilege_missing(injection: Injection) -> int:
    injection.house.query("REVOKE INSERT ON public.fact_visit FROM etl_load")
    code = refused(injection, "permission denied for (table|relation) fact_visit; grant it to etl_load")
    injection.house.query("GRANT INSERT ON public.fact_visit TO etl_load")
    return code


def role_may_not_read(injection: Injection) -> int:
    arm(injection.house, "s3 access denied", 1)
    code = refused(injection, "may not read s3://.*; let the role of .* iam_role do s3:GetObject and s3:ListBucket")
    tell(injection.house, "")
    return code


def no_room(injection: Injection) -> int:
    if injection.cut.engine == "redshift":
        return at_one_it_is_sent(injection, "disk full")
    return at_a_statement(injection, "53100", 0)


def read_only(injection: Injection) -> int:
    name, server = injection.house.database.name, injection.cut.postgres.url("postgres", "postgres")
    postgres_query(server, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    code = refused(injection, "cannot execute .* in a read-only transaction")
    postgres_query(server, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    return code


def refused(injection: Injection, why: str) -> int:
    code = injection.run()
    assert code == 30 and re.search(why, injection.house.log.read_text()), injection.house.log.read_text()[-3000:]
    return code


def failed_over(injection: Injection) -> int:
    """The standby that took over has not seen the night: the lake has all of it, the warehouse nothing."""
    cut, house = injection.cut, injection.house
    lost = cut.house(injection.stage.evening)
    cut.configure(dataclasses.replace(house, database=lost.database))
    code = night.start(house, NIGHT, NEXT).wait(SECONDS)
    cut.remove(lost)
    cut.configure(house)
    return code


def another_host(injection: Injection, **settings: dict[str, str]) -> House:
    """The same house from a host of its own: luigi refuses a second command of the same words on one."""
    other = dataclasses.replace(injection.house, settings=injection.house.settings.with_suffix(".other.cfg"))
    injection.cut.configure(other, etl={"retry_seconds": "2"}, **settings)
    return other


ONCE: dict[str, tuple[str, Fault]] = {
    "F3": ("no memory is left (ulimit -v)", out_of_memory),
    "F4": ("two nights at once, of two hosts", two_nights_at_once),
    "F5": ("cron fires twice", fired_twice),
    "F7+": ("the clock is two hours ahead", functools.partial(wrong_clock, hours=2)),
    "F7-": ("the clock is two hours behind", functools.partial(wrong_clock, hours=-2)),
    "F13": ("the lake's credentials expire at any request", credentials_expired),
    "F14": ("stale objects lie beside the parts", stale_objects),
    "F28": ("the warehouse's disk is full (2 MB of tmpfs)", disk_full),
    "F28s": ("the disk is full at any statement", no_room),
    "F30": ("no connection is left at the warehouse", no_connection_left),
    "F31": ("somebody has renamed a column of a target", altered_target),
    "F32": ("a privilege was revoked", privilege_missing),
    "F32r": ("the warehouse's own role may not read the lake", role_may_not_read),
    "F33": ("the warehouse is read-only", read_only),
    "F34": ("a failover has lost the night's commits", failed_over),
}


# Which engines have a fault, and where one that hardly depends on the warehouse is left to `make exam`.
WHERE = {
    "F28": pytest.mark.engines("postgres", reason="its disk is this machine's"),
    "F32r": pytest.mark.engines("redshift", reason="Postgres reads nothing of the lake itself"),
    "F33": pytest.mark.engines("postgres", reason="no cluster of Redshift is a standby that can be read"),
    "F3": pytest.mark.exam,  # to be killed for want of memory is one of the deaths of F1
    "F5": pytest.mark.exam,  # the lock that refuses the second is shown by tests/test_lock.py
    "F7+": pytest.mark.exam,  # what the clocks say of two extracts is shown by tests/warehouse/test_publish.py
    "F7-": pytest.mark.exam,
    "F13": pytest.mark.exam,  # each refusal of the lake's is shown by tests/test_lake.py, and its death by F9
    "F28s": pytest.mark.exam,  # a disk that is full is F28
    "F14": pytest.mark.exam,  # what stands beside the parts is shown to be left alone by tests/test_sweep.py
}
# At any moment on both engines are the faults in which the warehouse has a part: Redshift reads the lake itself, so
# those of reading are among them. What a fault of these does to the night was decided before the warehouse was asked.
SAME_ON_BOTH = ("F2", "F8", "F9", "F11", "F17", "F26")
# Much like another of these that is thrown on Redshift: F12 is of reading too, and a restart cuts connections as well.
LIKE_ANOTHER = ("F10", "F27c")


def check_said_where_it_failed(house: House, code: int) -> None:
    check_secrets(house)
    if code:
        check_said(house, code)


def mend_the_pages(house: House, code: int) -> None:
    """They are no part of the night; once they are whole they go, so that nothing tells of them either."""
    assert house.query("SELECT to_regclass('public.page') IS NULL") == [(code != 0,)]
    assert night.start(house, SCANS, NEXT).wait(SECONDS) == 0, house.log.read_text()[-3000:]
    pages = house.query("SELECT count(*), count(DISTINCT id), sum(length(scan)) FROM public.page")
    assert pages == [(PAGES, PAGES, PAGES * 60_000)]
    house.query(f'DROP TABLE public.page; DROP TABLE IF EXISTS etl."{lock_table("public.page")}"')
    for book in ("loads", "receipts", "watermarks"):
        house.query(f"DELETE FROM etl.{book} WHERE target = 'public.page'")
    house.query("DELETE FROM etl.data_as_of WHERE table_name = 'public.page'")
    house.query("DELETE FROM etl.extracts WHERE task_key LIKE 'LoadPages %'")


def said_of(what: str, stage: Stage) -> str:
    return f"{what} (emulated Redshift)" if stage.cut.engine == "redshift" else what


def throw(stage: Stage, fault: Fault, seed: str, settings: dict[str, dict[str, str]]) -> str:
    """Throw a fault at a night and check all that must hold, during it, after it and after the next; the outcome."""
    rng = random.Random(seed)
    house = stage.house(rng, **settings)
    with watched(house.database) as sights:
        injection = Injection(stage, house, rng)
        code = fault(injection)
        check_said_where_it_failed(house, code)
        stage.cut.clear()
        check_markers(house, stage.expected)
        if injection.task == SCANS:
            mend_the_pages(house, code)
        again = night.start(house, NIGHT, NEXT).wait(SECONDS)
        assert again == 0, house.log.read_text()[-3000:]
    check_sights(sights, stage.expected)
    check_mended(house, stage.expected)
    stage.cut.remove(house)
    return MENDED if code else SURVIVED


def moment_marks(name: str, seed: int) -> list[pytest.MarkDecorator]:
    if seed:
        return [pytest.mark.exam]
    return [pytest.mark.exam_on("redshift")] if name in SAME_ON_BOTH + LIKE_ANOTHER else []


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, number, id=f"{name}-seed{number}", marks=moment_marks(name, number))
        for name in TIMING
        for number in range(EXAM + 1)
    ],
)
def test_a_fault_at_any_moment(stage, record_property, name, seed):
    what, fault, settings = TIMING[name]
    record_property("fault", (name, said_of(what, stage)))
    record_property("outcome", throw(stage, fault, f"{name} {seed}", settings))


@pytest.mark.exam_on("redshift")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=WHERE.get(name, ())) for name in ONCE],
)
def test_a_fault_once(stage, record_property, name):
    what, fault = ONCE[name]
    record_property("fault", (name, said_of(what, stage)))
    record_property("outcome", throw(stage, fault, name, {}))


def test_the_same_night_again_writes_the_same(stage):
    """I3: every load of the night is done anew, from the kept extracts, and the tables are as they were."""
    house = stage.house()
    for _ in range(2):
        assert night.start(house, NIGHT, NEXT).wait(SECONDS) == 0, house.log.read_text()
        assert checksums(house.query, ("public",)) == stage.expected.tables
        assert house.query("DELETE FROM etl.loads WHERE business_date = %s RETURNING 1", (NEXT,)) == [(1,)] * 3
    again = "SELECT rows_inserted, rows_updated, rows_deleted FROM etl.receipts ORDER BY loaded_at DESC LIMIT 3"
    assert house.query(again) == [(0, 0, 0)] * 3


def test_every_fault_is_thrown_somewhere():
    """And where it is said that another test throws it, there is one."""
    numbers = {int("".join(filter(str.isdigit, name))) for name in (*TIMING, *ONCE, *ELSEWHERE)}
    assert set(range(1, 38)) <= numbers
    for _, test in ELSEWHERE.values():
        file, _, name = test.partition("::")
        assert f"\ndef {name}" in (ROOT / file).read_text(), test


def test_every_fault_is_in_the_document():
    document = (ROOT / "docs/reliability.md").read_text()
    for name in (*TIMING, *ONCE, *ELSEWHERE):
        assert re.search(rf"^{re.escape(name)} +\S", document, re.MULTILINE), name
