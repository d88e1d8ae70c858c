"""The contests' work by dlt, by the fastest of its ways; docs/decisions/bench.md says which were tried.

`file_format` is how its rows travel: parquet, which Arrow's own driver loads, csv, which psycopg2 COPYs, or None for
what it takes by itself, INSERTs.
"""

import json
import os
import sys
from typing import Any

import dlt
import psycopg2
from dlt.sources.sql_database import sql_database, sql_table

DATASET = "mirror"


def settings(source: str, warehouse: str, folder: str) -> dict[str, str]:
    """The environment that the functions below need; in `folder` dlt keeps what it remembers of its pipelines."""
    return {
        "BENCH_SOURCE": source,
        "BENCH_WAREHOUSE": warehouse,
        "DLT_DATA_DIR": folder,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }


def replace(tables: list[str], file_format: str | None, key: list[str] | None = None) -> None:
    """The tables whole; the key's index is built once all rows are in, which is quicker than to keep it meanwhile."""
    if key:
        _execute(f"ALTER TABLE IF EXISTS {DATASET}.{tables[0]} DROP CONSTRAINT IF EXISTS {tables[0]}_pkey")
    source = sql_database(_sqlalchemy_url(), table_names=tables, backend="connectorx", backend_kwargs=_CONNECTORX)
    _run(source, file_format, write_disposition="replace")
    if key:
        _execute(f"ALTER TABLE {DATASET}.{tables[0]} ADD PRIMARY KEY ({', '.join(key)})")


def upsert(table: str, key: str, cursor: str, file_format: str) -> None:
    """The rows whose cursor is not older than the newest that was seen before."""
    resource = sql_table(
        _sqlalchemy_url(),
        table=table,
        backend="connectorx",
        backend_kwargs=_CONNECTORX,
        incremental=dlt.sources.incremental(cursor),
        primary_key=key,
        write_disposition={"disposition": "merge", "strategy": "upsert"},
    )
    _run(resource, file_format)


_CONNECTORX = {"return_type": "arrow_stream"}


def _run(data: Any, file_format: Any, **said: Any) -> None:
    warehouse = dlt.destinations.postgres(os.environ["BENCH_WAREHOUSE"])
    pipeline = dlt.pipeline("bench", destination=warehouse, dataset_name=DATASET)
    pipeline.run(data, loader_file_format=file_format, **said).raise_on_failed_jobs()


def _sqlalchemy_url() -> str:
    # dlt takes the driver's name out again for connectorx.
    return os.environ["BENCH_SOURCE"].replace("mysql://", "mysql+pymysql://", 1)


def _execute(sql: str) -> None:
    with psycopg2.connect(os.environ["BENCH_WAREHOUSE"]) as connection, connection.cursor() as cursor:
        cursor.execute(sql)


if __name__ == "__main__":
    replace(**json.loads(sys.argv[1]))
