"""Places where a test may kill the process: ETL_FAILPOINT=name or name:nth dies there by SIGKILL.

Unset, a failpoint is one dictionary look-up.
"""

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    wanted = os.environ.get("ETL_FAILPOINT")
    if not wanted:
        return
    wanted_name, _, nth = wanted.partition(":")
    if wanted_name != name:
        return
    _passed[name] += 1
    if _passed[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
