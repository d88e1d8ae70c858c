"""The table of faults and what became of them, at the end of a run of the tests."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

SURVIVED, MENDED = "survived", "mended by the next run"

# Faults that another test throws already.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "F1": ("kill -9 at every place that was thought of", "tests/test_kill.py::test_killed"),
    "F5": ("days are made up for, and an old one done again", "tests/test_again.py::test_a_backfill"),
    "F6": ("luigid dies and comes back", "tests/test_scheduler.py::test_a_luigid_that_is_killed_and_comes_back"),
    "F8": ("stopped at the worst places, and overtaken", "tests/test_fencing.py::test_stopped"),
    "F15": ("half an upload is left by a dead run", "tests/test_kill.py::test_killed_with_half_an_upload"),
    "F16": ("a part is deleted before it is loaded", "tests/test_load.py::test_a_part_that_is_gone"),
    "F18": ("a row is committed late", "tests/test_increment.py::test_a_row_that_is_committed_late_is_read"),
    "F19": (
        "rows change while the table is read",
        "tests/test_mysql.py::test_rows_written_after_the_snapshot_began_are_not_read",
    ),
    "F20": (
        "a row comes later than any window",
        "tests/test_increment.py::test_a_row_that_came_too_late_is_counted_and_said",
    ),
    "F21": ("the source's columns change while they are read", "tests/test_drift.py::test_a_table_altered"),
    "F22": ("values that no warehouse holds, and lies about text", "tests/test_hostile.py::test_whatever_mysql_holds"),
    "F23": (
        "keys come and go while Redis is scanned",
        "tests/test_redis.py::test_keys_that_come_and_go_during_the_scan",
    ),
    "F24": ("the source gives no rows", "tests/test_load.py::test_an_empty_source"),
    "F29": ("readers hold locks and snapshots", "tests/test_sessions.py::test_"),
    "F31": (
        "views and grants depend on a target",
        "tests/test_load.py::test_everything_that_readers_hold_survives_a_whole_replacement",
    ),
    "F35": ("one row cannot be loaded", "tests/test_load.py::test_a_bad_value_is_placed_and_not_shown"),
    "F36": ("a key comes twice", "tests/warehouse/test_stage.py::test_a_key_that_is_not_unique_shows_some"),
    "F37": ("a value is the NULL token", "tests/test_manifest.py::test_a_collision_in_a_late_batch"),
    "F39": ("a manifest lists a part twice", "tests/test_manifest.py::test_a_manifest_that_lists_a_part_twice"),
    "F39m": (
        "a manifest lacks a part",
        "tests/test_load.py::test_a_manifest_that_promises_more_rows_than_there_are",
    ),
}

_HEAD = ("fault", "injected", "times", "survived", "next run", "broken")


def lines(reports: Iterable[Any]) -> list[str]:
    """Of pytest's reports of a run, in any order; nothing where no fault was thrown.

    `survived` is in the run itself, `next run` are those that failed and said so, and were mended by the next one.
    A test elsewhere says by itself what is to become of its fault: it counts as one that passed.
    """
    thrown: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for report in reports:
        if report.when == "call":
            (failed if report.failed else passed)[report.nodeid] += 1
            said: Mapping[str, Any] = dict(report.user_properties)
            if "fault" in said and not report.skipped:
                thrown[tuple(said["fault"])][said.get("outcome", "broken")] += 1
    if not thrown:
        return []
    rows = [
        (name, what, str(seen.total()), str(seen[SURVIVED]), str(seen[MENDED]), str(seen["broken"]))
        for (name, what), seen in thrown.items()
    ]
    for name, (what, test) in ELSEWHERE.items():
        good, bad = (sum(count for node, count in of.items() if node.startswith(test)) for of in (passed, failed))
        if good or bad:
            rows.append((name, f"{what} ({test.split('::')[0]})", str(good + bad), "as tested", "", str(bad)))
    rows.sort(key=lambda row: (int("".join(filter(str.isdigit, row[0]))), row[0], row[3]))
    widths = [max(len(row[place]) for row in (_HEAD, *rows)) for place in range(len(_HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (_HEAD, *rows)
    ]
