"""What must hold after any fault, whatever it was; docs/reliability.md says it in words."""

import re
from configparser import RawConfigParser
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.faults.cut import DAY, NEXT, PERSON, SECRET, Cut
from tests.faults.watch import TABLES, Sight, look
from tests.marketplace import House, bookkeeping, check_lake, checksums, shapes, stages
from tests.pipeline import until

SCHEMAS = ("public", "mart", "raw")
_LEFT = (
    "SELECT application_name, state FROM pg_stat_activity WHERE datname = current_database() AND usename = 'etl_load'"
)
_LOCKS = (
    "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
    "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
)


@dataclass(frozen=True)
class Undisturbed:
    """What an analyst sees `before` and `after` a night that nothing happens to, and all that it leaves."""

    before: Sight
    after: Sight
    tables: dict[str, tuple[int, str]]
    shapes: list[tuple]
    books: dict[str, list[tuple]]

    @classmethod
    def of(cls, before: Sight, house: House) -> "Undisturbed":
        query = house.query
        return cls(before, look(house.database), checksums(query, SCHEMAS), shapes(query), bookkeeping(query))


def check_sights(sights: list[Sight], expected: Undisturbed) -> None:
    """I2: every table is wholly of one of the two days at every instant, and no fact is without its dimension."""
    for sight in sights:
        assert sight.orphans == 0
        for table, seen in sight.tables.items():
            assert seen in (expected.before.tables[table], expected.after.tables[table]), f"{table} was neither day's"
        if _is_after(sight, "public.fact_visit", expected):
            assert _is_after(sight, "public.dim_fan", expected), "the fact was a day ahead of its dimension"


def check_markers(house: House, expected: Undisturbed) -> None:
    """I4: a table is of the new day where its marker is there, and of the old one where it is not."""
    done = {target for (target,) in house.query("SELECT target FROM etl.loads WHERE business_date = %s", (NEXT,))}
    sight = look(house.database)
    assert {table for table in TABLES if _is_after(sight, table, expected)} == done & set(TABLES)


def check_said(house: House, code: int) -> None:
    """I5: a run that failed says so by its exit code, and on one line why and what to do; a trace would be of a bug."""
    if code < 0:
        return
    log = house.log.read_text(errors="replace")
    assert code in (20, 25, 30, 35), f"exit code {code}:\n{log[-3000:]}"
    if "MemoryError" in log:
        # Nobody can tell where, and so the trace is all that is known.
        return
    said = re.findall(r"^ERROR: .* failed {4}\w+\(.*?\): (.+)$", log, re.MULTILINE)
    said += re.findall(r"^WARNING: Will not run .*:\n(.+)$", log, re.MULTILINE)
    assert said and all(";" in line or "?" in line for line in said), log[-5000:]
    assert "Traceback" not in log, log[-5000:]


def check_secrets(house: House) -> None:
    """I7: no password, key or value of a person is in the log."""
    log = house.log.read_text(errors="replace")
    settings = RawConfigParser()
    settings.read(house.settings)
    passwords = [urlsplit(settings[section]["url"]).password for section in ("warehouse", "mysql")]
    for secret in (PERSON, SECRET, *passwords):
        assert secret and secret not in log


def check_mended(house: House, expected: Undisturbed) -> None:
    """I1, I3, I6, I8: nothing tells that this was not the first attempt, and nothing is left of those before."""
    assert checksums(house.query, SCHEMAS) == expected.tables
    assert shapes(house.query) == expected.shapes
    assert bookkeeping(house.query) == expected.books
    assert stages(house.query) == []
    check_lake(house.lake)
    assert until(lambda: not house.query(_LEFT)), "sessions of dead runs are left"
    assert house.query(_LOCKS) == []
    check_receipts(house)


def check_receipts(house: House) -> None:
    """I8: one receipt a marker, and their sums explain how many rows there are."""
    loads = house.query("SELECT task_key FROM etl.loads ORDER BY 1")
    assert loads == house.query("SELECT task_key FROM etl.receipts ORDER BY 1")
    for table in TABLES:
        ((explained, after),) = house.query(
            "SELECT sum(rows_inserted - rows_deleted), "
            f"(SELECT count(*) FROM {table}) FROM etl.receipts WHERE target = %s",
            (table,),
        )
        assert explained == after, table


def check_source(cut: Cut, house: House) -> None:
    """I1: each row that the source has is there once and as it is; what went from it, where the table keeps that."""
    prices = cut.shop.query("SELECT id, seat, price, note FROM prices ORDER BY id")
    assert house.query("SELECT id, seat, price, note FROM public.price ORDER BY id") == prices
    fans = cut.shop.query("SELECT id, name, email, city FROM fans ORDER BY id")
    there = {row[0]: row for row in house.query("SELECT fan_id, name, email, city FROM public.dim_fan")}
    assert [there[row[0]] for row in fans] == fans and len(there) == 3200 + 1
    visits = cut.shop.query(
        "SELECT id, DATE_FORMAT(visited_on, '%Y%m%d') + 0, COALESCE(fan_id, -1), gate, seconds FROM visits "
        f"WHERE visited_on BETWEEN DATE_SUB('{DAY}', INTERVAL 1 DAY) AND '{NEXT}' ORDER BY id"
    )
    assert house.query(
        "SELECT visit_id, date_key, d.fan_id, gate, seconds FROM public.fact_visit f "
        "JOIN public.dim_fan d USING (fan_key) ORDER BY 1"
    ) == [tuple(map(_whole, row)) for row in visits]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) else value


def _is_after(sight: Sight, table: str, expected: Undisturbed) -> bool:
    return sight.tables[table] == expected.after.tables[table]
