"""The ledger: what became of each run, one file a run, written while it lasts.

`var/runs/<run id>.jsonl` begins with the run, goes on with what its tasks said (etl.events), and ends with its exit
code. Whoever keeps it holds a lock on the file, as do the workers; a file that nobody holds and that has no end is of
a run that died. A finished one is put into the lake too, as runs/<run id>.jsonl.
"""

import contextlib
import fcntl
import getpass
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl import config
from etl.errors import EtlError
from etl.run import code_version, run_id

if TYPE_CHECKING:
    from etl.lake import Bucket

FOLDER = Path("var/runs")
_ID = re.compile(r"[\w.-]+")
_IN_THE_LAKE = "runs/"


@dataclass
class TaskRun:
    """What is known of one task: its state, its rows and bytes, why it failed, the tasks that it requires.

    It is `waiting` from when it is planned until it begins, then `running`, and ends as `done`, `failed` or `missing`
    (something that others bring is not there yet). One that is waiting in a run that has ended was never begun. What
    was done before the run is not in it, but may be in `needs`. `table` is what a load publishes.
    """

    name: str
    state: str = "waiting"
    began: float | None = None
    ended: float | None = None
    rows: int | None = None
    bytes: int = 0
    total: int | None = None
    verb: str = ""
    why: str = ""
    table: str = ""
    needs: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From its begin to its end, or until now; 0 for one that was never begun."""
        return (self.ended or time.time()) - self.began if self.began else 0.0

    def hear(self, event: dict[str, Any]) -> None:
        """Take in what the task, or the worker that has it, said."""
        at = event.get("at", time.time())
        for key, value in event.items():
            if key == "needs":
                if value not in self.needs:
                    self.needs.append(value)
            elif key == "state":
                self.state = value
                if value == "running":
                    self.began, self.ended, self.why = at, None, ""
                else:
                    self.began, self.ended = self.began or at, at
            elif key not in ("task", "at"):
                setattr(self, key, value)


@dataclass
class Run:
    """One command that ran tasks. Times are seconds since the epoch, `day` is ISO.

    `task` is what was asked for without its day: `Nightly`, `MirrorTable --table users`; `what` is how people call the
    run: `Nightly 2014-02-03`. `code` is its exit code, `error` what ended it before its tasks or beside them, `log`
    where luigi's words are if they went to a file, and `watched` whether somebody sat at a terminal.
    """

    id: str
    what: str
    task: str
    day: str | None
    command: list[str]
    host: str
    pid: int
    user: str
    version: str
    began: float
    watched: bool
    ended: float | None = None
    code: int | None = None
    error: str = ""
    log: str | None = None
    tasks: dict[str, TaskRun] = field(default_factory=dict)
    held: bool = False
    there: set[str] = field(default_factory=set)

    @property
    def state(self) -> str:
        """running, done, failed, or died: it has no end, and nobody is at it."""
        if self.ended is None:
            return "running" if self.held else "died"
        return "done" if self.code == 0 else "failed"

    @property
    def seconds(self) -> float:
        """Until now while it runs; of one that died, until the last that was heard of it."""
        if self.state == "died":
            heard = [at for task in self.tasks.values() for at in (task.began, task.ended) if at]
            return max(heard, default=self.began) - self.began
        return (self.ended or time.time()) - self.began

    def hear(self, line: dict[str, Any]) -> None:
        """Take in one line of the file, or of the events' pipe."""
        if "task" in line and "command" not in line:
            self._hear_of(line["task"], line)
        else:
            for key, value in line.items():
                setattr(self, key, value)

    def _hear_of(self, task: str, line: dict[str, Any]) -> None:
        if line.get("state") == "there":
            self.there.add(task)
            if task in self.tasks and self.tasks[task].state == "waiting":
                del self.tasks[task]
            return
        # What is required is planned too, unless it turns out to be there.
        if (needed := line.get("needs")) and needed not in self.there:
            self.tasks.setdefault(needed, TaskRun(needed))
        self.tasks.setdefault(task, TaskRun(task)).hear(line)


class Book:
    """A run's file while the run lasts: everything that is heard goes into it at once."""

    def __init__(self, run: Run, file: Any) -> None:
        self.run, self._file = run, file

    def hear(self, **said: Any) -> None:
        self.run.hear(said)
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()


@contextlib.contextmanager
def begun(what: str, task: str, day: str | None, watched: bool) -> Iterator[Book]:
    """Keep the ledger of a run; the one who keeps it says how it ended (`code`, `error`) before the block does.

    Files that are older than [warehouse] keep_days go.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    _forget_the_old()
    run = Run(
        id=run_id(),
        what=what,
        task=task,
        day=day,
        command=[Path(sys.argv[0]).name, *sys.argv[1:]],
        host=socket.gethostname(),
        pid=os.getpid(),
        user=_user(),
        version=code_version(),
        began=time.time(),
        watched=watched,
        held=True,
    )
    # Whoever sets ETL_RUN_ID may run more than once by it; the last time counts.
    with _path(run.id).open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        book = Book(run, file)
        kept = {key: value for key, value in asdict(run).items() if key not in ("tasks", "held", "there")}
        book.hear(**kept)
        try:
            yield book
        finally:
            book.hear(ended=time.time())


def forget(run: Run) -> None:
    _path(run.id).unlink(missing_ok=True)


def keep(run: Run) -> None:
    """Put the file of a finished run into the lake, where other hosts find it."""
    _lake().put(f"{_IN_THE_LAKE}{run.id}.jsonl", _path(run.id).read_bytes())


def runs(limit: int = 30) -> list[Run]:
    """The newest first: this folder's, or the lake's where this folder has none."""
    here = sorted(FOLDER.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)[:limit]
    if here:
        found = [_read(path) for path in here]
    else:
        bucket = _lake()
        # Ids begin with the time, in UTC.
        keys = sorted(there.key for there in bucket.list(_IN_THE_LAKE) if there.key.endswith(".jsonl"))[-limit:]
        found = [_parsed(bucket.read(key).decode().splitlines()) for key in keys]
    return sorted((run for run in found if run), key=lambda run: run.began, reverse=True)


def read(run: str) -> Run:
    """The run of that id, from here or from the lake; EtlError with the last ones that there are."""
    there = _path(run)
    if there.exists() and (found := _read(there)):
        return found
    bucket, key = _lake(), f"{_IN_THE_LAKE}{run}.jsonl"
    # What is no id is no object either, and some servers refuse to say so.
    if _ID.fullmatch(run) and bucket.exists(key) and (found := _parsed(bucket.read(key).decode().splitlines())):
        return found
    listed = ", ".join(one.id for one in runs(limit=5)) or "none yet"
    raise EtlError(f"no run {run}; the last ones are {listed}")


def _lake() -> "Bucket":
    # It brings boto3 along, for which a look at this folder need not wait.
    from etl.lake import Bucket

    return Bucket(config.lake())


def _read(path: Path) -> Run | None:
    with path.open(encoding="utf-8") as file:
        run = _parsed(file)
        if run:
            run.held = _is_held(file)
            if run.held is False and run.ended is None:
                # It may have ended between the two looks.
                file.seek(0)
                run = _parsed(file)
    return run


def _parsed(lines: Iterable[str]) -> Run | None:
    """None for a file whose first line was never finished; so may be the last of a run that died."""
    run: Run | None = None
    for line in lines:
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            continue
        if run is None:
            run = Run(**said)
        else:
            run.hear(said)
    return run


def _is_held(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _path(run: str) -> Path:
    name = re.sub(r"[^\w.-]", "_", run)
    return FOLDER / f"{name}.jsonl"


def _forget_the_old() -> None:
    try:
        oldest = time.time() - config.warehouse().keep_days * 86400
    except EtlError:
        # The run itself will say so.
        return
    for path in FOLDER.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
