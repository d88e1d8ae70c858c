"""The extended protocol of one client: what Postgres can answer goes to it as it is, the rest the session runs."""

import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.redshift import wire
from tests.redshift.answers import Answered
from tests.redshift.dialect import Statement
from tests.redshift.errors import Refused
from tests.redshift.wire import Frame

if TYPE_CHECKING:
    from tests.redshift.session import Session


@dataclass(frozen=True)
class _Prepared:
    """A prepared statement or a portal. `remote` is one that Postgres holds."""

    statement: Statement | None
    remote: bool


@dataclass(frozen=True)
class _Awaited:
    """A message that went to Postgres, and the frames of which one ends the answer to it."""

    ends: bytes
    statement: Statement | None = None


class Pipeline:
    """Answers come in the order of the messages; after an error none up to the next Sync is read."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._client = session.client
        self._backend = session.backend
        self._answers = session.answers
        self._statements: dict[str, _Prepared] = {}
        self._portals: dict[str, _Prepared] = {}
        self._awaited: deque[_Awaited] = deque()
        self._skipping = False

    @property
    def under_way(self) -> bool:
        """Whether there are answers of Postgres's to come."""
        return bool(self._awaited)

    def serve(self, frame: Frame) -> None:
        """One message of the client. Of other protocols' messages, such as COPY's data, none is known."""
        if frame.kind == b"S":
            self._sync()
        elif frame.kind in self._handlers and not self._skipping:
            try:
                self._handlers[frame.kind](self, frame.body)
            except Refused as refused:
                self._refuse(refused)
            except Answered:
                self._skipping = True

    def _parse(self, body: bytes) -> None:
        (name, sql), types = wire.texts(body, 2)
        found = self._session.parsed(sql)
        if len(found) > 1:
            raise Refused("42601", "cannot insert multiple commands into a prepared statement")
        statement = found[0] if found else None
        remote = statement is None or (statement.kind in ("sql", "set") and len(statement.upstream) == 1)
        self._statements[name] = _Prepared(statement, remote)
        if not remote:
            self._answer(Frame(b"1"))
            return
        if statement:
            self._prepare_last_copy(statement)
        text = statement.upstream[0] if statement else ""
        self._send(Frame(b"P", wire.text(name) + wire.text(text) + types), b"1", statement)

    def _bind(self, body: bytes) -> None:
        (portal, name), _ = wire.texts(body, 2)
        prepared = self._portals[portal] = self._statement(name)
        if not prepared.remote:
            self._answer(Frame(b"2"))
            return
        # Asking anything else makes Postgres drop a nameless statement, for which it was done while parsing.
        if name and prepared.statement:
            self._prepare_last_copy(prepared.statement)
        self._send(Frame(b"B", body), b"2")

    def _describe(self, body: bytes) -> None:
        (name,), _ = wire.texts(body[1:], 1)
        prepared = self._statement(name) if body[:1] == b"S" else self._portal(name)
        if prepared.remote:
            self._send(Frame(b"D", body), b"Tn", prepared.statement)
        elif body[:1] == b"S":
            self._answer(Frame(b"t", b"\0\0"), Frame(b"n"))
        else:
            self._answer(Frame(b"n"))

    def _execute(self, body: bytes) -> None:
        (name,), _ = wire.texts(body, 1)
        prepared = self._portal(name)
        statement = prepared.statement
        if statement is None:
            self._send(Frame(b"E", body), b"I")
        elif prepared.remote:
            self._session.begin(statement)
            self._send(Frame(b"E", body), b"CIs", statement)
        else:
            self.drain()
            self._session.several([statement])

    def _close(self, body: bytes) -> None:
        (name,), _ = wire.texts(body[1:], 1)
        held = self._statements if body[:1] == b"S" else self._portals
        prepared = held.pop(name, None)
        if prepared is None or prepared.remote:
            self._send(Frame(b"C", body), b"3")
        else:
            self._answer(Frame(b"3"))

    def _flush(self, body: bytes) -> None:
        self.drain()
        self._client.flush()

    def _sync(self) -> None:
        """Pass on what is still to come, in one turn with Postgres, and say how the transaction stands."""
        self._backend.wire.write(Frame(b"S"))
        self._backend.wire.flush()
        for frame in self._backend.answer():
            self._pass_on(frame)
        self._awaited.clear()
        self._skipping = False
        self._client.write(wire.ready(self._backend.status))

    _handlers = {b"P": _parse, b"B": _bind, b"D": _describe, b"E": _execute, b"C": _close, b"H": _flush}

    def _statement(self, name: str) -> _Prepared:
        if name not in self._statements:
            raise Refused("26000", f'prepared statement "{name}" does not exist')
        return self._statements[name]

    def _portal(self, name: str) -> _Prepared:
        if name not in self._portals:
            raise Refused("34000", f'portal "{name}" does not exist')
        return self._portals[name]

    def _prepare_last_copy(self, statement: Statement) -> None:
        if "pg_last_copy_" in statement.text.lower():
            self.drain()
            self._session.publish_last_copy(statement)

    def _send(self, frame: Frame, ends: bytes, statement: Statement | None = None) -> None:
        self._backend.wire.write(frame)
        self._awaited.append(_Awaited(ends, statement))

    def _answer(self, *frames: Frame) -> None:
        self.drain()
        for frame in frames:
            self._client.write(frame)

    def _refuse(self, refused: Refused) -> None:
        self._skipping = True
        with contextlib.suppress(Answered):
            self.drain()
            self._answers.refuse(refused)
            self._backend.poison()

    def drain(self) -> None:
        """Pass on Postgres's answers to all that was sent to it."""
        if not self._awaited:
            return
        self._backend.wire.write(Frame(b"H"))
        self._backend.wire.flush()
        while self._awaited:
            frame = self._backend.read()
            self._pass_on(frame)
            if frame.kind == b"E":
                raise Answered

    def _pass_on(self, frame: Frame) -> None:
        self._answers.pass_on(frame, self._awaited[0].statement if self._awaited else None)
        if frame.kind == b"D":
            self._backend.wire.pass_rows(self._client)
        elif frame.kind == b"E":
            self._awaited.clear()
        elif self._awaited and frame.kind in self._awaited[0].ends:
            self._awaited.popleft()
