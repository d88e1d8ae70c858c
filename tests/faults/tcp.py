"""A TCP proxy in front of one server, which fails at a byte: what crosses it is counted, and a moment is a count."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

HOST = "127.0.0.1"
TO_SERVER, TO_CLIENT = "to the server", "to the client"
_CHUNK = 1 << 16
# With a linger of no seconds close() sends a reset, and throws away what was not sent.
_RESET = struct.pack("ii", 1, 0)

Action = Callable[["Connection"], None]


class Connection:
    """One client and its connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.ended = False
        self._ending = socket.SHUT_RDWR

    def cut(self) -> None:
        """As when a process ends: both sides read all that was sent before, and then the end."""
        self.ended = True
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(self._ending)

    def reset(self) -> None:
        """As when a machine goes: both sides get an error, and may lose what was under way."""
        # Whoever shuts down the writing side sends an end, after which no reset is sent any more.
        self._ending = socket.SHUT_RD
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.cut()


class TcpProxy:
    """Forwards bytes to a port of this machine. `crossed` are the bytes so far, by direction, over all connections.

    One action waits at a time: `at(direction, byte, action)` runs it when exactly so many have been forwarded and
    before the next one is; `fired` says that it has run. It runs in the connection's own thread: while it lasts, the
    bytes of that connection and direction stand still.
    """

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._down = False
        self.clear()
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def clear(self) -> None:
        """Be whole again: count from nothing, plan nothing, take every connection."""
        with self._lock:
            self.crossed = {TO_SERVER: 0, TO_CLIENT: 0}
            self._plan: tuple[str, int, Action] | None = None
            self.fired = threading.Event()
            self._down = False

    def at(self, direction: str, byte: int, action: Action) -> None:
        with self._lock:
            self._plan = (direction, byte, action)

    def down(self) -> None:
        """Cut all connections, and each new one at once, until `clear`."""
        with self._lock:
            self._down = True
            for connection in self._connections:
                connection.cut()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Wakes the thread that accepts, which closing alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.down()

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((HOST, self._upstream))
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(client, server)
        with self._lock:
            self._connections.add(connection)
            if self._down:
                connection.cut()
        back = threading.Thread(target=self._pump, args=(connection, TO_CLIENT), daemon=True)
        back.start()
        self._pump(connection, TO_SERVER)
        back.join()
        with self._lock:
            self._connections.discard(connection)
        client.close()
        server.close()

    def _pump(self, connection: Connection, direction: str) -> None:
        source, sink = connection.client, connection.server
        if direction == TO_CLIENT:
            source, sink = sink, source
        with contextlib.suppress(OSError):
            while (data := source.recv(_CHUNK)) and not connection.ended:
                while data:
                    now, data, action = self._share(direction, data)
                    sink.sendall(now)
                    if action:
                        action(connection)
                        self.fired.set()
                        if connection.ended:
                            return
        # Half a connection is of no use to any of these servers.
        connection.cut()

    def _share(self, direction: str, data: bytes) -> tuple[bytes, bytes, Action | None]:
        """What is forwarded now, what after it, and what is done in between."""
        with self._lock:
            now, after, action = len(data), b"", None
            if self._plan and self._plan[0] == direction:
                room = max(self._plan[1] - self.crossed[direction], 0)
                if room <= len(data):
                    now, after, action = room, data[room:], self._plan[2]
                    self._plan = None
            self.crossed[direction] += now
            return data[:now], after, action
