"""The calendar: one row a day, with everything that an analyst groups by."""

import calendar as cal
import datetime
from collections.abc import Iterator
from typing import Any

import holidays
import pandas as pd

from etl import config
from etl.errors import ConfigError


def get_joined_int_id(year: int, month: int, day: int) -> int:
    """2014, 2, 3 -> 20140203."""
    return year * 10_000 + month * 100 + day


def date_row_generator(start_year: int, end_year: int) -> Iterator[dict[str, Any]]:
    """A row for each day from 1 January of `start_year` to 31 December of `end_year`.

    Flags are 0 or 1. Weeks are ISO 8601's: Monday is day 1, week 1 is the one with the year's first Thursday,
    and `iso_year` is the year that the week belongs to. A fiscal year is named after the calendar year in which
    it ends. Public holidays are the `holidays` package's for `[calendar] country`.
    """
    settings = config.calendar()
    fiscal_quarters = f"Q-{_MONTHS[settings.fiscal_year_start - 2]}"  # pandas names them after the year's last month
    public = _public_holidays(settings.country, start_year, end_year)
    for year in range(start_year, end_year + 1):
        for month in range(1, 13):
            monthcal = cal.monthcalendar(year, month)
            _, last_day_in_month = cal.monthrange(year, month)
            for week in monthcal:
                for day_of_week, day in enumerate(week):
                    if day == 0:
                        continue
                    stamp = pd.Timestamp(year, month, day)
                    iso_year, iso_week, _ = stamp.isocalendar()
                    fiscal = stamp.to_period(fiscal_quarters)
                    row = {
                        "id": get_joined_int_id(year, month, day),
                        "full_date": stamp.date().isoformat(),
                        "year": year,
                        "quarter": stamp.quarter,
                        "month": month,
                        "day": day,
                        "day_of_year": stamp.day_of_year,
                        "iso_year": iso_year,
                        "iso_week": iso_week,
                        "year_quarter": f"{year}-Q{stamp.quarter}",
                        "year_month": f"{year}-{month:02}",
                        "iso_year_week": f"{iso_year}-W{iso_week:02}",
                        "month_name": stamp.month_name(),
                        "month_short_name": stamp.month_name()[:3],
                        "day_name": stamp.day_name(),
                        "day_short_name": stamp.day_name()[:3],
                        "day_of_week": day_of_week + 1,
                        "is_weekend": int(day_of_week >= 5),
                        "is_first_day_in_month": int(day == 1),
                        "is_last_day_in_month": int(day == last_day_in_month),
                        "fiscal_year": fiscal.qyear,
                        "fiscal_quarter": fiscal.quarter,
                        "fiscal_month": (month - settings.fiscal_year_start) % 12 + 1,
                        "is_holiday": int(stamp.date() in public),
                        "holiday_name": public.get(stamp.date()),
                    }
                    yield row


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

DIM_DATE_COLUMNS = (
    "id", "full_date", "year", "quarter", "month", "day", "day_of_year", "iso_year", "iso_week", "year_quarter",
    "year_month", "iso_year_week", "month_name", "month_short_name", "day_name", "day_short_name", "day_of_week",
    "is_weekend", "is_first_day_in_month", "is_last_day_in_month", "fiscal_year", "fiscal_quarter", "fiscal_month",
    "is_holiday", "holiday_name",
)  # fmt: skip


def _public_holidays(country: str, start_year: int, end_year: int) -> dict[datetime.date, str]:
    try:
        return dict(holidays.country_holidays(country, years=range(start_year, end_year + 1)))
    except NotImplementedError:
        raise ConfigError(
            f"[calendar] country = {country}: no holidays are known for it; write an ISO code like DE"
        ) from None
