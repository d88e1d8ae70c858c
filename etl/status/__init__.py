"""How the pipeline stands: the last night as its ledger has it, and every table as the warehouse has it."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

from etl import ledger, warehouse
from etl.errors import FAILED, ConfigError, EtlError
from etl.ledger import Run
from etl.status import freshness, history
from etl.warehouse import Engine, control

NIGHT = "Nightly"
_BAD = ("failed", "died")


@dataclass(frozen=True)
class TableStatus:
    """The last load of one table: rows, seconds, values lost in it; `held` rows are in quarantine instead of the table.

    `business_date` is the day the table is at, and `late` since when, in UTC, it should be at a later one. From five
    earlier loads on it is known what is usual of `staged` and of `seconds`.
    """

    table: str
    business_date: date | None
    rows: int
    staged: int
    inserted: int
    updated: int
    deleted: int
    lost: int
    held: int
    seconds: float
    loaded_at: datetime
    run: str
    late: datetime | None = None
    usual_rows: history.Usual | None = None
    usual_seconds: history.Usual | None = None

    @property
    def odd_rows(self) -> bool:
        return self.usual_rows is not None and not self.usual_rows.has(self.staged)

    @property
    def odd_seconds(self) -> bool:
        return self.usual_seconds is not None and not self.usual_seconds.has(self.seconds)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_LAST_LOADS = """
    SELECT r.target, COALESCE(d.business_date, r.business_date),
           COALESCE(d.rows, r.rows_after), r.rows_staged, r.rows_inserted, r.rows_updated, r.rows_deleted,
           CAST(COALESCE((SELECT SUM(l.occurrences) FROM etl.losses l
                          WHERE l.task_key = r.task_key AND l.run_id = r.run_id), 0) AS BIGINT),
           (SELECT COUNT(*) FROM etl.quarantine q WHERE q.target = r.target),
           r.seconds, r.loaded_at, r.run_id
    FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
          FROM etl.receipts e WHERE (run_id = %s OR %s IS NULL)
            -- Members that a fact's load has inferred are no load of the dimension.
            AND NOT EXISTS (SELECT 1 FROM etl.loads l WHERE l.task_key = e.task_key AND l.target <> e.target)) r
    LEFT JOIN etl.data_as_of d ON d.table_name = r.target
    WHERE r.recent = 1
    ORDER BY r.loaded_at, r.target
"""


def tables(db: Engine, run: str | None = None) -> list[TableStatus]:
    """The last load of each table, and whether it is late, or those that one run loaded; empty where none ever was."""
    if not db.exists("etl", "receipts"):
        return []
    control.prepare(db)
    found = db.query(_LAST_LOADS, (run, run))
    known: dict[str, list[history.Load]] = {}
    for load in history.loads(db, None, history.LOOK_BACK) if found else ():
        known.setdefault(load.table, []).append(load)
    told = [_judged(TableStatus(*row), known.get(row[0], [])) for row in found]
    if run:
        return told
    return [replace(table, late=freshness.late(table.table, table.business_date)) for table in told]


def _judged(table: TableStatus, known: Sequence[history.Load]) -> TableStatus:
    earlier = [load for load in known if load.loaded_at < table.loaded_at]
    return replace(
        table,
        usual_rows=history.usual_rows(earlier),
        usual_seconds=history.usual_seconds(earlier),
    )


@dataclass(frozen=True)
class Change:
    """A column of a source that is not what it was, and what was done about it."""

    table: str
    column: str
    change: str
    was: str | None
    became: str | None


@dataclass(frozen=True)
class Failure:
    """A task that failed, or what it waits for is not there; `blocked` are those that were never begun because of it.

    It has no task where the command itself ended early, or was killed.
    """

    run: Run
    task: str
    state: str
    why: str
    blocked: tuple[str, ...] = ()

    @property
    def next(self) -> str:
        """The command that tells more."""
        if not self.task:
            return again(self.run)
        return " ".join(["etl why", self.task, *([f"--date {self.run.day}"] if self.run.day else [])])


@dataclass
class Standing:
    """All that `etl status` knows. `run` is the last night, `since` what was run after it, each the last of its name.

    `behind` are earlier nights that failed and were never done. `stranger` is the run that wrote to the warehouse last,
    where that is one which no ledger here knows. `down` says why the warehouse does not answer, `unread` why the ledger
    cannot be read.
    """

    run: Run | None = None
    since: list[Run] = field(default_factory=list)
    behind: list[Run] = field(default_factory=list)
    tables: list[TableStatus] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    stranger: str = ""
    down: str = ""
    unread: str = ""

    @property
    def runs(self) -> list[Run]:
        return [*([self.run] if self.run else []), *self.since]

    @property
    def failures(self) -> list[Failure]:
        return [failure for run in self.runs for failure in failures(run)]

    @property
    def late(self) -> list[TableStatus]:
        return [table for table in self.tables if table.late]

    @property
    def odd(self) -> list[TableStatus]:
        return [table for table in self.tables if table.odd_rows or table.odd_seconds]

    @property
    def never_loaded(self) -> list[str]:
        """Tables that the night was to load, and no night ever has."""
        if self.down or not self.run:
            return []
        there = {table.table for table in self.tables}
        wanted = {task.table for task in self.run.tasks.values() if task.table and task.state != "running"}
        return sorted(wanted - there)

    @property
    def code(self) -> int:
        """The exit code: 30 where somebody should look."""
        bad = [run for run in self.runs if run.state in _BAD]
        wrong = bad or self.failures or self.late or self.never_loaded or self.down or self.unread
        return FAILED if wrong else 0


def standing() -> Standing:
    """How everything stands just now. What does not answer is said, and the rest is told all the same."""
    found = Standing()
    try:
        known = ledger.runs()
    except ConfigError:
        raise
    except EtlError as error:
        known, found.unread = [], str(error)
    try:
        with warehouse.connect("etl status") as db:
            found.tables = tables(db)
            known = _with_the_last(known, found)
            _sort(known, found)
            found.changes = changes(db, [run.id for run in found.runs])
    except ConfigError:
        raise
    except EtlError as error:
        found.down = str(error)
        _sort(known, found)
    return found


def _sort(known: list[Run], found: Standing) -> None:
    """Which run is the night, and which came after it."""
    nights = [run for run in known if run.task == NIGHT] or known[:1]
    if not nights:
        return
    # Known are the newest first, and of two of one day that one is found.
    found.run = max(nights, key=lambda run: run.day or "")
    last: dict[str, Run] = {}
    for run in known:
        last.setdefault(run.what, run)
    others = [run for run in last.values() if run.what != found.run.what]
    found.since = [run for run in others if run.began > found.run.began]
    found.behind = [run for run in others if run in nights and run not in found.since and run.state in _BAD]


def _with_the_last(known: list[Run], found: Standing) -> list[Run]:
    """The runs, and that which wrote to the warehouse last, which may be of another host."""
    if not found.tables:
        return known
    newest = max(found.tables, key=lambda table: table.loaded_at)
    if any(run.id == newest.run for run in known) or (known and known[0].began > newest.loaded_at.timestamp()):
        return known
    try:
        return sorted([ledger.read(newest.run), *known], key=lambda run: run.began, reverse=True)
    except EtlError:
        found.stranger = newest.run
        return known


def failures(run: Run) -> list[Failure]:
    """What went wrong in a run, each with those that were never begun because of it, which count once."""
    if run.state == "done":
        return []
    bad = {name: task for name, task in run.tasks.items() if task.state in ("failed", "missing")}
    blocked: dict[str, list[str]] = {name: [] for name in bad}
    for name in _never_begun(run):
        roots = [root for root in _needs(run, name) if root in bad]
        for root in roots[:1]:
            blocked[root].append(name)
    found = [Failure(run, name, task.state, task.why, tuple(blocked[name])) for name, task in bad.items()]
    if run.error:
        found.append(Failure(run, "", "failed", run.error))
    elif run.state == "died":
        at_work = [name for name, task in run.tasks.items() if task.state == "running"]
        found.append(Failure(run, "", "died", f"at work then: {', '.join(at_work) or 'no task'}"))
    elif run.state == "failed" and not found:
        found.append(Failure(run, "", "failed", f"exit code {run.code}" + (f"; see {run.log}" if run.log else "")))
    return found


def _never_begun(run: Run) -> list[str]:
    return [name for name, task in run.tasks.items() if task.state == "waiting"] if run.state != "running" else []


def _needs(run: Run, name: str) -> list[str]:
    """All that a task needs, the nearest first."""
    found: list[str] = []
    waiting = [name]
    while waiting:
        task = run.tasks.get(waiting.pop(0))
        fresh = [need for need in task.needs if need not in found] if task else []
        found += fresh
        waiting += fresh
    return found


def again(run: Run) -> str:
    """The command that goes on where a run was; its day is named, for tomorrow none would mean another one."""
    command = run.command
    if command[1:2] in (["rerun"], ["replay"]) and "--downstream" not in command:
        # What they have undone is simply not done now.
        command = ["etl", "run", *run.task.split()]
    day = ["--date", run.day] if run.day and command[1:2] == ["run"] and "--date" not in command else []
    return shlex.join([*command, *day])


def changes(db: Engine, runs: Iterable[str]) -> list[Change]:
    """What was noticed of the columns of sources in these runs."""
    asked = tuple(runs)
    if not asked or not control.has(db, "schema_changes"):
        return []
    rows = db.query(
        "SELECT target, column_name, change, was, became FROM etl.schema_changes WHERE run_id IN %s "
        "ORDER BY noticed_at, target, column_name",
        (asked,),
    )
    return [Change(*row) for row in rows]
