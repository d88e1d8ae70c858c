"""A row of numbers as a row of bars, which fits into a line of text."""

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
# What a terminal draws that knows no more than ASCII.
_ASCII = "_.-:=+*#"


def sparkline(values: Sequence[float], encoding: str = "utf-8") -> str:
    """One bar a value, as high as the value is of the greatest; 0 is the lowest. In characters of that encoding."""
    bars = _BLOCKS if _can(encoding) else _ASCII
    most = max(values, default=0)
    return "".join(bars[round((len(bars) - 1) * value / most) if most else 0] for value in values)


def _can(encoding: str) -> bool:
    try:
        _BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
