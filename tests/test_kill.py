"""`kill -9` at every place that could hurt: the next night finds nothing half done, and ends as if none had died.

The nights are luigi's own command on real servers. What a killed night leaves is compared with a night that
nobody disturbed: every column of every table, the pipeline's own books, and the lake.
"""

import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.marketplace import (
    DAY,
    NEXT,
    ROOT,
    Builder,
    House,
    Marketplace,
    bookkeeping,
    check_lake,
    checksums,
    killed_at_the_end,
    shapes,
    stages,
)
from tests.pipeline import session, until

# Redshift: a random death is in tests/test_chaos.py, one before and after the commit in tests/test_drift.py, and what
# readers see in tests/test_sessions.py.
pytestmark = pytest.mark.exam_on("redshift")
pytest_plugins = ("tests.marketplace",)

SCALE = 0.02
SALES = "tasks.sales.DailySales"  # four mirrors, three dimensions, a fact and a mart
VENUES = "tasks.events.LoadVenues"  # one mirror and one dimension
SCANS = "etl.mirror.MirrorTable"
SCANS_TABLE = ("--table", "scans")

# On which engines a place is left to `make exam`: on Redshift all, and on both what is much like another that is tried.
ON_REDSHIFT, ON_BOTH = ("redshift",), ("postgres", "redshift")

# In a first night every table is born and the control tables are too; in a second one all are changed in place.
FIRST_NIGHT = {
    "extract.batch": ON_REDSHIFT,
    "manifest.before": ON_REDSHIFT,
    "publish.after:2": ON_BOTH,
    "commit.before:1": ON_REDSHIFT,  # the control tables
    "commit.before:2": ON_BOTH,
    "commit.after:1": ON_BOTH,
    "commit.after:2": ON_REDSHIFT,
    "commit.after:3": ON_BOTH,
}
SECOND_NIGHT = {
    "upload.before_close:3": ON_REDSHIFT,
    "upload.after_close:4": ON_REDSHIFT,
    "manifest.after:3": ON_REDSHIFT,
    "copy.part:2": ON_REDSHIFT,
    "load.copied:3": ON_BOTH,
    "load.staged:5": ON_REDSHIFT,
    "publish.before:8": ON_BOTH,
    "publish.after:8": ON_REDSHIFT,
    "commit.before:9": ON_BOTH,
    "commit.after:8": ON_BOTH,
    "commit.after:9": ON_REDSHIFT,
}
LARGE_TABLE = {"upload.piece": ON_REDSHIFT}


def places(failpoints: dict[str, tuple[str, ...]]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.exam_on(*later)) for name, later in failpoints.items()]


@dataclass(frozen=True)
class Holdings:
    """Everything that a night leaves in the warehouse, clocks and run ids excepted."""

    tables: dict[str, tuple[int, str]]
    shapes: list[tuple]
    books: dict[str, list[tuple]]

    @classmethod
    def of(cls, house: House) -> "Holdings":
        query = house.query
        return cls(checksums(query, ("public", "mart", "raw")), shapes(query), bookkeeping(query))


@dataclass(frozen=True)
class Undisturbed:
    """`evening` is the warehouse as the second night finds it; the others say what each night makes of it."""

    evening: House
    venues: Holdings
    sales: Holdings
    scans: Holdings


@pytest.fixture(scope="module")
def undisturbed(marketplace: Marketplace, builder: Builder) -> Undisturbed:
    marketplace.seed(SCALE)
    evening = builder.house()
    evening.run(SALES, DAY)
    marketplace.a_day_passes()
    # Random bytes do not compress, and so are more than one piece of an upload. As text they fit into a VARCHAR.
    marketplace.mysql.execute("CREATE TABLE scans (id INT PRIMARY KEY, page MEDIUMBLOB NOT NULL)")
    pages = [(number, random.Random(number).randbytes(30_000)) for number in range(600)]
    marketplace.mysql.execute("INSERT INTO scans VALUES (%s, %s)", pages)

    def night(house: House, task: str, *arguments: str) -> Holdings:
        house.run(task, NEXT, *arguments)
        return Holdings.of(house)

    found = Undisturbed(
        evening,
        night(builder.house(), VENUES),
        night(builder.house(evening), SALES),
        night(builder.house(), SCANS, *SCANS_TABLE),
    )
    # Else a night that does nothing would look like one that was mended.
    before = checksums(evening.query, ("public", "mart", "raw"))
    assert {table for table, said in found.sales.tables.items() if before[table] == said} == {"public.dim_date"}
    return found


def kill_at(house: House, failpoint: str, task: str, *arguments: str) -> None:
    process = house.start(task, NEXT, *arguments, failpoint=failpoint)
    assert process.wait(60) == -signal.SIGKILL, f"{failpoint} was not reached:\n{house.log.read_text()[-2000:]}"


def check_mended(house: House, expected: Holdings, task: str, *arguments: str) -> None:
    """The next run succeeds, and nothing anywhere tells that there was another before it."""
    house.run(task, NEXT, *arguments)
    found = Holdings.of(house)
    assert found.tables == expected.tables
    assert found.shapes == expected.shapes
    assert found.books == expected.books
    assert stages(house.query) == []
    loads = [(task, target) for task, target, _ in found.books["loads"]]
    done = [(task, target) for task, target, *_ in found.books["receipts"]]
    assert len(set(loads)) == len(loads) and len(set(done)) == len(done)
    # A fact's load has a receipt besides for members that it infers.
    assert {target for _, target in set(done) - set(loads)} <= {"public.dim_user"}
    assert set(loads) <= set(done)
    check_lake(house.lake)
    left = "SELECT application_name, state FROM pg_stat_activity WHERE datname = current_database() AND usename = %s"
    assert until(lambda: not house.query(left, ("etl_load",))), "sessions of dead runs are left"


@pytest.mark.parametrize("failpoint", places(FIRST_NIGHT))
def test_killed_in_a_first_night(undisturbed, builder, failpoint):
    house = builder.house()
    kill_at(house, failpoint, VENUES)
    check_mended(house, undisturbed.venues, VENUES)


@pytest.mark.parametrize("failpoint", places(SECOND_NIGHT))
def test_killed_in_a_second_night(undisturbed, builder, failpoint):
    house = builder.house(undisturbed.evening)
    kill_at(house, failpoint, SALES)
    check_mended(house, undisturbed.sales, SALES)


@pytest.mark.parametrize("failpoint", places(LARGE_TABLE))
def test_killed_with_half_an_upload(undisturbed, builder, failpoint):
    house = builder.house()
    # For one connection, parts are as large as they get.
    house.settings.write_text(house.settings.read_text().replace("lock_timeout = 20", "lock_timeout = 20\ncopies = 1"))
    kill_at(house, failpoint, SCANS, *SCANS_TABLE)
    assert len(house.lake.client.list_multipart_uploads(Bucket=house.lake.name)["Uploads"]) == 1
    check_mended(house, undisturbed.scans, SCANS, *SCANS_TABLE)


def test_every_failpoint_is_tried():
    named = {
        name
        for path in (ROOT / "etl").rglob("*.py")
        for name in re.findall(r'failpoint\("([\w.]+)"\)', path.read_text())
    }
    tried = {failpoint.partition(":")[0] for failpoint in (*FIRST_NIGHT, *SECOND_NIGHT, *LARGE_TABLE)}
    assert tried == named and len(named) >= 10


def kill_when(condition: Callable[[], object], process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all its workers at the moment that the condition holds."""
    with killed_at_the_end(process):
        until(lambda: condition() or process.poll() is not None, 60)
        assert process.poll() is None, "ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def at_work(house: House, what: str) -> bool:
    """Whether the server sees a session of the pipeline of which `what` is true."""
    asked = f"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename = 'etl_load' AND {what}"
    return bool(house.query(asked))


def test_killed_while_a_copy_runs(undisturbed, builder):
    house = builder.house()
    with session(house.database.admin_url) as cursor:
        cursor.connection.autocommit = True

        def copying() -> bool:
            cursor.execute(
                "SELECT 1 FROM pg_stat_progress_copy WHERE datname = current_database() AND bytes_processed > 0"
            )
            return bool(cursor.fetchall())

        kill_when(copying, house.start(SCANS, NEXT, *SCANS_TABLE))
    assert house.query("SELECT count(*) FROM etl.loads") == [(0,)]
    assert house.query("SELECT to_regclass('raw.scans') IS NULL") == [(True,)]
    check_mended(house, undisturbed.scans, SCANS, *SCANS_TABLE)


@pytest.mark.exam_on("redshift")
def test_killed_while_it_publishes(undisturbed, builder):
    """Half of a publication is done, and its next statement waits for somebody who holds the table."""
    house = builder.house(undisturbed.evening)
    before = checksums(house.query, ("public", "mart"))
    with session(house.database.admin_url, "LOCK TABLE public.fact_ticket_sale IN SHARE MODE"):
        publishing = "wait_event_type = 'Lock' AND query LIKE 'DELETE FROM%fact_ticket_sale%'"
        kill_when(lambda: at_work(house, publishing), house.start(SALES, NEXT))
    after = checksums(house.query, ("public", "mart"))
    assert {table for table in after if before[table] != after[table]} == {
        "public.dim_user", "public.dim_venue", "public.dim_event",
    }  # fmt: skip
    check_mended(house, undisturbed.sales, SALES)


@pytest.mark.engines("postgres", reason="a trigger holds the COMMIT; tests/test_retry.py loses its answer on both")
def test_killed_after_it_asked_for_the_commit(undisturbed, builder):
    """COMMIT is under way and nobody is left to hear the answer: the fact is published, and not published again."""
    house = builder.house(undisturbed.evening)
    house.query(
        "CREATE FUNCTION etl.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.target = 'public.fact_ticket_sale' THEN PERFORM pg_advisory_xact_lock(42); END IF; RETURN NULL; END $$"
    )
    house.query(
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON etl.loads DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION etl.wait()"
    )
    with session(house.database.admin_url, "SELECT pg_advisory_lock(42)"):
        kill_when(lambda: at_work(house, "wait_event_type = 'Lock' AND query = 'COMMIT'"), house.start(SALES, NEXT))
    fact = "SELECT rows_after FROM etl.receipts WHERE target = 'public.fact_ticket_sale' AND business_date = %s"
    assert until(lambda: house.query(fact, (NEXT,)))
    house.query("DROP TRIGGER slow_commit ON etl.loads; DROP FUNCTION etl.wait()")
    check_mended(house, undisturbed.sales, SALES)


@pytest.mark.exam_on("redshift")
def test_killed_with_all_its_workers(undisturbed, builder):
    """Several workers, each in the middle of something, die at once."""
    house = builder.house(undisturbed.evening)
    done = "SELECT count(*) FROM etl.receipts WHERE business_date = %s"
    kill_when(lambda: house.query(done, (NEXT,))[0][0] >= 3, house.start(SALES, NEXT, workers=3))
    check_mended(house, undisturbed.sales, SALES)


@pytest.mark.exam
def test_killed_again_and_again(undisturbed, builder):
    """Each attempt dies a little later than the one before, until one comes through."""
    house = builder.house(undisturbed.evening)
    for failpoint in ("manifest.before:2", "publish.after:2", "commit.after:2", "publish.before:3"):
        kill_at(house, failpoint, SALES)
    check_mended(house, undisturbed.sales, SALES)
