"""Made-up values of a MySQL column, for a test: as they are inserted, and the text that the warehouse has of them."""

import re
from dataclasses import dataclass

from etl.new.names import slug
from etl.sources.mysql_types import BYTES, INTEGERS, TEXTS, Column

Texts = tuple[str | None, str | None]


@dataclass(frozen=True)
class Example:
    """Two rows' `texts` as they are inserted, None for a column that a drawing cannot fill; `shown` as they are read.

    Of a key both have a value, in their order; else the second is NULL where the column may be.
    """

    texts: Texts | None
    shown: Texts | None


_NOTHING = Example(None, None)


def example(column: Column, declared: str) -> Example:
    """`declared` is the column's type as CREATE TABLE writes it."""
    pair = _pair(column, declared)
    # A driver takes % for its own, a drawing |.
    if pair is None or set("%|`\n") & set(column.name):
        return _NOTHING
    (first, shown), (second, later) = pair
    if column.key:
        return _looked_at((first, second), (shown, later))
    if column.nullable:
        return _looked_at((first, None), (shown, None))
    return _looked_at((first, first), (shown, shown))


def _looked_at(texts: Texts, shown: Texts) -> Example:
    drawable = all(text is None or (text == text.strip() and "|" not in text and "\n" not in text) for text in texts)
    if not drawable or "" in texts or "NULL" in texts or "''" in texts:
        return _NOTHING
    # A long text would make lines that nobody reads.
    return Example(texts, shown if all(len(text or "") <= 40 for text in shown) else None)


def _pair(column: Column, declared: str) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """Two values, the lesser first: as inserted, as read."""
    of = column.data_type
    if of in INTEGERS:
        return ("1", "1"), ("2", "2")
    if of in ("decimal", "float", "double"):
        return _numbers(column)
    if of in ("enum", "set"):
        members = sorted(re.sub("''", "'", found) for found in re.findall(r"'((?:[^']|'')*)'", declared))
        return (members[0], members[0]), (members[-1], members[-1])
    if of in TEXTS or of == "json":
        return _words(column, declared)
    if of in BYTES:
        size = int(re.findall(r"\d+", declared)[0]) if of == "binary" else 1
        return ("a" * size, "61" * size), ("b" * size, "62" * size)
    return {
        "date": (("2014-02-03", "2014-02-03"), ("2014-02-04", "2014-02-04")),
        "datetime": (("2014-02-03 10:30:00", "2014-02-03 10:30:00"), ("2014-02-04 10:30:00", "2014-02-04 10:30:00")),
        "timestamp": (("2014-02-03 10:30:00", "2014-02-03 10:30:00"), ("2014-02-04 10:30:00", "2014-02-04 10:30:00")),
        "year": (("2014", "2014"), ("2015", "2015")),
        "time": (
            ("10:30:00", _digits("37800", column.fraction or 0)),
            ("11:30:00", _digits("41400", column.fraction or 0)),
        ),
        "uuid": tuple((f"00000000-0000-1000-8000-00000000000{n}",) * 2 for n in (1, 2)),
        "inet4": (("10.0.0.1", "10.0.0.1"), ("10.0.0.2", "10.0.0.2")),
        "inet6": (("::1", "::1"), ("::2", "::2")),
    }.get(of)  # type: ignore[return-value]


def _numbers(column: Column) -> tuple[tuple[str, str], tuple[str, str]]:
    if column.data_type != "decimal":
        return ("1.5", "1.5"), ("2.5", "2.5")
    scale = column.scale or 0
    if (column.precision or 1) > scale:
        return (_digits("1", scale),) * 2, (_digits("2", scale),) * 2
    return ("0." + "1".ljust(scale, "0"),) * 2, ("0." + "2".ljust(scale, "0"),) * 2


def _digits(whole: str, scale: int) -> str:
    return f"{whole}.{'0' * scale}" if scale else whole


def _words(column: Column, declared: str) -> tuple[tuple[str, str], tuple[str, str]] | None:
    if column.data_type == "json":
        return ('{"a": 1}',) * 2, ('{"a": 2}',) * 2
    room = min(column.characters or 0, 20)
    if not room:
        return None
    word = slug(column.name).replace("_", " ")[: room - 1 if column.key or room > 10 else room].strip()
    if not column.key:
        return (word, word), (word, word)
    return (f"{word[: room - 1]}1",) * 2, (f"{word[: room - 1]}2",) * 2
