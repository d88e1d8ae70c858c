"""The kit's fixtures as our own tests take them: on two warehouses and two kinds of search server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.stack import Postgres, Search
from etl.testing import Settings, WarehouseDatabase
from etl.testing.copies import Copies
from etl.testing.servers import Moto, started
from tests import scheduling
from tests.faults import table
from tests.opensearch_node import OpenSearchNode
from tests.redshift import upstream
from tests.redshift.server import RedshiftEmulator
from tests.servers import OpenSearch

pytest_plugins = ["etl.testing"]

ENGINES = ("postgres", "redshift")


# The real node takes longer to start than all tests on the others, and needs Java: `make test-opensearch`.
if os.environ.get("OPENSEARCH_NODE"):
    SEARCH_SERVERS = {"opensearch-node": OpenSearchNode}
else:
    SEARCH_SERVERS = {"elasticsearch": Search, "opensearch": OpenSearch}


@pytest.fixture(scope="session", params=SEARCH_SERVERS.values(), ids=SEARCH_SERVERS.keys())
def search_server(
    request: pytest.FixtureRequest, server_folder: Path
) -> Iterator[Search | OpenSearch | OpenSearchNode]:
    server = request.param(server_folder / request.param.name)
    with started(server):
        yield server


@pytest.fixture(scope="session")
def luigi_cfg() -> None:
    """A test of the library says every setting that it is about."""


@pytest.fixture(scope="session")
def redshift(server_folder: Path, postgres: Postgres, moto_s3: Moto) -> Iterator[RedshiftEmulator]:
    """The emulated Redshift in front of the tests' Postgres and S3."""
    server = RedshiftEmulator(server_folder / "redshift", postgres, moto_s3.endpoint, log=True)
    with started(server):
        yield server


@pytest.fixture(scope="session")
def redshift_template(postgres: Postgres) -> str:
    """A database with the emulator's objects and nothing else: a copy of it is made sooner than they are."""
    postgres.create_database("template_redshift")
    upstream.install(postgres.url("postgres", "template_redshift"))
    return "template_redshift"


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which warehouse a test runs on: one after the other, all of them, but for what `engines` says."""
    return request.param


@pytest.fixture
def warehouse(
    request: pytest.FixtureRequest, engine: str, postgres: Postgres, database_copies: Copies, settings: Settings
) -> Iterator[WarehouseDatabase]:
    redshift = engine == "redshift"
    name = database_copies.make(request.getfixturevalue("redshift_template" if redshift else "warehouse_template"))
    server = request.getfixturevalue("redshift") if redshift else postgres
    database = WarehouseDatabase(postgres, name, server)
    settings.set("warehouse", "url", database.setting)
    yield database
    database_copies.end(name)


def pytest_itemcollected(item: pytest.Item) -> None:
    """`exam_on("redshift")` leaves a test on that engine to `make exam`: one of a kind that others show on it."""
    later = item.get_closest_marker("exam_on")
    if later and hasattr(item, "callspec") and item.callspec.params.get("engine") in later.args:
        item.add_marker("exam")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`engines("postgres", reason=…)` on a test, or on all of a file, leaves the other engines out."""
    left_out = []
    for item in items:
        wanted = item.get_closest_marker("engines")
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        if wanted and engine and engine not in wanted.args:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
    if hasattr(config, "workerinput"):
        items.sort(key=scheduling.length)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ByFileAndEngine | None:
    """In the place of --dist loadfile."""
    return scheduling.ByFileAndEngine(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of faults, where any was thrown."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    if found := table.lines(reports):
        terminalreporter.section("faults")
        for line in found:
            terminalreporter.write_line(line)
