"""Bars in a line of text."""

import pytest

from etl.status.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([1000, 1001], "██"),
        ([7], "█"),
        ([0, 0], "▁▁"),
        ([], ""),
        ([0.1, 70], "▁█"),
    ],
)
def test_bars_stand_on_zero(values, bars):
    assert sparkline(values) == bars


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no such encoding"])
def test_what_the_terminal_cannot_show_is_drawn_in_ascii(encoding):
    bars = sparkline([0, 1, 2, 3, 4, 5, 6, 7], encoding)
    assert bars.isascii() and len(set(bars)) == 8
