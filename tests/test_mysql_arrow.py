"""The process that reads a big table: what waits for the lake waits in files, and no death of it goes unseen."""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time

import psutil
import pytest

from etl.errors import EtlError
from etl.sources import mysql as mysql_source
from etl.sources.mysql import ExtractTable
from tests.test_mysql import fresh_tasks, write  # noqa: F401

ROWS = 400_000


@pytest.fixture(autouse=True)
def every_table_is_big(monkeypatch, fresh_tasks):  # noqa: F811
    monkeypatch.setattr(mysql_source, "WORTH_CONNECTING", 0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where what is read ahead waits."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def numbers(mysql):
    mysql.execute("CREATE TABLE numbers (id INT PRIMARY KEY, doubled BIGINT, words VARCHAR(100))")
    mysql.execute(
        "INSERT INTO numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
        f"{ROWS // 400}) SELECT (a.i - 1) * 400 + b.i, 2 * ((a.i - 1) * 400 + b.i), REPEAT('w', 80) "
        "FROM n AS a, n AS b WHERE b.i <= 400"
    )


def children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def waiting(folder) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def wait_until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_what_nobody_takes_yet_waits_in_files_and_not_in_memory(mysql, numbers, folder):
    batches = ExtractTable(table="numbers").batches()
    taken = next(batches).num_rows + next(batches).num_rows
    # It reads it all, with one batch taken.
    wait_until(lambda: waiting(folder) > 80 * (ROWS - taken))
    rest = list(batches)
    assert taken + sum(batch.num_rows for batch in rest) == ROWS
    assert {id for batch in rest for id in batch.column(0).to_pylist()} <= set(range(1, ROWS + 1))
    assert list(folder.iterdir()) == []


def test_a_reader_that_dies_is_noticed_and_pymysql_reads_again(mysql, lake, numbers, folder, caplog):
    before = children()

    class Deadly(ExtractTable):
        def batches(self):
            for number, batch in enumerate(super().batches()):
                for child in children() - before if number == 1 else ():
                    child.kill()
                yield batch

    with caplog.at_level("WARNING", "luigi-interface.etl"):
        manifest, text = write(Deadly(table="numbers"))
    assert manifest.rows == ROWS == text.count("\n")
    assert "read again by PyMySQL" in caplog.text
    assert list(folder.iterdir()) == []


def test_a_load_that_stops_early_stops_the_reader(mysql, numbers, folder):
    before = children()
    batches = ExtractTable(table="numbers").batches()
    next(batches), next(batches)
    batches.close()
    assert children() == before
    assert list(folder.iterdir()) == []


READS_AND_WAITS = """
import luigi.configuration
settings = luigi.configuration.get_config()
settings.has_section("mysql") or settings.add_section("mysql")
settings.set("mysql", "url", {url!r})
from etl.sources import mysql
mysql.WORTH_CONNECTING = 0
batches = mysql.ExtractTable(table="numbers").batches()
next(batches), next(batches)
print("reading", flush=True)
input()
"""


def test_a_task_that_is_killed_leaves_no_files(mysql, numbers, tmp_path):
    command = [sys.executable, "-c", READS_AND_WAITS.format(url=mysql.url)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as task:
        assert task.stdout.readline() == b"reading\n"
        wait_until(lambda: waiting(tmp_path) > 40 * ROWS)
        task.kill()
    wait_until(lambda: list(tmp_path.iterdir()) == [])


def test_no_room_for_what_is_read_ahead_says_where(mysql, numbers, folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(
            EtlError, match=rf"\.numbers: what is read ahead cannot be written .*room in {folder}.*TMPDIR"
        ):
            list(ExtractTable(table="numbers").batches())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == []
