"""Fixtures of the tests of the loads; a test file takes them by `pytest_plugins`."""

import sys
import types
from pathlib import Path

import pytest
from luigi.task_register import Register


class SqlFolder:
    """The folder of [etl] sql."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def table(self, name: str, columns: str, *comments: str) -> None:
        """`name` is schema.table; `columns` what stands between the brackets."""
        text = "".join(f"-- {comment}\n" for comment in comments) + f"CREATE TABLE {name} (\n{columns}\n);\n"
        self.write("tables", name.partition(".")[2], text)

    def write(self, kind: str, name: str, text: str) -> str:
        """The file's name, as a loader's `sql` says it."""
        (self.path / kind).mkdir(exist_ok=True)
        (self.path / kind / f"{name}.sql").write_text(text)
        return f"{name}.sql"


def own_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the project has a package `tasks` with nothing in it but what the test says is of it.

    Luigi knows of every class that was ever made in its process, those of other tests included.
    """
    package = types.ModuleType("tasks")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "tasks", package)
    others = [made for made in Register._reg if not made.__module__.startswith("tasks.")]
    monkeypatch.setattr(Register, "_reg", others)


@pytest.fixture
def sql(tmp_path, settings) -> SqlFolder:
    """A fresh night: no task that an earlier test has made is known to luigi any more."""
    Register.clear_instance_cache()
    settings.set("etl", "sql", tmp_path)
    settings.set("warehouse", "lock_timeout", 20)
    return SqlFolder(tmp_path)


@pytest.fixture
def nights(warehouse, lake, sql) -> SqlFolder:
    """All that a load needs."""
    return sql
