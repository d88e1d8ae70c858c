"""The listening emulator: what all its sessions share, and a thread for each of them."""

import contextlib
import itertools
import json
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.redshift import upstream
from tests.redshift.backend import Backend
from tests.redshift.copy_load import s3_client
from tests.redshift.faults import Faults
from tests.redshift.session import Session
from tests.redshift.startup import attend
from tests.redshift.wire import Wire

_END_SECONDS = 10.0


@dataclass
class Options:
    """`upstream` is a superuser's URL of the Postgres behind, `log` where every statement is written."""

    port: int
    upstream: str
    s3: str
    isolation: str = "snapshot"
    log: Path | None = None


@dataclass
class Service:
    options: Options
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.isolation = self.options.isolation
        self._upstream: dict[str, Any] = conninfo_to_dict(self.options.upstream)
        self._lock = threading.Lock()
        self._installing = threading.Lock()
        self._sessions: dict[int, tuple[Session, int]] = {}
        self._threads: dict[threading.Thread, Wire] = {}
        self._numbers = itertools.count(int(time.time()))
        self._log = self.options.log.open("a") if self.options.log else None
        self.s3 = s3_client(self.options.s3)

    # What sessions ask for

    def connect(self, user: str, password: str, database: str, application: str) -> Backend:
        """A session of Postgres as this client."""
        where = {name: self._upstream[name] for name in ("host", "port")}
        return Backend(**where, user=user, password=password, dbname=database, application_name=application)

    def admin(self, database: str) -> psycopg.Connection:
        """A superuser's connection of its own; what it does stays, whatever becomes of the client's transaction."""
        return psycopg.connect(self._admin_url(database), autocommit=True)

    def install(self, database: str) -> None:
        """Give a database what the emulator needs there, unless it has it."""
        with self._installing, self.admin(database) as admin:
            if not admin.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'redshift'").fetchone():
                upstream.install(self._admin_url(database))

    def number(self) -> int:
        """The id of a query, as Redshift gives one to everything that it runs."""
        return next(self._numbers)

    def note(self, session: Session, statement: str) -> None:
        """Log a statement as the client sent it."""
        if self._log is None:
            return
        line = {
            "at": time.time(),
            "pid": session.pid,
            "database": session.database,
            "user": session.user,
            "application_name": session.answers.application,
            "statement": statement,
        }
        with self._lock:
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()

    @contextlib.contextmanager
    def registered(self, session: Session) -> Iterator[int]:
        """Whoever has the key may cancel what the session does."""
        key = secrets.randbits(32)
        with self._lock:
            self._sessions[session.pid] = session, key
        try:
            yield key
        finally:
            with self._lock:
                del self._sessions[session.pid]

    def cancel(self, body: bytes) -> None:
        """Do what a CancelRequest asks for, if it has the session's key."""
        if len(body) != 8:
            return
        pid, key = struct.unpack("!iI", body)
        with self._lock:
            session, known = self._sessions.get(pid, (None, None))
            if session is not None and known == key:
                session.cancel()

    # Listening

    def serve(self) -> None:
        """Take clients until an exception, such as a signal's handler raises, ends it; then end them all."""
        with socket.create_server(("127.0.0.1", self.options.port), backlog=128) as listener:
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    thread = threading.Thread(target=self._attend, args=(connection,), daemon=True)
                    thread.start()
            finally:
                listener.close()
                self._end()

    def _attend(self, connection: socket.socket) -> None:
        client = Wire(connection)
        thread = threading.current_thread()
        with self._lock:
            self._threads[thread] = client
        try:
            attend(self, client)
        finally:
            with self._lock:
                del self._threads[thread]

    def _end(self) -> None:
        end = time.monotonic() + _END_SECONDS
        with self._lock:
            left = dict(self._threads)
            for client in left.values():
                client.shut()
            for session, _ in self._sessions.values():
                session.cancel()
        for thread in left:
            thread.join(max(0.0, end - time.monotonic()))

    def _admin_url(self, database: str) -> str:
        return make_conninfo(self.options.upstream, dbname=database)
