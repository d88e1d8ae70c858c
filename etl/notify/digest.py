"""One digest a night: what became of a run, for those who were not there.

It tells of a run and of what runs before it left untold, and is sent by everything that [notify] names.
"""

import contextlib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from etl import config, ledger, notify
from etl.errors import EtlError
from etl.ledger import Run, TaskRun
from etl.notify import Message
from etl.redaction import redacted
from etl.run_report.facts import Facts, gather
from etl.status import again

# Slack asks for no more than 4,000 characters; one that is longer is hard to read, and somewhere it is cut.
_LONGEST = 3500
_LONGEST_ERROR, _LONGEST_HEADLINE, _LONGEST_NAME = 400, 180, 30
# How many of a kind are listed; the others are counted.
_FAILURES, _OTHERS = 6, 5


def send(run: Run, earlier: list[Run]) -> None:
    """Tell of a run that has ended, if [notify] wants it told; EtlError that names each way by which it did not go."""
    settings = config.notify()
    if not notify.named(settings):
        return
    story = Story.of(run, earlier)
    if story.is_told(settings.when):
        failed = [f"{sent.way}: {sent.error}" for sent in notify.send(_told(story), settings) if sent.error]
        if failed:
            raise EtlError("; ".join(failed))


def of(run: str) -> Message:
    """The digest of the run of that id, as it would be sent."""
    found = ledger.read(run)
    if found.state in ("running", "died"):
        raise EtlError(f"{found.what} ({run}) has no end yet; the next run tells of one that died")
    return _told(Story.of(found, [one for one in ledger.runs() if one.began < found.began]))


@dataclass(frozen=True)
class Story:
    """A run, and the earlier ones that make it news or none.

    `before` are the failed runs of the same task since its last good one, `killed` those of any task that died and
    that nobody was told of; both the newest first.
    """

    run: Run
    before: list[Run]
    killed: list[Run]

    @classmethod
    def of(cls, run: Run, earlier: Sequence[Run]) -> "Story":
        ended = [one for one in earlier if one.state != "running"]
        before: list[Run] = []
        for one in ended:
            if one.task == run.task:
                if one.state == "done":
                    break
                before.append(one)
        killed = [one for one in ended if one.state == "died" and not any(_tells(other, one) for other in ended)]
        # Whoever watched one fail knows, and nobody else has heard of it.
        return cls(run, [one for one in before if one.state == "died" or not one.watched], killed)

    def is_told(self, when: str) -> bool:
        """`failure`: what failed or was killed; `recovery`: that and the first good run after it; `always`: all.

        A person who watches a run fail needs no message of it.
        """
        told = {"failure": {"failed", "died"}, "recovery": {"failed", "died", "recovered"}}
        if when == "always" or self.killed:
            return True
        return self.state in told[when] and not (self.state == "failed" and self.run.watched)

    @property
    def state(self) -> str:
        if self.run.state != "done":
            return "failed"
        if self.before:
            return "recovered"
        return "died" if self.killed else "done"

    @property
    def began(self) -> Run:
        """The run that the story began with."""
        return self.before[-1] if self.before else self.run

    @property
    def still(self) -> bool:
        """Whether all that failed had failed in the run before, so that it is no news."""
        return bool(self.before) and _names(self.run) <= _names(self.before[0])


def _tells(run: Run, dead: Run) -> bool:
    """Whether a run ended, and so told, after another had died."""
    return run.ended is not None and run.began > dead.began and run.ended > dead.began + dead.seconds


def message(story: Story, facts: Facts) -> Message:
    headline = _one_line(_headline(story), _LONGEST_HEADLINE)
    paragraphs = [
        *_of_failures(story),
        *_of_the_killed(story),
        *_of_recovery(story),
        *_of_loads(story.run, facts),
        *_of_trouble(facts),
        _where(story.run),
    ]
    text = "\n\n".join(paragraphs)
    if len(text) > _LONGEST:
        # Its end says where there is more.
        text = f"{text[: _LONGEST - len(paragraphs[-1]) - 10]} …\n\n{paragraphs[-1]}"
    return Message(story.state, headline, text, story.run.id, story.began.id)


def _headline(story: Story) -> str:
    run, state = story.run, story.state
    if state == "died":
        return f"KILLED {story.killed[0].what}: it was begun {_at(story.killed[0].began)} and never ended"
    if state == "recovered":
        runs = _count(len(story.before), "failed run")
        return f"RECOVERED {run.what}: {_done(run)}, after {runs} since {_at(story.began.began)}"
    if state == "done":
        return f"DONE {run.what}: {_done(run)}"
    causes = _causes(run)
    verdict = "FAILED" if any(task.state == "failed" for task in causes) or not causes else "MISSING DATA"
    if story.still:
        verdict = "STILL FAILING" if verdict == "FAILED" else "STILL MISSING DATA"
    if not causes:
        return f"{verdict} {run.what}: {_ending(run)}"
    # Of a load the table: it is what people know.
    named = ", ".join(_cut(task.table or task.name, _LONGEST_NAME) for task in causes[:3])
    more = f" and {len(causes) - 3:,} more" if len(causes) > 3 else ""
    return f"{verdict} {run.what}: {len(causes):,} of {_count(len(run.tasks), 'task')}; {named}{more}"


def _of_failures(story: Story) -> Iterator[str]:
    run = story.run
    if run.state == "done":
        return
    causes = _causes(run)
    lines = []
    for task in causes[:_FAILURES]:
        lines.append(f"{task.state} {_name(task)}")
        lines.append(textwrap.indent(_cut(task.why, _LONGEST_ERROR), "  "))
    yield from _listed("", lines, len(causes) - _FAILURES)
    if unbegun := sum(task.state == "waiting" for task in run.tasks.values()):
        yield f"{_count(unbegun, 'task')} waited for others and never began."
    if run.error:
        yield f"It ended early: {_cut(run.error, _LONGEST_ERROR)}"
    elif not causes:
        yield f"It left with exit code {run.code}, though no task failed; its log says why."
    if story.before:
        again = "The same has failed" if story.still else "It has failed"
        yield f"{again} since {_at(story.began.began)}, {_count(len(story.before) + 1, 'time')} now."


def _of_the_killed(story: Story) -> Iterator[str]:
    for dead in story.killed[:_OTHERS]:
        yield (
            f"Killed: {dead.what}, begun {_at(dead.began)} on {dead.host}, gave its last sign of life "
            f"{_at(dead.began + dead.seconds)}. What it had not committed is not there; the same again goes on: "
            f"{_cut(again(dead), _LONGEST_ERROR)}"
        )


def _of_recovery(story: Story) -> Iterator[str]:
    if story.state != "recovered":
        return
    failed = sorted({_name(task) for run in story.before for task in _causes(run)})
    if failed:
        yield f"What had failed: {_some(failed)}"
    # Another day's success repairs no day that its source keeps by day.
    if days := sorted({run.day for run in story.before if run.day and run.day != story.run.day}):
        yield f"Failed for other days, which this run did not do: {_some(days)}"


def _of_loads(run: Run, facts: Facts) -> Iterator[str]:
    if facts.unknown:
        tables = sum(bool(task.table) and task.state == "done" for task in run.tasks.values())
        yield f"Loaded: {_count(tables, 'table')}. The warehouse says no more: {_cut(facts.unknown, _LONGEST_ERROR)}"
    elif loads := [load for load in facts.loads if not load.inferred]:
        new, changed, gone = (sum(getattr(load, key) for load in loads) for key in ("inserted", "updated", "deleted"))
        tables = len({load.table for load in loads})
        yield f"Loaded: {_count(tables, 'table')}; {new:,} rows new, {changed:,} changed, {gone:,} gone."
    elif run.state == "failed":
        yield "Loaded: nothing."


def _of_trouble(facts: Facts) -> Iterator[str]:
    late = [f"{one.table} is at {one.business_date}, late since {_at(one.since.timestamp())}" for one in facts.late]
    yield from _listed("Late:", late[:_OTHERS], len(late) - _OTHERS)
    lost = [f"{loss.table}.{loss.column}: {loss.count:,} values, {loss.reason}" for loss in facts.losses]
    yield from _listed("Lost:", lost[:_OTHERS], len(lost) - _OTHERS)
    held = [f"{held.table}.{held.column}: {_count(held.new, 'row')}, {held.reason}" for held in facts.held if held.new]
    yield from _listed("New in quarantine:", held[:_OTHERS], len(held) - _OTHERS)
    changes = [
        f"{change.table}.{change.column} {change.change}{_from(change.was, change.became)}" for change in facts.changes
    ]
    yield from _listed("Columns:", changes[:_OTHERS], len(changes) - _OTHERS)


def _where(run: Run) -> str:
    lines = [f"Run {run.id} by {run.user} on {run.host}, {_at(run.began)}, {run.seconds:,.0f} s, {run.version}"]
    if run.log:
        lines.append(f"Log: {Path(run.log).absolute()}")
    page = ledger.FOLDER / f"{run.id}.html"
    if page.exists():
        lines.append(f"Report: {page.absolute()}")
        with contextlib.suppress(EtlError):
            lines.append(f"        {config.lake().url.rstrip('/')}/runs/{run.id}.html")
    if run.state != "done":
        lines.append(f"When that is mended, this does what is left: {_cut(again(run), _LONGEST_ERROR)}")
    return "\n".join(lines)


def _told(story: Story) -> Message:
    try:
        facts = gather(story.run)
    except Exception as error:
        # A digest without numbers is better than none.
        facts = Facts(unknown=f"{type(error).__name__}: {error}")
    return message(story, facts)


def _causes(run: Run) -> list[TaskRun]:
    """What failed by itself, and what others have not brought: whatever needs these was never begun."""
    return sorted(
        (task for task in run.tasks.values() if task.state in ("failed", "missing")),
        key=lambda task: (task.state, task.began or 0),
    )


def _names(run: Run) -> set[str]:
    return {task.name for task in _causes(run)} or {_ending(run)}


def _ending(run: Run) -> str:
    return run.error or f"exit code {run.code}"


def _name(task: TaskRun) -> str:
    return f"{task.name} ({task.table})" if task.table else task.name


def _done(run: Run) -> str:
    done = sum(task.state == "done" for task in run.tasks.values())
    return f"{_count(done, 'task')} done" if done else "everything was already there"


def _listed(heading: str, lines: list[str], more: int) -> Iterator[str]:
    if lines:
        indent = "  " if heading else ""
        rest = [f"{indent}and {more:,} more"] if more > 0 else []
        yield "\n".join([*([heading] if heading else []), *(indent + line for line in lines), *rest])


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _OTHERS} more" if len(names) > _OTHERS else ""
    return ", ".join(names[:_OTHERS]) + more


def _from(was: str | None, became: str | None) -> str:
    return (f" from {was}" if was else "") + (f" to {became}" if became else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _at(seconds: float) -> str:
    try:
        zone = config.timezone()
    except EtlError:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"
    return f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M %Z}"


def _one_line(text: str, longest: int) -> str:
    return _cut(" ".join(text.split()), longest)


def _cut(text: str, longest: int) -> str:
    """Without passwords, of which the cut could leave a piece, and without what only a terminal understands."""
    shown = "".join(one for one in redacted(text).strip() if one.isprintable() or one in "\n\t")
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
