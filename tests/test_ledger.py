"""The ledger: what is heard of a run is on disk at once, and tells the truth however the run ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from etl import ledger
from etl.errors import EtlError
from tests.pipeline import until


@pytest.fixture
def folder(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETL_RUN_ID", "20140204T023000-1a2b3c4d")
    return tmp_path / ledger.FOLDER


def begun(what: str = "Nightly 2014-02-03"):
    return ledger.begun(what, "Nightly", "2014-02-03", watched=False)


def test_a_run_is_read_as_it_was_kept(folder):
    with begun() as book:
        book.hear(task="Nightly", needs="LoadVenues")
        book.hear(task="LoadVenues", needs="MirrorTable venues")
        book.hear(task="MirrorTable venues", state="running", table="raw.venues", at=100.0)
        book.hear(task="MirrorTable venues", verb="loaded", rows=40, bytes=900, total=40)
        book.hear(task="MirrorTable venues", state="failed", why="no 'disk' <left>", at=103.5)
        book.hear(code=30)
    (run,) = ledger.runs()
    assert (run.what, run.task, run.day, run.state, run.code) == (
        "Nightly 2014-02-03", "Nightly", "2014-02-03", "failed", 30,
    )  # fmt: skip
    venues = run.tasks["MirrorTable venues"]
    assert (venues.state, venues.table, venues.rows, venues.bytes, venues.seconds) == (
        "failed",
        "raw.venues",
        40,
        900,
        3.5,
    )
    assert venues.why == "no 'disk' <left>"
    assert {name: (task.state, task.needs) for name, task in run.tasks.items()} == {
        "Nightly": ("waiting", ["LoadVenues"]),
        "LoadVenues": ("waiting", ["MirrorTable venues"]),
        "MirrorTable venues": ("failed", []),
    }
    assert run.pid == os.getpid()
    assert run.seconds < 60


def test_what_was_done_before_is_not_in_it(folder):
    with begun() as book:
        book.hear(task="LoadVenues", needs="MirrorTable venues")
        book.hear(task="LoadVenues", needs="LoadDateTable")
        book.hear(task="LoadDateTable", state="there")
        book.hear(task="LoadEvents", needs="LoadDateTable")
        book.hear(task="MirrorTable venues", state="done", at=5.0)
        book.hear(task="MirrorTable venues", state="there")
        book.hear(code=30)
    (run,) = ledger.runs()
    assert {name: task.state for name, task in run.tasks.items()} == {
        "LoadVenues": "waiting",
        "MirrorTable venues": "done",
        "LoadEvents": "waiting",
    }
    assert run.tasks["LoadVenues"].needs == ["MirrorTable venues", "LoadDateTable"]


def test_whoever_looks_sees_it_running_and_how_far_it_is(folder):
    with begun() as book:
        book.hear(task="LoadVenues", state="running", at=time.time())
        (run,) = ledger.runs()
        assert (run.state, run.tasks["LoadVenues"].state) == ("running", "running")
        book.hear(code=0)
    assert ledger.runs()[0].state == "done"


def test_a_run_that_was_killed_has_died_and_its_torn_last_line_is_left_out(folder, tmp_path):
    """The process that keeps it is killed; nobody can write its end."""
    program = (
        "import sys; from etl import ledger\n"
        "with ledger.begun('Nightly 2014-02-03', 'Nightly', '2014-02-03', False) as book:\n"
        "    book.hear(task='LoadVenues', state='running', at=5.0)\n"
        '    book._file.write(\'{"task": "LoadVen\'); book._file.flush()\n'
        "    print('kept', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"kept\n"
        assert ledger.runs()[0].state == "running"
        keeper.send_signal(signal.SIGKILL)
    (run,) = ledger.runs()
    assert (run.state, run.code, run.ended) == ("died", None, None)
    assert run.tasks["LoadVenues"].state == "running"


def test_a_worker_that_outlives_its_command_still_holds_the_run(folder):
    reading, writing = os.pipe()
    with begun() as book:
        book.hear(code=0)
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        path = ledger._path(book.run.id)
        # As if the command had been killed: its own end is not there.
        without = [line for line in path.read_text().splitlines() if "ended" not in json.loads(line) or "id" in line]
    path.write_text("\n".join(without) + "\n")
    assert ledger.runs()[0].state == "running"
    os.write(writing, b".")
    os.close(writing)
    os.close(reading)
    os.waitpid(child, 0)
    assert ledger.runs()[0].state == "died"


def test_the_newest_run_comes_first(folder, monkeypatch):
    for number in range(3):
        monkeypatch.setenv("ETL_RUN_ID", f"run-{number}")
        with begun(f"Nightly 2014-02-0{number + 1}") as book:
            book.hear(code=0)
    assert [run.id for run in ledger.runs(limit=2)] == ["run-2", "run-1"]


def test_another_host_finds_a_finished_run_in_the_lake(folder, lake):
    with begun() as book:
        book.hear(task="LoadVenues", state="done", at=5.0)
        book.hear(code=0)
    ledger.keep(book.run)
    (there,) = folder.iterdir()
    there.unlink()
    (run,) = ledger.runs()
    assert (run.id, run.state, list(run.tasks)) == (book.run.id, "done", ["LoadVenues"])
    # Also where this host has runs of its own.
    with begun("Nightly 2014-02-04") as own:
        own.hear(code=0)
    there.unlink()
    (folder / "another.jsonl").write_text(json.dumps({}))
    assert ledger.read(book.run.id).what == "Nightly 2014-02-03"


def test_a_run_is_found_by_its_id_or_the_last_ones_are_named(folder, lake):
    with begun() as book:
        book.hear(code=0)
    assert ledger.read(book.run.id).what == "Nightly 2014-02-03"
    with pytest.raises(EtlError, match=f"no run 2013; the last ones are {book.run.id}"):
        ledger.read("2013")
    with pytest.raises(EtlError, match=r"no run \.\./\.\./x; the last ones are"):
        ledger.read("../../x")


def test_an_id_of_ones_own_names_a_file_of_the_folder_and_no_other(folder, monkeypatch):
    monkeypatch.setenv("ETL_RUN_ID", "../../etc/cron d")
    with begun() as book:
        book.hear(code=0)
    assert [path.name for path in folder.iterdir()] == [".._.._etc_cron_d.jsonl"]
    assert ledger.read("../../etc/cron d").state == "done"


def test_what_is_older_than_receipts_are_kept_is_forgotten(folder, settings):
    settings.set("warehouse", "url", "postgresql://etl_load@nowhere/x")
    settings.set("warehouse", "keep_days", 400)
    folder.mkdir(parents=True)
    for name, days in (("old.jsonl", 401), ("recent.jsonl", 399)):
        (folder / name).write_text("")
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    with begun():
        pass
    assert sorted(path.name for path in folder.iterdir())[1:] == ["recent.jsonl"]
    assert until(lambda: not (folder / "old.jsonl").exists())
