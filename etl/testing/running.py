"""Running one task in a test, with all that it requires, as a night does."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, overload

import luigi
from luigi.task_register import Register

from etl import warehouse
from etl.errors import EtlError
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.manifest import Manifest
from etl.sources import mysql_catalogue


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What a load counted, as the row of etl.receipts that it wrote says it; `rows_read` where the source counts."""

    target: str
    rows_read: int | None
    rows_staged: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    rows_rejected: int
    rows_after: int


@overload
def run_task(task: BaseLoader) -> Receipt: ...
@overload
def run_task(task: BaseExtractor) -> Manifest: ...
@overload
def run_task(task: luigi.Task) -> Any: ...
def run_task(task: luigi.Task) -> Any:
    """Run the task and what it requires, leaving alone what is done, as in a process of its own.

    Returns a load's receipt, or an extract's manifest; of what was done before, those of that time. When a task
    fails, its own error is raised.
    """
    __tracebackhide__ = True
    forget()
    with _failures() as failures:
        done = luigi.build([task], local_scheduler=True, detailed_summary=True, log_level="WARNING")
    if failures:
        # Where a person can act upon it the message says all; a bug keeps its trace.
        if isinstance(failures[0], EtlError):
            raise failures[0].with_traceback(None) from None
        raise failures[0]
    if not done.scheduling_succeeded or done.status != luigi.LuigiStatusCode.SUCCESS:
        raise EtlError(f"{task} did not run to its end:\n{done.summary_text}")
    if isinstance(task, BaseLoader):
        return _receipt(task)
    return task.output().manifest() if isinstance(task, BaseExtractor) else None


def forget() -> None:
    """Forget what this process knows of tasks and of the sources' columns, as a new one would."""
    Register.clear_instance_cache()
    mysql_catalogue.forget()


@contextlib.contextmanager
def _failures() -> Iterator[list[BaseException]]:
    """What the tasks that run in the block fail with, in their order."""
    raised: list[BaseException] = []

    def note(task: luigi.Task, error: BaseException) -> None:
        raised.append(error)

    events = (luigi.Event.FAILURE, luigi.Event.BROKEN_TASK)
    for event in events:
        luigi.Task.event_handler(event)(note)
    try:
        yield raised
    finally:
        for event in events:
            luigi.Task.remove_event_handler(event, note)


def _receipt(task: BaseLoader) -> Receipt:
    columns = ", ".join(field.name for field in dataclasses.fields(Receipt))
    found: list[tuple[Any, ...]] = warehouse.shared().query(
        f"SELECT {columns} FROM etl.receipts WHERE task_key = %s ORDER BY loaded_at DESC LIMIT 1", (task.task_key(),)
    )
    return Receipt(*found[0])
