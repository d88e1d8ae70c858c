"""`python -m tests.redshift.demo …`: the `etl` command with the emulated Redshift as the local stack's warehouse."""

import contextlib
from collections.abc import Callable

import psycopg2

import etl.cli
from etl.stack import Report, Server, Stack
from tests.redshift import upstream
from tests.redshift.server import RedshiftEmulator

# Of its own: what `make demo` has loaded into the stack's Postgres is not Redshift's.
DATABASE = "redshift"


class EmulatedRedshift(RedshiftEmulator):
    """The emulator by the name that people are to read."""

    name = "emulated Redshift"


class RedshiftStack(Stack):
    """The local stack and, in front of its Postgres, the emulated Redshift, which starts last and stops first."""

    @property
    def redshift(self) -> EmulatedRedshift:
        keys = (self.s3.password("access_key_id"), self.s3.password("secret_access_key"))
        return EmulatedRedshift(self.folder / "redshift", self.postgres, self.s3.endpoint, s3_keys=keys)

    def warehouse_url(self, role: str = "etl_load") -> str:
        return self.redshift.url(role, DATABASE)

    def clean(self, report: Report = lambda server, news: None) -> None:
        # What it is in front of can be asked of only as long as that is there.
        emulated = self.redshift if (self.folder / "redshift").exists() else None
        super().clean(report)
        if emulated:
            emulated.remove()
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _each(self, action: Callable[[Server], str], report: Report) -> None:
        if action is etl.stack._start:
            super()._each(action, report)
            self._prepare()
            report(self.redshift.name, action(self.redshift))
        else:
            if (self.folder / "redshift").exists():
                report(EmulatedRedshift.name, action(self.redshift))
            super()._each(action, report)

    def _prepare(self) -> None:
        # Of a database that is there `etl init` may have given to another what creating it gives to etl_load.
        admin = self.postgres.url("postgres", "postgres")
        with contextlib.closing(psycopg2.connect(admin)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            made = cursor.fetchone()
        if not made:
            self.postgres.create_database(DATABASE)
        upstream.install(self.postgres.url("postgres", DATABASE))


if __name__ == "__main__":
    etl.stack.Stack = RedshiftStack  # type: ignore[misc]
    etl.cli.main(prog_name="etl")
