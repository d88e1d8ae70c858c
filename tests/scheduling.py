"""Which tests one process of `pytest -n` takes in one piece, and which piece is begun first."""

import re
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# What takes longest, longest first: begun last it would keep one process at work when the others have ended. A name is
# the beginning of a file's.
LONGEST = (
    "tests/test_chaos.py",
    "tests/test_again.py",
    "tests/test_cli.py",
    "tests/test_kill.py",
    "tests/test_drift.py",
    "tests/test_secrets.py",
    "tests/test_docs.py",
    "tests/test_compare.py",
    "tests/test_engines.py",
    "tests/test_digest.py",
    "tests/test_deletes.py",
    "tests/test_increment.py",
    "tests/test_reader.py",
    "tests/test_roles.py",
    "tests/test_nightly.py",
    "tests/test_year.py",
    "tests/test_scheduler.py",
    "tests/test_golden.py",
    "tests/redshift/test_conformance.py",
    "tests/test_hostile.py",
    "tests/test_fencing.py",
    "tests/redshift/test_demo.py",
    "tests/warehouse/test_redshift_checksum.py",
    "tests/test_retry.py",
    "tests/test_mysql",
    "tests/test_load.py",
)


def length(item: pytest.Item) -> int:
    """The place of a test's file among the longest."""
    places = [place for place, name in enumerate(LONGEST) if item.nodeid.startswith(name)]
    return places[0] if places else len(LONGEST)


class ByFileAndEngine(LoadFileScheduling):
    """A file's tests on one engine are a piece: fixtures of a module are built for each engine anyway."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        # By the number of its tests a file of two long ones would be begun last.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        engine = re.search(r"\[(?:.*-)?(postgres|redshift)(?:-.*)?\]$", nodeid)
        return f"{super()._split_scope(nodeid)} {engine[1] if engine else ''}"
