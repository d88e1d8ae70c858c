"""Columns and comments of a table's file."""

import pytest

from etl.warehouse import table_file

HEAD = """-- Sales, as their status
-- is now. NULL: never in money.
-- redshift: DISTSTYLE ALL
-- foreign key: a -> public.b (b)
-- fresh by: 07:00

CREATE TABLE public.fact_x (
    a INTEGER, -- first
);
-- Behind it.
"""

BODY = """(
    a INTEGER NOT NULL DEFAULT 'x,--y(', -- first
                                         -- and more
    -- before b
    b DECIMAL(10, 2), C INT, -- of c
    "d,""e" TEXT /* is
       none */, -- of d; a 'quote
    e DATE,
    CONSTRAINT k PRIMARY KEY (a, b), -- of a key
    UNIQUE (c)
) -- behind it"""


def test_the_head_of_a_file_is_for_people_but_for_its_topics() -> None:
    assert table_file.head_comment(HEAD) == "Sales, as their status is now. NULL: never in money."
    assert table_file.head_comment("CREATE TABLE x (a INT)") == ""


def test_columns_are_as_they_are_written() -> None:
    assert table_file.columns(BODY) == {
        "a": "INTEGER NOT NULL DEFAULT 'x,--y('",
        "b": "DECIMAL(10, 2)",
        "c": "INT",
        'd,"e': "TEXT",
        "e": "DATE",
    }


def test_a_comment_is_its_columns() -> None:
    assert table_file.column_comments(BODY) == {
        "a": "first and more",
        "b": "before b",
        "c": "of c",
        'd,"e': "of d; a 'quote",
    }


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (BODY, ("a", "b")),
        ("(a INT PRIMARY KEY, b INT)", ("a",)),
        ('(a INT, "B" INT, primary key ("B"))', ("B",)),
        ("(a INT, b INT)", ()),
    ],
)
def test_the_primary_key(body: str, key: tuple[str, ...]) -> None:
    assert table_file.primary_key(body) == key


def test_what_a_mart_says_of_its_columns() -> None:
    select = "SELECT\n  a AS day, -- the business day\n  SUM(b) AS total -- in dollars\nFROM x -- AS nothing"
    assert table_file.selected_comments(select) == {"day": "the business day", "total": "in dollars"}
