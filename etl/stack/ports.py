"""Ports on loopback: which are free, and what answers on them."""

import random
import socket

from etl.errors import EtlError

HOST = "127.0.0.1"

# Below 32768, where Linux begins to hand out the local ends of outgoing connections: a port that is
# remembered over a reboot would otherwise be lost now and then to some browser's connection.
_RANGE = range(20000, 32768)


def taken(port: int) -> bool:
    with socket.socket() as probe:
        # As every server does; without it a port counts as taken for a minute after its server stopped.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def free_port() -> int:
    for port in random.sample(_RANGE, 200):
        if not taken(port):
            return port
    raise EtlError(f"no free port on {HOST} between {_RANGE.start} and {_RANGE.stop - 1}; stop some servers")


def answer(port: int, question: bytes = b"") -> bytes:
    """The first bytes that a server says, after the question if there is one; nothing if it does not answer."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(question)
            return connection.recv(512)
    except OSError:
        return b""


def http_answers(port: int) -> bool:
    return answer(port, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/")
