"""Changing a table of Postgres that people read: whom it waits for, what stands in its way, which types fit which."""

import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from etl.errors import Locked
from etl.warehouse.engine import Engine
from etl.warehouse.names import quote

# An ALTER that waits for a reader makes every reader after it wait too, so it never waits for longer than this. One
# second more than autovacuum needs to notice that it is in the way, and to give way.
_TRY_SECONDS = 2
_LONGEST_PAUSE = 4


def between_readers(db: Engine, schema: str, table: str, work: Callable[[], None]) -> None:
    """Do `work`, which alters the table, in a transaction of its own, in a moment in which nobody else has it open.

    Such a moment is looked for again and again until [warehouse] lock_timeout has passed; then Locked names those who
    had the table open. All of `work` is done or nothing of it, however often it is called.
    """
    limit = db.settings.lock_timeout
    patience = min(_TRY_SECONDS, limit)
    deadline = time.monotonic() + limit
    while True:
        try:
            with db.transaction():
                db.execute(f"SET LOCAL lock_timeout = '{patience}s'")
                work()
            return
        except Locked:
            pause = random.uniform(0, _LONGEST_PAUSE)
            if time.monotonic() + pause + patience > deadline:
                raise Locked(
                    f"{schema}.{table}: its columns are to change, and for {limit} s there was no moment in which "
                    f"nobody had it open; it is open in {_readers(db, schema, table)}; end what reads there or wait "
                    f"for it, then run again"
                ) from None
        time.sleep(pause)


def _readers(db: Engine, schema: str, table: str) -> str:
    """Who has the table open now: pid, user, application, and since when, where the server tells us."""
    found = db.query(
        "SELECT DISTINCT a.pid, a.usename, a.application_name, a.xact_start FROM pg_locks l "
        "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'relation' AND l.granted "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND l.relation = to_regclass(%s) AND l.pid <> pg_backend_pid() ORDER BY a.xact_start",
        (f"{quote(schema)}.{quote(table)}",),
    )
    told = [
        f"pid {pid} ({user}, {application or 'unnamed'}, since "
        f"{f'{since:%F %T}' if since else 'a time that only pg_read_all_stats shows'})"
        for pid, user, application, since in found
    ]
    return ", ".join(told) or "sessions that have gone in this moment"


def dependents(db: Engine, schema: str, table: str, column: str) -> list[str]:
    """What would keep the server from giving the column another type, as it describes it: views, rules, functions.

    Not the table's own indexes, statistics, constraints and defaults, which the server makes anew by itself.
    """
    found = db.query(
        f"""SELECT DISTINCT CASE WHEN r.ev_class <> a.attrelid THEN pg_describe_object(d.refclassid, r.ev_class, 0)
                                 ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END
            FROM {_ON_THE_COLUMN} LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
            LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
            LEFT JOIN pg_constraint n ON d.classid = 'pg_constraint'::regclass AND n.oid = d.objid
            LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid
            WHERE d.classid <> 'pg_statistic_ext'::regclass AND COALESCE(i.relkind, '') NOT IN ('i', 'S')
              AND COALESCE(f.adnum <> a.attnum, TRUE) AND COALESCE(n.conrelid <> a.attrelid, TRUE)
            ORDER BY 1""",
        (f"{quote(schema)}.{quote(table)}", column),
    )
    return [described for (described,) in found]


def around_views(db: Engine, schema: str, table: str, column: str, statement: str) -> str:
    """What a person runs for an ALTER of the column: with its views dropped before and made again after it."""
    if not (using := dependents(db, schema, table, column)):
        return statement
    views = db.query(
        f"""WITH RECURSIVE used (oid, depth) AS (
                SELECT r.ev_class, 1 FROM {_ON_THE_COLUMN} JOIN pg_rewrite r
                  ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.ev_class <> a.attrelid
                UNION
                SELECT r.ev_class, u.depth + 1 FROM used u JOIN pg_depend d
                  ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid JOIN pg_rewrite r
                  ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.ev_class <> u.oid
                JOIN pg_class c ON c.oid = u.oid AND c.relkind IN ('v', 'm'))
            SELECT pg_describe_object('pg_class'::regclass, c.oid, 0), c.oid::regclass::text, c.relkind,
                   pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner), ARRAY(
                       SELECT format('GRANT %%s ON %%s TO %%s', g.privilege_type, c.oid::regclass,
                                     COALESCE(quote_ident(o.rolname), 'PUBLIC'))
                       FROM aclexplode(c.relacl) g LEFT JOIN pg_roles o ON o.oid = g.grantee
                       WHERE g.grantee <> c.relowner ORDER BY 1)
            FROM (SELECT oid, max(depth) AS depth FROM used GROUP BY oid) u JOIN pg_class c USING (oid)
            ORDER BY u.depth, 2""",
        (f"{quote(schema)}.{quote(table)}", column),
    )
    if not _are_all_views(using, views):
        return f"drop {', '.join(using)}, which use it, then {statement}, and make them again"
    drops = [f"DROP VIEW {name}" for _, name, *_ in reversed(views)]
    makes: list[str] = []
    for _, name, _, select, owner, grants in views:
        makes += [f"CREATE VIEW {name} AS {' '.join(select.split()).rstrip(';')}"]
        makes += [f"ALTER VIEW {name} OWNER TO {quote(owner)}", *grants]
    return "; ".join(["BEGIN", *drops, statement, *makes, "COMMIT"])


def _are_all_views(using: Sequence[str], views: Sequence[tuple[Any, ...]]) -> bool:
    return {kind for _, _, kind, *_ in views} == {"v"} and set(using) <= {described for described, *_ in views}


# Two values: the table's quoted name and the column's.
_ON_THE_COLUMN = """pg_attribute a JOIN pg_depend d
                  ON a.attrelid = to_regclass(%s) AND a.attname = %s AND d.refclassid = 'pg_class'::regclass
                     AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"""


# ---- types


def canonical(kind: str) -> str:
    """A type as the server itself writes it."""
    name = kind.lower().replace(", ", ",")
    return _WRITTEN.get(name, name)


_WRITTEN = {
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}


_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}


def is_wider(was: str, becomes: str) -> bool:
    """Whether every value of the one type is a value of the other, and the same."""
    if becomes in _INTEGERS:
        return was in _INTEGERS and _INTEGERS[was] < _INTEGERS[becomes]
    if becomes == "numeric":
        return was in _INTEGERS or was.startswith("numeric(")
    if becomes.startswith("numeric("):
        digits = _digits(was)
        return digits is not None and all(has <= room for has, room in zip(digits, _digits(becomes) or (), strict=True))
    if becomes == "double precision":
        return was == "real"
    return becomes == "text" and was.startswith("character varying")


def _digits(kind: str) -> tuple[int, int] | None:
    """Before and after the point."""
    if kind in _INTEGERS:
        return _INTEGERS[kind], 0
    found = re.fullmatch(r"numeric\((\d+),(\d+)\)", kind)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else None
