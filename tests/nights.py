"""Fixtures of the tests of the loads; a test file takes them by `pytest_plugins`."""

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
