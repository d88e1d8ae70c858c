"""MySQL: whether it answers, its TLS, clock and character set, what our user may do, and who holds a snapshot long."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

from etl.doctor import machine, network
from etl.doctor.finding import OK, WARNING, Finding
from etl.errors import SourceError

# All that a reader needs; USAGE is MySQL's word for nothing.
_NEEDED = {"USAGE", "SELECT", "SHOW VIEW"}
# Harmless, and useful to whoever looks: what SHOW PROCESSLIST and information_schema tell.
_HARMLESS = {"PROCESS", "SHOW DATABASES", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR"}
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<where>.+?) TO (?P<whom>\S+)")
_ROLE = re.compile(r"GRANT (\S+) TO ")
_LONG = 3600


def check() -> Iterator[Finding]:
    if absent := machine.missing("mysql"):
        yield absent
        return
    from etl.sources.mysql_connection import address, connected, explained

    to = address()
    if gone := network.unreachable("mysql", to.host, to.port):
        yield gone
        return
    with connected(to) as connection, connection.cursor() as cursor:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            with explained(to, str(to)):
                cursor.execute(sql)
                return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in cursor.fetchall()]

        ((version,),) = ask("SELECT VERSION()")
        yield Finding("mysql", "connection", OK, f"MySQL {version} at {to} answers")
        encrypted = any(value for _, value in ask("SHOW STATUS LIKE 'Ssl_cipher'"))
        remedy = "[mysql] url = …?ssl_ca=/path/of/the/ca.pem"
        yield network.tls("mysql", to.host, encrypted, bool(to.ssl_ca), remedy)
        asked = time.time()
        ((theirs,),) = ask("SELECT UNIX_TIMESTAMP(NOW(6))")
        yield network.clock("mysql", float(theirs), asked)
        ((charset, zone),) = ask(
            "SELECT DEFAULT_CHARACTER_SET_NAME, @@global.time_zone FROM information_schema.SCHEMATA "
            "WHERE SCHEMA_NAME = DATABASE()"
        )
        # Values come in UTF-8 and UTC whatever these are; they say what the shop itself can store.
        yield Finding("mysql", "settings", OK, f"character set {charset}, time_zone {zone}; read as UTF-8 and UTC")
        yield from _privileges(to.user, _grants(ask))
        yield from _long_transactions(ask)


def _grants(ask: Any) -> list[str]:
    """From SHOW GRANTS, which every user may ask about himself; of his roles MySQL tells when they are named."""
    grants = [row[0] for row in ask("SHOW GRANTS")]
    roles = [found[1] for grant in grants if (found := _ROLE.match(grant))]
    if roles:
        # MariaDB, which knows no USING, has said it already.
        with contextlib.suppress(SourceError):
            grants = [row[0] for row in ask(f"SHOW GRANTS FOR CURRENT_USER() USING {', '.join(roles)}")]
    return grants


def _privileges(user: str, grants: list[str]) -> Iterator[Finding]:
    found = False
    for grant in grants:
        said = _GRANT.match(grant)
        if not said:
            continue
        granted = {name.strip() for name in re.sub(r"\([^)]*\)", "", said["what"]).split(",")}
        names = sorted(granted - _NEEDED - _HARMLESS)
        names += ["GRANT OPTION"] if grant.endswith("WITH GRANT OPTION") else []
        if names:
            found = True
            shown = f"{', '.join(names[:4])}{' …' if len(names) > 4 else ''} on {said['where']}"
            remedy = f"REVOKE {', '.join(names)} ON {said['where']} FROM {said['whom']}"
            yield Finding("mysql", "excess", WARNING, f"{user} has {shown}, and only needs SELECT", remedy)
    if not found:
        yield Finding("mysql", "privileges", OK, f"{user} may read, and write nothing")


def _long_transactions(ask: Any) -> Iterator[Finding]:
    """What is not committed yet is not read; the server shows others' to a user with PROCESS alone."""
    try:
        ((seconds,),) = ask(
            "SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM information_schema.INNODB_TRX"
        )
    except SourceError:
        return
    if seconds and int(seconds) > _LONG:
        said = f"a transaction has been open for {int(seconds) // 60} minutes: what it changes is not read yet"
        yield Finding("mysql", "transactions", WARNING, said, "SELECT * FROM information_schema.INNODB_TRX")
