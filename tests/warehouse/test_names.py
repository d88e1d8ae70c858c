"""Names and literals: whatever text comes, the server reads the same text back, and nothing else."""

import contextlib

import psycopg2
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.errors import DataError
from etl.warehouse.names import literal, plain, quote

ATTACKS = [
    *('"; DROP TABLE etl.loads; --', "'; SELECT pg_sleep(9); --", '""', "\\", "a\nb", "$$", "/*"),
    *("%s", "%(x)s", "{stage}", "日付", "Select", "ß"),
]
TEXT = st.sampled_from(ATTACKS) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def cursor(postgres):
    url = postgres.url("postgres", "postgres")
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        yield cursor


@given(name=TEXT.filter(lambda text: 0 < len(text.encode()) <= 63))
@hypothesis_settings(deadline=None)
def test_a_quoted_name_names_exactly_that(cursor, name):
    cursor.execute(f"SELECT 1 AS {quote(name)}")
    assert [column.name for column in cursor.description] == [name]


@given(text=TEXT)
@hypothesis_settings(deadline=None)
def test_a_literal_is_the_text(cursor, text):
    cursor.execute(f"SELECT {literal(text)}")
    assert cursor.fetchall() == [(text,)]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "ä" * 32])
def test_what_no_server_takes_for_a_name_is_refused(name):
    """Postgres would cut a longer name in silence, and two columns might become one."""
    with pytest.raises(DataError, match="1 to 63 bytes"):
        quote(name)


@given(name=TEXT)
def test_a_plain_name_needs_no_quotes_or_is_refused(name):
    try:
        assert plain(name) == name
    except DataError as error:
        assert repr(name) in str(error)
    else:
        assert name.encode("ascii").islower() or set(name) <= set("_0123456789")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") and not name[0].isdigit()
        assert len(name) <= 63


@pytest.mark.parametrize("name", ["dim_date", "_x", "a" * 63, "fact_2014"])
def test_our_names_are_plain(name):
    assert plain(name) == name


@pytest.mark.parametrize(
    "name", ["", "Dim_date", "2014_fact", "a" * 64, "dim_date\n", "dim-date", "public.dim_date", "../x"]
)
def test_other_names_are_not(name):
    with pytest.raises(DataError, match="lower case letters, digits and underscores"):
        plain(name)
