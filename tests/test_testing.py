"""The test kit, as a project of somebody else's uses it and as our own tests do."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from etl.errors import DataError
from etl.testing import Receipt, insert, rows, run_task, shows
from tests.pipeline import day, extractor, loader, until

pytest_plugins = ("tests.nights",)

# ---- drawn tables


def test_a_drawing_has_null_and_the_empty_text():
    assert rows("id | name\n 1 | NULL\n 2 | ''") == (["id", "name"], [("1", None), ("2", "")])


def test_a_drawn_row_of_another_width_is_named():
    with pytest.raises(ValueError, match="has 1 fields, its header 2: 7"):
        rows("id | name\n7")


@pytest.mark.engines("postgres", reason="it reads and writes as the superuser of the Postgres that is behind both")
def test_what_is_not_as_drawn_is_shown_with_what_was_drawn(warehouse):
    warehouse.query("CREATE TABLE public.dim_venue (venue_id BIGINT, city VARCHAR, seats INT)")
    insert(
        warehouse,
        "public.dim_venue",
        """
        venue_id | city | seats
        1        | Oslo | 200
        2        | ''   | NULL
        2        | ''   | NULL
        3        | Bonn | 20
        """,
    )
    with pytest.raises(AssertionError) as failure:
        shows(
            warehouse,
            "public.dim_venue",
            """
            city   | venue_id
            ''     | 2
            Oslo   | 1
            Berlin | 3
            """,
        )
    assert str(failure.value) == textwrap.dedent(
        """\
        public.dim_venue is not as drawn: 2 too many (+), 1 missing (-)
            city   | venue_id
            ''     | 2
          + ''     | 2
          - Berlin | 3
          + Bonn   | 3
            Oslo   | 1"""
    )
    shows(warehouse, "public.dim_venue", "seats\nNULL\n20\n200\nNULL")


@pytest.mark.parametrize("name", ["O'Hara", "100 %", "Café 🎟️", "''", "NULL"])
def test_the_shop_gets_the_drawn_text(mysql, name):
    mysql.execute("CREATE TABLE venues (id INT PRIMARY KEY, `name` VARCHAR(40))")
    insert(mysql, "venues", f"id | name\n1 | {name}")
    assert mysql.query("SELECT * FROM venues") == [(1, {"''": "", "NULL": None}.get(name, name))]


# ---- running a task


def test_a_load_gives_its_receipt(nights):
    nights.table("public.visits", "visit_id BIGINT PRIMARY KEY, city VARCHAR(20)")
    said = {"strategy": "upsert", "key": ("visit_id",)}
    first = loader("visits", extractor=extractor("visit_id | city\n1 | Oslo\n2 | Bonn", counted=2), **said)(date=day(1))
    receipt = Receipt("public.visits", 2, 2, 2, 0, 0, 0, 2)
    assert run_task(first) == receipt
    assert run_task(first) == receipt, "what is done is left alone"
    second = loader("visits", "visit_id | city\n2 | Köln", **said)(date=day(2))
    assert run_task(second) == Receipt("public.visits", None, 1, 0, 1, 0, 0, 2)


@pytest.mark.engines("postgres", reason="no warehouse has a part in it")
def test_an_extract_gives_its_manifest(nights):
    manifest = run_task(extractor("venue_id | city\n1 | Oslo")(date=day(1)))
    assert (manifest.rows, manifest.columns) == (1, ("venue_id", "city"))


def test_a_failed_task_raises_its_own_error(nights):
    nights.table("public.dim_venue", "venue_id BIGINT PRIMARY KEY, city VARCHAR(20)")
    with pytest.raises(DataError, match="ExtractBad: a row has 1 fields, expected 2"):
        run_task(loader("dim_venue", name="LoadBad", extractor=_bad(DataError))(date=day(1)))
    with pytest.raises(ZeroDivisionError):
        run_task(loader("dim_venue", name="LoadBad", extractor=_bad(ZeroDivisionError))(date=day(2)))


def _bad(kind):
    made = extractor("venue_id | city", "ExtractBad")

    def read(self):
        yield ("1",) if kind is DataError else (1 / 0, "Oslo")

    return type("ExtractBad", (made,), {"rows": read})


# ---- a project of somebody else's

LUIGI_CFG = """
[etl]
timezone = Europe/Oslo

[warehouse]
url = postgresql://etl_load:${SECRET_OF_NOBODY}@warehouse.example.com/warehouse

[mysql]
url = mysql://etl:secret@shop.example.com/shop
commit_lag = 7

[lake]
url = embedded
"""

TASKS = """
from etl.load import BaseLoader
from etl.mirror import MirrorTable


class LoadVenues(BaseLoader):
    table, strategy, key, sql = "dim_venue", "scd1", ("venue_id",), "dim_venue.sql"

    def requires(self):
        return MirrorTable(table="venues", date=self.date)
"""

TABLE = """
CREATE TABLE public.dim_venue (
    venue_key BIGINT NOT NULL PRIMARY KEY,
    venue_id  BIGINT NOT NULL DEFAULT -1,
    name      VARCHAR(100) NOT NULL DEFAULT 'unknown',
    city      VARCHAR(100) NOT NULL DEFAULT 'unknown'
);
"""

LOAD = "SELECT id AS venue_id, initcap(name) AS name, coalesce(city, 'unknown') AS city FROM raw.venues"

TESTS = '''
import datetime

import pytest

from etl import config
from etl.errors import ConfigError
from etl.testing import insert, run_task, shows
from tasks.venues import LoadVenues

DAY = datetime.date(2014, 2, 3)


@pytest.fixture
def venues(mysql):
    mysql.execute("CREATE TABLE venues (id INT PRIMARY KEY, name VARCHAR(50), city VARCHAR(50))")
    insert(mysql, "venues", "id | name | city \\n 7 | velvet room | Oslo")


def test_it_is_not_as_drawn(venues, warehouse, lake):
    run_task(LoadVenues(date=DAY))
    shows(warehouse, "public.dim_venue", """
        venue_id | name
        -1       | unknown
        7        | velvet room
    """)


def test_a_source_that_is_not_there(warehouse, lake, mysql):
    run_task(LoadVenues(date=DAY))


def test_settings_are_the_projects_without_its_servers(settings):
    assert str(config.timezone()) == "Europe/Oslo"
    for forgotten in (config.mysql, config.warehouse, config.lake):
        with pytest.raises(ConfigError, match="url: not set"):
            forgotten()


def test_what_else_is_said_of_a_server_stays(mysql):
    assert config.mysql().commit_lag == 7
'''

WAITS = """
import os
import pathlib
import signal


def test_it_waits_for_ever(server_folder, warehouse, redis, s3_source):
    pathlib.Path("folder").write_text(str(server_folder))
    signal.pause()
"""


def documented() -> dict[str, str]:
    """The files of docs/testing.md, which names each in its first line."""
    text = (Path(__file__).parents[1] / "docs" / "testing.md").read_text(encoding="utf-8")
    return {name: body for name, body in re.findall(r"```python\n# (tests/\S+)\n(.*?)```", text, re.DOTALL)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project, whose tests take the kit by the document's one line."""
    for name, text in {
        "luigi.cfg": LUIGI_CFG,
        "tasks/venues.py": TASKS,
        "warehouse_sql/tables/dim_venue.sql": TABLE,
        "warehouse_sql/loads/dim_venue.sql": LOAD,
        **documented(),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _pytest(project: Path, *arguments: str) -> "subprocess.Popen[str]":
    # Neither the checkout's own tasks nor what its pytest was told.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONPATH"))}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("pytest")), "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=inherited | {"COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_project_tests_its_own_loads(shop):
    (shop / "tests" / "test_more.py").write_text(TESTS)
    with _pytest(shop, "-q") as run:
        said, _ = run.communicate(timeout=120)
    assert "2 failed, 3 passed" in said, said
    drawing = """
E       AssertionError: public.dim_venue is not as drawn: 1 too many (+), 1 missing (-)
E           venue_id | name
E           -1       | unknown
E         + 7        | Velvet Room
E         - 7        | velvet room
"""
    assert drawing in said
    # The test's own line is shown, and nothing of the kit's.
    assert '>       shows(warehouse, "public.dim_venue"' in said
    assert "drawn.py" not in said and "luigi/worker.py" not in said
    assert "venues" in said.partition("test_a_source_that_is_not_there ___")[2]


def test_no_server_outlives_a_test_run_that_was_killed(shop):
    (shop / "tests" / "test_waits.py").write_text(WAITS)
    with _pytest(shop, "-q", "-s") as run:
        until(lambda: ((shop / "folder").exists() and (shop / "folder").read_text()) or run.poll() is not None, 60)
        assert run.poll() is None, run.stdout.read()
        folder = Path((shop / "folder").read_text())
        names = {process.name().lower() for process in psutil.process_iter() if _works_in(process, folder)}
        assert {"postgres", "redis-server"} < names
        os.kill(run.pid, signal.SIGKILL)
    until(lambda: not any(_works_in(process, folder) for process in psutil.process_iter()))
    until(lambda: not folder.exists())


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False


def test_what_is_not_installed_is_named():
    without = "import sys; sys.modules['noida_db'] = None; import etl.testing"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: etl.testing needs noida_db, which is not installed; "
        "install it with: pip install 'turnstile-etl[testing]'"
    )
