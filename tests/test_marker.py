"""The marker: it exists when the work's rows do, and asking for it survives a restart of the server."""

from etl import warehouse as connections
from etl.marker import loaded
from tests.pipeline import day, load, loader

pytest_plugins = ("tests.nights",)


def test_it_exists_when_the_rows_do(nights, warehouse):
    nights.table("public.t", "a INTEGER")
    task = loader("t", "a\n1")(date=day(1))
    assert not task.output().exists()
    load("t", "a\n1")
    assert task.output().exists()
    assert not loader("t", "a\n1")(date=day(2)).output().exists()
    warehouse.query("DELETE FROM etl.loads")
    assert not task.output().exists()


def test_it_is_one_key_of_many(nights):
    nights.table("public.t", "a INTEGER")
    load("t", "a\n1")
    assert loaded(['LoadDrawn {"date": "2014-02-01"}', "LoadOther {}"]) == {'LoadDrawn {"date": "2014-02-01"}'}


def test_a_server_that_was_restarted_is_asked_again(nights, warehouse):
    nights.table("public.t", "a INTEGER")
    task = load("t", "a\n1")
    (pid,) = connections.shared().query("SELECT pg_backend_pid()")[0]
    warehouse.query("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert task.complete()
    assert connections.shared().query("SELECT pg_backend_pid()") != [(pid,)]
