"""The emulator as a server of the tests."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from etl.stack import Postgres, Server, ports

_ROOT = Path(__file__).resolve().parents[2]


class RedshiftEmulator(Server):
    """What Redshift documents, over the wire, in front of `upstream`: its databases, roles and passwords.

    COPY reads of the S3 at `s3`. It forgets everything but what Postgres holds when it ends.
    """

    name = "redshift"
    process = "python"

    def __init__(
        self,
        folder: Path,
        upstream: Postgres,
        s3: str,
        isolation: str = "snapshot",
        log: bool = False,
        port: int | None = None,
        s3_keys: tuple[str, str] = ("test", "test"),
    ) -> None:
        super().__init__(folder, port)
        self.upstream = upstream
        self._s3 = s3
        self._isolation = isolation
        self._logs = log
        self._keys = s3_keys

    @property
    def statements(self) -> Path:
        """One JSON line for every statement as a client sent it, where the server was made with `log`."""
        return self.folder / "statements.log"

    def logged(self) -> list[dict[str, Any]]:
        """The statements so far: `at`, `pid`, `database`, `user`, `application_name`, `statement`."""
        return [json.loads(line) for line in self.statements.read_text().splitlines()]

    def url(self, role: str = "etl_load", database: str = "warehouse") -> str:
        return f"redshift://{role}:{self.upstream.password(role)}@{ports.HOST}:{self.port}/{database}"

    def parameters(self, role: str = "etl_load", database: str = "warehouse") -> dict[str, Any]:
        """The same for a driver that takes no URL."""
        password = self.upstream.password(role)
        return {"host": ports.HOST, "port": self.port, "user": role, "password": password, "database": database}

    def command(self) -> list[str]:
        words = ["--port", str(self.port), "--upstream", self.upstream.url("postgres", "postgres"), "--s3", self._s3]
        logged = ["--log", str(self.statements)] if self._logs else []
        return [sys.executable, "-m", "tests.redshift", *words, "--isolation", self._isolation, *logged]

    def environment(self) -> dict[str, str]:
        key, secret = self._keys
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        return {**os.environ, "PYTHONPATH": path, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
