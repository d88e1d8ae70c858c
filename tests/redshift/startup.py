"""A client's way in: its start-up packet, its password, and Postgres's word on both."""

import contextlib
import re
import shlex
from typing import TYPE_CHECKING

from tests.redshift import dialect, upstream, wire
from tests.redshift.answers import Answers
from tests.redshift.backend import Backend, Failed, NotConnected
from tests.redshift.errors import Refused
from tests.redshift.session import Session
from tests.redshift.wire import Gone, Wire

if TYPE_CHECKING:
    from tests.redshift.service import Service

# Redshift's types by the names that they have in the schema redshift; 4000 and 6551 are its own.
_TYPES = {"varchar": 1043, "bpchar": 1042, "char": 1042, "super": 4000, "varbyte": 6551}
_FIND_TYPES = "SELECT oid, typname FROM pg_type WHERE typnamespace = to_regnamespace('redshift')"
_ISOLATION = {"snapshot": "repeatable read", "serializable": "serializable"}
_OPTION = re.compile(r"(?:-c\s*|--)([\w.]+)=(\S*)")


def attend(service: "Service", client: Wire) -> None:
    """Serve a client from its first byte to its last, and leave nothing of it behind."""
    try:
        parameters = _parameters(service, client)
        if parameters is not None:
            with contextlib.closing(_authenticated(service, client, parameters)) as backend:
                _serve(service, client, backend, parameters)
    except Gone:
        pass
    except Exception as error:
        _fatal(client, "XX000", f"the emulator itself failed: {error!r}")
        raise
    finally:
        client.close()


def _parameters(service: "Service", client: Wire) -> dict[str, str] | None:
    """What the client sends of itself; None where it wanted something else, which is done.

    Whatever Redshift's own drivers add about themselves is accepted and means nothing.
    """
    protocol, body = client.read_startup()
    while protocol in (wire.SSL, wire.GSSAPI):
        client.refuse_encryption()
        protocol, body = client.read_startup()
    if protocol == wire.CANCEL:
        service.cancel(body)
        return None
    if protocol >> 16 != wire.PROTOCOL >> 16:
        _fatal(client, "0A000", f"unsupported frontend protocol {protocol >> 16}.{protocol & 0xFFFF}")
        return None
    parameters = wire.startup_parameters(body)
    if protocol != wire.PROTOCOL:
        client.write(wire.negotiate(name for name in parameters if name.startswith("_pq_.")))
    return parameters


def _authenticated(service: "Service", client: Wire, parameters: dict[str, str]) -> Backend:
    client.write(wire.authentication(3))
    client.flush()
    (password,), _ = wire.texts(client.read().body, 1)
    user = parameters.get("user", "")
    database = parameters.get("database") or user
    try:
        return service.connect(user, password, database, parameters.get("application_name", ""))
    except NotConnected as refused:
        # Redshift, like the Postgres of its time, says 28000 of a wrong password.
        states = {"password authentication": "28000", "does not exist": "3D000"}
        state = next((state for words, state in states.items() if words in str(refused)), "08006")
        _fatal(client, state, str(refused))
        raise Gone from None


def _serve(service: "Service", client: Wire, backend: Backend, parameters: dict[str, str]) -> None:
    answers = Answers(client, backend.pid, service.number)
    database = parameters.get("database") or parameters["user"]
    try:
        answers.types = _types(service, backend, database)
        for setting in upstream.SETTINGS:
            backend.run(setting)
        backend.run(f"SET default_transaction_isolation TO '{_ISOLATION[service.isolation]}'")
        for name, value in _OPTION.findall(" ".join(shlex.split(parameters.get("options", "")))):
            for statement in dialect.statements(f"SET {name} TO '{value}'"):
                for sql in statement.upstream:
                    backend.run(sql)
    except (Failed, Refused) as refused:
        _fatal(client, "22023", str(refused))
        return
    session = Session(service, client, backend, answers, parameters["user"], database)
    with service.registered(session) as key:
        answers.greet(backend.parameter, key)
        session.run()


def _types(service: "Service", backend: Backend, database: str) -> dict[int, int]:
    found = backend.run(_FIND_TYPES)
    if not found:
        service.install(database)
        found = backend.run(_FIND_TYPES)
    return {int(oid or 0): _TYPES[name] for oid, name in found if name in _TYPES}


def _fatal(client: Wire, sqlstate: str, message: str) -> None:
    with contextlib.suppress(Gone):
        client.write(wire.error(sqlstate, message, severity="FATAL"))
        client.flush()
