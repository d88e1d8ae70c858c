"""Frames of Postgres's wire protocol, version 3, as a server reads and writes them.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

PROTOCOL = 3 << 16
CANCEL, SSL, GSSAPI = ((1234 << 16) + code for code in (5678, 5679, 5680))
# libpq takes no longer message before it has authenticated either.
_LONGEST_STARTUP = 10_000
_FULL = 1 << 16


class Gone(Exception):
    """The other side of a connection has left."""


class Frame(NamedTuple):
    """One message; `body` is without its length."""

    kind: bytes
    body: bytes = b""


class Wire:
    """Frames over a socket. What is written goes out with `flush`, or before that when there is much of it.

    `wait` is called before every read that has to wait for the other side.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.wait: Callable[[], None] = lambda: None
        self._read = bytearray()
        self._at = 0
        self._written = bytearray()

    def exactly(self, size: int) -> bytes:
        while len(self._read) - self._at < size:
            self.wait()
            try:
                data = self.socket.recv(_FULL)
            except OSError as error:
                raise Gone from error
            if not data:
                raise Gone
            del self._read[: self._at]
            self._at = 0
            self._read += data
        start, self._at = self._at, self._at + size
        return bytes(self._read[start : self._at])

    def read(self) -> Frame:
        head = self.exactly(5)
        return Frame(head[:1], self.exactly(int.from_bytes(head[1:], "big") - 4))

    def pass_rows(self, other: "Wire") -> None:
        """Write to `other` the DataRows that have come in already; a large result has no end of them."""
        end, at = len(self._read), self._at
        while end - at >= 5 and self._read[at] == ord("D"):
            following = at + 1 + int.from_bytes(self._read[at + 1 : at + 5], "big")
            if following > end:
                break
            at = following
        if at > self._at:
            other._written += memoryview(self._read)[self._at : at]
            self._at = at
            other._flush_if_full()

    def read_startup(self) -> tuple[int, bytes]:
        """The protocol that is asked for and what follows; such a message has no kind."""
        size, protocol = struct.unpack("!ii", self.exactly(8))
        if not 8 <= size <= _LONGEST_STARTUP:
            raise Gone
        return protocol, self.exactly(size - 8)

    def write(self, frame: Frame) -> None:
        self._written += frame.kind
        self._written += (len(frame.body) + 4).to_bytes(4, "big")
        self._written += frame.body
        self._flush_if_full()

    def _flush_if_full(self) -> None:
        if len(self._written) > _FULL:
            self.flush()

    def flush(self) -> None:
        data, self._written = self._written, bytearray()
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def refuse_encryption(self) -> None:
        self.socket.sendall(b"N")

    def shut(self) -> None:
        """Let whoever reads or writes find the other side gone; may be called by any thread."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.socket.close()


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def texts(body: bytes, count: int) -> tuple[list[str], bytes]:
    """The first `count` strings of a message and what follows them."""
    *found, rest = body.split(b"\0", count)
    return [value.decode() for value in found], rest


def startup_parameters(body: bytes) -> dict[str, str]:
    words = [word.decode() for word in body.rstrip(b"\0").split(b"\0")]
    return dict(zip(words[::2], words[1::2], strict=False))


def authentication(code: int) -> Frame:
    return Frame(b"R", struct.pack("!i", code))


def negotiate(parameters: Iterable[str]) -> Frame:
    """Version 3.0 is all there is, and none of these parameters."""
    unknown = [text(name) for name in parameters]
    return Frame(b"v", struct.pack("!ii", PROTOCOL, len(unknown)) + b"".join(unknown))


def parameter_status(name: str, value: str) -> Frame:
    return Frame(b"S", text(name) + text(value))


def key_data(pid: int, key: int) -> Frame:
    return Frame(b"K", struct.pack("!iI", pid, key))


def ready(status: str) -> Frame:
    return Frame(b"Z", status.encode())


def complete(tag: str) -> Frame:
    return Frame(b"C", text(tag))


def report(kind: bytes, fields: Mapping[str, str]) -> Frame:
    """An error (E) or a notice (N); the fields' names are the protocol's letters."""
    return Frame(kind, b"".join(name.encode() + text(value) for name, value in fields.items() if value) + b"\0")


def error(sqlstate: str, message: str, detail: str = "", position: int | None = None, severity: str = "ERROR") -> Frame:
    where = "" if position is None else str(position)
    return report(b"E", {"S": severity, "V": severity, "C": sqlstate, "M": message, "D": detail, "P": where})


def fields(frame: Frame) -> dict[str, str]:
    """Those of an error or a notice."""
    found = frame.body.rstrip(b"\0").split(b"\0")
    return {field[:1].decode(): field[1:].decode(errors="replace") for field in found}


def row(frame: Frame) -> tuple[str | None, ...]:
    """The values of a DataRow in text format."""
    (count,) = struct.unpack_from("!h", frame.body)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", frame.body, at)
        at += 4
        values.append(None if size < 0 else frame.body[at : at + size].decode())
        at += max(size, 0)
    return tuple(values)


def with_types(frame: Frame, types: Mapping[int, int]) -> Frame:
    """A RowDescription (T) or ParameterDescription (t) with types exchanged for others."""
    body = bytearray(frame.body)
    (count,) = struct.unpack_from("!H", body)
    at = 2
    for _ in range(count):
        if frame.kind == b"T":
            at = body.index(0, at) + 7
        (oid,) = struct.unpack_from("!I", body, at)
        if oid in types:
            struct.pack_into("!I", body, at, types[oid])
        at += 4 if frame.kind == b"t" else 12
    return Frame(frame.kind, bytes(body))
