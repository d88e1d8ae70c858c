"""Why a task is not done: the first things it waits for, what became of each, and what to do about it."""

import datetime
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import luigi

from etl import asked, config, ledger, luigid, past, warehouse
from etl.events import name_of
from etl.extract import BaseExtractor
from etl.ledger import Run, TaskRun
from etl.load import BaseLoader
from etl.warehouse import control

# What is the matter with a thing, the worst first.
_ORDER = ("failed", "missing", "gone", "closed", "killed", "running", "undone", "untried")


@dataclass(frozen=True)
class Cause:
    """The first thing not done on one way to what was asked for: its `state`, what is known of it, and the run."""

    task: str
    state: str
    said: str
    run: str | None = None
    at: float | None = None


@dataclass(frozen=True)
class Answer:
    """`done` says when and by which run, or is empty. `waiting` is how many tasks are not done, the asked one included.

    `next` is the command to give, where there is one.
    """

    what: str
    done: str = ""
    causes: tuple[Cause, ...] = ()
    waiting: int = 0
    next: str = ""
    notes: tuple[str, ...] = field(default=())


def task(name: str, day: datetime.date | None, arguments: tuple[str, ...]) -> Any:
    """The task that is meant: by its parameters, or as the ledger calls it, `MirrorTable users`.

    Without a day it is that of the last complete one, where it is a task of days.
    """
    family = asked.family(name)
    dated = "date" in dict(family.get_params())
    if arguments and not arguments[0].startswith("--"):
        return _called(" ".join([name, *arguments]), day)
    if day and not dated:
        raise click.UsageError(f"{name} takes no --date")
    said = asked.parameters(family, arguments)
    if day or not dated:
        return asked.task(family, said | ({"date": str(day)} if day else {}))
    made = asked.task(family, said | {"date": str(asked.yesterday())})
    if isinstance(dict(family.get_params())["date"], luigi.parameter.OptionalParameterMixin):
        undated = asked.task(family, said)
        # Such as the calendar, which knows no days.
        if undated.complete() and not made.complete():
            return undated
    return made


def explain(task: Any) -> Answer:
    """Why the task is not done, or that it is. EtlError where a server does not say what is done."""
    what = " ".join([name_of(task), *([str(task.date)] if getattr(task, "date", None) else [])])
    if task.complete():
        return Answer(what, done=_done(task))
    if isinstance(task, BaseExtractor) and (loaded := _loaded_and_swept(task)):
        return Answer(what, done=loaded)
    todo = past.to_do([task])
    known = ledger.runs()
    causes = _ranked(_cause(one, known) for one in _first(todo))
    gone = past.lost(todo)
    closed = past.closed(todo)
    notes = []
    command = _command(task)
    if gone:
        notes.append(
            f"A source that shows only what is there now is not what it was on {gone[0].date}, so that day itself can "
            f"be had no more; the last complete day brings the tables up to date"
        )
        command = _command(task, asked.yesterday())
    elif closed:
        listed = ", ".join(one.target for one in closed)
        notes.append(f"{listed} keeps a history and is at a later day, before which nothing can be put in")
        command = ""
    elif causes and all(cause.state == "running" for cause in causes):
        command = "etl status --watch"
    return Answer(what, causes=tuple(causes), waiting=len(todo), next=command, notes=tuple(notes))


def recalled(task: Any) -> list[Cause]:
    """What the ledger alone knows of the task and of all that it requires, where no server can be asked."""
    known = ledger.runs()
    causes = [_cause(one, known) for one in asked.with_all_it_requires(task)]
    return _ranked(cause for cause in causes if cause.state in ("failed", "missing", "killed", "running"))


def as_json(answer: Answer) -> dict[str, Any]:
    return {
        "what": answer.what,
        "done": answer.done or None,
        "waiting": answer.waiting,
        "causes": [vars(cause) for cause in answer.causes],
        "notes": list(answer.notes),
        "next": answer.next or None,
    }


def _first(todo: Sequence[Any]) -> list[Any]:
    """Those that wait for nothing else of these."""
    ids = {task.task_id for task in todo}
    return [
        task
        for task in todo
        if not any(one.task_id in ids for one in past.needed(task, luigi.task.flatten(task.requires())))
    ]


def _cause(task: Any, known: Sequence[Run]) -> Cause:
    name = name_of(task)
    run, seen = _last(task, known)
    if past.lost([task]):
        said = f"its source no longer shows {task.date}"
        if run and seen and seen.why:
            return Cause(name, "gone", f"{said}; it failed then: {seen.why}", run.id, seen.ended)
        return Cause(name, "gone", said)
    if not run or not seen:
        where = _expected(task)
        never = f"not tried in the last {len(known)} runs" if known else "nothing was run yet"
        said = f"expected at {where}" if where else never
        return Cause(name, "missing" if where else "untried", said + _luigids_word(task))
    at = seen.ended or seen.began or run.began
    if seen.state == "running" and run.state == "running":
        rows = f", {seen.rows:,} rows {seen.verb}".rstrip() if seen.rows is not None else ""
        return Cause(name, "running", f"at work for {seen.seconds:.0f} s{rows}", run.id, seen.began)
    if seen.state == "running":
        return Cause(name, "killed", "was at work when its run was killed", run.id, at)
    if seen.state == "waiting" and run.state == "running":
        return Cause(name, "running", "waits for its turn", run.id, run.began)
    if seen.state == "waiting":
        return Cause(name, "undone", "never began in that run" + _luigids_word(task), run.id, run.ended or run.began)
    if seen.state == "done":
        return Cause(name, "undone", "was done, and has been undone or deleted since", run.id, at)
    where = _expected(task)
    said = f"expected at {where}" if seen.state == "missing" and where else seen.why
    return Cause(name, seen.state, said + _luigids_word(task), run.id, at)


def _last(task: Any, known: Sequence[Run]) -> tuple[Run | None, TaskRun | None]:
    """The newest run that had the task to do, and what became of it there."""
    day = getattr(task, "date", None)
    name = name_of(task)
    for run in known:
        # A run of many days says of each task of which.
        seen = run.tasks.get(f"{name} {day}") if day else None
        if not seen and (day is None or run.day in (None, str(day))):
            seen = run.tasks.get(name)
        if seen:
            return run, seen
    return None, None


def _luigids_word(task: Any) -> str:
    """What luigid, where one answers, knows of a task that is in its way; nothing of one that it would let begin."""
    try:
        found = luigid.scheduler().task_search(task.task_id) if luigid.answers() else {}
    except luigi.rpc.RPCError:
        return ""
    if "DISABLED" in found:
        return "; luigid has disabled it, because it failed too often, and lets nobody begin it for now"
    if "RUNNING" in found:
        (one,) = list(found["RUNNING"].values())[:1]
        return f"; luigid says that worker {one['worker_running']} is at it"
    return ""


def _expected(task: Any) -> str:
    """Where that is to appear which others bring."""
    return getattr(task, "url", None) or str(task) if isinstance(task, luigi.ExternalTask) else ""


def _done(task: Any) -> str:
    if isinstance(task, BaseLoader):
        db = warehouse.shared()
        rows = db.query(
            "SELECT l.loaded_at, l.run_id, r.rows_staged FROM etl.loads l LEFT JOIN etl.receipts r "
            "ON r.task_key = l.task_key AND r.run_id = l.run_id WHERE l.task_key = %s",
            (task.task_key(),),
        )
        if rows:
            at, run, staged = rows[0]
            came = f", {staged:,} rows came" if staged is not None else ""
            return f"loaded into {task.target} at {_moment(at)} by run {run}{came}"
    if isinstance(task, BaseExtractor):
        manifest = task.output().manifest()
        ended = datetime.datetime.fromisoformat(manifest.ended)
        return f"extracted at {_moment(ended)} by run {manifest.run}, {manifest.rows:,} rows"
    if isinstance(task, luigi.WrapperTask):
        return "all that it names is done"
    return "its output is there"


def _loaded_and_swept(task: BaseExtractor) -> str:
    """Of an extract that is not in the lake any more because all that needed it is loaded: since when."""
    db = warehouse.shared()
    if not control.has(db, "extracts"):
        return ""
    ((needed, loaded, swept),) = db.query(
        "SELECT count(*), count(l.task_key), max(e.swept_at) FROM etl.extracts e "
        "LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.manifest = %s",
        (task.output().url,),
    )
    if not swept or loaded < needed:
        return ""
    return f"extracted, loaded, and deleted from the lake at {_moment(swept)}, as [lake] keep_days says"


def _ranked(causes: Any) -> list[Cause]:
    return sorted(causes, key=lambda cause: _ORDER.index(cause.state))


def _called(name: str, day: datetime.date | None) -> Any:
    """The task of the project's that the ledger calls so."""
    day = day or asked.yesterday()
    for family in asked.families():
        parameters = dict(family.get_params())
        required = [key for key, one in parameters.items() if one._default is luigi.parameter._no_value]
        if set(required) <= {"date"}:
            root = family(date=day) if "date" in parameters else family()
            for one in asked.with_all_it_requires(root):
                if name_of(one) == name:
                    return one
    raise click.UsageError(f"no task of the project is called {name}; write its parameters as --name value")


def _command(task: Any, day: datetime.date | None = None) -> str:
    """The command that does it, for its own day or for another."""
    said = task.to_str_params(only_significant=True) | ({"date": str(day)} if day else {})
    told = [
        key
        for key, one in task.get_params()
        if one.significant and key != "date" and getattr(task, key) != one._default
    ]
    words = [word for key in told for word in (f"--{key.replace('_', '-')}", shlex.quote(said[key]))]
    if getattr(task, "date", None):
        words += ["--date", said["date"]]
    return " ".join(["etl run", task.get_task_family(), *words])


def _moment(when: datetime.datetime) -> str:
    return f"{when.astimezone(config.timezone()):%Y-%m-%d %H:%M}"
