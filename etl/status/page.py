"""`etl status` for people: a verdict, what is wrong and what to do about it, and every table."""

import datetime
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from etl import config, report
from etl.errors import MissingData
from etl.ledger import Run
from etl.status import Failure, Standing, TableStatus, again

_STYLES = {"done": "bold green", "running": "bold", "failed": "bold red", "died": "bold red"}

# How often it was tried tells no cause from another.
_TRIED = re.compile(r" \(tried \d+ times\)$")

# Of more there is said how many there are.
_MOST = 12


def verdict(found: Standing) -> str:
    """The one line for seven in the morning."""
    if found.run:
        said = [_of_run(found.run)]
    elif found.unread:
        said = ["The ledger of runs cannot be read"]
    elif found.stranger:
        said = ["No run that is known here has loaded these tables"]
    elif found.tables:
        said = [f"{_count(len(found.tables), 'table')}, and no run is known"]
    elif found.down:
        said = ["No run is known"]
    else:
        return "Nothing has been loaded yet. `etl run Nightly` loads everything."
    for number, what in (
        (len(found.late), "table late"),
        (len(found.never_loaded), "table never loaded"),
        (sum(table.lost for table in found.tables), "value lost"),
        (sum(table.held for table in found.tables), "row in quarantine"),
        (len(found.changes), "column changed"),
        (len(found.odd), "load unusual"),
    ):
        if number:
            said.append(_count(number, what))
    bad = [run.what for run in found.since if run.state in ("failed", "died")]
    if bad:
        said.append(f"since then {', '.join(bad)} failed")
    if found.down:
        said.append("the warehouse does not answer")
    return "; ".join(said)


def show(found: Standing, console: Console) -> None:
    """All of it; its lines are broken at a terminal only."""
    console.print(content(found), soft_wrap=not console.is_terminal)


def content(found: Standing) -> Group:
    return Group(*_page(found))


def as_json(found: Standing) -> dict[str, Any]:
    """One object: what `show` says, and more of it."""
    return {
        "verdict": verdict(found),
        "exit_code": found.code,
        "run": found.run and _run_json(found.run),
        "since": [_run_json(run) for run in found.since],
        "behind": [run.what for run in found.behind],
        "failures": [
            {
                "run": one.run.id,
                "task": one.task,
                "state": one.state,
                "why": one.why,
                "blocked": list(one.blocked),
                "next": one.next,
            }
            for one in found.failures
        ],
        "late": [table.table for table in found.late],
        "never_loaded": found.never_loaded,
        "unusual": [table.table for table in found.odd],
        "schema_changes": [vars(change) for change in found.changes],
        "unknown_run": found.stranger or None,
        "warehouse": found.down or None,
        "ledger": found.unread or None,
        "tables": [table.as_json() for table in found.tables],
    }


def lines(before: Standing | None, now: Standing) -> Iterator[str]:
    """What has become of the runs since one looked last, for a watcher without a screen."""
    known = {run.id: run for run in before.runs} if before else {}
    for run in now.runs:
        was = known.get(run.id)
        if before and not was:
            yield f"{run.what}: {run.state}"
        for name, task in sorted(run.tasks.items(), key=lambda item: item[1].ended or item[1].began or 0):
            then = was.tasks.get(name) if was else None
            if was and task.state != "waiting" and (not then or then.state != task.state):
                why = f": {task.why}" if task.why else ""
                rows = f", {task.rows:,} rows" if task.rows is not None and task.state == "done" else ""
                yield f"{task.state} {name}{rows}{why}"
    running = any(run.state == "running" for run in now.runs)
    if before is None or (not running and verdict(before) != verdict(now)):
        yield verdict(now)


def _page(found: Standing) -> Iterator[RenderableType]:
    yield Text(verdict(found), style=_STYLES.get(found.run.state, "") if found.run else "")
    blocks = (
        _failed(found.failures),
        _at_work(found.runs),
        _others(found),
        _late(found),
        _changed(found),
        _odd(found.tables),
    )
    for block in blocks:
        told = list(block)
        if told:
            yield Text("")
            yield from told
    if found.tables:
        yield Text("")
        yield report.table(found.tables)


def _failed(failures: Sequence[Failure]) -> Iterator[RenderableType]:
    """What many tasks failed of is told once."""
    alike: dict[tuple[str, str, str], list[Failure]] = {}
    for one in failures:
        alike.setdefault((one.run.id, one.state, _TRIED.sub("", one.why)), []).append(one)
    for (_, state, _), some in list(alike.items())[:_MOST]:
        first, blocked = some[0], len({name for one in some for name in one.blocked})
        because = f"; {_count(blocked, 'task')} never began because of it" if blocked else ""
        if not first.task:
            yield Text(f"{first.run.what} {'was killed' if state == 'died' else 'failed'}", "red")
        else:
            names = ", ".join(one.task for one in some)
            yield Text(f"{names} {_NOT_THERE[len(some) > 1] if state == 'missing' else 'failed'}{because}", "red")
        if state != "missing":
            yield _Inner(" ".join(first.why.split()))
        yield _Inner(first.next)
    if len(alike) > _MOST:
        yield Text(f"and {len(alike) - _MOST} more; `etl status --json` has them all")
    for command in dict.fromkeys(again(one.run) for one in failures if one.task):
        yield Text(f"When that is mended: {command}")


_NOT_THERE = {False: "is not there yet", True: "are not there yet"}


def _at_work(runs: Iterable[Run]) -> Iterator[RenderableType]:
    for run in runs:
        at_work = [(name, task) for name, task in run.tasks.items() if task.state == "running"]
        if run.state == "running" and at_work:
            yield Text("At work")
            for name, task in at_work[:_MOST]:
                rows = f", {task.rows:,} rows {task.verb}".rstrip() if task.rows is not None else ""
                percent = f" ({100 * (task.rows or 0) // task.total}%)" if task.total else ""
                yield _Inner(f"{name}: {task.seconds:.0f} s{rows}{percent}")


def _others(found: Standing) -> Iterator[RenderableType]:
    if found.stranger:
        yield Text(
            f"Run {found.stranger} loaded tables and is in no ledger here: it is at work on another host, or died there"
        )
    if found.since:
        yield Text("Since then")
        for run in found.since[:_MOST]:
            yield _Inner(_of_run(run))
    if found.behind:
        yield Text("Not done since")
        for run in found.behind[:_MOST]:
            yield _Inner(f"{_of_run(run)}; etl why {run.task}" + (f" --date {run.day}" if run.day else ""))


def _late(found: Standing) -> Iterator[RenderableType]:
    if found.late or found.never_loaded:
        yield Text("Late", "yellow")
    for table in found.late:
        assert table.late
        yield _Inner(f"{table.table} is at {table.business_date}, late since {_moment(table.late)}")
    for name in found.never_loaded:
        yield _Inner(f"{name} was never loaded")


def _changed(found: Standing) -> Iterator[RenderableType]:
    if found.changes:
        yield Text("Columns of sources that changed")
    for change in found.changes[:_MOST]:
        types = " -> ".join(kind for kind in (change.was, change.became) if kind)
        yield _Inner(f"{change.table}.{change.column} {change.change}" + (f" ({types})" if types else ""))
    if len(found.changes) > _MOST:
        yield _Inner(f"and {len(found.changes) - _MOST} more; they are in etl.schema_changes")


def _odd(tables: Sequence[TableStatus]) -> Iterator[RenderableType]:
    told = list(report.unusual(tables))
    if told:
        yield Text("Unusual", "yellow")
    yield from (_Inner(line) for line in told)


def _of_run(run: Run) -> str:
    states = [task.state for task in run.tasks.values()]
    counts = {state: states.count(state) for state in ("done", "failed", "missing", "running", "waiting")}
    done = f"{counts['done']} done"
    if run.state == "running":
        at_work = f"{done}, {counts['running']} at work, {counts['waiting']} waiting"
        failed = f", {counts['failed']} FAILED" if counts["failed"] else ""
        missing = f", {counts['missing']} not there yet" if counts["missing"] else ""
        return f"{run.what}: running since {_moment(run.began)}, {run.seconds:.0f} s: {at_work}{failed}{missing}"
    if run.state == "done":
        tasks = _count(counts["done"], "task") if counts["done"] else "everything was there already"
        return f"{run.what}: done, {tasks}, {run.seconds:.1f} s, ended {_moment(run.ended)}"
    if run.state == "died":
        heard = run.began + run.seconds
        return f"{run.what}: KILLED, last heard of {_moment(heard)}, {counts['running']} at work, {done}"
    said = [f"{counts[state]} {words}" for state, words in _WORDS.items() if counts[state]]
    verdict = "MISSING DATA" if run.code == MissingData.code else "FAILED"
    return f"{run.what}: {verdict}, {', '.join([*said, done])}, {run.seconds:.1f} s, ended {_moment(run.ended)}"


_WORDS = {"failed": "failed", "missing": "not there yet", "waiting": "never began"}


def _moment(when: datetime.datetime | float | None) -> str:
    """`02:31`, and its day before that where it is not today, in [etl] timezone."""
    zone = config.timezone()
    if not isinstance(when, datetime.datetime):
        when = datetime.datetime.fromtimestamp(when or time.time(), zone)
    when = when.astimezone(zone)
    today = datetime.datetime.now(zone).date()
    return f"{when:%H:%M}" if when.date() == today else f"{when:%Y-%m-%d %H:%M}"


def _count(number: int, what: str) -> str:
    """`2 tables late` of `table late`."""
    first, _, rest = what.partition(" ")
    plural = "" if number == 1 else "s"
    return f"{number:,} {first}{plural}{' ' + rest if rest else ''}"


class _Inner:
    """A line that belongs to the one above it; in a pipe it stays one line."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(f"    {self._text}") if options.no_wrap else Padding(Text(self._text), (0, 0, 0, 4), expand=False)


def _run_json(run: Run) -> dict[str, Any]:
    kept = ("id", "what", "task", "day", "state", "began", "ended", "code", "error", "log", "host", "user", "version")
    return {key: getattr(run, key) for key in kept} | {
        "tasks": [{"name": name, **{key: getattr(task, key) for key in _TASK}} for name, task in run.tasks.items()],
    }


_TASK = ("state", "began", "ended", "rows", "bytes", "why", "table", "needs")
