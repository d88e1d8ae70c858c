"""The calendar against facts that are published elsewhere."""

import csv
import datetime

import pytest

from etl.calendar import DIM_DATE_COLUMNS, date_row_generator, get_joined_int_id
from etl.errors import ConfigError
from tasks.dates import ExtractDateTable


def days(first: int, last: int | None = None) -> dict[str, dict]:
    return {row["full_date"]: row for row in date_row_generator(first, last or first)}


def holidays(year: int) -> dict[str, str]:
    return {day: row["holiday_name"] for day, row in days(year).items() if row["is_holiday"]}


def test_an_id_reads_as_its_day():
    assert get_joined_int_id(2014, 2, 3) == 20140203


def test_every_day_of_sixty_years_once_and_in_order(settings):
    rows = list(date_row_generator(1990, 2049))
    assert len(rows) == 21_915
    assert (rows[0]["full_date"], rows[-1]["full_date"]) == ("1990-01-01", "2049-12-31")
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids))
    assert all(tuple(row) == DIM_DATE_COLUMNS for row in rows)


def test_a_day_in_every_column(settings):
    """3 February 2014, as any wall calendar has it."""
    assert days(2014)["2014-02-03"] == {
        "id": 20140203,
        "full_date": "2014-02-03",
        "year": 2014,
        "quarter": 1,
        "month": 2,
        "day": 3,
        "day_of_year": 34,
        "iso_year": 2014,
        "iso_week": 6,
        "year_quarter": "2014-Q1",
        "year_month": "2014-02",
        "iso_year_week": "2014-W06",
        "month_name": "February",
        "month_short_name": "Feb",
        "day_name": "Monday",
        "day_short_name": "Mon",
        "day_of_week": 1,
        "is_weekend": 0,
        "is_first_day_in_month": 0,
        "is_last_day_in_month": 0,
        "fiscal_year": 2014,
        "fiscal_quarter": 1,
        "fiscal_month": 2,
        "is_holiday": 0,
        "holiday_name": None,
    }


@pytest.mark.parametrize(
    ("day", "week", "weekday"),
    [
        ("2005-01-01", "2004-W53", 6),
        ("2005-01-02", "2004-W53", 7),
        ("2005-12-31", "2005-W52", 6),
        ("2007-01-01", "2007-W01", 1),
        ("2007-12-30", "2007-W52", 7),
        ("2007-12-31", "2008-W01", 1),
        ("2008-01-01", "2008-W01", 2),
        ("2008-12-28", "2008-W52", 7),
        ("2008-12-29", "2009-W01", 1),
        ("2008-12-31", "2009-W01", 3),
        ("2009-01-01", "2009-W01", 4),
        ("2009-12-31", "2009-W53", 4),
        ("2010-01-01", "2009-W53", 5),
        ("2010-01-03", "2009-W53", 7),
        ("1977-01-01", "1976-W53", 6),
    ],
)
def test_iso_weeks(settings, day, week, weekday):
    """The examples in Wikipedia's article on the ISO week date."""
    row = days(int(day[:4]))[day]
    assert (row["iso_year_week"], row["day_of_week"]) == (week, weekday)
    assert f"{row['iso_year']}-W{row['iso_week']:02}" == week


@pytest.mark.parametrize(("year", "length"), [(2000, 366), (2024, 366), (2023, 365), (2100, 365), (1900, 365)])
def test_leap_years(settings, year, length):
    rows = days(year)
    assert len(rows) == length
    assert (f"{year}-02-29" in rows) == (length == 366)
    assert rows[f"{year}-12-31"]["day_of_year"] == length
    assert rows[f"{year}-02-{length - 337}"]["is_last_day_in_month"] == 1


def test_weekends_and_the_ends_of_months(settings):
    rows = days(2024).values()
    assert sum(row["is_weekend"] for row in rows) == 104
    assert {row["day_name"] for row in rows if row["is_weekend"]} == {"Saturday", "Sunday"}
    assert [row["day"] for row in rows if row["is_last_day_in_month"]] == [
        31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    ]  # fmt: skip
    assert sum(row["is_first_day_in_month"] for row in rows) == 12


def test_public_holidays_of_the_united_states(settings):
    """The Office of Personnel Management's list of federal holidays in 2014 and in 2021."""
    assert list(holidays(2014)) == [
        "2014-01-01", "2014-01-20", "2014-02-17", "2014-05-26", "2014-07-04", "2014-09-01", "2014-10-13",
        "2014-11-11", "2014-11-27", "2014-12-25",
    ]  # fmt: skip
    in_2021 = holidays(2021)
    assert "Juneteenth" in in_2021["2021-06-19"]
    assert in_2021["2021-07-04"] == "Independence Day"
    assert in_2021["2021-07-05"] == "Independence Day (observed)"
    assert "2014-06-19" not in holidays(2014)


def test_public_holidays_of_another_country(settings):
    settings.set("calendar", "country", "DE")
    assert list(holidays(2019)) == [
        "2019-01-01", "2019-04-19", "2019-04-22", "2019-05-01", "2019-05-30", "2019-06-10", "2019-10-03",
        "2019-12-25", "2019-12-26",
    ]  # fmt: skip


@pytest.mark.parametrize("country", ["Narnia", "XX", ""])
def test_an_unknown_country(settings, country):
    settings.set("calendar", "country", country)
    with pytest.raises(ConfigError, match=rf"\[calendar\] country = {country}: no holidays are known"):
        days(2014)


@pytest.mark.parametrize(
    ("start", "day", "fiscal"),
    [
        # The calendar year itself.
        (1, "2014-01-01", (2014, 1, 1)),
        (1, "2014-12-31", (2014, 4, 12)),
        # The United Kingdom's government, Japan, India: FY 2014/15 ends in March 2015.
        (4, "2014-03-31", (2014, 4, 12)),
        (4, "2014-04-01", (2015, 1, 1)),
        (4, "2015-03-31", (2015, 4, 12)),
        # Microsoft's and Australia's: FY14 ended on 30 June 2014.
        (7, "2014-06-30", (2014, 4, 12)),
        (7, "2014-07-01", (2015, 1, 1)),
        # The United States' government: FY 2014 began on 1 October 2013.
        (10, "2013-09-30", (2013, 4, 12)),
        (10, "2013-10-01", (2014, 1, 1)),
        (10, "2014-02-03", (2014, 2, 5)),
        (10, "2014-09-30", (2014, 4, 12)),
    ],
)
def test_fiscal_years(settings, start, day, fiscal):
    settings.set("calendar", "fiscal_year_start", start)
    row = days(int(day[:4]))[day]
    assert (row["fiscal_year"], row["fiscal_quarter"], row["fiscal_month"]) == fiscal


def test_the_listings_own_task_writes_the_calendar(lake):
    task = ExtractDateTable(start_year=2014, end_year=2014)
    task.run()
    manifest = task.output().manifest()
    assert (manifest.rows, manifest.width, manifest.columns) == (365, len(DIM_DATE_COLUMNS), None)
    with task.output().open_part(manifest.parts[0], manifest) as part:
        first = next(csv.reader([part.read().decode().partition("\n")[0]]))
    assert first[:2] == ["20140101", "2014-01-01"]
    assert first[-1] == "New Year's Day"
    assert datetime.date.fromisoformat(first[1]).weekday() == 2
