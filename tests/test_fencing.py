"""A run that is stopped for longer than others wait, and then goes on: it publishes nothing that is not its to publish.

The process lives, and with it its connections and its locks. On Postgres the next run ends the sessions of a load that
does nothing, does the work, and leaves a warehouse in which nothing tells of the first one, before and after it wakes.
On Redshift nobody gets the lock before the first one's session ends: the next run says whose it is, and how to end it.
"""

import contextlib
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.marketplace import (
    DAY,
    NEXT,
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

pytest_plugins = ("tests.marketplace",)

SCANS = ("etl.mirror.MirrorTable", "--table", "scans")
VENUES = ("tasks.events.LoadVenues",)  # one mirror and one dimension


@pytest.fixture(scope="module")
def evening(marketplace: Marketplace, builder: Builder) -> House:
    """A warehouse as the next night finds it."""
    marketplace.seed(0.02)
    # Random bytes do not compress, so they are several parts, for several connections.
    marketplace.mysql.execute("CREATE TABLE scans (id INT PRIMARY KEY, page MEDIUMBLOB NOT NULL)")
    pages = [(number, random.Random(number).randbytes(30_000)) for number in range(400)]
    marketplace.mysql.execute("INSERT INTO scans VALUES (%s, %s)", pages)
    made = builder.house()
    made.run(VENUES[0], DAY)
    marketplace.a_day_passes()
    return made


def holdings(house: House) -> list[object]:
    return [checksums(house.query, ("public", "raw")), shapes(house.query), bookkeeping(house.query)]


def from_elsewhere(house: House) -> House:
    """The same house from another machine, as far as luigi can tell; each waits for nobody longer than 2 s."""
    elsewhere = House(house.database, house.lake, house.settings.with_suffix(".elsewhere.cfg"))
    said = house.settings.read_text().replace("lock_timeout = 20", "lock_timeout = 2")
    house.settings.write_text(said)
    elsewhere.settings.write_text(said.replace(".lock", ".elsewhere.lock"))
    return elsewhere


@pytest.fixture
def check_overtaken(evening: House, builder: Builder):
    """Check that a run which is stopped at a moment, and goes on when another has done the work, does no harm."""

    def check(moment: Callable[[House], AbstractContextManager[Callable[[], object]]], task: str, *words: str) -> None:
        undisturbed, house = builder.house(evening), builder.house(evening)
        undisturbed.run(task, NEXT, *words)
        elsewhere = from_elsewhere(house)
        zombie = house.start(task, NEXT, *words)
        with killed_at_the_end(zombie):
            with moment(house) as has_come:
                until(lambda: has_come() or zombie.poll() is not None, 60)
                assert zombie.poll() is None, house.log.read_text()[-3000:]
                os.killpg(zombie.pid, signal.SIGSTOP)
            elsewhere.run(task, NEXT, *words)
            assert "which did nothing all the time; its session was ended" in elsewhere.log.read_text()
            done = holdings(house)
            assert done == holdings(undisturbed)
            os.killpg(zombie.pid, signal.SIGCONT)
            # It finds that its session is gone, tries again, and then that there is nothing left to do.
            assert zombie.wait(60) == 0, house.log.read_text()[-3000:]
            assert re.search(r"connection (was )?lost", house.log.read_text())
        assert holdings(house) == done
        assert stages(house.query) == []
        check_lake(house.lake)

    return check


def sees(cursor: Any, what: str) -> bool:
    cursor.execute(f"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND {what}")
    return bool(cursor.fetchall())


@contextlib.contextmanager
def while_it_copies(house: House) -> Iterator[Callable[[], bool]]:
    with session(house.database.admin_url) as cursor:
        cursor.connection.autocommit = True
        copying = "pid IN (SELECT pid FROM pg_stat_progress_copy WHERE bytes_processed > 0)"
        yield lambda: sees(cursor, copying)


def while_it_waits_for(lock: str) -> Callable[[House], AbstractContextManager[Callable[[], bool]]]:
    """Somebody has the lock, until the run is stopped: it will find its statement done."""

    @contextlib.contextmanager
    def waiting(house: House) -> Iterator[Callable[[], bool]]:
        with session(house.database.admin_url, lock), session(house.database.admin_url) as cursor:
            cursor.connection.autocommit = True
            yield lambda: sees(cursor, "wait_event_type = 'Lock' AND usename = 'etl_load'")

    return waiting


FENCED = pytest.mark.engines("postgres", reason="a Redshift's session holds its lock, whatever it does, until it ends")


@FENCED
def test_stopped_while_it_copies(check_overtaken):
    check_overtaken(while_it_copies, *SCANS)


@FENCED
@pytest.mark.exam
def test_stopped_before_it_publishes(check_overtaken):
    check_overtaken(while_it_waits_for("LOCK TABLE raw.venues IN ACCESS EXCLUSIVE MODE"), *VENUES)


@FENCED
def test_stopped_in_the_middle_of_publishing(check_overtaken):
    check_overtaken(while_it_waits_for("LOCK TABLE etl.receipts IN SHARE MODE"), *VENUES)


@pytest.mark.exam_on("redshift")
@pytest.mark.engines("redshift", reason="Postgres's sessions that do nothing are ended by the next run")
@pytest.mark.parametrize("ended", [False, True], ids=["goes on", "ended as is said"])
def test_stopped_on_redshift(evening, builder, ended):
    """Whoever comes meanwhile says how to end its session; whether that is done or not, nothing is loaded twice."""
    undisturbed, house = builder.house(evening), builder.house(evening)
    undisturbed.run(SCANS[0], NEXT, *SCANS[1:])
    elsewhere = from_elsewhere(house)
    zombie = house.start(SCANS[0], NEXT, *SCANS[1:])
    with killed_at_the_end(zombie):
        with while_it_copies(house) as has_come:
            until(lambda: has_come() or zombie.poll() is not None, 60)
            assert zombie.poll() is None, house.log.read_text()[-3000:]
            os.killpg(zombie.pid, signal.SIGSTOP)
        elsewhere.start(SCANS[0], NEXT, *SCANS[1:]).wait(60)
        said = re.search(
            r"waited 2 s for .* by session (\d+) of etl_load, since .*pg_terminate_backend\(session\)",
            elsewhere.log.read_text(),
        )
        assert said, elsewhere.log.read_text()[-3000:]
        assert house.query("SELECT count(*) FROM etl.loads WHERE target = 'raw.scans'") == [(0,)]
        if ended:
            with session(house.database.url, f"SELECT pg_terminate_backend({said[1]})"):
                elsewhere.run(SCANS[0], NEXT, *SCANS[1:])
            assert holdings(house) == holdings(undisturbed)
        os.killpg(zombie.pid, signal.SIGCONT)
        assert zombie.wait(60) == 0, house.log.read_text()[-3000:]
    assert holdings(house) == holdings(undisturbed)
    elsewhere.run(SCANS[0], NEXT, *SCANS[1:])
    assert holdings(house) == holdings(undisturbed)
    assert stages(house.query) == []
    check_lake(house.lake)
