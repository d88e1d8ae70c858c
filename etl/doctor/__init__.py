"""`etl doctor`: whether everything is as a night needs it, found out before anything else works.

Each check stands alone: what one of them meets is a finding of its own and keeps no other from being made.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from etl.doctor import machine, project, scheduler, secrets, settings
from etl.doctor.finding import FAILED, OK, WARNING, Finding, of_error
from etl.errors import EtlError

__all__ = ["FAILED", "OK", "WARNING", "Finding", "examine"]

# A server may take the connection and then say nothing.
_PATIENCE = 20.0

Check = Callable[[], Iterable[Finding]]


def examine() -> Iterator[Finding]:
    """All findings, subject by subject; what asks a server is done side by side, each within 20 seconds."""
    unreadable = settings.unreadable()
    local: dict[str, Check] = {
        "settings": lambda: settings.check(unreadable),
        "secrets": secrets.check,
        "machine": machine.check,
    }
    asked = {
        name: _Asked(name, check) for name, check in _servers().items() if settings.is_set(name, unreadable)
    }  # fmt: skip
    luigid = _Asked("luigid", scheduler.check)
    deadline = time.monotonic() + _PATIENCE
    for name, check in local.items():
        yield from map(secrets.without, _guarded(name, check))
    missing: set[str] = set()
    for one in asked.values():
        for finding in one.findings(deadline):
            missing |= (
                set(re.findall(r"\w+", finding.found.partition(" is not")[0])) if finding.check == "driver" else set()
            )
            yield secrets.without(finding)
    yield from map(secrets.without, luigid.findings(deadline))
    if settings.files() or Path("tasks").is_dir():
        yield from map(
            secrets.without, _guarded("tasks", lambda: project.check(missing, settings.incomplete(unreadable)))
        )


def _servers() -> dict[str, Check]:
    """A check imports what it needs itself: a driver that is not installed is its finding."""

    def warehouse() -> Iterable[Finding]:
        from etl.doctor import warehouse

        return warehouse.check()

    def store(section: str) -> Check:
        def check() -> Iterable[Finding]:
            from etl.doctor import stores

            return stores.check(section)

        return check

    def mysql() -> Iterable[Finding]:
        from etl.doctor import mysql

        return mysql.check()

    def redis() -> Iterable[Finding]:
        from etl.doctor import redis

        return redis.check()

    def elasticsearch() -> Iterable[Finding]:
        from etl.doctor import elasticsearch

        return elasticsearch.check()

    return {
        "warehouse": warehouse,
        "lake": store("lake"),
        "s3_source": store("s3_source"),
        "mysql": mysql,
        "redis": redis,
        "elasticsearch": elasticsearch,
    }


class _Asked:
    """A check at work on a thread of its own, which dies with the process should it hang."""

    def __init__(self, name: str, check: Check):
        self._name, self._found = name, list[Finding]()
        self._thread = threading.Thread(target=self._work, args=(check,), daemon=True)
        self._thread.start()

    def findings(self, deadline: float) -> list[Finding]:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if not self._thread.is_alive():
            return self._found
        late = f"no answer within {_PATIENCE:.0f} s"
        remedy = f"see that it runs and that nothing stands between; the address is [{self._name}] url"
        return [*self._found, Finding(self._name, "connection", FAILED, late, remedy)]

    def _work(self, check: Check) -> None:
        for finding in _guarded(self._name, check):
            self._found.append(finding)


def _guarded(name: str, check: Check) -> Iterator[Finding]:
    """The findings up to a failure, and the failure as one of them."""
    try:
        yield from check()
    except EtlError as error:
        yield of_error(name, "connection" if name in _servers() else name, error)
    except ModuleNotFoundError as error:
        extra = machine.EXTRAS.get(name, ("",))[0]
        cure = f"pip install 'turnstile-etl[{extra}]'" if extra else f"pip install {error.name}"
        yield Finding(name, "driver", FAILED, f"{error.name} is not installed, and [{name}] needs it", cure)
    except Exception as error:  # Whatever a check meets, the others go on.
        said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"
        yield Finding(
            name, "check", FAILED, f"could not be looked at: {said}", "report it: this is a bug of the doctor"
        )
