"""One run of luigi, watched: live at a terminal, as plain lines in a log, and summed up at the end."""

import contextlib
import json
import multiprocessing
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import luigi
import luigi.cmdline
from rich.console import Console
from rich.live import Live
from rich.table import Table

from etl import events, logs, luigid
from etl.ledger import Book, TaskRun
from etl.run import run_id

_CRASH = 40

# After so many seconds without a word from a worker one looks again.
_SILENCE = 2.5


def run(
    family: type[luigi.Task],
    workers: int,
    arguments: list[str],
    console: Console,
    book: Book,
    undone: Sequence[luigi.Task] = (),
) -> int:
    """Run a task and all that it requires by luigi's own command; its exit code, which is the truth.

    What the tasks say goes into the `book`. At a terminal a table is drawn while it lasts and luigi's lines go to
    var/log; elsewhere they go to stderr as they are. `undone` tasks are those that were done and have been undone
    since.
    """
    reading, writing = os.pipe()
    log = _log_file() if console.is_terminal else None
    if log:
        book.hear(log=str(log))
    shared = luigid.answers()
    said = ["--module", family.__module__, family.__name__, *arguments, "--workers", str(workers)]
    # The command holds a lock of its own.
    said.append("--no-lock")
    # Luigid lets no worker in again that has left, and several may have one run id: those of a command that runs luigi
    # more than once, or of whoever sets ETL_RUN_ID.
    worker = f"{run_id()}-{secrets.token_hex(3)}"
    said += ["--worker-id", worker] if shared else ["--local-scheduler"]
    if shared:
        _wait_for_the_dead()
        _forget(worker, undone)
    # Forked and not started anew: the tasks are imported already, which is a third of what a small run cost. Whatever
    # needs a thread or a connection begins after this line.
    process = multiprocessing.get_context("fork").Process(target=_luigi, args=(said, reading, writing, log))
    process.start()
    os.close(writing)
    try:
        with os.fdopen(reading) as lines:
            if console.is_terminal:
                _watch(lines, book, console)
            else:
                for line in lines:
                    book.hear(**json.loads(line))
        process.join()
    except BaseException:
        # Ctrl-C reached luigi as well, which stops its workers; wait, so that none outlives this command.
        process.terminate()
        process.join()
        raise
    finally:
        if shared:
            _leave(worker)
    code = process.exitcode
    return code if code is not None and code >= 0 else _CRASH


def _luigi(arguments: list[str], reading: int, writing: int, log: Path | None) -> None:
    """Luigi's own command, in a process of its own whose output is `log` or stderr."""
    os.close(reading)
    os.environ[events.PIPE] = str(writing)
    if log:
        # A command may run luigi more than once.
        with log.open("a") as file:
            os.dup2(file.fileno(), sys.stderr.fileno())
    logs.begin()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        luigi.cmdline.luigi_run(arguments)
    finally:
        logs.end()


def _watch(lines: Iterator[str], book: Book, console: Console) -> None:
    with Live(console=console, refresh_per_second=4, get_renderable=lambda: _picture(book.run.tasks), transient=True):
        for line in lines:
            book.hear(**json.loads(line))


def _picture(tasks: dict[str, TaskRun]) -> Table:
    """The tasks at work, one a line, below a count of the others."""
    states = [seen.state for seen in tasks.values()]
    bad = sum(state in ("failed", "missing") for state in states)
    table = Table(
        "task",
        "",
        "rows",
        "MB",
        "s",
        title=f"{states.count('done')} done, {states.count('running')} running, {bad} failed",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for name, seen in tasks.items():
        if seen.state == "running":
            rows = f"{seen.rows:,}" if seen.rows is not None else ""
            percent = f" {100 * (seen.rows or 0) // seen.total}%" if seen.total else ""
            size = f"{seen.bytes / 1e6:,.1f}" if seen.bytes else ""
            table.add_row(name, seen.verb + percent, rows, size, f"{seen.seconds:.0f}")
    return table


def _log_file() -> Path:
    folder = Path("var/log")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{run_id()}.log"


def _leave(worker: str) -> None:
    """Tell luigid that the run is over, which luigi itself does not.

    For a minute it would go on keeping [resources] free for what the run left undone, and give other runs none of
    the tasks that need them, so that they would leave with exit code 25.
    """
    # Whether luigid hears it changes nothing in how the run went.
    with contextlib.suppress(luigi.rpc.RPCError):
        if luigid.answers():
            luigid.scheduler().disable_worker(worker=worker)


def _wait_for_the_dead() -> None:
    """Wait until luigid gives up the tasks of workers that have died, `[scheduler] worker_disconnect_delay` after
    their last word. A run that asks for such a task before that is told that another one runs it.

    A living worker says something once a second.
    """
    scheduler = luigid.scheduler()
    heard: dict[str, float] = {}
    while True:
        before = heard
        heard = {found["name"]: found["last_active"] for found in scheduler.worker_list() if found["num_running"]}
        if not heard or (before and not heard.items() & before.items()):
            return
        time.sleep(_SILENCE)


def _forget(worker: str, undone: Sequence[luigi.Task]) -> None:
    """Tell luigid that these may be undone: for ten seconds after a task's end it takes nobody's word that it is
    pending, and whatever requires it would be run without it.

    What is suspended it notes as pending, and asks no questions.
    """
    for task in undone:
        luigid.scheduler().add_task(worker=worker, task_id=task.task_id, status="SUSPENDED", runnable=False)
