"""The shop's own database: MariaDB, from the system's package mariadb-server-core."""

import os
import shutil
import subprocess
from pathlib import Path

from etl.errors import EtlError
from etl.stack import ports, programs
from etl.stack.files import make_private_folder, write_private
from etl.stack.server import Server


class MariaDB(Server):
    """Two users with random passwords, no other: `app` owns database `shop`, `etl_extract` may only read it.

    A consistent snapshot (START TRANSACTION WITH CONSISTENT SNAPSHOT) needs no right but SELECT.
    """

    name = "mariadb"
    process = "mariadbd"
    passwords = ("app", "etl_extract")
    files = ("init.sql",)
    options: tuple[str, ...] = (
        "--character-set-server=utf8mb4",
        # Strict as an ordinary shop's, yet without NO_ZERO_DATE: old applications store 0000-00-00.
        "--sql-mode=STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
        "--default-time-zone=+00:00",
        "--max-allowed-packet=64M",
        "--innodb-buffer-pool-size=256M",
        "--innodb-log-file-size=96M",
    )

    def url(self, user: str = "etl_extract", database: str = "shop") -> str:
        return f"mysql://{user}:{self.password(user)}@{ports.HOST}:{self.port}/{database}"

    def statements(self) -> list[str]:
        """What is run at each start, before the first client: users of a set-up that was interrupted are mended."""
        users = {user: f"{user}@'{ports.HOST}'" for user in self.passwords}
        return [
            "CREATE DATABASE IF NOT EXISTS shop",
            *(f"CREATE USER IF NOT EXISTS {user}" for user in users.values()),
            *(f"ALTER USER {user} IDENTIFIED BY '{self.password(name)}'" for name, user in users.items()),
            f"GRANT ALL ON shop.* TO {users['app']}",
            f"GRANT SELECT, SHOW VIEW ON shop.* TO {users['etl_extract']}",
        ]

    def command(self) -> list[str]:
        return [
            *self._program(self.data),
            *self.options,
            f"--port={self.port}",
            f"--bind-address={ports.HOST}",
            # No unix socket: its path may have 107 bytes at most, and a checkout may lie deeper.
            "--socket=",
            "--skip-name-resolve",
            # Each time we look whether it is ready counts as a failed login.
            "--max-connect-errors=4294967295",
            f"--init-file={self.folder / 'init.sql'}",
            f"--pid-file={self.data / 'mariadbd.pid'}",
        ]

    def prepare(self) -> None:
        # A statement a line, which is how --init-file reads.
        write_private(self.folder / "init.sql", "".join(f"{statement};\n" for statement in self.statements()))
        if self.data.exists():
            return
        shutil.rmtree(self.draft, ignore_errors=True)
        make_private_folder(self.draft)
        # Not mariadb-install-db: it changes permissions below /usr/lib, creates a root user, and needs a
        # program from a package that mariadb-server-core does not depend on.
        tables = "".join((_sql_folder() / f"{name}.sql").read_text() for name in _SYSTEM_TABLES)
        done = subprocess.run(
            [*self._program(self.draft), *self.options, "--bootstrap", "--log-warnings=0", "--enforce-storage-engine="],
            input=f"CREATE DATABASE mysql;\nUSE mysql;\n{tables}",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        if done.returncode:
            raise EtlError(f"{self.name}: creating its system tables failed in {self.draft}:\n{done.stdout.strip()}")
        self.draft.rename(self.data)

    def ready(self) -> bool:
        # The first packet is a greeting: a header of four bytes, then the protocol's version, 10.
        return ports.answer(self.port)[4:5] == b"\x0a"

    def _program(self, data: Path) -> list[str]:
        user = ["--user=root"] if os.geteuid() == 0 else []
        # A server that starts deletes the temporary tables it finds in its tmpdir, whosever they are.
        folders = [f"--datadir={data}", f"--tmpdir={data}"]
        return [str(programs.system_program("mariadbd")), "--no-defaults", *user, *folders]


_SYSTEM_TABLES = ("mysql_system_tables", "mysql_performance_tables")


def _sql_folder() -> Path:
    share = programs.system_program("mariadbd").resolve().parents[1] / "share"
    for folder in (share / "mysql", share / "mariadb"):
        if (folder / "mysql_system_tables.sql").exists():
            return folder
    raise EtlError(f"mariadb: no mysql_system_tables.sql in {share}/mysql or {share}/mariadb; reinstall the server")
