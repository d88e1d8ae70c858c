"""A dimension's history: which version of a member holds on which day, and that versions keep their numbers."""

import itertools
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.errors import DataError
from etl.testing import drawn
from tests.pipeline import day, load, loader, receipts, refused

pytest_plugins = ("tests.nights",)

USERS = """user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20),
    email VARCHAR(20), valid_from DATE NOT NULL DEFAULT DATE '0001-01-01',
    valid_to DATE NOT NULL DEFAULT DATE '9999-12-31', is_current BOOLEAN NOT NULL DEFAULT TRUE,
    is_inferred BOOLEAN NOT NULL DEFAULT FALSE"""
SAID = {"strategy": "scd2", "key": ("user_id",)}
MEMBER = "-1 | -1 | NULL | NULL | 0001-01-01 | 9999-12-31 | true | false"
COLUMNS = "user_key | user_id | city | email | valid_from | valid_to | is_current | is_inferred"


@pytest.fixture
def users(nights):
    nights.table("public.dim_user", USERS, "history: city")


def shows(warehouse, *versions):
    drawn.shows(warehouse, "dim_user", "\n".join([COLUMNS, MEMBER, *versions]))


def test_a_change_ends_one_version_and_begins_another(users, warehouse):
    load("dim_user", "user_id|city|email\n7|Ulm|a\n8|Rom|b", **SAID)
    load("dim_user", "user_id|city|email\n7|Bonn|a\n8|Rom|b", date=3, **SAID)
    load("dim_user", "user_id|city|email\n7|Bonn|a\n8|NULL|b\n9|Linz|c", date=5, **SAID)
    shows(
        warehouse,
        "1 | 7 | Ulm  | a | 0001-01-01 | 2014-02-03 | false | false",
        "3 | 7 | Bonn | a | 2014-02-03 | 9999-12-31 | true  | false",
        "2 | 8 | Rom  | b | 0001-01-01 | 2014-02-05 | false | false",
        "5 | 8 | NULL | b | 2014-02-05 | 9999-12-31 | true  | false",
        "4 | 9 | Linz | c | 0001-01-01 | 9999-12-31 | true  | false",
    )
    assert receipts(warehouse, "public.dim_user") == [(2, 3, 0, 0, 3), (2, 1, 1, 0, 4), (3, 2, 1, 0, 6)]


def test_other_columns_are_overwritten_in_every_version(users, warehouse):
    load("dim_user", "user_id|city|email\n7|Ulm|a", **SAID)
    load("dim_user", "user_id|city|email\n7|Bonn|b", date=2, **SAID)
    load("dim_user", "user_id|city|email\n7|Bonn|c", date=3, **SAID)
    shows(
        warehouse,
        "1 | 7 | Ulm  | c | 0001-01-01 | 2014-02-02 | false | false",
        "2 | 7 | Bonn | c | 2014-02-02 | 9999-12-31 | true  | false",
    )


def test_a_second_change_on_a_day_overwrites_the_first(users, warehouse):
    load("dim_user", "user_id|city|email\n7|Ulm|a", **SAID)
    load("dim_user", "user_id|city|email\n7|Bonn|a", date=2, **SAID)
    load("dim_user", "user_id|city|email\n7|Rom|a", date=2, name="LoadAgain", **SAID)
    shows(
        warehouse,
        "1 | 7 | Ulm | a | 0001-01-01 | 2014-02-02 | false | false",
        "2 | 7 | Rom | a | 2014-02-02 | 9999-12-31 | true  | false",
    )


def test_a_member_that_the_source_lacks_stays_as_it_was(users, warehouse):
    load("dim_user", "user_id|city|email\n7|Ulm|a\n8|Rom|b", **SAID)
    load("dim_user", "user_id|city|email\n8|Rom|b", date=2, **SAID)
    shows(
        warehouse,
        "1 | 7 | Ulm | a | 0001-01-01 | 9999-12-31 | true | false",
        "2 | 8 | Rom | b | 0001-01-01 | 9999-12-31 | true | false",
    )


def test_a_day_before_the_history_is_refused(users, warehouse):
    load("dim_user", "user_id|city|email\n7|Ulm|a", date=3, **SAID)
    task = loader("dim_user", "user_id|city|email\n7|Bonn|a", **SAID)(date=day(2))
    assert "its history is at 2014-02-03, and 2014-02-02 is before that" in refused(task, DataError)
    shows(warehouse, "1 | 7 | Ulm | a | 0001-01-01 | 9999-12-31 | true | false")


def test_a_member_twice_in_the_stage_is_refused(users, nights):
    twice = loader("dim_user", "user_id|city|email\n7|Ulm|a\n7|Rom|a", **SAID)
    assert "7" in refused(twice(date=day(1)), DataError)
    load("dim_user", "user_id|city|email\n7|Ulm|a", name="LoadOnce", **SAID)
    assert "is not unique" in refused(twice(date=day(2)), DataError)


@pytest.mark.parametrize(
    ("columns", "comments", "message"),
    [
        (USERS.replace("is_current", "is_it"), ("history: city",), "the table lacks is_current"),
        (USERS, (), "which names none"),
        (USERS, ("history: town",), "which has no town"),
    ],
)
def test_a_table_that_can_hold_no_history(nights, columns, comments, message):
    nights.table("public.dim_user", columns, *comments)
    task = loader("dim_user", "user_id|city|email\n7|Ulm|a", **SAID)(date=day(1))
    assert message in refused(task, DataError)


_tables = itertools.count(1)


@pytest.mark.exam_on("redshift")
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cities=st.lists(st.dictionaries(st.integers(1, 4), st.sampled_from("abc"), min_size=1), min_size=2, max_size=6))
def test_any_history_is_the_one_that_was_lived_through(nights, warehouse, cities):
    """Members and their cities, a dictionary a night, against a list for each member of where it was seen when."""
    table = f"dim_user_{next(_tables)}"
    nights.table(f"public.{table}", USERS, "history: city")
    seen = defaultdict(list)
    for number, night in enumerate(cities, 1):
        text = "user_id|city|email\n" + "\n".join(f"{user}|{city}|x" for user, city in night.items())
        load(table, text, date=number, name=f"Load{table.title()}{number}", **SAID)
        for user, city in night.items():
            seen[user].append((day(number), city))
    dates = [day(number) for number in range(1, len(cities) + 1)]
    expected = {
        (user, on): [c for d, c in then if d <= on or d == then[0][0]][-1]
        for user, then in seen.items()
        for on in dates
    }
    found = {
        (user, on): city
        for on in dates
        for user, city in warehouse.query(
            f"SELECT user_id, city FROM {table} WHERE user_id > 0 AND valid_from <= %s AND %s < valid_to", (on, on)
        )
    }
    assert found == expected
    ((members, rows, gaps),) = warehouse.query(
        f"SELECT count(*) FILTER (WHERE is_current), count(*), count(*) FILTER (WHERE valid_to <> coalesce(next, "
        f"DATE '9999-12-31')) FROM (SELECT *, lead(valid_from) OVER (PARTITION BY user_id ORDER BY valid_from) AS next "
        f"FROM {table}) v"
    )
    changes = sum(one[1] != other[1] for then in seen.values() for one, other in itertools.pairwise(then))
    assert (members, rows, gaps) == (len(seen) + 1, len(seen) + 1 + changes, 0)
