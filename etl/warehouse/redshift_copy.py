"""COPY as Redshift is told it, and what it says when it fails."""

import re
from collections.abc import Sequence

from etl import config
from etl.errors import ConfigError, DataError, EtlError, LakeBusy, WarehouseError
from etl.warehouse.engine import Engine, Parts
from etl.warehouse.names import literal, quote

_BUSY = re.compile(r"SlowDown|ServiceUnavailable|InternalError|RequestTimeout|\b50[0-9]\b")
_SHUT = re.compile(r"AccessDenied|Access Denied|Not authorized|403")
_COMPRESSIONS = {"gzip": "GZIP", "zstd": "ZSTD"}


def copy_statement(table: str, columns: Sequence[str], parts: Parts, url: str, iam_role: str) -> str:
    """Of the manifest at the URL.

    Nothing that hides a defect (MAXERROR, TRUNCATECOLUMNS, ACCEPTINVCHARS…), and no key of anybody's.
    """
    if iam_role != "default" and not re.fullmatch(r"arn:[\w:/+=,.@-]+", iam_role):
        raise ConfigError(f"[warehouse] iam_role = {iam_role}: write `default`, or a role's ARN")
    region = config.lake().region
    said = [
        f"COPY {table} ({', '.join(map(quote, columns))})",
        f"FROM {literal(url)}",
        f"IAM_ROLE {'default' if iam_role == 'default' else literal(iam_role)}",
        "MANIFEST FORMAT AS CSV QUOTE AS '\"'",
        # That one is Redshift's own, and a backslash in a literal is an escape.
        "" if parts.null == r"\N" else f"NULL AS {literal(parts.null.replace(chr(92), 2 * chr(92)))}",
        # Without ROUNDEC a decimal with too many places is cut.
        "ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF",
        _COMPRESSIONS.get(parts.compression, ""),
        f"REGION {literal(region)}" if region else "",
    ]
    return " ".join(filter(None, said))


def lake_error(said: str, url: str, where: str) -> EtlError | None:
    """What it was that S3 has refused the server at `where`; None where it was not S3."""
    if "S3" not in said:
        return None
    first = said.strip().partition("\n")[0]
    if _BUSY.search(said):
        return LakeBusy(f"{url}: {first}; run again when S3 answers")
    if _SHUT.search(said):
        return WarehouseError(
            f"{where}: may not read {url} ({first}); let the role of [warehouse] iam_role do s3:GetObject and "
            f"s3:ListBucket there: docs/redshift.md"
        )
    return None


def load_error(db: Engine) -> DataError | None:
    """What the session's last COPY found wrong first, by its own query's id: other loads fail at the same time.

    Without the value; None where the server does not tell.
    """
    ((query, session),) = db.query("SELECT pg_last_copy_id(), pg_backend_pid()")
    try:
        found = db.query(
            "SELECT file_name, line_number, column_name, column_type, error_code, error_message "
            "FROM sys_load_error_detail WHERE query_id = %s AND session_id = %s ORDER BY line_number LIMIT 1",
            (query, session),
        )
    except WarehouseError:
        found = []
    found = found or db.query(
        "SELECT filename, line_number, colname, type, err_code, err_reason FROM stl_load_errors "
        "WHERE query = %s AND session = %s ORDER BY line_number LIMIT 1",
        (query, session),
    )
    if not found:
        return None
    file, line, column, kind, code, reason = (str(value).strip() for value in found[0])
    of = f", column {column} ({kind})" if column else ""
    # Not all reasons call it a value.
    reason = re.sub(r"(?:Value )?'(.*)'", lambda value: f"({len(value[1])} characters)", reason, flags=re.DOTALL)
    return DataError(f"{file}, line {line}{of}: {reason} (error {code})")
