"""Faults that a client arms with `SET emulator.fault TO '<name>[ <count>][ <seconds>s][ after <n>][ /regex/]'`."""

import re
import threading
from dataclasses import dataclass

from tests.redshift.errors import Refused

COMMIT = frozenset({"1023 on commit", "drop before commit", "drop after commit"})
COPY = frozenset({"s3 access denied"})
ANY = frozenset({"conflict with concurrent transaction", "terminate", "slow"})
# Of a COPY, or of whatever the regex matches.
EITHER = frozenset({"disk full"})

_ARMED = re.compile(
    r"(?P<name>.*?)(?: (?P<count>\d+))?(?: (?P<seconds>[\d.]+)s)?(?: after (?P<after>\d+))?(?: /(?P<regex>.*)/)?",
    re.DOTALL,
)


@dataclass
class Fault:
    """`count` is how often it is still to happen; `seconds` is how long `slow` sleeps.

    As many statements as `after` says are still let through of those that it could happen to.
    """

    name: str
    count: int = 1
    seconds: float = 1.0
    pattern: re.Pattern[str] | None = None
    after: int = 0

    def meets(self, kind: str, text: str) -> bool:
        if self.name in COMMIT and kind != "commit":
            return False
        if self.name in COPY and kind != "copy":
            return False
        if self.name in EITHER and self.pattern is None and kind != "copy":
            return False
        return self.pattern is None or self.pattern.search(text) is not None


class Faults:
    """The server's armed faults, in the order in which they were armed. Any thread may arm and meet them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, text: str) -> None:
        """Add one, or with an empty text forget all."""
        if not text.strip():
            with self._lock:
                self._armed.clear()
            return
        found = _ARMED.fullmatch(text.strip())
        name = found["name"].strip() if found else ""
        known = COMMIT | COPY | ANY | EITHER
        if found is None or name not in known:
            raise Refused("22023", f"unknown fault: {text}", f"Known are: {', '.join(sorted(known))}.")
        try:
            pattern = re.compile(found["regex"], re.IGNORECASE) if found["regex"] else None
        except re.error as error:
            raise Refused("22023", f"not a regular expression: {found['regex']}", str(error)) from None
        with self._lock:
            count, seconds, after = int(found["count"] or 1), float(found["seconds"] or 1), int(found["after"] or 0)
            self._armed.append(Fault(name, count, seconds, pattern, after))

    def meet(self, kind: str, text: str) -> Fault | None:
        """The fault that is to happen to a statement of this kind and text; it is then one less."""
        if not self._armed:
            return None
        with self._lock:
            for fault in self._armed:
                if not fault.meets(kind, text):
                    continue
                if fault.after:
                    fault.after -= 1
                else:
                    fault.count -= 1
                    if not fault.count:
                        self._armed.remove(fault)
                    return fault
        return None


def access_denied(number: int) -> Refused:
    """What COPY answers where the cluster's role may not read; `number` is the query's."""
    error = "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 0,ExtRid 0,CanRetry 1"
    rule = "-" * 47
    detail = (
        f"\n  {rule}\n  error:  {error}\n  code:      8001\n  context:   Listing bucket\n"
        f"  query:     {number}\n  location:  s3_utility.cpp\n  process:   padbmaster\n  {rule}\n"
    )
    return Refused("XX000", error, detail)
