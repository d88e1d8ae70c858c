"""The type of a column of which only sampled texts are known, and how the load's SELECT reads it."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(\d{1,20})\.(\d{1,12})")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?")
_SIZES = (400, 1000, 4000, 65535)
_LONGEST = _SIZES[-1]
_DAYS = ("2014-02-03", "2014-02-04")


@dataclass(frozen=True)
class Sampled:
    """`kind` in the warehouse; `cast` takes the column for {}; `found` is for people.

    `examples` are two such texts, the lesser first, and `shown` what the warehouse has of them.
    """

    kind: str
    cast: str
    examples: tuple[str, str]
    shown: tuple[str, str]
    found: str

    def expression(self, column: str) -> str:
        return self.cast.format(column)


def type_of(texts: Sequence[str | None], word: str = "text") -> Sampled:
    """The narrowest type that holds all that was seen, with room to spare; `word` is an example of a text."""
    seen = [text for text in texts if text]
    blank = any(text == "" for text in texts)
    if not seen:
        return _text(_LONGEST, word, f"no value in {len(texts)} sampled")
    found = f"such as {_short(seen[0])}"
    if all(_INTEGER.fullmatch(text) for text in seen):
        return Sampled("BIGINT", _cast("BIGINT", blank), ("12", "13"), ("12", "13"), found)
    if all(_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text) for text in seen):
        # A cast rounds without a word, so there is room for more places than were seen.
        scale = max(len(text.partition(".")[2]) for text in seen) + 2
        kind = f"DECIMAL(18,{scale})" if scale <= 9 else f"DECIMAL(38,{scale})"
        if all(len(text.partition(".")[0]) <= 9 for text in seen):
            shown = (f"{12.5:.{scale}f}", f"{13.5:.{scale}f}")
            return Sampled(kind, _cast(kind, blank), ("12.50", "13.50"), shown, found)
    if all(_NUMBER.fullmatch(text) and not re.match(r"-?0\d", text) for text in seen) and not all(
        text.lstrip("-").isdigit() for text in seen
    ):
        return Sampled("DOUBLE PRECISION", _cast("DOUBLE PRECISION", blank), ("12.5", "13.5"), ("12.5", "13.5"), found)
    if all(text in ("true", "false") for text in seen):
        return Sampled("BOOLEAN", _cast("BOOLEAN", blank), ("false", "true"), ("false", "true"), found)
    if all(_DATE.fullmatch(text) and _is_date(text) for text in seen):
        return Sampled("DATE", _cast("DATE", blank), _DAYS, _DAYS, found)
    if all(_MOMENT.fullmatch(text) and _is_date(text[:10]) for text in seen):
        return moment(found, seen, blank)
    return _text(next(size for size in _SIZES if size >= _room(seen) or size == _LONGEST), word, found)


def moment(found: str, seen: Sequence[str], blank: bool = False) -> Sampled:
    """A TIMESTAMP in UTC, whatever offset its texts have."""
    times = (f"{_DAYS[0]} 10:30:00", f"{_DAYS[1]} 10:30:00")
    if any(re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", text[10:]) for text in seen):
        cast = f"{_cast('TIMESTAMPTZ', blank)} AT TIME ZONE 'UTC'"
        return Sampled("TIMESTAMP", cast, (f"{_DAYS[0]}T10:30:00Z", f"{_DAYS[1]}T10:30:00Z"), times, found)
    return Sampled("TIMESTAMP", _cast("TIMESTAMP", blank), times, times, found)


def text_of(texts: Sequence[str | None], word: str, found: str) -> Sampled:
    seen = [text for text in texts if text]
    return _text(next(size for size in _SIZES if size >= _room(seen) or size == _LONGEST), word, found)


def note(count: int, things: str) -> str:
    return f"Sampled {things}: {count:,}. A later value that does not fit its type fails the load."


def _room(seen: Sequence[str]) -> int:
    """Four times the longest: a sample has not seen it."""
    return 4 * max((len(text.encode()) for text in seen), default=0)


def _text(size: int, word: str, found: str) -> Sampled:
    texts = (f"{word} 1", f"{word} 2")
    return Sampled(f"VARCHAR({size})", "{}", texts, texts, found)


def _cast(kind: str, blank: bool) -> str:
    return f"CAST(NULLIF({{}}, '') AS {kind})" if blank else f"CAST({{}} AS {kind})"


def _is_date(text: str) -> bool:
    try:
        return bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _short(text: str) -> str:
    line = " ".join(text.split())
    line = line if line.isprintable() else repr(line)
    return line if len(line) <= 24 else line[:23] + "…"
