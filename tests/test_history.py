"""The loads of a table, from receipts that real loads wrote."""

import click
import pytest

from etl.status import history
from etl.warehouse import connect
from tests.pipeline import load

pytest_plugins = ["tests.nights"]

PEOPLE = "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)"


def test_each_load_with_what_became_of_its_rows_the_newest_last(nights):
    nights.table("public.people", PEOPLE)
    load("people", "id|name\n1|a\0a\n2|bob", date=1)
    load("people", "id|name\n1|eve\n3|cyd", date=2)
    with connect("test") as db:
        first, second = history.loads(db, "public.people", 9)
        assert history.loads(db, "public.people", 1) == [second]
        assert history.loads(db, None, 1) == [second]
        assert history.loads(db, "public.venues", 9) == []
    assert (str(first.business_date), first.staged, first.inserted, first.rows, first.lost) == (
        "2014-02-01",
        2,
        2,
        2,
        1,
    )
    assert (str(second.business_date), second.staged, second.lost) == ("2014-02-02", 2, 0)
    assert (second.inserted, second.updated, second.deleted, second.rows) == (1, 1, 1, 2)
    assert second.loaded_at > first.loaded_at and second.seconds > 0


def test_a_table_is_named_in_full_or_as_far_as_it_is_the_only_one(nights):
    for table in ("public.people", "public.venues"):
        nights.table(table, PEOPLE)
        load(table, "id|name\n1|ada", name=f"Load{table[7:]}")
    nights.table("raw.venues", PEOPLE)
    load("raw.venues", "id|name\n1|ada", name="LoadRaw")
    with connect("test") as db:
        assert history.named(db, "people") == history.named(db, "public.people") == "public.people"
        assert history.named(db, "raw.venues") == "raw.venues"
        for said, hint in (
            ("venues", "venues may be public.venues or raw.venues"),
            ("peple", "did you mean public.people?"),
            ("xyz", "there are public.people, public.venues, raw.venues"),
        ):
            with pytest.raises(click.UsageError, match=hint.replace("?", r"\?")):
                history.named(db, said)


def test_of_a_warehouse_without_loads_that_is_said(nights):
    with connect("test") as db, pytest.raises(click.UsageError, match="nothing was ever loaded"):
        history.named(db, "people")


def loads(*seconds: float) -> list[history.Load]:
    return [history.Load("t", None, None, 100, 0, 0, 0, 100, 0, one, "run") for one in seconds]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("earlier", "value", "usual"),
    [
        # Small jobs may take twice as long as they do, and 2 s more.
        ((0.1, 0.1, 0.2, 0.1, 0.1), 2.0, True),
        ((0.1, 0.1, 0.2, 0.1, 0.1), 2.2, False),
        ((100, 100, 100, 100, 100), 199, True),
        ((100, 100, 100, 100, 100), 201, False),
        # What scatters may scatter, and one night of trouble teaches nothing.
        ((10, 30, 20, 40, 30), 70, True),
        ((10, 10, 10, 10, 900), 21, False),
        # What is quick is welcome.
        ((100, 100, 100, 100, 100), 0.1, True),
    ],
)
def test_how_long_a_load_usually_takes(earlier, value, usual):
    found = history.usual_seconds(loads(*earlier))
    assert found and found.has(value) is usual


def test_too_few_rows_are_as_unusual_as_too_many():
    found = history.usual_rows(loads(1, 1, 1, 1, 1))
    assert found == history.Usual(100, 50, 200)
    assert [found.has(rows) for rows in (0, 49, 50, 200, 201)] == [False, False, True, True, False]
    assert history.usual_rows(loads(1, 1, 1, 1)) is None
