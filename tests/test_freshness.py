"""When a table must be at the day before, and since when it is late."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from etl.errors import ConfigError
from etl.status import freshness

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

# Clocks that change by an hour, by half of one, in the other half of the year, at midnight, and never.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata")


@pytest.fixture
def sql(tmp_path, settings):
    settings.set("etl", "sql", tmp_path)
    for kind in ("tables", "marts"):
        (tmp_path / kind).mkdir()
    return tmp_path


def at(text: str, zone: str = "UTC") -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def test_at_eight_in_the_morning_a_table_is_at_the_day_before(sql):
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-02-04T08:00")) is None
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-02-05T07:59")) is None
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-02-05T08:00")) == at("2014-02-05T08:00")
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-03-01T00:00")) == at("2014-02-05T08:00")


def test_a_table_without_a_business_day_is_never_late(sql):
    assert freshness.late("public.dim_date", None, at("2999-01-01T00:00")) is None


def test_the_clock_is_that_of_the_business(sql, settings):
    settings.set("etl", "timezone", "America/New_York")
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-02-05T12:59")) is None
    assert freshness.late("raw.users", day("2014-02-03"), at("2014-02-05T13:00")) == at("2014-02-05T13:00")


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("-- fresh by: 07:30", "2014-02-05T07:30"),
        ("--fresh by:7:30 ", "2014-02-05T07:30"),
        ("-- fresh by: 07:00 after 1 day", "2014-02-05T07:00"),
        ("-- fresh by: 07:00 after 7 days", "2014-02-11T07:00"),
        ("-- in good time", "2014-02-05T08:00"),
    ],
)
@pytest.mark.parametrize(("table", "file"), [("public.fact_sale", "tables/fact_sale"), ("mart.sums", "marts/sums")])
def test_a_file_speaks_for_its_own_table(sql, line, due, table, file):
    (sql / f"{file}.sql").write_text(f"-- What is sold.\n{line}\nCREATE TABLE {table} (id INTEGER);\n")
    assert freshness.late(table, day("2014-02-03"), at("2014-03-01T00:00")) == at(due)


def test_nobody_waits_for_some(sql, settings):
    (sql / "tables/fact_sale.sql").write_text("-- fresh by: never\nCREATE TABLE public.fact_sale (id INTEGER);\n")
    assert freshness.late("public.fact_sale", day("2014-02-03"), at("2999-01-01T00:00")) is None
    assert freshness.late("raw.fact_sale", day("2014-02-03"), at("2999-01-01T00:00")), "the mirror has another's name"
    settings.set("etl", "fresh_by", "never")
    assert freshness.late("raw.users", day("2014-02-03"), at("2999-01-01T00:00")) is None


def test_a_mirror_which_has_no_definition_may_have_a_file_of_that_line_alone(sql):
    (sql / "tables/partners.sql").write_text("-- fresh by: 07:00 after 7 days\n")
    assert freshness.late("raw.partners", day("2014-02-03"), at("2014-02-11T07:00")) == at("2014-02-11T07:00")


@pytest.mark.parametrize("said", ["25:00", "7", "07:00 after 0 days", "07:00 after a week", "07:60", ""])
def test_what_says_nothing_is_named_with_its_place(sql, settings, said):
    (sql / "tables/fact_sale.sql").write_text(f"-- fresh by: {said}\nCREATE TABLE public.fact_sale (id INTEGER);\n")
    with pytest.raises(ConfigError, match=r"tables/fact_sale\.sql: '-- fresh by: .*07:00 after 7 days"):
        freshness.rule("public.fact_sale")
    settings.set("etl", "fresh_by", said)
    with pytest.raises(ConfigError, match=r"\[etl\] fresh_by = "):
        freshness.rule("raw.users")


@given(
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime.datetime(2013, 1, 1), datetime.datetime(2016, 1, 1)),
    back=st.integers(0, 12),
    by=st.times(),
    days=st.integers(1, 9),
)
@examples(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_clock_on_the_wall_says_the_same(sql, settings, zone, now, back, by, days):
    """Whoever looks at the clock of the place at any minute of any year, its changes included, judges as we do."""
    settings.set("etl", "timezone", zone)
    by = by.replace(second=0, microsecond=0)
    settings.set("etl", "fresh_by", f"{by:%H:%M} after {days} days")
    moment = now.replace(tzinfo=UTC)
    wall = moment.astimezone(ZoneInfo(zone))
    at_least = wall.date() - datetime.timedelta(days=days if wall.time() >= by else days + 1)
    business_date = wall.date() - datetime.timedelta(days=back)
    since = freshness.late("raw.users", business_date, moment)
    due = freshness.default().due(business_date)
    assert (since is None) == (moment < due)
    assert since in (None, due)
    # Where the clock was changed that night, its times are there twice or not at all.
    offsets = {(due + step).astimezone(ZoneInfo(zone)).utcoffset() for step in (-3 * HOUR, 3 * HOUR)}
    if len(offsets) == 1 or abs(moment - due) > 2 * HOUR:
        assert (since is not None) == (business_date < at_least)


@pytest.mark.parametrize(
    ("business_date", "by", "due"),
    [
        # Berlin: 02:30 is skipped on 30 March 2014, and is there twice on 26 October.
        ("2014-03-28", "02:30", "2014-03-30T01:30"),
        ("2014-10-24", "02:30", "2014-10-26T00:30"),
        ("2014-03-28", "08:00", "2014-03-30T06:00"),
        ("2014-10-24", "08:00", "2014-10-26T07:00"),
    ],
)
def test_days_of_23_and_of_25_hours(sql, settings, business_date, by, due):
    settings.set("etl", "timezone", "Europe/Berlin")
    settings.set("etl", "fresh_by", by)
    assert freshness.default().due(day(business_date)) == at(due)
