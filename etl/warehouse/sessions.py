"""Other sessions at a Postgres: who holds our own lock and whether that one still works; who holds a table's locks."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

# The number of our own lock on a target.
LOCK = "hashtextextended(%s, 20140203)"

# How the application name of a session begins that copies for another, whose number follows.
COPIES = "copies for "

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_]\w*)'
_TABLES = re.compile(rf"{_NAME}\.{_NAME}", re.IGNORECASE)
_OF_ROWS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|COPY)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Session:
    """What the server tells of a session; one that does anything between two looks is not equal to itself."""

    pid: int
    application: str
    address: str | None
    since: datetime | None
    ours: bool
    silent: bool
    changed: datetime | None
    copied: int | None

    def __str__(self) -> str:
        place = f" from {self.address}" if self.address else ""
        return f"{self.application}{place}{_since(self.since)}"


def holder(query: Query, target: str) -> list[Session]:
    """The session that holds our lock on a target, then those that copy for it; none where nobody has it.

    Silent is a session for which the server waits: idle, idle in a transaction, or in the middle of a COPY.
    """
    found = query(
        f"""SELECT a.pid, a.application_name, a.client_addr, a.backend_start, a.usename = current_user,
                   coalesce(a.state LIKE 'idle%%' OR a.wait_event = 'ClientRead', false), a.state_change,
                   p.bytes_processed
            FROM pg_locks l
            JOIN pg_stat_activity a
                 ON a.pid = l.pid OR starts_with(a.application_name, '{COPIES}' || l.pid || ' ')
            LEFT JOIN pg_stat_progress_copy p ON p.pid = a.pid
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (l.classid::bigint << 32 | l.objid::bigint) = {LOCK}
            ORDER BY a.pid <> l.pid, a.pid""",
        (target,),
    )
    return [Session(*values) for values in found]


def fenced(query: Query, before: list[Session], now: list[Session]) -> bool:
    """End the sessions of a holder that did nothing at all between the two looks; False for any other holder."""
    if not now or now != before or not all(session.ours and session.silent for session in now):
        return False
    query("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", ([session.pid for session in now],))
    return True


def holders(query: Query, tables: Sequence[str], besides: int, readers: bool) -> list[str]:
    """Each session but one that holds locks on the tables, `readers` among them, in words.

    They name table, session, user, application and, where the server tells us, since when and how its statement
    begins, without the values in it: for other users' sessions that needs pg_read_all_stats.
    """
    found = query(
        """SELECT DISTINCT l.relation::regclass::text, a.xact_start, a.pid, a.usename, a.application_name,
                  CASE WHEN a.xact_start IS NOT NULL THEN a.query ELSE '' END
           FROM pg_locks l JOIN pg_stat_activity a USING (pid)
           WHERE l.locktype = 'relation' AND l.granted AND l.pid NOT IN (pg_backend_pid(), %s)
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND l.relation IN (SELECT to_regclass(name) FROM unnest(%s) AS name)
             AND (%s OR l.mode <> 'AccessShareLock')
           ORDER BY 1, 2, 3""",
        (besides, list(tables), readers),
    )
    return [
        f"{table} by session {pid} of {user}{f' ({application})' if application else ''}{_since(since)}{_begin(said)}"
        for table, since, pid, user, application, said in found
    ]


def tables_of(statement: str) -> tuple[list[str], bool]:
    """What a statement names as a table or may seem to, and whether it has to wait for readers of it."""
    return _TABLES.findall(statement), not _OF_ROWS.match(statement)


def _since(at: datetime | None) -> str:
    return f", since {at:%F %T}" if at else ""


def _begin(statement: str) -> str:
    said = " ".join(re.sub(r"'(?:[^']|'')*'?", "'…'", statement).split())
    return f": {said[:60]}" if said else ""
