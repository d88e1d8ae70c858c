"""A warehouse, a lake and sources of a scenario's own, and the recording of what is sent to the warehouse."""

import contextlib
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from luigi.configuration import LuigiConfigParser
from luigi.task_register import Register

from etl import load, manifest, retry, warehouse
from etl.sources import mysql_catalogue
from etl.stack import MariaDB, Postgres
from etl.testing import Bucket, Settings, ShopDatabase, WarehouseDatabase
from etl.testing.copies import Copies
from etl.testing.servers import Moto
from etl.warehouse import control
from etl.warehouse.redshift import Redshift
from tests.golden.call_sites import Reached, note_frames, recording
from tests.nights import SqlFolder, own_tasks
from tests.redshift.server import RedshiftEmulator


@dataclass(frozen=True)
class Servers:
    """`template` is a database with the emulator's objects; `mariadb` starts the server on the first call."""

    postgres: Postgres
    copies: Copies
    redshift: RedshiftEmulator
    template: str
    s3: Moto
    mariadb: Callable[[], MariaDB]


@dataclass(frozen=True)
class Recorded:
    statements: list[str] = field(default_factory=list)
    reached: Reached = field(default_factory=set)


class World:
    """What a scenario works with. What it sends is recorded from its first `yield` on, its call sites all the time."""

    def __init__(self, servers: Servers, settings: Settings, folder: Path) -> None:
        self._servers, self.settings = servers, settings
        self.name = servers.copies.make(servers.template)
        self.warehouse = WarehouseDatabase(servers.postgres, self.name, servers.redshift)
        settings.set("warehouse", "url", self.warehouse.setting)
        settings.set("warehouse", "lock_timeout", 20)
        self.lake = self._bucket("lake")
        settings.set("etl", "sql", folder)
        self.sql = SqlFolder(folder)

    def remove(self) -> None:
        self._servers.copies.end(self.name)
        if "mysql" in vars(self):
            self.mysql.execute(f"DROP DATABASE {self.mysql.name}")

    def sent(self) -> list[str]:
        """All statements so far, of every session."""
        return [line["statement"] for line in self._servers.redshift.logged() if line["database"] == self.name]

    @cached_property
    def mysql(self) -> ShopDatabase:
        server, name = self._servers.mariadb(), f"shop_{uuid.uuid4().hex}"
        ShopDatabase(server, "shop").execute(f"CREATE DATABASE {name}")
        database = ShopDatabase(server, name)
        self.settings.set("mysql", "url", database.url)
        return database

    @cached_property
    def files(self) -> Bucket:
        """Where partners put theirs."""
        return self._bucket("s3_source")

    def prepare(self) -> None:
        """The control tables are there, as they are on every night but the first."""
        with warehouse.connect("prepare") as db:
            control.prepare(db)
        self.new_process()

    def new_process(self) -> None:
        """Nothing is known of sessions that there were, nor of what was written."""
        for db in warehouse._idle.values():
            db.close()
        warehouse._idle.clear()
        warehouse._shared.cache_clear()
        manifest._written.clear()
        Register.clear_instance_cache()
        mysql_catalogue.forget()

    def three_roles(self) -> None:
        """As `etl init` is told of them; the tables are those of the files, for there are no tasks."""
        for key, role in (("owner_url", "etl_owner"), ("admin_url", "postgres")):
            self.settings.set("warehouse", key, self._servers.redshift.url(role, self.name))

    def fault(self, what: str) -> None:
        self.as_loader(f"SET emulator.fault TO '{what}'")

    def as_loader(self, *statements: str) -> None:
        """By somebody else with the loader's rights, in a session that is recorded no less."""
        with contextlib.closing(psycopg2.connect(self.warehouse.url)) as connection:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)

    def _bucket(self, section: str) -> Bucket:
        made = Bucket(self._servers.s3, f"lake-{uuid.uuid4().hex}")
        made.configure(self.settings, section)
        return made


Scenario = Callable[[World], Iterator[None]]


def record(scenario: Scenario, servers: Servers) -> Recorded:
    """Act the scenario out in a world of its own."""
    found = Recorded()
    connect, note = psycopg2.connect, Redshift.note
    cursor = recording(found.reached)

    def connected(*arguments: Any, **words: Any) -> Any:
        return connect(*arguments, **words, cursor_factory=cursor)

    def noted(self: Redshift, statements: Any) -> None:
        # They are sent at the end of the load, where nothing tells any more who has noted them.
        note_frames(found.reached)
        note(self, statements)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(LuigiConfigParser, "_instance", LuigiConfigParser())
        patch.setattr(retry.budget, "value", retry.BUDGET)
        patch.setattr(load, "_consumers", defaultdict(set))
        settings = Settings()
        settings.set("etl", "retry_seconds", 0)
        world = World(servers, settings, Path(folder))
        world.new_process()
        patch.setattr("etl.warehouse.redshift.psycopg2.connect", connected)
        patch.setattr(Redshift, "note", noted)
        own_tasks(patch)
        # Two sides of a comparison that share a session take their turns in any order.
        patch.setattr("etl.drill.ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))
        try:
            steps = scenario(world)
            next(steps)
            world.new_process()
            before = len(world.sent())
            for _ in steps:
                pass
            found.statements.extend(world.sent()[before:])
        finally:
            world.new_process()
            patch.undo()
            world.remove()
    return found
