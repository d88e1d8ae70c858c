"""Real servers on loopback that take mail and webhooks, and servers that do not.

A test file takes the fixtures by `pytest_plugins`.
"""

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "etl", "p@ss/w:rd%"


@dataclass
class Mailbox:
    """What an SMTP server took, and whether each came over TLS and from somebody who gave the right password."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    over: list[tuple[bool, bool]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(cast(EmailMessage, message_from_bytes(envelope.content, policy=policy.default)))
        self.over.append((session.ssl is not None, session.authenticated))
        return "250 OK"


def _login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


class _At(Controller):
    """`port` is one that was free."""

    def __init__(self, mailbox: Mailbox, **settings: Any) -> None:
        super().__init__(mailbox, hostname="127.0.0.1", port=_free_port(), **settings)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority's certificate is one that OpenSSL trusts."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def _context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@contextlib.contextmanager
def _running(controller: Controller, mailbox: Mailbox) -> Iterator[Mailbox]:
    mailbox.port = controller.port
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A relay that asks nobody who he is."""
    made = Mailbox()
    with _running(_At(made), made):
        yield made


@pytest.fixture
def guarded(authority: trustme.CA) -> Iterator[Mailbox]:
    """STARTTLS, then user and password."""
    made = Mailbox()
    settings = {"tls_context": _context(authority), "authenticator": _login, "auth_required": True}
    with _running(_At(made, **settings), made):
        yield made


@pytest.fixture
def unguarded() -> Iterator[Mailbox]:
    """User and password, without TLS."""
    made = Mailbox()
    with _running(_At(made, authenticator=_login, auth_require_tls=False), made):
        yield made


@pytest.fixture
def misnamed(authority: trustme.CA) -> Iterator[Mailbox]:
    """STARTTLS with a certificate that is another host's."""
    made = Mailbox()
    with _running(_At(made, tls_context=_context(authority, "mail.example.com"), authenticator=_login), made):
        yield made


@dataclass
class Hook:
    """What an HTTP server was posted; `answers` is its status, headers and body."""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    answers: tuple[int, dict[str, str], bytes] = (200, {}, b"ok")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"].startswith("application/json")
            made.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers, body = made.answers
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/s3cret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    return _free_port()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
