"""Logs for machines: with [etl] log_format = json, each line that a run writes to its log is one JSON object.

`ts` (RFC 3339, UTC), `level`, `logger`, `message`, `run_id` and `host` are in all of them; `pid`, `task`, `table`,
`day` and `exception` where there is one. Plain luigi does it by `--logging-conf-file docs/json-logs.ini`.
"""

import atexit
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from datetime import datetime, timezone
from types import TracebackType
from typing import NoReturn

import luigi

from etl import config, events
from etl.errors import EtlError
from etl.run import run_id

# Whatever is still written so long after the end of a run, by a process that outlives it, is not waited for.
_LAST_WORDS = 5

_STDERR = 2
_HOST = socket.gethostname()


class JsonFormatter(logging.Formatter):
    """A record as one object, and so one line, its trace included."""

    def format(self, record: logging.LogRecord) -> str:
        said = _said(record.created, record.levelname, record.name, record.getMessage()) | {"pid": record.process}
        if task := _task(record):
            said["task"] = events.name_of(task)
            for key, value in (("table", getattr(task, "target", None)), ("day", getattr(task, "date", None))):
                if value:
                    said[key] = str(value)
        if record.exc_info and record.exc_info[0]:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def begin() -> None:
    """From now on what this process and its children write to stderr is in [etl] log_format; at a terminal it is text.

    What they log is written by themselves. Whatever else arrives at stderr (a report's line, a library's, a crash) goes
    through a process that makes an object of each line.
    """
    if _begun or os.isatty(_STDERR) or not _is_json():
        return
    sys.stderr.flush()
    lines = _Lines(os.dup(_STDERR))
    reading, writing = os.pipe()
    wrapper = os.fork()
    if not wrapper:
        os.close(writing)
        _wrap(reading, lines)
    os.close(reading)
    os.dup2(writing, _STDERR)
    os.close(writing)
    logging.getLogger().addHandler(lines)
    logging.getLogger("luigi-interface").setLevel(luigi.interface.core().log_level)
    # Luigi would add a handler of its own.
    luigi.configuration.get_config().set("core", "no_configure_logging", "true")
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    _begun.append((os.getpid(), wrapper, lines.descriptor))
    atexit.register(end)


def end() -> None:
    """Stderr is again what it was, and all that was written to it is where it belongs."""
    if not _begun or _begun[0][0] != os.getpid():
        return
    _, wrapper, descriptor = _begun.pop()
    sys.stderr.flush()
    os.dup2(descriptor, _STDERR)
    deadline = time.monotonic() + _LAST_WORDS
    while os.waitpid(wrapper, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)


# The process that has begun it, the one that wraps lines, and where stderr went before.
_begun: list[tuple[int, int, int]] = []


class _Lines(logging.Handler):
    """Writes lines that are never mixed with those of other processes of the run, however long they are."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.setFormatter(JsonFormatter())
        # Held while a line is written. The kernel lets go of it when its holder is killed.
        self._turn = tempfile.TemporaryFile()  # noqa: SIM115

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
        except Exception:
            self.handleError(record)

    def write(self, line: str) -> None:
        left = line.encode(errors="backslashreplace") + b"\n"
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError:
            # Nobody reads any more, or the disk is full; the night goes on.
            pass
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)


def _wrap(reading: int, lines: _Lines) -> NoReturn:
    """Until everybody who could write has ended, whatever ends them."""
    try:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)
        with os.fdopen(reading, "rb") as written:
            for line in written:
                if text := line.decode(errors="backslashreplace").strip():
                    lines.write(json.dumps(_said(time.time(), "INFO", "stderr", text), ensure_ascii=False))
    finally:
        os._exit(0)


def _said(at: float, level: str, logger: str, message: str) -> dict[str, object]:
    ts = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"ts": ts, "level": level, "logger": logger, "message": message, "run_id": run_id(), "host": _HOST}


def _task(record: logging.LogRecord) -> luigi.Task | None:
    """The task that a line is of: one that luigi names in it, or the one that this process is at."""
    named = record.args if isinstance(record.args, tuple) else ()
    return next((one for one in named if isinstance(one, luigi.Task)), events.at_work())


def _is_json() -> bool:
    try:
        return config.etl().log_format == "json"
    except EtlError:
        # The run itself will say so.
        return False


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("etl").critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
