"""Checks that need two sessions: locks, snapshots, and transactions that write the same table."""

import threading
from collections.abc import Callable
from typing import Any

from etl.conformance.ground import Ground, Like, Said, Session, check, refusal
from etl.errors import EtlError

# How long a statement is watched that ought to wait, and how long it may take once nothing is in its way.
_WATCHED = 1.0
_PATIENCE = 60.0


class _Task(threading.Thread):
    """Something that may have to wait for another session; `outcome` is what it returned, or what it was told."""

    def __init__(self, work: Callable[[], object]):
        super().__init__(daemon=True)
        self._work = work
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._work()
        except EtlError as error:
            self.outcome = refusal(error)

    @property
    def waits(self) -> bool:
        self.join(_WATCHED)
        return self.is_alive()

    def result(self) -> Any:
        self.join(_PATIENCE)
        return Said("did not end") if self.is_alive() else self.outcome


@check("LOCK waits, the snapshot is taken after it", (Said("waited"), 1))
def lock_then_snapshot(ground: Ground) -> Any:
    """A load takes its locks first; what the load before it has published has to be seen behind them."""
    lock, data = f"{ground.table('k INT')}, {ground.table('k INT')}", ground.table("k INT")

    def second(other: Session) -> int:
        with other.transaction():
            other.execute(f"LOCK {lock}")
            return int(other.query(f"SELECT count(*) FROM {data}")[0][0])

    with ground.beside() as other:
        with ground.db.transaction():
            ground.db.execute(f"LOCK {lock}")
            ground.db.execute(f"INSERT INTO {data} VALUES (1)")
            task = _Task(lambda: second(other))
            waited = Said("waited" if task.waits else "did not wait")
        return waited, task.result()


@check("a lock goes with its session", Said("taken"))
def lock_ends(ground: Ground) -> Any:
    """A process that was killed keeps nobody from loading."""
    lock = ground.table("k INT")
    with ground.beside() as other:
        other.execute("BEGIN")
        other.execute(f"LOCK {lock}")

    def take() -> Said:
        with ground.db.transaction():
            ground.db.execute(f"LOCK {lock}")
        return Said("taken")

    return _Task(take).result()


@check("statement_timeout ends a LOCK that waits", Like("refused: canceled on user's request", r"^refused"))
def lock_timeout(ground: Ground) -> Any:
    """There is no lock_timeout: a load that waits for another gives up by statement_timeout, and says for whom."""
    lock = ground.table("k INT")

    def second(other: Session) -> Said:
        with other.transaction():
            other.execute(f"LOCK {lock}")
        return Said("waited until the lock was free")

    with ground.beside() as other:
        other.execute("SET statement_timeout TO 1500")
        with ground.db.transaction():
            ground.db.execute(f"LOCK {lock}")
            task = _Task(lambda: second(other))
            task.join(15)
        return task.result()


@check("readers do not wait for a load", (2, 2, 1))
def readers(ground: Ground) -> Any:
    """Analysts see a table as it was until the COMMIT, also a transaction that has begun before it."""
    data = ground.table("k INT", "(1), (2)")

    def count(session: Session) -> int:
        return int(session.query(f"SELECT count(*) FROM {data}")[0][0])

    with ground.beside() as other:
        with ground.db.transaction():
            ground.db.execute(f"DELETE FROM {data} WHERE k = 1")
            first = _Task(lambda: count(other)).result()
            other.execute("BEGIN")
            begun = _Task(lambda: count(other)).result()
        other.execute("COMMIT")
        return first, begun, count(other)


@check("a snapshot stays for its transaction", (1, 1))
def snapshot(ground: Ground) -> Any:
    """`etl compare` reads a table with several statements and means one moment."""
    data = ground.table("k INT", "(1)")
    with ground.beside() as other, other.transaction():
        first = other.query(f"SELECT count(*) FROM {data}")[0][0]
        ground.db.execute(f"INSERT INTO {data} VALUES (2)")
        return first, other.query(f"SELECT count(*) FROM {data}")[0][0]


@check("two writers do not both win", Like("the second one refused, or one day's rows", r"^(refused.*|1)$"))
def two_writers(ground: Ground) -> Any:
    """Two loads that replaced the same day without our lock; 2 would be a day that is there twice.

    What the second is told (1023, or a conflict) is what etl.retry takes for a reason to try again.
    """
    data = ground.table("d INT, v INT", "(1, 0)")

    def replace(session: Session, value: int) -> None:
        session.execute(f"DELETE FROM {data} WHERE d = 1")
        session.execute(f"INSERT INTO {data} VALUES (1, {value})")

    def second(other: Session) -> None:
        with other.transaction():
            replace(other, 2)

    with ground.beside() as other:
        with ground.db.transaction():
            replace(ground.db, 1)
            task = _Task(lambda: second(other))
            task.join(_WATCHED)
        told = task.result()
    return told or Said(ground.one(f"SELECT count(*) FROM {data}"))


@check("SVV_TRANSACTIONS shows who holds a lock", True)
def lock_holder(ground: Ground) -> Any:
    """A load that waited in vain names the session that was in its way, also one of the same user only."""
    lock = ground.table("k INT")
    schema, table = lock.split(".")
    with ground.beside() as other, other.transaction():
        other.execute(f"LOCK {lock}")
        pid = other.query("SELECT pg_backend_pid()")[0][0]
        found = ground.db.query(
            "SELECT t.pid FROM svv_transactions t JOIN pg_class c ON c.oid = t.relation "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            (schema, table),
        )
        return pid in [int(holder) for (holder,) in found] or Said("not shown")


@check("a session of our own can be ended", Like("refused: connection lost", r"^refused"))
def terminate(ground: Ground) -> Any:
    """What holds a lock and does nothing is ended by pg_terminate_backend, without the rights of a superuser."""
    with ground.beside() as other:
        pid = other.query("SELECT pg_backend_pid()")[0][0]
        ground.db.query("SELECT pg_terminate_backend(%s)", (pid,))
        try:
            other.query("SELECT 1")
        except EtlError as error:
            return refusal(error)
        return Said("lives on")
