"""What becomes of a run's tasks, as lines on a pipe to the command that started it.

Workers are forked, and the pipe's descriptor is in the environment, so every task of a run finds it.
"""

import json
import os
import time
from typing import Any

import luigi
from luigi.parameter import ParameterVisibility

PIPE = "ETL_EVENTS_FD"
# Set where a run is of several days, so that a task is not taken for the same of another day.
DAYS = "ETL_EVENTS_DAYS"

# The kernel keeps a write of up to PIPE_BUF bytes whole; JSON makes up to twelve of a character.
_WHOLE = 4096
_SURELY_SHORT = 300

_at_work: list[luigi.Task] = []


def send(**event: Any) -> None:
    """One line to the command that watches, if there is one; a long `why` is cut, so that lines never mix."""
    if descriptor := os.environ.get(PIPE):
        line = json.dumps(event)
        if len(line) >= _WHOLE:
            line = json.dumps(event | {"why": event["why"][:_SURELY_SHORT]})
        try:
            os.write(int(descriptor), line.encode() + b"\n")
        except OSError:
            # Nobody reads any more; the night goes on.
            del os.environ[PIPE]


def at_work() -> luigi.Task | None:
    """What this process is at: a worker does one task at a time."""
    return _at_work[0] if _at_work else None


def name_of(task: luigi.Task) -> str:
    """`LoadVenues`, and what tells it from its like: `MirrorTable users`. The date is the run's own, if it has one."""
    told = [
        parameter.serialize(getattr(task, name))
        for name, parameter in task.get_params()
        if parameter.significant
        and parameter.visibility == ParameterVisibility.PUBLIC
        and name != "date"
        and getattr(task, name) != parameter._default
    ]
    day = getattr(task, "date", None) if os.environ.get(DAYS) else None
    return " ".join([task.get_task_family(), *told, *([str(day)] if day else [])])


@luigi.Task.event_handler(luigi.Event.DEPENDENCY_DISCOVERED)
def _planned(task: luigi.Task, needed: luigi.Task) -> None:
    send(task=name_of(task), needs=name_of(needed))


@luigi.Task.event_handler(luigi.Event.DEPENDENCY_PRESENT)
def _there(task: luigi.Task) -> None:
    send(task=name_of(task), state="there")


@luigi.Task.event_handler(luigi.Event.START)
def _started(task: luigi.Task) -> None:
    _at_work[:] = [task]
    send(task=name_of(task), state="running", table=getattr(task, "target", ""), at=time.time())


@luigi.Task.event_handler(luigi.Event.SUCCESS)
def _done(task: luigi.Task) -> None:
    _at_work.clear()
    send(task=name_of(task), state="done", at=time.time())


@luigi.Task.event_handler(luigi.Event.FAILURE)
def _failed(task: luigi.Task, exception: BaseException) -> None:
    _at_work.clear()
    why = str(exception) or type(exception).__name__
    send(task=name_of(task), state="failed", why=why, at=time.time())


@luigi.Task.event_handler(luigi.Event.PROCESS_FAILURE)
def _died(task: luigi.Task, why: str) -> None:
    send(task=name_of(task), state="failed", why=why, at=time.time())


@luigi.Task.event_handler(luigi.Event.BROKEN_TASK)
def _broken(task: luigi.Task, exception: BaseException) -> None:
    send(task=name_of(task), state="failed", why=str(exception), at=time.time())


@luigi.Task.event_handler(luigi.Event.DEPENDENCY_MISSING)
def _missing(task: luigi.Task) -> None:
    """Luigi says the same of what others bring and of a task that could not say whether it is done."""
    if isinstance(task, luigi.ExternalTask):
        send(task=name_of(task), state="missing", why="not there yet; run again when it is", at=time.time())
    else:
        why = "could not say whether it is done, for a server did not answer; the log names it"
        send(task=name_of(task), state="failed", why=why, at=time.time())
