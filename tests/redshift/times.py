"""Dates and times as COPY reads them: by default, by a pattern, or by recognising what it sees."""

import datetime
import functools
import re

_PARTS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MON": r"(?P<name>[A-Za-z]{3,9})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "HH24": r"(?P<hour>\d{1,2})",
    "HH12": r"(?P<twelve>\d{1,2})",
    "HH": r"(?P<hour>\d{1,2})",
    "MI": r"(?P<minute>\d{1,2})",
    "SS": r"(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,6}))?",
    "AM": r"(?P<half>[AaPp][Mm])",
    "PM": r"(?P<half>[AaPp][Mm])",
}
_PART = re.compile("|".join(_PARTS), re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE = r"(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?))?"
_TIME = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:\.(?P<fraction>\d{1,6}))?"
_DATE = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
_DEFAULT = re.compile(_DATE, re.ASCII)
_DEFAULT_STAMP = re.compile(_DATE + " " + _TIME + r"(?P<zone>[+-]\d{1,2}(?::?\d{2})?)?", re.ASCII)
_DEFAULT_TIME = re.compile(_TIME, re.ASCII)
_AUTO_DATES = (
    _DATE,
    r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})",
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
    r"(?P<name>[A-Za-z]{3,9})[- ](?P<day>\d{1,2})[-, ]+(?P<year>\d{4})",
    r"(?P<day>\d{1,2})[- ](?P<name>[A-Za-z]{3,9})[- ](?P<year>\d{4})",
)
_AUTO_TIME = r"(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})(?:\.(?P<fraction>\d{1,6}))?"
_AUTO = tuple(re.compile(date + r"(?:[ T]" + _AUTO_TIME + r")?" + _ZONE, re.ASCII) for date in _AUTO_DATES)


def date(text: str, pattern: str) -> str:
    """The day in ISO format; ValueError where the pattern does not read it."""
    return _moment(_match(text, pattern, _DEFAULT)).date().isoformat()


def timestamp(text: str, pattern: str, zoned: bool) -> str:
    """What Postgres reads as the same moment. A column without zone drops the zone, one with it takes UTC for none."""
    if pattern in ("epochsecs", "epochmillisecs"):
        if not re.fullmatch(r"-?\d{1,15}", text, re.ASCII):
            raise ValueError(text)
        unit = 1 if pattern == "epochsecs" else 1000
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=int(text) * 1_000_000 // unit)
        return moment.isoformat(" ") + ("+00" if zoned else "")
    match = _match(text, pattern, _DEFAULT_STAMP)
    found = match.groupdict()
    moment = _moment(match)
    return moment.isoformat(" ") + (_offset(found.get("zone")) if zoned else "")


def time(text: str, zoned: bool) -> str:
    """The time of day; ValueError where it is none."""
    body, zone = text, ""
    if zoned and (match := re.search(r"(Z|[+-]\d{1,2}(?::?\d{2})?)$", text, re.ASCII)):
        body, zone = text[: match.start()].rstrip(), match[1]
    match = _DEFAULT_TIME.fullmatch(body)
    if not match:
        raise ValueError(text)
    return datetime.time(*_clock(match.groupdict())).isoformat() + (_offset(zone) if zoned else "")


def _match(text: str, pattern: str, default: re.Pattern[str]) -> re.Match[str]:
    ways = _AUTO if pattern == "auto" else (_compiled(pattern),) if pattern else (default,)
    for way in ways:
        if match := way.fullmatch(text):
            return match
    raise ValueError(text)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    text, at = "", 0
    for part in _PART.finditer(pattern):
        text += re.escape(pattern[at : part.start()]) + _PARTS[part[0].upper()]
        at = part.end()
    return re.compile(text + re.escape(pattern[at:]), re.ASCII)


def _moment(match: re.Match[str]) -> datetime.datetime:
    found = match.groupdict()
    year = int(found["year"]) if found.get("year") else _century(int(found["short"]))
    month = found.get("month")
    number = int(month) if month else _MONTHS.index(found["name"][:3].lower()) + 1 if found.get("name") else 1
    return datetime.datetime(year, number, int(found.get("day") or 1), *_clock(found))


def _century(short: int) -> int:
    return short + (2000 if short < 70 else 1900)


def _clock(found: dict[str, str | None]) -> tuple[int, int, int, int]:
    hour = int(found.get("hour") or 0)
    if twelve := found.get("twelve"):
        if not 1 <= int(twelve) <= 12:
            raise ValueError(twelve)
        hour = int(twelve) % 12 + 12 * ((found.get("half") or "am").lower() == "pm")
    fraction = int((found.get("fraction") or "").ljust(6, "0"))
    return hour, int(found.get("minute") or 0), int(found.get("second") or 0), fraction


def _offset(zone: str | None) -> str:
    if not zone or zone in ("Z", "UTC", "GMT"):
        return "+00"
    hours, _, minutes = zone[1:].partition(":")
    if not minutes and len(hours) > 2:
        hours, minutes = hours[:2], hours[2:]
    if int(hours) > 15 or int(minutes or 0) > 59:
        raise ValueError(zone)
    return f"{zone[0]}{int(hours):02}:{int(minutes or 0):02}"
