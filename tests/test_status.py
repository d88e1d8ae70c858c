"""How every table stands, from receipts that real loads wrote, and how the last night went, from ledgers."""

import io
import json
import time
from dataclasses import replace

from rich.console import Console

from etl import status
from etl.run import run_id
from etl.status import page
from etl.warehouse import connect
from tests.ledgers import BEGAN, heard, run_of
from tests.pipeline import day, load, loader, night

pytest_plugins = ["tests.nights", "tests.ledgers"]

FIRST = """
id | name
1  | ada
2  | bob
"""
SECOND = """
id | name
1  | eve
3  | cyd
"""


def test_an_empty_warehouse_has_nothing_to_say(nights):
    with connect("test") as db:
        assert status.tables(db) == []


def test_the_last_load_of_each_table_and_what_it_did(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST, date=1)
    load("people", SECOND, date=2)
    with connect("test") as db:
        (people,) = status.tables(db)
        assert status.tables(db, run_id()) == [replace(people, late=None)]
        assert status.tables(db, "another run") == []
    assert (people.table, str(people.business_date), people.rows) == ("public.people", "2014-02-02", 2)
    assert (people.staged, people.inserted, people.updated, people.deleted, people.lost) == (2, 1, 1, 1, 0)
    assert json.loads(json.dumps(people.as_json(), default=str))["rows"] == 2


def test_lost_values_are_counted(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST.replace("ada", "a\0a"))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert people.lost == 1


def test_rows_that_are_held_back_are_counted(nights, warehouse):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    said = loader("people", FIRST.replace("ada", "a\0a"))
    said.extractor.on_loss = {"name": "quarantine"}
    night(said(date=day(1)))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert (people.rows, people.lost, people.held, people.as_json()["held"]) == (1, 1, 1, 1)


def test_a_warehouse_of_an_earlier_version_holds_nothing_back(nights, warehouse):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", FIRST)
    warehouse.query("DROP TABLE etl.quarantine")
    with connect("test") as db:
        db.seen.clear()
        assert [people.held for people in status.tables(db)] == [0]


def test_an_older_night_that_is_caught_up_with_does_not_make_the_table_older(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    load("people", SECOND, date=2)
    load("people", FIRST, date=1, strategy="upsert", key=("id",))
    with connect("test") as db:
        (people,) = status.tables(db)
    assert (str(people.business_date), people.rows) == ("2014-02-02", 3)


def test_members_that_a_fact_infers_are_no_load_of_the_dimension(nights):
    nights.table(
        "public.dim_user",
        "user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, "
        "is_inferred BOOLEAN NOT NULL DEFAULT FALSE",
    )
    nights.table("public.fact_sale", "user_key BIGINT NOT NULL")
    sql = (
        "-- infer: public.dim_user (user_id) from {stage} (user_id)\nSELECT u.user_key FROM {stage} s "
        "JOIN public.dim_user u ON u.user_id = CAST(s.user_id AS BIGINT)"
    )
    load("dim_user", "user_id\n7\n8", strategy="scd1", key=("user_id",), name="LoadUsers")
    load("fact_sale", "user_id\n9", sql=nights.write("loads", "fact_sale", sql))
    with connect("test") as db:
        users, _ = status.tables(db)
    assert (users.table, users.rows, users.staged, users.inserted) == ("public.dim_user", 4, 2, 3)


def test_what_is_late_and_what_is_unusual_is_marked(nights, warehouse):
    """Five loads of 20 rows that took a second each, and then one of two rows that took a minute."""
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY", "fresh by: 09:00")
    many = "id\n" + "\n".join(map(str, range(20)))
    for date in range(1, 6):
        load("people", many, date=date)
    warehouse.query("UPDATE etl.receipts SET seconds = 1, loaded_at = loaded_at - INTERVAL '1 hour'")
    load("people", "id\n1\n2", date=6)
    warehouse.query("UPDATE etl.receipts SET seconds = 60 WHERE rows_staged = 2")
    with connect("test") as db:
        (people,) = status.tables(db)
        (told,) = json.loads(json.dumps([people.as_json()], default=str))
    assert (people.odd_rows, people.odd_seconds) == (True, True)
    assert str(people.late) == "2014-02-08 09:00:00+00:00"
    assert told["usual_rows"] == {"median": 20, "low": 10, "high": 40}
    assert told["usual_seconds"]["median"] == 1


def test_four_loads_do_not_tell_what_is_usual(nights):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)")
    for date in range(1, 5):
        load("people", FIRST, date=date)
    with connect("test") as db:
        (people,) = status.tables(db)
    assert (people.usual_rows, people.odd_rows, people.odd_seconds) == (None, False, False)


# ---- the last night

USERS = "MySQL at db:3306 cannot be reached; see that it runs and [mysql] url"
FAILED = (
    {"task": "Nightly", "needs": "LoadSales"},
    {"task": "Nightly", "needs": "LoadUsers"},
    {"task": "LoadUsers", "needs": "ExtractTable users"},
    {"task": "LoadSales", "needs": "LoadUsers"},
    heard("ExtractTable users", "failed", why=USERS),
    heard("LoadVenues", table="public.dim_venue"),
    {"code": 30},
)


def said(found: status.Standing) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    page.show(found, console)
    return console.export_text()


def test_many_tasks_that_never_began_are_counted_at_their_one_root():
    (failure,) = status.failures(run_of(*FAILED))
    assert (failure.task, failure.state, failure.why) == ("ExtractTable users", "failed", USERS)
    assert sorted(failure.blocked) == ["LoadSales", "LoadUsers", "Nightly"]
    assert failure.next == "etl why ExtractTable users --date 2014-02-03"


def test_a_failed_night_begins_with_its_verdict_and_ends_with_what_to_do(nights, ledger):
    ledger("20140204T023000-00000001", BEGAN, *FAILED)
    found = status.standing()
    first, *rest = said(found).splitlines()
    assert first.startswith(
        "Nightly 2014-02-03: FAILED, 1 failed, 3 never began, 1 done, 60.0 s, ended 2014-02-04 02:31"
    )
    assert "1 table never loaded" in first
    assert "ExtractTable users failed; 3 tasks never began because of it" in rest
    assert f"    {USERS}" in rest
    assert "    etl why ExtractTable users --date 2014-02-03" in rest
    assert "When that is mended: etl run Nightly --date 2014-02-03" in rest
    assert "    public.dim_venue was never loaded" in rest
    assert found.code == 30
    told = json.loads(json.dumps(page.as_json(found), default=str))
    assert sorted(told["failures"][0]["blocked"]) == ["LoadSales", "LoadUsers", "Nightly"]
    assert (told["exit_code"], told["run"]["state"], told["warehouse"]) == (30, "failed", None)


def test_what_many_tasks_failed_of_is_told_once(nights, ledger):
    failed = [heard(f"ExtractTable {name}", "failed", why=USERS) for name in ("users", "venues", "events")]
    ledger("20140204T023000-00000001", BEGAN, *failed, {"code": 30})
    text = said(status.standing())
    assert text.count("MySQL at db:3306") == 1
    assert "ExtractTable users, ExtractTable venues, ExtractTable events failed" in text


def test_a_run_that_died_is_told_with_what_was_at_work(nights, ledger):
    at_work = heard("LoadUsers", "running", table="public.dim_user")
    ledger("20140204T023000-00000001", BEGAN, heard("ExtractTable users"), at_work, ended=False)
    found = status.standing()
    assert page.verdict(found) == ("Nightly 2014-02-03: KILLED, last heard of 2014-02-04 02:30, 1 at work, 1 done")
    assert "at work then: LoadUsers" in said(found)
    assert found.code == 30


def test_what_others_bring_too_late_is_no_failure_of_ours(nights, ledger):
    late = ({"task": "Nightly", "needs": "S3Files x"}, heard("S3Files x", "missing", why="expected at s3://x/"))
    running = status.Standing(run=run_of(*late, held=True, ended=False))
    assert page.verdict(running).endswith("0 done, 0 at work, 1 waiting, 1 not there yet")
    ledger("20140204T023000-00000001", BEGAN, *late, {"code": 20})
    assert "Nightly 2014-02-03: MISSING DATA, 1 not there yet, 1 never began" in page.verdict(status.standing())


def test_a_run_that_is_at_work_is_no_failure():
    """Its file is held by whoever runs it."""
    at_work = heard("LoadUsers", "running", rows=1000, total=4000, verb="loaded", at=time.time())
    run = run_of({"task": "Nightly", "needs": "LoadUsers"}, heard("LoadVenues"), at_work, held=True, ended=False)
    found = status.Standing(run=run)
    assert "running since" in page.verdict(found)
    assert "1 done, 1 at work, 1 waiting" in page.verdict(found)
    assert "LoadUsers: 0 s, 1,000 rows loaded (25%)" in said(found)
    assert found.code == 0


def test_a_command_that_was_refused_says_so(nights, ledger):
    ledger("20140204T023000-00000001", BEGAN, {"error": "[mysql] url: not set", "code": 2})
    text = said(status.standing())
    assert "Nightly 2014-02-03 failed" in text
    assert "    [mysql] url: not set" in text


def test_what_is_run_after_the_night_is_told_too_and_a_failure_of_it_counts(nights, ledger):
    done, bad = (heard("LoadVenues"), {"code": 0}), (heard("LoadVenues", "failed", why="no"), {"code": 30})
    ledger("20140204T023000-00000001", BEGAN, *done)
    ledger("20140204T043000-00000002", BEGAN + 7200, *bad, task="LoadVenues")
    found = status.standing()
    assert page.verdict(found).endswith("since then LoadVenues 2014-02-03 failed")
    assert found.run and found.run.task == "Nightly"
    assert found.code == 30
    ledger("20140204T053000-00000003", BEGAN + 10800, *done, task="LoadVenues")
    found = status.standing()
    assert (found.code, [run.id for run in found.since]) == (0, ["20140204T053000-00000003"])


def test_a_night_that_was_never_caught_up_with_is_told_and_is_no_alarm(nights, ledger):
    """Its day may be one that no source shows any more."""
    ledger("20140203T023000-00000000", BEGAN - 86400, *FAILED, day="2014-02-02")
    ledger("20140204T023000-00000001", BEGAN, heard("LoadVenues"), {"code": 0})
    found = status.standing()
    assert (found.run and found.run.day, found.code) == ("2014-02-03", 0)
    assert "Not done since\n    Nightly 2014-02-02: FAILED" in said(found)


def test_where_nothing_ever_ran_nothing_is_wrong(nights, ledger):
    found = status.standing()
    assert page.verdict(found) == "Nothing has been loaded yet. `etl run Nightly` loads everything."
    assert found.code == 0


def test_a_run_of_another_host_is_named(nights, ledger):
    """It is in the warehouse, and in no ledger: neither here nor in the lake."""
    ledger("20140204T023000-00000001", BEGAN, heard("LoadVenues"), {"code": 0})
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)", "fresh by: never")
    load("people", FIRST)
    found = status.standing()
    assert found.stranger == run_id()
    assert f"Run {run_id()} loaded tables and is in no ledger here" in said(found)


def test_a_warehouse_that_does_not_answer_hides_nothing_of_the_night(nights, ledger, settings):
    ledger("20140204T023000-00000001", BEGAN, *FAILED)
    settings.set("warehouse", "url", "postgresql://etl_load:canary@127.0.0.1:1/nowhere")
    found = status.standing()
    assert found.code == 30
    assert found.down and "canary" not in found.down
    text = said(found)
    assert "the warehouse does not answer" in text
    assert USERS in text


def test_columns_that_changed_in_the_night_are_told(nights, warehouse, ledger):
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)", "fresh by: never")
    load("people", FIRST)
    change = "INSERT INTO etl.schema_changes VALUES ('raw.users', %s, 'added', NULL, 'VARCHAR(80)', %s, now())"
    warehouse.query(change, ("nickname", "20140204T023000-00000001"))
    warehouse.query(change, ("older", "20140203T023000-00000000"))
    ledger("20140204T023000-00000001", BEGAN, heard("LoadUsers"), {"code": 0})
    found = status.standing()
    assert "    raw.users.nickname added (VARCHAR(80))" in said(found)
    assert [change.column for change in found.changes] == ["nickname"]
    assert "1 column changed" in page.verdict(found)


def test_a_watcher_in_a_pipe_is_told_what_has_become_of_tasks():
    plan = {"task": "Nightly", "needs": "LoadUsers"}
    before = status.Standing(run=run_of(plan, heard("LoadUsers", "running"), held=True, ended=False))
    after = status.Standing(run=run_of(plan, heard("LoadUsers", rows=246), heard("Nightly", at=BEGAN + 6), {"code": 0}))
    assert list(page.lines(before, before)) == []
    assert list(page.lines(before, after)) == [
        "done LoadUsers, 246 rows",
        "done Nightly",
        "Nightly 2014-02-03: done, 2 tasks, 60.0 s, ended 2014-02-04 02:31",
    ]
