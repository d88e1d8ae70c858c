"""The pipeline's own tables (control.sql): markers, receipts, losses, rows held back, files, what analysts see."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from etl.errors import WarehouseError
from etl.warehouse.definition import Definition
from etl.warehouse.engine import Engine
from etl.warehouse.names import literal
from etl.warehouse.table_file import head_comment

_TABLES = Path(__file__).with_name("control.sql")


@dataclass
class Receipt:
    """What one load did; the columns of etl.receipts, in rows, bytes and seconds."""

    task_key: str
    target: str
    business_date: date | None
    run_id: str
    code_version: str
    manifest: str | None = None
    manifest_sha256: str | None = None
    inputs: list[dict[str, Any]] = field(default_factory=list)
    rows_read: int | None = None
    rows_written: int | None = None
    rows_staged: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_rejected: int = 0
    rows_after: int = 0
    bytes: int | None = None
    seconds: float = 0.0
    fingerprint: str | None = None


@dataclass(frozen=True)
class Standing:
    """How a target stands before a load: the day it is at, its rows, and when its newest extract began to read."""

    business_date: date | None = None
    rows: int | None = None
    extracted_at: datetime | None = None


def prepare(db: Engine) -> None:
    """Create the control tables that are not there yet; two first nights at once do it once."""
    if _is_prepared(db):
        return
    if db.owner:
        lacking = ", ".join(sorted(f"etl.{name}" for name in _wanted() - _there(db)))
        raise WarehouseError(
            f"schema etl: has no {lacking}, which this version keeps, and {db.owner} owns it; run `etl migrate`, which "
            f"creates it"
        )
    with db.locked("etl"):
        if not _is_prepared(db):
            db.ensure_schema("etl", readable=True)
            with db.transaction():
                for statement in _statements(db):
                    db.execute(statement)
                db.allow_reading("etl", "data_as_of")


def definitions(db: Engine) -> list[Definition]:
    """The control tables as they are to be."""
    found = []
    for said, name, body in re.findall(
        r"((?:^--.*\n)*)^CREATE TABLE IF NOT EXISTS etl\.(\w+) (\([\s\S]*?^\));$", _text(), re.MULTILINE
    ):
        body = re.sub(r"\bTEXT\b", db.type_of("TEXT"), body)
        found.append(Definition("etl", name, body, comment=head_comment(said), file=_TABLES.name))
    return found


def is_loaded(db: Engine, key: str) -> bool:
    return key in loaded(db, [key])


def loaded(db: Engine, keys: Iterable[str]) -> set[str]:
    """Those of the keys whose work is in the warehouse; one query."""
    asked = tuple(keys)
    if not asked or not has(db, "loads"):
        return set()
    return {key for (key,) in db.query("SELECT task_key FROM etl.loads WHERE task_key IN %s", (asked,))}


def has(db: Engine, table: str) -> bool:
    """Whether a control table is there: not before the first load, nor one that a later version has added."""
    name = f"etl.{table}"
    if name not in db.seen and db.exists("etl", table):
        db.seen.add(name)
    return name in db.seen


def loads_of(db: Engine, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Which loads, of which run, the rows come from: the input side of a receipt for work inside the warehouse."""
    if not keys:
        return []
    rows = db.query("SELECT task_key, run_id, target FROM etl.loads WHERE task_key IN %s ORDER BY 1", (tuple(keys),))
    return [{"task": key, "run": run, "table": target} for key, run, target in rows]


def standing(db: Engine, target: str) -> Standing:
    found = db.query(
        "SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST(%s AS VARCHAR(200)) AS target) t "
        "LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target",
        (target,),
    )
    return Standing(*found[0])


def note_extract(db: Engine, target: str, extracted_at: str, run_id: str) -> None:
    """Remember when the newest extract that was published into a table began to read. Nothing makes it older."""
    _remember(db, target, "extracted_at", extracted_at, run_id)


def seen(db: Engine, reader: str, source: str) -> str:
    """The `loaded_at` up to which a table has taken in another's rows, as SQL."""
    found = db.query(
        "SELECT CAST(seen AS VARCHAR(40)) FROM etl.watermarks WHERE target = %s", (f"{reader} from {source}",)
    )
    return f"TIMESTAMPTZ {literal(found[0][0] if found else '0001-01-01 00:00:00+00')}"


def note_seen(db: Engine, reader: str, source: str, loaded_at: datetime, run_id: str) -> None:
    _remember(db, f"{reader} from {source}", "seen", loaded_at, run_id)


def undo(db: Engine, keys: Sequence[str], targets: Sequence[str]) -> None:
    """Make loads undone: their markers go, and what their tables have taken in of others is new to them again.

    Belongs into a transaction under the targets' locks.
    """
    db.execute("DELETE FROM etl.loads WHERE task_key IN %s", (tuple(keys),))
    for target in targets:
        reader = f"{target} from "
        db.execute("DELETE FROM etl.watermarks WHERE SUBSTRING(target, 1, %s) = %s", (len(reader), reader))


def _remember(db: Engine, target: str, column: str, moment: str | datetime, run_id: str) -> None:
    moved = "CAST(%s AS TIMESTAMPTZ)"
    db.note(
        [
            (
                f"UPDATE etl.watermarks SET {column} = GREATEST({column}, {moved}), run_id = %s WHERE target = %s",
                (moment, run_id, target),
            ),
            (
                f"INSERT INTO etl.watermarks (target, {column}, run_id) SELECT %s, {moved}, %s "
                "WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = %s)",
                (target, moment, run_id, target),
            ),
        ]
    )


def record(
    db: Engine, receipt: Receipt, losses: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]], reader: str = ""
) -> None:
    """Write marker, receipt, losses, and the files that `reader`, an extractor, took.

    Belongs into the transaction that publishes the rows.
    """
    who = (receipt.task_key, receipt.target, receipt.business_date, receipt.run_id)
    statements: list[tuple[str, Sequence[Any]]] = [
        (f"INSERT INTO etl.loads VALUES (%s, %s, %s, %s, {db.now})", who),
        _receipt(db, receipt),
    ]
    for loss in losses:
        statements.append(
            (
                f"INSERT INTO etl.losses VALUES (%s, %s, %s, %s, %s, %s, %s, %s, {db.now})",
                (*who, loss["column"], loss["reason"], loss["count"], json.dumps(loss["samples"])),
            )
        )
    for file in files:
        statements += [
            ("DELETE FROM etl.files WHERE task = %s AND file_key = %s", (reader, file["key"])),
            (
                f"INSERT INTO etl.files VALUES (%s, %s, %s, %s, %s, %s, {db.now})",
                (reader, file["key"], file["etag"], file["size"], file["rows"], receipt.run_id),
            ),
        ]
    db.note(statements)


def _receipt(db: Engine, receipt: Receipt) -> tuple[str, Sequence[Any]]:
    values = vars(receipt) | {"inputs": json.dumps(receipt.inputs)}
    return (
        f"INSERT INTO etl.receipts ({', '.join(values)}, loaded_at) "
        f"VALUES ({', '.join(['%s'] * len(values))}, {db.now})",
        tuple(values.values()),
    )


def record_members(db: Engine, receipt: Receipt) -> None:
    """The receipt of members that a fact's load has added to a dimension, and the dimension's rows with them.

    Belongs into the transaction that adds them.
    """
    db.note(
        [
            _receipt(db, receipt),
            (
                f"UPDATE etl.data_as_of SET rows = %s, loaded_at = {db.now} WHERE table_name = %s",
                (receipt.rows_after, receipt.target),
            ),
        ]
    )


def hold(db: Engine, receipt: Receipt, landed: str, whole: bool) -> None:
    """Put the landed rows into quarantine, in place of those that are there: of the whole table, or of the same task.

    `landed` has the columns of a manifest's rejected parts. Belongs into the transaction that publishes the others.
    """
    of, value = ("target", receipt.target) if whole else ("task_key", receipt.task_key)
    statements: list[tuple[str, Sequence[Any]]] = [(f"DELETE FROM etl.quarantine WHERE {of} = %s", (value,))]
    if receipt.rows_rejected:
        statements.append(
            (
                "INSERT INTO etl.quarantine SELECT %s, %s, CAST(%s AS DATE), %s, source_key, column_name, reason, "
                f"source_row, {db.now} FROM {landed}",
                (receipt.task_key, receipt.target, receipt.business_date, receipt.run_id),
            )
        )
    db.note(statements)


def files(db: Engine, reader: str) -> set[tuple[str, str, int]]:
    """(key, etag, size) of each file of an extractor that was loaded, as it was when it was loaded last."""
    if not has(db, "files"):
        return set()
    return set(db.query("SELECT file_key, etag, size FROM etl.files WHERE task = %s", (reader,)))  # type: ignore[arg-type]


def publish_day(db: Engine, target: str, business_date: date | None, rows: int) -> None:
    """Tell analysts which day the table is at. Loading an older day again does not make it older."""
    db.note(
        [
            (
                "UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST(%s AS DATE)), "
                f"loaded_at = {db.now}, rows = %s WHERE table_name = %s",
                (business_date, rows, target),
            ),
            (
                f"INSERT INTO etl.data_as_of SELECT %s, CAST(%s AS DATE), {db.now}, %s "
                "WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = %s)",
                (target, business_date, rows, target),
            ),
        ]
    )


def expect(db: Engine, manifest: str, keys: Iterable[str]) -> None:
    """Note which loads require an extract, so that it is kept until the last of them has committed."""
    db.note(
        [
            statement
            for key in sorted(set(keys))
            for statement in (
                # An extract that was swept may have been written again since.
                ("DELETE FROM etl.extracts WHERE manifest = %s AND task_key = %s", (manifest, key)),
                ("INSERT INTO etl.extracts VALUES (%s, %s, NULL)", (manifest, key)),
            )
        ]
    )


def sweepable(db: Engine, keep_days: int) -> list[str]:
    """Manifests whose every load has committed, the last one `keep_days` ago or more; never one without a marker."""
    return [
        manifest
        for (manifest,) in db.query(
            "SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key "
            "WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) "
            f"AND max(l.loaded_at) <= {db.now} - INTERVAL '{keep_days} days'"
        )
    ]


def swept(db: Engine, manifest: str) -> None:
    db.execute(f"UPDATE etl.extracts SET swept_at = {db.now} WHERE manifest = %s", (manifest,))


def _statements(db: Engine) -> list[str]:
    text = re.sub(r"^ *--.*$", "", _text(), flags=re.MULTILINE)
    return [
        re.sub(r"\bTEXT\b", db.type_of("TEXT"), statement).strip() for statement in text.split(";") if statement.strip()
    ]


def _is_prepared(db: Engine) -> bool:
    if "control tables" not in db.seen and _wanted() <= _there(db):
        db.seen.add("control tables")
    return "control tables" in db.seen


def _wanted() -> set[str]:
    return set(re.findall(r"CREATE TABLE IF NOT EXISTS etl\.(\w+)", _text()))


def _there(db: Engine) -> set[str]:
    return {
        name
        for (name,) in db.query(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'etl' AND c.relkind = 'r'"
        )
    }


def _text() -> str:
    return _TABLES.read_text(encoding="utf-8")
