"""One client of the emulator: its statements in, Redshift's answers out, by way of a Postgres session of its own."""

import re
import select
import time
from typing import TYPE_CHECKING

from tests.redshift import dialect, faults, wire
from tests.redshift.answers import Answered, Answers
from tests.redshift.backend import Backend, Failed
from tests.redshift.copy_load import LoadFailed
from tests.redshift.dialect import Statement
from tests.redshift.errors import Refused
from tests.redshift.faults import Fault
from tests.redshift.loading import Load
from tests.redshift.pipeline import Pipeline
from tests.redshift.wire import Frame, Gone, Wire

if TYPE_CHECKING:
    from tests.redshift.service import Service

# Not all systems can tell that a client has left before what it sent is read.
_HANGUP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
_ALONE = re.compile(
    r"\s*(?:(ALTER TABLE)\s.*?\s(APPEND|ALTER COLUMN)\s|((?:CREATE|DROP|ALTER)\s+\w+|\w+))",
    re.IGNORECASE | re.DOTALL,
)
_FAULT = re.compile(r"SET\s+\S+\s*(?:TO|=)\s*'((?:[^']|'')*)'\s*;?\s*", re.IGNORECASE)
_DURATION = re.compile(r"(\d+)(\w*)")
_SECONDS = {"": 0.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_COMMIT = Statement("COMMIT", "commit", ("COMMIT",))


class Session:
    """The connection of a client that was let in."""

    def __init__(
        self, service: "Service", client: Wire, backend: Backend, answers: Answers, user: str, database: str
    ) -> None:
        self.client = client
        self.backend = backend
        self.answers = answers
        self.user = user
        self.database = database
        self.pid = backend.pid
        self._service = service
        self._hangup = select.poll()
        self._hangup.register(client.socket, _HANGUP)
        self._either = select.poll()
        self._either.register(client.socket, _HANGUP)
        self._either.register(backend.wire.socket, select.POLLIN)
        self._implicit = False
        self._cancelled = False
        self._last_copy: tuple[int, int] | None = None
        self._pipeline = Pipeline(self)
        backend.wire.wait = self._wait
        self._talk = select.poll()
        self._talk.register(client.socket, select.POLLIN)
        self._talk.register(backend.wire.socket, select.POLLIN)
        client.wait = self._listen

    def run(self) -> None:
        """Serve the client until it leaves, which Gone or the return tells."""
        while True:
            self.client.flush()
            frame = self.client.read()
            self._cancelled = False
            if frame.kind == b"X":
                return
            if frame.kind == b"Q":
                self._simple(wire.texts(frame.body, 1)[0][0])
            else:
                self._pipeline.serve(frame)

    def cancel(self) -> None:
        """End what the session does at the moment; called by another thread."""
        self._cancelled = True
        self.backend.cancel()

    def _simple(self, sql: str) -> None:
        try:
            statements = self.parsed(sql)
            if not statements:
                self.client.write(Frame(b"I"))
            self.several(statements)
        except Refused as refused:
            self.answers.refuse(refused)
            if self.backend.status == "T":
                self.backend.poison()
        except Answered:
            pass
        self.client.write(wire.ready(self.backend.status))

    def parsed(self, sql: str) -> list[Statement]:
        """The statements of a message; what is refused is logged here, what will run when it does."""
        try:
            return dialect.statements(sql)
        except Refused:
            self._service.note(self, sql)
            raise

    def several(self, statements: list[Statement]) -> None:
        """Run the statements of one message. Outside a block they are one transaction, as in Postgres.

        Raise Refused, where the error is still to be told and a block still to be failed, or Answered.
        """
        several = len(statements) > 1
        try:
            for statement in statements:
                outside = self.backend.status == "I"
                if outside and _needs_block(statement, several):
                    self.backend.run("BEGIN")
                    self._implicit = True
                if statement.kind == "alone" and (several or not outside):
                    raise Refused("25001", f"{_command(statement.text)} cannot run inside a transaction block")
                self._execute(statement)
            if self._implicit and self.backend.status == "T":
                self._relay(_COMMIT, "COMMIT", shown=False)
        except (Refused, Answered):
            if self._implicit and self.backend.status != "I":
                self.backend.run("ROLLBACK")
            raise
        finally:
            self._implicit = False

    def begin(self, statement: Statement) -> Fault | None:
        """What comes before every statement: the log, and the fault that is to happen to it, if any."""
        self._service.note(self, statement.text)
        if statement.kind == "fault":
            return None
        if self.backend.status == "E" and statement.kind not in ("commit", "rollback"):
            text = "current transaction is aborted, commands ignored until end of transaction block"
            raise Refused("25P02", text)
        # COMMIT of a block that has failed, or of none, commits nothing.
        commits = statement.kind != "commit" or self.backend.status == "T"
        fault = self._service.faults.meet(statement.kind if commits else "rollback", statement.text)
        if fault:
            self._happen(fault, statement)
        return fault

    def publish_last_copy(self, statement: Statement) -> None:
        """Put what pg_last_copy_id() and pg_last_copy_count() give, for a statement that asks for it.

        Not when the COPY is done: a rollback would undo it.
        """
        if self._last_copy and self.backend.status != "E" and "pg_last_copy_" in statement.text.lower():
            number, rows = self._last_copy
            self.backend.run(
                f"SELECT set_config('redshift.last_copy_id', '{number}', false),"
                f" set_config('redshift.last_copy_count', '{rows}', false)"
            )

    def _execute(self, statement: Statement) -> None:
        """Run one statement and write its answer."""
        fault = self.begin(statement)
        if statement.kind == "fault":
            self._arm(statement)
        elif statement.kind == "begin" and self._implicit:
            self._implicit = False
            self.answers.complete("BEGIN")
        elif statement.kind == "copy":
            self._copy(statement)
        elif statement.kind == "unload":
            raise Refused("0A000", "UNLOAD is beyond the emulator")
        elif not statement.upstream:
            self.answers.complete(statement.tag)
        else:
            self.publish_last_copy(statement)
            for sql in statement.upstream[:-1]:
                self._relay(statement, sql, shown=False)
            self._relay(statement, statement.upstream[-1])
        if statement.kind == "truncate" and self.backend.status == "T":
            self._relay(_COMMIT, "COMMIT", shown=False)
        if fault and fault.name == "drop after commit":
            raise Gone

    def _relay(self, statement: Statement, sql: str, shown: bool = True) -> None:
        """Let Postgres run `sql`. Of one that is not shown the client sees no more than errors and warnings."""
        self.backend.query(sql)
        failed = False
        for frame in self.backend.answer():
            failed |= frame.kind == b"E"
            if shown or frame.kind in b"ENS":
                self.answers.pass_on(frame, statement)
            if shown and frame.kind == b"D":
                self.backend.wire.pass_rows(self.client)
        if failed:
            raise Answered

    def _copy(self, statement: Statement) -> None:
        load = Load(self._service, self.backend, self.database, self.check_client)
        try:
            notices = load.run(statement.text)
        except Failed as failed:
            self.answers.pass_on(failed.frame)
            raise Answered from None
        except LoadFailed as failed:
            self.answers.refuse(Refused(failed.sqlstate, failed.message, failed.detail))
            raise Answered from None
        finally:
            if load.number:
                self._last_copy = (load.number, load.rows)
        for notice in notices:
            self.answers.info(notice)
        self.answers.complete("COPY")

    def _arm(self, statement: Statement) -> None:
        found = _FAULT.fullmatch(statement.text.strip())
        if found is None:
            raise Refused("42601", "say SET emulator.fault TO '<name>[ <count>][ <seconds>s][ after <n>][ /regex/]'")
        self._service.faults.arm(found[1].replace("''", "'"))
        self.answers.complete("SET")

    def _happen(self, fault: Fault, statement: Statement) -> None:
        match fault.name:
            case "slow":
                self._sleep(fault.seconds, self._limit() if statement.kind != "commit" else 0.0)
            case "1023 on commit":
                self.backend.run("ROLLBACK")
                self.answers.violation()
                raise Answered
            case "drop before commit":
                raise Gone
            case "conflict with concurrent transaction":
                raise Refused("XX000", "could not complete because of conflict with concurrent transaction")
            case "disk full":
                raise Refused("53100", "Disk Full")
            case "s3 access denied":
                raise faults.access_denied(self._service.number())
            case "terminate":
                text = "terminating connection due to administrator command"
                self.client.write(wire.error("57P01", text, severity="FATAL"))
                self.client.flush()
                raise Gone

    def _sleep(self, seconds: float, limit: float) -> None:
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            self.check_client()
            if limit and time.monotonic() > began + limit:
                raise Refused("57014", f"Query ({self._service.number()}) cancelled on user's request")
            time.sleep(min(0.02, left))

    def _limit(self) -> float:
        """The statement_timeout in seconds, 0 for none. SHOW takes no snapshot."""
        self._pipeline.drain()
        if self.backend.status == "E":
            return 0.0
        ((said,),) = self.backend.run("SHOW statement_timeout")
        number, unit = _DURATION.fullmatch(said or "0").groups()  # type: ignore[union-attr]
        return int(number) * _SECONDS[unit]

    @property
    def _in_block(self) -> bool:
        return self.backend.status != "I" and not self._implicit

    def check_client(self) -> None:
        """Raise where the client has left its transaction, or wants no more of its statement."""
        if self._in_block and self._hangup.poll(0):
            raise Gone
        if self._cancelled:
            raise Refused("57014", f"Query ({self._service.number()}) cancelled on user's request")

    def _listen(self) -> None:
        """Return when the client has something to say. Where its session has been ended, it hears so at once."""
        while not self._pipeline.under_way:
            ready = {number for number, _ in self._talk.poll()}
            if self.client.socket.fileno() in ready:
                return
            frame = self.backend.read()
            if frame.kind == b"E":
                self.client.write(frame)
                self.client.flush()
                raise Gone

    def _wait(self) -> None:
        """Return when Postgres has something to say.

        A client that leaves within a block is gone at once. What runs outside of one goes on to its end, as
        Redshift's COPY does.
        """
        if self._in_block:
            ready = {number for number, _ in self._either.poll()}
            if self.backend.wire.socket.fileno() not in ready:
                raise Gone


def _needs_block(statement: Statement, several: bool) -> bool:
    if statement.kind in ("begin", "commit", "rollback", "alone", "fault", "ignored"):
        return False
    return several or len(statement.upstream) > 1 or statement.kind == "copy"


def _command(text: str) -> str:
    """What Postgres calls a command in its messages."""
    found = _ALONE.match(text)
    return " ".join(word.upper() for part in found.groups() if part for word in part.split()) if found else text
