"""The local stack: every server that the demo needs, on loopback, in one folder, without a container."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from etl.errors import ConfigError, EtlError
from etl.stack import ports, settings
from etl.stack.files import make_private_folder, write_private
from etl.stack.luigid import Luigid
from etl.stack.mariadb import MariaDB
from etl.stack.postgres import Postgres
from etl.stack.programs import check_packages, missing_packages
from etl.stack.redis import Redis
from etl.stack.s3 import S3
from etl.stack.search import Search
from etl.stack.server import Server

__all__ = [
    "S3",
    "Luigid",
    "MariaDB",
    "Postgres",
    "Redis",
    "Search",
    "Server",
    "Stack",
    "missing_packages",
]

# What `etl up` writes, and every `etl` reads while it is there.
SETTINGS = Path("var/luigi.cfg")

Report = Callable[[str, str], object]


def _silent(server: str, news: str) -> None:
    pass


class Stack:
    """The servers in `folder`, and `cfg`: the project's luigi.cfg pointed at them.

    `up`, `down` and `clean` may be called at any time, in any order and after any crash; two at once take turns.
    """

    def __init__(self, folder: Path = Path("var"), project: Path = Path("luigi.cfg")) -> None:
        self.folder = folder
        self.project = project
        self.cfg = folder / "luigi.cfg"
        self.postgres = Postgres(folder / "postgres")
        self.mariadb = MariaDB(folder / "mariadb")
        self.redis = Redis(folder / "redis")
        self.s3 = S3(folder / "s3")
        self.search = Search(folder / "search")
        self.luigid = Luigid(folder / "luigid", project)

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.postgres, self.mariadb, self.redis, self.s3, self.search, self.luigid)

    def up(self, report: Report = _silent) -> None:
        """Return when every server takes clients and `cfg` says where; what is running already stays untouched."""
        # Before anything is started: a command in the wrong folder must leave nothing behind.
        text = self._project_settings()
        check_packages()
        make_private_folder(self.folder)
        with self._alone():
            self._each(_start, report)
            write_private(self.cfg, self._pointed_here(text))

    def down(self, report: Report = _silent) -> None:
        """Return when no server is left; data, ports and passwords stay for the next `up`."""
        if self.folder.exists():
            with self._alone():
                self._each(_stop, report)

    def clean(self, report: Report = _silent) -> None:
        """Stop the servers and delete all that they and we made in the folder, nothing else."""
        if not self.folder.exists():
            return
        with self._alone():
            self._each(_stop, report)
            for server in self.servers:
                server.remove()
            self.cfg.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def urls(self) -> dict[str, str]:
        """What to give people, and under `admin_...` what only the demo's own seeding should use."""
        return {
            "warehouse": self.warehouse_url("bi_reader"),
            "lake": "s3://lake",
            "s3_endpoint": self.s3.endpoint,
            "mysql": self.mariadb.url(),
            "redis": self.redis.url(),
            "elasticsearch": self.search.url(),
            "luigid": self.luigid.url(),
            "admin_warehouse": self.postgres.url("postgres"),
            "admin_mysql": self.mariadb.url("app"),
        }

    def warehouse_url(self, role: str = "etl_load") -> str:
        return self.postgres.url(role)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _each(self, action: Callable[[Server], str], report: Report) -> None:
        """Do it to all servers at once; one failure does not keep the others from being done."""
        failed = []
        with ThreadPoolExecutor(len(self.servers)) as pool:
            actions = {pool.submit(action, server): server for server in self.servers}
            for done in as_completed(actions):
                try:
                    report(actions[done].name, done.result())
                except EtlError as error:
                    failed.append(str(error))
        if failed:
            raise EtlError("\n".join(failed))

    def _project_settings(self) -> str:
        try:
            return self.project.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(f"no {self.project} here; run this in the project's own folder") from None

    def _pointed_here(self, text: str) -> str:
        store = {
            "endpoint_url": self.s3.endpoint,
            "access_key_id": self.s3.password("access_key_id"),
            "secret_access_key": self.s3.password("secret_access_key"),
        }
        servers = {
            "warehouse": {
                "url": self.warehouse_url(),
                "owner_url": self.warehouse_url("etl_owner"),
                "admin_url": self.warehouse_url("postgres"),
            },
            "lake": {"url": "s3://lake"} | store,
            "s3_source": {"url": "s3://partners"} | store,
            "mysql": {"url": self.mariadb.url()},
            "redis": {"url": self.redis.url()},
            "elasticsearch": {"url": self.search.url()},
        }
        scheduler = {"scheduler_host": ports.HOST, "scheduler_port": str(self.luigid.port)}
        return settings.point_at(text, servers, scheduler)


def _start(server: Server) -> str:
    began = time.monotonic()
    if server.start():
        return f"started on port {server.port} in {time.monotonic() - began:.1f} s"
    return f"running on port {server.port}"


def _stop(server: Server) -> str:
    return "stopped" if server.stop() else "not running"
