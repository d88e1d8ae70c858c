"""One session of the Postgres behind the emulator. libpq opens it; from then on its frames are read and written here.

Frames pass through as they are, so that every value, format and type is Postgres's own.
"""

import socket
from collections.abc import Iterable

from psycopg import conninfo, pq

from tests.redshift import wire
from tests.redshift.wire import Frame, Wire


class Failed(Exception):
    """Postgres answered with the error `frame`."""

    def __init__(self, frame: Frame) -> None:
        self.fields = wire.fields(frame)
        super().__init__(self.fields["M"])
        self.frame = frame


class NotConnected(Exception):
    """Postgres did not let the client in."""


class Backend:
    """`status` is the transaction's as of the last ReadyForQuery: I(dle), T(ransaction) or E(rror)."""

    def __init__(self, **parameters: str) -> None:
        asked = conninfo.make_conninfo(sslmode="disable", gssencmode="disable", **parameters)
        self._libpq = pq.PGconn.connect(asked.encode())
        if self._libpq.status != pq.ConnStatus.OK:
            message = self._libpq.get_error_message()
            self._libpq.finish()
            raise NotConnected(message.rsplit("FATAL:  ")[-1].strip())
        self.pid = self._libpq.backend_pid
        self.status = "I"
        self._cancel = self._libpq.get_cancel()
        connection = socket.fromfd(self._libpq.socket, socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(True)
        self.wire = Wire(connection)

    def parameter(self, name: str) -> str:
        """As Postgres reported it while connecting."""
        return (self._libpq.parameter_status(name.encode()) or b"").decode()

    def query(self, sql: str) -> None:
        self.wire.write(Frame(b"Q", wire.text(sql)))
        self.wire.flush()

    def read(self) -> Frame:
        frame = self.wire.read()
        if frame.kind == b"Z":
            self.status = frame.body.decode()
        return frame

    def answer(self) -> Iterable[Frame]:
        """All frames up to ReadyForQuery, which is the last."""
        while True:
            frame = self.read()
            yield frame
            if frame.kind == b"Z":
                return

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a statement of the emulator's own."""
        self.query(sql)
        frames = list(self.answer())
        for frame in frames:
            if frame.kind == b"E":
                raise Failed(frame)
        return [wire.row(frame) for frame in frames if frame.kind == b"D"]

    def poison(self) -> None:
        """Fail the transaction, be it a block or what a pipeline has done since its last Sync."""
        self.wire.write(Frame(b"P", wire.text("") + wire.text("refused") + b"\0\0"))
        self.wire.write(Frame(b"S"))
        self.wire.flush()
        for _ in self.answer():
            pass

    def cancel(self) -> None:
        """End the statement that runs, if any; may be called by any thread."""
        self._cancel.cancel()

    def close(self) -> None:
        """End the session, and with it its transaction, whatever it does at the moment."""
        if self.status != "I":
            self.cancel()
        self.wire.close()
        self._libpq.finish()
