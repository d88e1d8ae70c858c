"""The stack's servers as tests want them, quick rather than safe, and an S3 in memory."""

import contextlib
import sys
from collections.abc import Iterator

from etl.stack import MariaDB, Postgres, Server, ports


@contextlib.contextmanager
def started(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()


class QuickPostgres(Postgres):
    # A password is proved by one round and not by 4096: tests connect thousands of times.
    options = (
        *Postgres.options,
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_wal_size=512MB",
        "scram_iterations=1",
    )

    def _initdb_options(self) -> list[str]:
        return ["--no-sync", "--set=scram_iterations=1"]


class QuickMariaDB(MariaDB):
    """`app` may create databases shop_..., one for each test, and `etl_extract` read them."""

    options = (
        *MariaDB.options,
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--innodb-log-file-size=16M",
    )

    def statements(self) -> list[str]:
        return [
            *super().statements(),
            f"GRANT ALL ON `shop\\_%`.* TO app@'{ports.HOST}'",
            f"GRANT SELECT, SHOW VIEW ON `shop\\_%`.* TO etl_extract@'{ports.HOST}'",
        ]


class Moto(Server):
    """S3 in memory, which honours If-None-Match as S3 does."""

    name = "moto"
    process = "python"

    @property
    def endpoint(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", ports.HOST, "-p", str(self.port)]

    def ready(self) -> bool:
        return ports.http_answers(self.port)
