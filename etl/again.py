"""etl rerun and etl replay: work that is done is done again, from the source or from the kept extract.

Both show first what they will touch. Receipts stay, and the new ones follow them.
"""

import contextlib
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import luigi
from luigi.parameter import ParameterVisibility, _no_value
from luigi.task_register import Register
from rich.console import Console
from rich.table import Table

from etl import asked, config, report, warehouse
from etl.errors import DataError, LakeError, MissingData, Transient
from etl.events import name_of
from etl.extract import BaseExtractor
from etl.lake import Bucket
from etl.ledger import Book
from etl.load import BaseLoader
from etl.manifest import ManifestTarget
from etl.past import closed, lost, to_do
from etl.warehouse import control


class Again(luigi.WrapperTask):
    """These tasks, each as [family, parameters]."""

    # Nobody wants to read them as a name.
    tasks = luigi.ListParameter(visibility=ParameterVisibility.HIDDEN)

    def requires(self) -> list[luigi.Task]:
        return [Register.get_task_cls(family).from_str_params(said) for family, said in self.tasks]


@dataclass
class Plan:
    """`loads` lose their markers and `extracts` their manifests; `tasks` is all that is run then, in its order.

    `stale` are the names of tasks that are computed from these and stay as they are.
    """

    what: str
    loads: list[BaseLoader]
    extracts: list[BaseExtractor]
    tasks: list[Any]
    stale: Sequence[str] = ()

    def undo(self) -> None:
        """Make the work undone. Waits for a load that is at work on one of the tables, and raises Locked in the end."""
        keys = tuple(load.task_key() for load in self.loads)
        targets = sorted({load.target for load in self.loads})
        with warehouse.connect(self.what) as db, contextlib.ExitStack() as locks:
            control.prepare(db)
            for target in targets:
                locks.enter_context(db.locked(target))
            # The marker goes first: who dies after it leaves rows as they were and work that counts as not done, which
            # its next run does, be it from the old extract. With the manifest first it would count as done, with no
            # extract to load it from again. No load can come in between, since its target's lock is held here.
            if keys:
                with db.transaction():
                    _forget_files(db, keys, self.extracts)
                    control.undo(db, keys, targets)
            for extract in self.extracts:
                _remove(extract.output())

    def run(self, workers: int, book: Book) -> int:
        """Run luigi on what is undone; the exit code."""
        roots = [*self.loads, *self.extracts]
        said = json.dumps([[task.get_task_family(), task.to_str_params()] for task in roots])
        again = Again(tasks=json.loads(said))
        return report.run(Again, workers, ["--tasks", said], self.what, book, [again, *self.tasks])

    def show(self, console: Console) -> None:
        """The table of what will be touched, in the order in which it is run."""
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column("task", overflow="fold")
        for heading in ("table", "extract", "last loaded"):
            table.add_column(heading, no_wrap=True)
        table.add_column("rows", justify="right")
        done, shown = last_loads(self.tasks), set()
        for load in (task for task in self.tasks if isinstance(task, BaseLoader)):
            extracts = _extracts(load)
            shown |= {extract.task_id for extract in extracts}
            fate = self._fate(extracts[0]) if extracts else ""
            at, rows = done.get(load.task_key(), (None, 0))
            when = f"{at.astimezone(config.timezone()):%Y-%m-%d %H:%M}" if at else "never"
            table.add_row(name_of(load), load.target, fate, when, f"{rows:,}" if at else "")
        for extract in (task for task in self.tasks if isinstance(task, BaseExtractor) and task.task_id not in shown):
            table.add_row(name_of(extract), "", self._fate(extract), "", "")
        console.print(table)
        if self.stale:
            said = f"Computed from these, and left as they are without --downstream: {', '.join(self.stale)}"
            console.print(said, soft_wrap=True, highlight=False)

    def _fate(self, extract: BaseExtractor) -> str:
        return "reread" if extract in self.extracts else "kept" if extract.complete() else "read"


def rerun(task: luigi.Task, downstream: bool) -> Plan:
    """From the source: the task's own extract is read again, and it and those that are computed from it are loaded.

    Raises, and nothing is touched, where the source cannot be read as it was.
    """
    what = f"rerun {name_of(task)} {_date(task) or ''}".strip()
    below = _below(task)
    own = [one for load in below if isinstance(load, BaseLoader) for one in _extracts(load)]
    read = list({one.task_id: one for one in [*below, *own] if isinstance(one, BaseExtractor)}.values())
    computed = _computed_from([*below, *read], _date(task))
    loads = [one for one in below + (computed if downstream else []) if isinstance(one, BaseLoader)]
    tasks = to_do([*loads, *read], {one.task_id for one in [*loads, *read]})
    if gone := lost(tasks):
        listed = ", ".join(f"{name_of(one)} of {one.date}" for one in gone)
        raise click.UsageError(
            f"{what}: its source shows only what is there now, so this cannot be read again: {listed}. Nothing was "
            f"touched; `etl replay` loads again what was extracted then, while it is in the lake"
        )
    _refuse_what_was_never_done(task, loads, read)
    _refuse_what_is_closed(what, tasks)
    for one in tasks:
        if isinstance(one, luigi.ExternalTask):
            raise MissingData(f"{one}: not there any more, so it cannot be read again; nothing was touched")
    return Plan(what, loads, read, tasks, () if downstream else [name_of(one) for one in computed])


def replay(task: luigi.Task) -> Plan:
    """From the extract that was kept, or of SQL alone from the warehouse's own tables; no source is touched.

    Raises, and nothing is touched, where an extract is not in the lake any more.
    """
    what = f"replay {name_of(task)} {_date(task) or ''}".strip()
    loads = [one for one in _below(task) if isinstance(one, BaseLoader)]
    if not loads:
        raise click.UsageError(f"{name_of(task)} loads nothing; replay a load of it, or read it again by `etl rerun`")
    tasks = to_do(loads, {load.task_id for load in loads})
    _refuse_what_was_never_done(task, loads, [])
    _refuse_what_is_closed(what, tasks)
    if gone := [one for one in tasks if isinstance(one, BaseExtractor)]:
        raise LakeError("\n".join(_why_gone(one) for one in gone) + "\nNothing was touched.")
    return Plan(what, loads, [], tasks)


def last_loads(tasks: Sequence[Any]) -> dict[str, tuple[datetime.datetime, int]]:
    """Of each load that ever was: when it was last done, and with how many rows."""
    keys = tuple(task.task_key() for task in tasks if isinstance(task, BaseLoader))
    db = warehouse.shared()
    if not keys or not control.has(db, "receipts"):
        return {}
    rows = db.query(
        "SELECT task_key, loaded_at, rows_staged FROM etl.receipts WHERE task_key IN %s ORDER BY loaded_at", (keys,)
    )
    return {key: (at, staged) for key, at, staged in rows}


def _below(task: luigi.Task) -> list[Any]:
    """The task itself; of one that only names others all those of its day."""
    if not isinstance(task, luigi.WrapperTask):
        return [task]
    everything = [one for one in asked.with_all_it_requires(task) if not isinstance(one, luigi.WrapperTask)]
    return [one for one in everything if isinstance(one, BaseLoader | BaseExtractor) and _date(one) == _date(task)]


def _computed_from(tasks: Sequence[luigi.Task], day: datetime.date | None) -> list[Any]:
    """Every load of the project that requires one of these for that day, at whatever distance, and was done for it.

    What belongs to no day, such as the calendar, has something computed from it on every day, and so on none.
    """
    if day is None:
        return []
    graph: dict[str, tuple[luigi.Task, set[str]]] = {}
    for family in asked.families():
        parameters = dict(family.get_params())
        others = [parameter for key, parameter in parameters.items() if key != "date"]
        if "date" in parameters and not any(parameter._default is _no_value for parameter in others):
            for task in asked.with_all_it_requires(family(date=day)):
                if task.task_id not in graph:
                    required = luigi.task.flatten(task.requires())
                    graph[task.task_id] = task, {one.task_id for one in required}
    reached = {task.task_id for task in tasks}
    grown = True
    while grown:
        more = {key for key, (_, required) in graph.items() if required & reached} - reached
        reached |= more
        grown = bool(more)
    begun = {task.task_id for task in tasks}
    loads = [task for key, (task, _) in graph.items() if key in reached - begun and isinstance(task, BaseLoader)]
    done = last_loads(loads)
    return [load for load in loads if load.task_key() in done]


def _extracts(load: BaseLoader) -> list[BaseExtractor]:
    return [one for one in luigi.task.flatten(load.requires()) if isinstance(one, BaseExtractor)]


def _date(task: luigi.Task) -> datetime.date | None:
    return getattr(task, "date", None)


def _refuse_what_was_never_done(
    task: luigi.Task, loads: Sequence[BaseLoader], extracts: Sequence[BaseExtractor]
) -> None:
    if last_loads(loads) or any(extract.complete() for extract in extracts):
        return
    hint = "" if lost(to_do([task])) else f"; `{_first_time(task)}` does it a first time"
    raise DataError(
        f"{name_of(task)}: was never done {f'for {_date(task)}' if _date(task) else 'without --date'}, so there is "
        f"nothing to do again{hint}"
    )


def _refuse_what_is_closed(what: str, tasks: Sequence[Any]) -> None:
    if found := closed(tasks):
        raise click.UsageError(
            f"{what}: {', '.join(load.target for load in found)} keeps a history and is at a later day, before which "
            f"nothing can be put in; nothing was touched"
        )


def _first_time(task: luigi.Task) -> str:
    said = task.to_str_params()
    words = [
        f"--{key.replace('_', '-')} {said[key]}"
        for key, parameter in task.get_params()
        if parameter.significant and getattr(task, key) != parameter._default
    ]
    return " ".join(["etl run", task.get_task_family(), *words])


def _why_gone(extract: BaseExtractor) -> str:
    """That the extract is not in the lake, since when, and which of its kind are."""
    url, keep_days, db = extract.output().url, config.lake().keep_days, warehouse.shared()
    kept, swept = [], None
    if control.has(db, "extracts"):
        kept = db.query(
            "SELECT DISTINCT l.business_date FROM etl.extracts e JOIN etl.loads l ON l.task_key = e.task_key "
            "WHERE e.swept_at IS NULL AND l.business_date IS NOT NULL AND l.target IN (SELECT k.target FROM "
            "etl.loads k JOIN etl.extracts o ON o.task_key = k.task_key WHERE o.manifest = %s) ORDER BY 1",
            (url,),
        )
        ((swept,),) = db.query("SELECT max(swept_at) FROM etl.extracts WHERE manifest = %s", (url,))
    since = (
        f"was deleted on {swept:%Y-%m-%d}, {keep_days} days after it was loaded ([lake] keep_days)"
        if swept
        else (f"is not there ([lake] keep_days = {keep_days})")
    )
    days = ", ".join(str(day) for (day,) in kept) or "no day"
    return f"{url}: {since}; the lake has of its table: {days}."


def _forget_files(db: warehouse.Engine, keys: tuple[str, ...], extracts: Sequence[BaseExtractor]) -> None:
    """The files that these loads took are news again, for extractors that read each file once."""
    if extracts:
        db.execute(
            "DELETE FROM etl.files WHERE task IN %s AND run_id IN (SELECT run_id FROM etl.loads WHERE task_key IN %s)",
            (tuple({extract.get_task_family() for extract in extracts}), keys),
        )


def _remove(target: ManifestTarget) -> None:
    if not target.exists():
        return
    try:
        target.remove(target.manifest())
    except LakeError as error:
        if isinstance(error, Transient):
            raise
        # A manifest that cannot be read does not name its parts; without it they are buried by the next attempt.
        Bucket(config.lake()).delete([target.key])
