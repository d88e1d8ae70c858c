"""What the dictionary asks of the warehouse, on each engine."""

import datetime

from etl.dictionary import standing
from etl.dictionary.model import Column, Dictionary, Field, Origin, Table
from tests.pipeline import day, load, loader, night

pytest_plugins = ["tests.nights"]

# A row with a NUL character, which no warehouse stores, and one without.
PEOPLE = "id | name\n1  | a\0a\n2  | bob"


def dictionary() -> Dictionary:
    made = Dictionary()
    made.tables["public.people"] = Table("public.people", "public", "people", "table")
    made.tables["public.people"].columns = {"id": Column("id"), "called": Column("called")}
    made.tables["public.people"].columns["called"].origins = [Origin("LoadDrawn", values=(Field("drawn", "name"),))]
    return made


def test_an_empty_warehouse_says_when_it_was_asked(nights):
    made = dictionary()
    found = standing.ask()
    standing.add(made, found)
    assert made.asked and found.tables == {}
    assert made.tables["public.people"].standing is None


def test_rows_lateness_losses_and_quarantine_are_counted_by_column(nights, settings):
    settings.set("etl", "fresh_by", "07:00")
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", PEOPLE, date=1)
    load("people", PEOPLE, date=2)
    held = loader("people", PEOPLE)
    held.extractor.on_loss = {"name": "quarantine"}
    night(held(date=day(3)))
    found = standing.ask()
    assert list(found.tables["public.people"].columns) == ["id", "name"]
    made = dictionary()
    standing.add(made, found)
    people = made.tables["public.people"]
    assert people.standing
    assert (people.standing.rows, people.standing.held) == (1, 1)
    assert people.standing.business_date == datetime.date(2014, 2, 3)
    assert people.standing.late == datetime.datetime(2014, 2, 5, 7, tzinfo=datetime.timezone.utc)
    # The extract's `name` is what the table calls otherwise; of the losses, those of the last load alone.
    assert list(people.columns["called"].lost.values()) == [1]
    assert list(people.columns["called"].held.values()) == [1]
    assert people.columns["id"].lost == people.columns["id"].held == {}
