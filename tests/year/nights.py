"""The nights of the simulated year, and what disturbs them."""

import contextlib
import logging
import multiprocessing
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from multiprocessing.context import ForkProcess
from pathlib import Path
from zoneinfo import ZoneInfo

import luigi
import psycopg2
from luigi.setup_logging import InterfaceLogging
from luigi.task_register import Register

from demo.mysql import TABLES
from etl.testing import Bucket, Settings, WarehouseDatabase, postgres_query
from tests.pipeline import until
from tests.year import checks
from tests.year.chance import Chance, Night
from tests.year.history import History, Row
from tests.year.shop import ClockedMariaDB, SchemaChange, Shop
from tests.year.tasks import YearNight

ROOT = Path(__file__).parents[2]
SQL = Path(__file__).with_name("sql")
# Its days are not UTC's, and two of them have 23 and 25 hours.
ZONE = ZoneInfo("America/New_York")
OPENING = date(2022, 3, 1)

_HOUR = timedelta(hours=1)
_FORK = multiprocessing.get_context("fork")
_ENDED_BY_KILL = -signal.SIGKILL


class Year:
    """A shop, a warehouse and the account of both; `run` lets days and nights pass and checks all after each."""

    def __init__(
        self, seed: int, mariadb: ClockedMariaDB, shop_url: str, warehouse: WarehouseDatabase, lake: Bucket,
        settings: Settings, log: Path,
    ) -> None:  # fmt: skip
        self._seed = seed
        self._mariadb, self._warehouse, self._lake = mariadb, warehouse, lake
        self._settings, self._log = settings, log
        self._shop = Shop(shop_url, Chance(f"{seed} shop"), OPENING)
        self._history = History()
        self._session = psycopg2.connect(warehouse.admin_url)
        self._session.autocommit = True
        self._account = checks.Account(self._query, ZONE)
        self._types = checks.TYPES[warehouse.engine]
        # Nights that were killed and left: their day, and what they had read by then.
        self._left: list[tuple[date, dict[str, list[Row]]]] = []
        # Tables of which somebody has run the statement that their mirror asked for.
        self._obeyed: set[str] = set()
        self._changes: list[tuple[str, str, str]] = []
        self._failpoints = _failpoints()
        # How many lines a night logs that nobody disturbs: where to kill it.
        self._lines = 0
        self.happened: Counter[str] = Counter()

    def close(self) -> None:
        self._session.close()

    def run(self, number: int) -> None:
        """AssertionError names the seed, the night and what is wrong."""
        for turn, night in enumerate(Chance(f"{self._seed} nights").nights(number)):
            day = OPENING + timedelta(days=turn)
            try:
                self._day_and_night(day, night)
            except AssertionError as wrong:
                raise AssertionError(f"seed {self._seed}, night {turn} ({day}; {night}): {wrong}") from None
            self.happened.update((night.kind, night.schema, "late commit" if night.late else "none open"))

    def _day_and_night(self, day: date, night: Night) -> None:
        now = night_of(day)
        self._shop.day(night_of(day - timedelta(days=1)) + _HOUR, now - _HOUR, night.schema)
        with self._shop.late(now - _HOUR * 0.9, now - _HOUR * 0.1) if night.late else contextlib.nullcontext():
            if night.kind == "skipped":
                return
            seen = self._shop.rows()
            self._mariadb.set_clock(now)
            for left, read in self._left:
                self._finish(left)
                self._history.night(left, seen | read)
                for table in TABLES:
                    self._account.remember(table)
            self._left.clear()
            if night.kind == "killed and left" and self._killed(day, night.kind):
                self._left.append((day, {table: seen[table] for table in self._read(day)}))
                return
            self._night(day, night.kind)
            self._history.night(day, seen)
            self._check(now, seen)
            if night.kind != "run twice at once":
                checks.check_lake(self._lake)

    def _check(self, now: datetime, seen: dict[str, list[Row]]) -> None:
        """After a night; those that were killed and left have been finished before it."""
        assert not self._stops(), f"nobody was asked about {self._stops()}"
        self._changes += filter(None, map(self._types.noted, self._shop.altered.values()))
        # What is late was under way by then.
        self._shop.seen(now - _HOUR)
        self._obeyed.clear()
        self._account.check(seen, self._history, self._changes)
        until(lambda: not self._mariadb.readers())

    def _night(self, day: date, kind: str) -> None:
        """Until the night's work is done, by whatever it takes."""
        if kind.startswith("killed"):
            self._killed(day, kind)
        elif kind == "run twice at once":
            self._twins(day)
        self._finish(day)
        self._lines = self._lines or len(self._text().splitlines())
        if kind == "run again":
            assert not self._run(day), _said(self._log)

    def _twins(self, day: date) -> None:
        """Both do what there is to do, or say why it cannot be done."""
        # What one of them has loaded would be gone before the other has read it.
        self._settings.set("lake", "keep_days", 1)
        logs = [self._log.with_suffix(f".{twin}") for twin in "ab"]
        codes = [_ended(process) for process in [self._started(day, log=log) for log in logs]]
        self._settings.set("lake", "keep_days", 0)
        wanted = [int(bool(self._stops()))] * 2
        assert codes == wanted, f"two at once ended with {codes}:\n{_said(logs[0])}\n{_said(logs[1])}"

    def _finish(self, day: date) -> None:
        """Run it, do what its messages ask for, and run it again."""
        code = self._run(day)
        if code and self._stops():
            self._obey()
            code = self._run(day)
        assert not code, f"ended with {code}:\n{_said(self._log)}"

    def _read(self, day: date) -> list[str]:
        """The tables that a killed night has read: into the lake, or even loaded."""
        done = {task for (task,) in self._query("SELECT task_key FROM etl.loads WHERE business_date = %s", (day,))}
        found = {*done, *(key for key in self._lake.keys() if key.endswith("/manifest.json") and f"date={day}" in key)}
        return [table for table in TABLES if any(re.search(rf"\b{table}\b", name) for name in found)]

    def _killed(self, day: date, kind: str) -> bool:
        """Once, or several times in a row. False if it came to its end before that."""
        # Of its own, since how often it is asked depends on how quick the machine is.
        chance = Chance(f"{self._seed} {day}")
        while True:
            if kind == "killed at a failpoint":
                failpoint = f"{chance.choice(self._failpoints)}:{chance.choice((1, 1, 1, 2, 3, 5))}"
                code = _ended(self._started(day, failpoint))
            else:
                code = self._killed_at(day, int(chance.random() * 0.8 * self._lines))
            killed = code == _ENDED_BY_KILL
            self.happened["killed" if killed else "escaped"] += 1
            assert killed or code == int(bool(self._stops())), _said(self._log)
            if not killed or chance.random() < 0.7:
                return killed

    def _killed_at(self, day: date, line: int) -> int:
        """Kill a night when it has logged so many lines."""
        process = self._started(day)
        until(lambda: process.exitcode is not None or self._text().count("\n") >= line, 120)
        process.kill()
        return _ended(process)

    def _stops(self) -> list[SchemaChange]:
        """What a mirror may not follow by itself, and nobody has told it to yet."""
        return [
            change
            for change in self._shop.altered.values()
            if self._types.stops(change) and change.table not in self._obeyed
        ]

    def _obey(self) -> None:
        """Do what a message tells a person to do: run the statement that it holds."""
        said = set(re.findall(r"raw\.(\w+): .*?run: (.*?); (?:then load it|if it is not)", self._text()))
        wanted = [change.table for change in self._stops()]
        assert said and {table for table, _ in said} <= set(wanted), (
            f"statements for {said}, wanted for {wanted}:\n{_said(self._log)}"
        )
        for table, statement in said:
            postgres_query(self._warehouse.url, statement)
            self._obeyed.add(table)
            self.happened["statement run"] += 1

    def _run(self, day: date) -> int:
        return _ended(self._started(day))

    def _query(self, sql: str, values: Sequence[object] | None = None) -> list[tuple]:
        """Over one connection, since a night asks much."""
        with self._session.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def _started(self, day: date, failpoint: str = "", log: Path | None = None) -> ForkProcess:
        """Forked and not started anew, as the `etl` command does: importing costs more than such a night."""
        log = log or self._log
        log.unlink(missing_ok=True)
        process = _FORK.Process(target=_night, args=(day, failpoint, log), daemon=True)
        process.start()
        return process

    def _text(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


def _night(day: date, failpoint: str, log: Path) -> None:
    """One night in a process of its own, as far as a forked one is: what the parent knows is forgotten."""
    os.environ.pop("ETL_RUN_ID", None)
    os.environ["ETL_FAILPOINT"] = failpoint
    Register.clear_instance_cache()
    file = log.open("w", buffering=1)
    sys.stdout = sys.stderr = file
    logging.basicConfig(stream=file, level=logging.INFO, force=True, format="%(levelname)s %(message)s")
    # Luigi would add a handler of its own.
    InterfaceLogging._configured = True
    done = luigi.build([YearNight(date=day)], local_scheduler=True, detailed_summary=True, no_lock=True)
    sys.exit(int(done.status != luigi.LuigiStatusCode.SUCCESS))


def _said(log: Path) -> str:
    """What is worth knowing of a night that failed."""
    lines = log.read_text().splitlines()
    wrong = [line for line in lines if re.search("ERROR|Error|WARNING", line)]
    return "\n".join(wrong[:20] or lines[-20:])


def _ended(process: ForkProcess) -> int:
    process.join(300)
    assert process.exitcode is not None, "a night takes more than five minutes"
    return process.exitcode


def night_of(day: date) -> datetime:
    """When a day's night begins, by UTC's clock: soon after the day is over in ZONE, winter or summer."""
    return datetime.combine(day + timedelta(days=1), time(6, 30))


def _failpoints() -> list[str]:
    found: Iterator[str] = (
        name for path in sorted((ROOT / "etl").rglob("*.py")) for name in _NAMED.findall(path.read_text())
    )
    # A piece is of an upload that is larger than any here.
    return sorted(set(found) - {"upload.piece"})


_NAMED = re.compile(r'failpoint\("([\w.]+)"\)')
