"""An HTTP proxy in front of an S3 server, which answers chosen requests as S3 does on a bad day."""

import http.client
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
# What belongs to one connection and not to the message. `Expect` was answered here already.
_OF_THE_CONNECTION = {"connection", "keep-alive", "expect", "transfer-encoding", "content-length"}

Headers = list[tuple[str, str]]
Fault = Callable[["Exchange"], None]


def operation(method: str, path: str) -> str:
    """What S3's documentation calls the request, as far as a lake needs it."""
    parts = urlsplit(path)
    asked = parse_qs(parts.query, keep_blank_values=True)
    of_a_bucket = "/" not in parts.path.strip("/")
    match method:
        case "GET" if "uploads" in asked:
            return "ListMultipartUploads"
        case "GET" if of_a_bucket:
            return "ListObjects"
        case "POST" if "uploads" in asked:
            return "CreateMultipartUpload"
        case "POST" if "uploadId" in asked:
            return "CompleteMultipartUpload"
        case "PUT" if "partNumber" in asked:
            return "UploadPart"
        case "DELETE" if "uploadId" in asked:
            return "AbortMultipartUpload"
    return f"{method.capitalize()}{'Bucket' if of_a_bucket else 'Object'}"


class S3Proxy:
    """Forwards requests to an S3 server on a port of this machine. `seen` counts them by operation.

    `answer(operation, nth, fault, times)` gives the nth request of that operation, and the next ones up to `times`,
    to a fault in place of the server; `fired` says that it has.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self._lock = threading.Lock()
        self.clear()
        self._server = _Server((HOST, 0), _Handler)
        self._server.proxy = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def clear(self) -> None:
        with self._lock:
            self.seen: Counter[str] = Counter()
            self._plan: tuple[str, range, Fault] | None = None
            self.fired = threading.Event()

    def answer(self, operation: str, nth: int, fault: Fault, times: int = 1) -> None:
        with self._lock:
            self._plan = (operation, range(nth, nth + times), fault)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "S3Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fault(self, asked: str) -> Fault | None:
        with self._lock:
            self.seen[asked] += 1
            if self._plan and self._plan[0] == asked and self.seen[asked] in self._plan[1]:
                return self._plan[2]
        return None


class Exchange:
    """One request, for a fault to deal with."""

    def __init__(self, handler: "_Handler", body: bytes) -> None:
        self._handler, self._body = handler, body

    def ask(self) -> tuple[int, Headers, bytes]:
        """The server's own answer."""
        return self._handler.ask(self._body)

    def answer(self, status: int, headers: Headers, body: bytes, length: int | None = None) -> None:
        """`length` is what is said of the body, where that is not the truth."""
        self._handler.answer(status, headers, body, len(body) if length is None else length)

    def write(self, body: bytes) -> None:
        """More of a body of which `answer` has said the length."""
        self._handler.wfile.write(body)
        self._handler.wfile.flush()

    def reset(self) -> None:
        self._handler.reset()


def refusal(status: int, code: str) -> Fault:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>planned</Message></Error>"

    def fault(exchange: Exchange) -> None:
        exchange.answer(status, [("Content-Type", "application/xml")], body.encode())

    return fault


def lost_request(exchange: Exchange) -> None:
    exchange.reset()


def lost_answer(exchange: Exchange) -> None:
    """The server has done it, and the client never hears."""
    exchange.ask()
    exchange.reset()


def broken_body(share: float) -> Fault:
    """The connection breaks after a share of the body."""

    def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.ask()
        exchange.answer(status, headers, body[: int(share * len(body))], len(body))
        exchange.reset()

    return fault


def truncated(share: float) -> Fault:
    """The object has become shorter, and everything else says that this is how it is to be."""

    def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.ask()
        exchange.answer(status, headers, body[: int(share * len(body))])

    return fault


def altered(share: float, bit: int) -> Fault:
    """One bit of the body is another."""

    def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.ask()
        changed = bytearray(body)
        changed[int(share * len(body))] ^= 1 << bit
        exchange.answer(status, headers, bytes(changed))

    return fault


def dripping(pieces: int, seconds: float) -> Fault:
    """The body comes in so many pieces, with a pause before each."""

    def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.ask()
        exchange.answer(status, headers, b"", len(body))
        size = -(-len(body) // pieces) or 1
        for start in range(0, len(body), size):
            time.sleep(seconds)
            exchange.write(body[start : start + size])

    return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: S3Proxy

    def shutdown_request(self, request: Any) -> None:
        # Without the polite end that would keep a reset from being sent.
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in the middle are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: http.client.HTTPConnection | None = None

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # The client is gone, and no server takes half a request for a whole one.
            self.close_connection = True
            return
        proxy = self.server.proxy  # type: ignore[attr-defined]
        fault = proxy._fault(operation(self.command, self.path))
        if fault:
            fault(Exchange(self, body))
            proxy.fired.set()
        else:
            status, headers, answer = self.ask(body)
            self.answer(status, headers, answer, len(answer))

    def ask(self, body: bytes) -> tuple[int, Headers, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}
        headers["Content-Length"] = str(len(body))
        if self._upstream is None:
            proxy = self.server.proxy  # type: ignore[attr-defined]
            self._upstream = http.client.HTTPConnection(HOST, proxy.upstream)
        self._upstream.request(self.command, self.path, body, headers)
        answer = self._upstream.getresponse()
        said = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_THE_CONNECTION]
        if self.command == "HEAD":
            said.append(("Content-Length", answer.headers.get("Content-Length", "0")))
        return answer.status, said, answer.read()

    def answer(self, status: int, headers: Headers, body: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def finish(self) -> None:
        super().finish()
        if self._upstream is not None:
            self._upstream.close()
