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

from etl import config
from etl.errors import Locked

FOLDER = Path("var/lock")

# How often somebody who waits looks again, in seconds.
_AGAIN = 1.0


@contextlib.contextmanager
def alone(name: str, what: str, wait: float, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock `name` of this folder, on whichever host; Locked says who has it, since when and where.

    Up to `wait` seconds are waited for it, and `say` hears of that once. The kernel keeps it for a process and its
    workers, so whatever is killed leaves none.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / (re.sub(r"[^\w.-]+", "_", name) + ".run")
    deadline, said = time.monotonic() + wait, False
    with path.open("a+", encoding="utf-8") as file:
        while not _taken(file):
            holder = _holder(file, name)
            if time.monotonic() >= deadline:
                raise Locked(f"{holder}; wait for it with --wait MINUTES, or watch it: etl status --watch")
            if not said:
                say(f"{holder}; waiting up to {wait / 60:g} min")
                said = True
            time.sleep(_AGAIN)
        file.seek(0)
        file.truncate()
        user = getpass.getuser()
        json.dump(
            {"what": what, "user": user, "host": socket.gethostname(), "pid": os.getpid(), "at": time.time()}, file
        )
        file.flush()
        yield


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
