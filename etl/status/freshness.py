"""How new a table must be, and since when it is too old.

    -- fresh by: 07:00                 at 07:00 it is at the day before
    -- fresh by: 07:00 after 7 days    at 07:00 it is at a day that is no more than 7 days back
    -- fresh by: never                 nobody waits for it

stands at the head of a file in warehouse_sql/tables or warehouse_sql/marts; [etl] fresh_by, written the same way, is
for all other tables. The time is that of [etl] timezone. A table without a business day has none to be late with.
"""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from etl import config
from etl.errors import ConfigError

NEVER = "never"

_LINE = re.compile(r"^--[ \t]*fresh by:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_CREATES = re.compile(r"^CREATE\s+TABLE\s+(\w+)\.", re.MULTILINE | re.IGNORECASE)
_RULE = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?:\s+after\s+([1-9]\d{0,3})\s+days?)?")


@dataclass(frozen=True)
class Rule:
    """At the time `by` of every day a table is at a day that is no more than `days` before it."""

    by: datetime.time
    days: int = 1

    def due(self, business_date: datetime.date) -> datetime.datetime:
        """The moment, in UTC, from which a table that is at this day is late.

        A time that the clock shows twice that day is meant the first time; one that it skips comes an hour later.
        """
        day = business_date + datetime.timedelta(days=self.days + 1)
        return datetime.datetime.combine(day, self.by, config.timezone()).astimezone(datetime.timezone.utc)

    def __str__(self) -> str:
        return f"{self.by:%H:%M}" + (f" after {self.days} days" if self.days != 1 else "")


def rule(table: str) -> Rule | None:
    """What `schema.table` is held to; None for one that nobody waits for. ConfigError for a line that says nothing."""
    path, said = _said(table)
    return _parsed(said, f"{path}: '-- fresh by: {said}'") if path else default()


def default() -> Rule | None:
    """[etl] fresh_by."""
    said = config.etl().fresh_by
    return _parsed(said, f"[etl] fresh_by = {said}")


def late(
    table: str, business_date: datetime.date | None, now: datetime.datetime | None = None
) -> datetime.datetime | None:
    """Since when `schema.table`, which is at that day, is late, in UTC; None while it is not. `now` has a zone."""
    held_to = rule(table) if business_date else None
    if not held_to or not business_date:
        return None
    due = held_to.due(business_date)
    return due if due <= (now or datetime.datetime.now(datetime.timezone.utc)) else None


def _said(table: str) -> tuple[Path | None, str]:
    """The file that speaks of the table, where one does, and what it says."""
    schema, _, name = table.partition(".")
    path = Path(config.etl().sql) / ("marts" if schema == "mart" else "tables") / f"{name}.sql"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None, ""
    said, creates = _LINE.search(text), _CREATES.search(text)
    # A mirror may have the name of a table whose file it is.
    of_another = creates and creates[1].lower() != schema
    return (path, said[1]) if said and not of_another else (None, "")


def _parsed(said: str, where: str) -> Rule | None:
    if said == NEVER:
        return None
    if not (found := _RULE.fullmatch(said)):
        raise ConfigError(f"{where}: write a time of day, such as 07:00, 07:00 after 7 days, or {NEVER}")
    return Rule(datetime.time(int(found[1]), int(found[2])), int(found[3] or 1))
