"""The bench's arithmetic, and what it tells apart: right from wrong, a tool's cost from its starter's."""

import io
import json
import sys

import pytest
from rich.console import Console

from bench import measure, report
from bench.contests import OURS
from bench.measure import Cost, Failed


def lineitem():
    runs = {
        OURS: [Cost(10, 8, 300), Cost(20, 8, 310), Cost(10, 9, 305)],
        "dlt": [Cost(45, 40, 900), Cost(60, 41, 950), Cost(50, 42, 1700)],
    }
    return report.section("lineitem", {OURS: 6000, "dlt": 6000}, runs, {"rounds": 3})


def growth():
    runs = {"scale 1": [Cost(10, 8, 300)], "scale 3": [Cost(33, 24, 310)], "one row": [Cost(2, 2, 150)]}
    return report.section("growth", {"scale 1": 6000, "scale 3": 18000, "one row": 0}, runs, {})


def drawn(found):
    console = Console(file=io.StringIO(), width=80)
    console.print(report.table(found))
    return console.file.getvalue()


def test_a_ratio_compares_within_a_round():
    # The medians of the times, 50 by 10, would say 5.0 in the middle and hide that the second round was slow for both.
    assert report.ratio(lineitem(), "dlt") == report.Spread(4.5, 3.0, 5.0)


def test_ways_that_move_different_numbers_of_rows_are_compared_by_the_row():
    assert report.ratio(growth(), "scale 3").median == pytest.approx(1.1)


def test_a_run_without_rows_is_compared_with_nothing():
    assert report.ratio(growth(), "one row") is None


def test_the_table_says_ratio_rows_a_second_and_the_largest_peak():
    ours, dlt = drawn(lineitem()).splitlines()[2:]
    assert ours.split() == [OURS, "10.00", "1", "600", "8.00", "310"]
    assert dlt.split() == ["dlt", "50.00", "4.50", "(3.00-5.00)", "120", "41.00", "1,700"]


def test_a_run_without_rows_has_no_rows_a_second():
    assert drawn(growth()).splitlines()[-1].split() == ["one", "row", "2.00", "2.00", "150"]


def test_what_is_written_is_read_again(tmp_path):
    results = tmp_path / "results.json"
    assert report.read(results) == {}
    report.write(results, {"lineitem": lineitem(), "growth": growth()})
    assert report.read(results) == {"lineitem": lineitem(), "growth": growth()}
    written = json.loads(results.read_text())["lineitem"]
    assert written["rounds"] == 3
    assert written["ways"]["dlt"]["runs"][1] == {"seconds": 60, "cpu_seconds": 41, "peak_mb": 950}


def test_a_command_costs_what_its_children_cost_too(tmp_path):
    child = "held = b'x' * 100_000_000"
    parent = f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{child}"])'
    with (tmp_path / "log").open("w") as log:
        cost = measure.command([sys.executable, "-c", parent], {}, log)
    assert 100 < cost.peak_mb < 150
    assert cost.cpu_seconds > 0


def test_a_small_command_does_not_count_the_memory_of_the_bench(tmp_path):
    held = b"x" * 200_000_000
    with (tmp_path / "log").open("w") as log:
        assert measure.command(["true"], {}, log).peak_mb < 50
    assert len(held) == 200_000_000


def test_a_command_that_fails_has_no_cost(tmp_path):
    with (tmp_path / "log").open("w") as log, pytest.raises(Failed, match="bash ended with code 3"):
        measure.command(["bash", "-c", "exit 3"], {}, log)


def test_a_warm_process_answers_each_call_and_keeps_what_the_tool_prints_out_of_it(tmp_path):
    with (tmp_path / "log").open("w") as log, measure.warm("builtins", "print", {}, log) as process:
        costs = [process.call(end=word) for word in ("one", "two")]
    assert [cost.seconds > 0 for cost in costs] == [True, True]
    assert (tmp_path / "log").read_text() == "onetwo"


def test_a_warm_process_that_dies_has_no_cost(tmp_path):
    with (
        (tmp_path / "log").open("w") as log,
        measure.warm("builtins", "print", {}, log) as process,
        pytest.raises(Failed, match="ended with code 1"),
    ):
        process.call(nonsense=1)
