"""What Postgres answers, told to the client as Redshift would."""

from collections.abc import Callable

from tests.redshift import wire
from tests.redshift.dialect import Statement
from tests.redshift.errors import Refused
from tests.redshift.wire import Frame, Wire

# Not standard_conforming_strings, which is younger than Redshift's Postgres: a driver that is not told of it doubles
# backslashes, as literals of Redshift need it.
_REPORTED = {
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "application_name",
    "integer_datetimes",
    "is_superuser",
    "session_authorization",
}


class Answered(Exception):
    """The client has the error already."""


class Answers:
    """Writes to one client. `types` are Redshift's for those of the schema redshift, `number` gives ids of queries."""

    def __init__(self, client: Wire, pid: int, number: Callable[[], int]) -> None:
        self.types: dict[int, int] = {}
        self.application = ""
        self._client = client
        self._pid = pid
        self._number = number

    def greet(self, parameter: Callable[[str], str], key: int) -> None:
        """Tell a client that is let in about the server; `parameter` gives Postgres's own settings."""
        self._client.write(wire.authentication(0))
        self._client.write(wire.parameter_status("server_version", "8.0.2"))
        self._client.write(wire.parameter_status("client_encoding", "UNICODE"))
        self._client.write(wire.parameter_status("server_encoding", "UNICODE"))
        for name in sorted(_REPORTED):
            self._report(name, parameter(name))
        self._client.write(wire.key_data(self._pid, key))
        self._client.write(wire.ready("I"))

    def pass_on(self, frame: Frame, statement: Statement | None = None) -> None:
        """Write a frame of Postgres's answer to `statement`, but for ReadyForQuery, which is the session's to give."""
        if frame.kind == b"Z":
            return
        if frame.kind == b"S":
            (name, value), _ = wire.texts(frame.body, 2)
            self._report(name, value)
        elif frame.kind in b"Tt" and self.types:
            self._client.write(wire.with_types(frame, self.types))
        elif frame.kind == b"C" and statement and statement.tag:
            self._client.write(wire.complete(statement.tag))
        elif frame.kind == b"E":
            self._error(frame, statement)
        else:
            self._client.write(frame)

    def complete(self, tag: str) -> None:
        self._client.write(wire.complete(tag))

    def refuse(self, refused: Refused) -> None:
        self._client.write(wire.error(refused.sqlstate, refused.message, refused.detail, refused.position))

    def violation(self) -> None:
        """A serialization failure. Which table it was Postgres does not tell."""
        number = self._number()
        cycle = f"transactions forming the cycle are: {number}, {number + 1} (pid:{self._pid})"
        detail = f"Serializable isolation violation on table - 0, {cycle}"
        self._client.write(wire.error("XX000", "1023", detail))

    def info(self, message: str) -> None:
        self._client.write(wire.report(b"N", {"S": "INFO", "V": "INFO", "C": "00000", "M": message}))

    def _error(self, frame: Frame, statement: Statement | None) -> None:
        fields = wire.fields(frame)
        if fields["C"] == "40001":
            self.violation()
            return
        if fields["C"] == "57014":
            fields["M"] = f"Query ({self._number()}) cancelled on user's request"
        if statement and statement.upstream and statement.upstream[-1] != statement.text:
            fields.pop("P", None)  # a place in another text
        self._client.write(wire.report(b"E", fields))
        if fields.get("V") in ("FATAL", "PANIC"):
            self._client.flush()

    def _report(self, name: str, value: str) -> None:
        if name == "application_name":
            self.application = value
        if name in _REPORTED:
            self._client.write(wire.parameter_status(name, value))
