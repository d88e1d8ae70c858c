"""The run report: one page a run, complete in itself, from the ledger and what the warehouse knows of it.

It needs no network, no script and no other file; it is written also when the warehouse or the lake does not answer.
"""

import base64
import functools
import hashlib
import os
import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from pathlib import Path

import jinja2
from markupsafe import Markup

from etl import config, ledger
from etl.errors import ConfigError
from etl.lake import Bucket
from etl.ledger import Run, TaskRun
from etl.redaction import redacted
from etl.run_report.critical import Step, critical_path
from etl.run_report.facts import Facts, gather, usual_tasks
from etl.run_report.gantt import Chart, chart, shown_state
from etl.status import again

_SLOWEST = 12
_TROUBLES = ("failed", "cut off", "missing")

# What to do after a failure, by exit code; the command follows.
_ADVICE = {
    1: "The run was interrupted. To go on where it was:",
    2: "Mend the setting that the message names, then:",
    10: "Another run is at work. When it is over:",
    20: "Something is not there yet. When it is:",
    25: "The scheduler gave tasks to nobody; luigid's page shows why. Then:",
    30: "Mend what the messages name, then:",
    35: "A task could not say whether it is done: a server is down. When it is back:",
    40: "This is a bug; its trace is in the log. To go on with the rest:",
}
_DIED = (
    "Nobody wrote an end: the run was killed, or the machine went down. Nothing is half-loaded. To go on where it was:"
)

# Nothing is fetched and nothing runs, whatever a message brings.
_POLICY = "default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; form-action 'none'"
_NO_NAME = re.compile(r"[^\w.-]")


def write(run: Run) -> Path:
    """Write var/runs/<run id>.html, and put it into the lake beside the ledger; LakeError if only the latter failed."""
    path = place(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nobody reads half of it.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(render(run, gather(run), usual_tasks(run)), encoding="utf-8")
    draft.replace(path)
    Bucket(config.lake()).put(f"runs/{path.name}", path.read_bytes(), "text/html; charset=utf-8")
    return path


def place(run: Run) -> Path:
    """Where the page of a run is, once it is written."""
    return ledger.FOLDER / (_NO_NAME.sub("_", run.id) + ".html")


def render(run: Run, facts: Facts, usual: dict[str, float]) -> str:
    """The page. `usual` are seconds by the name of a task."""
    zone = _zone()
    steps = critical_path(run)
    troubled = [task for task in run.tasks.values() if shown_state(run, task) in _TROUBLES]
    waiting = sorted(task.name for task in run.tasks.values() if task.state == "waiting")
    tasks = chart(run, {step.task.name: step.waited for step in steps}, zone)
    style = _source("page.css") + _lines(tasks)
    return (
        _templates()
        .get_template("page.html")
        .render(
            run=run,
            facts=facts,
            verdict=_verdict(run, troubled),
            style=Markup(style),
            policy=_POLICY.format(style=_hash(style)),
            began=datetime.fromtimestamp(run.began, zone),
            ended=datetime.fromtimestamp(run.ended, zone) if run.ended else None,
            zone=zone,
            counts=_counts(run, facts),
            troubled_states=[state for state in _TROUBLES if state in {shown_state(run, task) for task in troubled}],
            troubled=sorted(troubled, key=lambda task: task.ended or task.began or 0.0),
            advice=_DIED if run.state == "died" else _ADVICE.get(run.code or 0, _ADVICE[30]),
            next_command=again(run),
            command=shlex.join(run.command),
            chart=tasks,
            steps=steps,
            after=_after(run, steps),
            waiting=waiting,
            slowest=_slowest(run, facts, usual),
            state_of=functools.partial(shown_state, run),
        )
    )


def _verdict(run: Run, troubled: list[TaskRun]) -> str:
    began = [task for task in run.tasks.values() if task.began]
    done, took = sum(task.state == "done" for task in began), _took(run.seconds)
    if run.state == "running":
        return f"Still running, {done} of {len(began)} tasks done"
    if run.state == "died":
        return f"Died after {took} with {done} {'task' if done == 1 else 'tasks'} done"
    if run.state == "done":
        return f"Done in {took}" if began else "Everything was there already"
    missing = sum(task.state == "missing" for task in troubled)
    if missing and missing == len(troubled):
        return f"Not complete after {took}: {missing} {'thing is' if missing == 1 else 'things are'} not there yet"
    failed = len(troubled) - missing
    return f"Failed after {took}" + (f": {failed} of {len(began)} tasks" if failed else "")


def _counts(run: Run, facts: Facts) -> dict[str, int]:
    """Of the warehouse's receipts; without them, of what the tasks said while they worked."""
    if facts.unknown:
        extracts = [task for task in run.tasks.values() if not task.table]
        return {"rows": sum(task.rows or 0 for task in extracts), "bytes": sum(task.bytes for task in extracts)}
    loads = [load for load in facts.loads if not load.inferred]
    return {
        "tables": len({load.table for load in loads}),
        "rows": sum(load.read or 0 for load in loads),
        "changed": sum(load.changed for load in facts.loads),
        "bytes": sum(load.bytes or 0 for load in loads),
        "lost": sum(loss.count for loss in facts.losses),
        "held": sum(held.count for held in facts.held),
    }


def _after(run: Run, steps: list[Step]) -> float:
    """Seconds between the end of the critical path and that of the run."""
    return max(0.0, run.seconds - sum(step.waited + step.seconds for step in steps))


@dataclass(frozen=True)
class Slow:
    """A task, and what it usually takes where that is known."""

    task: TaskRun
    seconds: float
    usual: float | None
    ratio: float | None

    @property
    def slower(self) -> bool:
        """Twice as slow, and by enough for a person to notice."""
        return self.usual is not None and self.seconds >= max(2 * self.usual, self.usual + 1)


def _slowest(run: Run, facts: Facts, usual: dict[str, float]) -> list[Slow]:
    """The tasks that took longest, each beside what it usually takes: by its name, or else by its table."""
    took = {load.table: load.seconds for load in facts.loads if not load.inferred}
    rows = []
    for task in run.tasks.values():
        if not task.began or not task.ended:
            continue
        seconds, before = task.seconds, usual.get(task.name)
        compared = seconds
        if before is None and task.table in took:
            # Like with like: a receipt counts the load alone.
            before, compared = facts.usual.get(task.table), took[task.table]
        ratio = compared / before if before else None
        rows.append(Slow(task, seconds, before, ratio))
    return sorted(rows, key=lambda row: row.seconds, reverse=True)[:_SLOWEST]


def _zone() -> tzinfo:
    try:
        return config.timezone()
    except ConfigError:
        return timezone.utc


@functools.cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters.update(took=_took, size=_size, number=_number, short=_short, redacted=redacted)
    return templates


def _lines(tasks: Chart) -> str:
    """The chart's ticks as lines behind every bar; in the style, so that they cost the same for any number of tasks."""
    line = "linear-gradient(var(--rule), var(--rule))"
    return (
        f".gantt .chart {{ background-image: {', '.join(line for _ in tasks.ticks)}; background-size: 1px 100%; "
        f"background-position: {', '.join(f'{at}% 0' for at, _ in tasks.ticks)} }}\n"
    )


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names the one style that may apply."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _short(name: str, length: int = 64) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _took(seconds: float) -> str:
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _number(count: float | None) -> str:
    return "" if count is None else f"{count:,.0f}"


def _size(count: int | None) -> str:
    if count is None:
        return ""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
