"""The stack's servers as the tests want them, quick rather than safe, and two that only tests use."""

import os
import sys
from pathlib import Path

import osmem_server

from etl.stack import MariaDB, Postgres, Server, ports


class QuickPostgres(Postgres):
    options = (*Postgres.options, "fsync=off", "synchronous_commit=off", "full_page_writes=off")

    def _initdb_options(self) -> list[str]:
        return ["--no-sync"]


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


class OpenSearch(Server):
    """OpenSearch's dialect, in memory."""

    name = "opensearch"
    process = "osmem-server"

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        program = Path(osmem_server.__file__).parent / "bin" / "osmem-server"
        watch = ["-no-stdin-watch", "-parent-pid", str(os.getpid())]
        return [str(program), "-addr", f"{ports.HOST}:{self.port}", "-no-ja", *watch]

    def ready(self) -> bool:
        return ports.http_answers(self.port)
