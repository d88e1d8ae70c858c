"""One run of a task at a time, and who it is: what a second cron is told."""

import contextlib
import fcntl
import getpass
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from etl import config, warehouse
from etl.errors import EtlError, Locked

FOLDER = Path("var/lock")

# How often somebody who waits looks again, in seconds.
_AGAIN = 1.0


@contextlib.contextmanager
def alone(name: str, what: str, wait: float, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock `name` of this folder and of the warehouse; Locked says who has it, since when and on which host.

    Up to `wait` seconds are waited for it, and `say` hears of that once. The kernel keeps the one for a process and its
    workers, the warehouse the other for their session, so whatever is killed leaves none. A warehouse that does not
    answer, or has no such locks, keeps nobody apart: there each table's own lock does.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / (re.sub(r"[^\w.-]+", "_", name) + ".run")
    deadline, said = time.monotonic() + wait, False
    with path.open("a+", encoding="utf-8") as file, contextlib.ExitStack() as sessions:
        while holder := _holder_here(file, name, what) or _holder_elsewhere(sessions, name, what):
            if time.monotonic() >= deadline:
                raise Locked(f"{holder}; wait for it with --wait MINUTES, or watch it: etl status --watch")
            if not said:
                say(f"{holder}; waiting up to {wait / 60:g} min")
                said = True
            time.sleep(_AGAIN)
        yield


def _holder_here(file: Any, name: str, what: str) -> str:
    """Who has this folder's lock, in words; '' where this process has it now."""
    if not _taken(file):
        return _holder(file, name)
    file.seek(0)
    file.truncate()
    who = {"user": getpass.getuser(), "host": socket.gethostname(), "pid": os.getpid()}
    json.dump({"what": what, "at": time.time()} | who, file)
    file.flush()
    return ""


def _holder_elsewhere(sessions: contextlib.ExitStack, name: str, what: str) -> str:
    """Who has the warehouse's, in words; '' where a session of `sessions` has it now, or nobody can."""
    try:
        with contextlib.ExitStack() as tried:
            db = tried.enter_context(warehouse.loader(f"{socket.gethostname()}, process {os.getpid()}: {what}"))
            if holder := db.claim(name):
                return f"{name} is being run already on {holder}"
            sessions.enter_context(tried.pop_all())
    except EtlError:
        # The run itself will say so.
        pass
    return ""


def _taken(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: Any, name: str) -> str:
    file.seek(0)
    try:
        held = json.load(file)
    except json.JSONDecodeError:
        # It has only just begun.
        return f"{name} is being run already"
    since = datetime.fromtimestamp(held["at"], config.timezone())
    return (
        f"{name} is being run already: {held['what']}, by {held['user']} on {held['host']}, process {held['pid']}, "
        f"since {since:%Y-%m-%d %H:%M:%S %Z}"
    )
