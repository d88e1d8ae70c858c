"""E-mail campaign results as three mail providers deliver them: one meaning, three formats, a folder a day.

    campaigns/YYYY/MM/DD/mailer-a.csv.gz      header, excel quoting, empty for NULL, "2026-03-01 08:15:30"
    campaigns/YYYY/MM/DD/mailer-b.jsonl.zst   a missing key is NULL, "2026-03-01T08:15:30Z"
    campaigns/YYYY/MM/DD/mailer-c.parquet     typed

Files are written batch by batch into memory that holds only what is compressed already.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config

from demo.attention import EMAIL_COLUMNS, days, emails
from demo.business import Business
from etl.config import Store

FOLDER = "campaigns/"

Batches = Iterable[list[tuple[Any, ...]]]

PARQUET_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("campaign", pa.string(), nullable=False),
        pa.field("user_id", pa.int64()),
        pa.field("event_id", pa.int64()),
        pa.field("sent_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("opened_at", pa.timestamp("us", tz="UTC")),
        pa.field("clicked_at", pa.timestamp("us", tz="UTC")),
        pa.field("bounced", pa.bool_(), nullable=False),
        pa.field("revenue", pa.decimal128(10, 2)),
    ]
)


def load(business: Business, store: Store) -> dict[str, int]:
    """Replace the campaign files in the bucket, those of other days included; its other objects are left alone."""
    bucket, prefix = urlsplit(store.url).netloc, urlsplit(store.url).path.strip("/")
    root = f"{prefix}/{FOLDER}" if prefix else FOLDER
    s3 = boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region or "us-east-1",
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=store.secret_access_key,
        config=Config(
            # Some S3-compatible servers store a trailing checksum as if it were data.
            request_checksum_calculation="when_required",
            s3={"addressing_style": "path"} if store.endpoint_url else {},
        ),
    )
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=root):
        for found in page.get("Contents", ()):
            if found["Key"].rpartition("/")[2] in MAILERS:
                s3.delete_object(Bucket=bucket, Key=found["Key"])
    count = 0
    for name, body, rows in files(business):
        s3.put_object(Bucket=bucket, Key=root + name, Body=body)
        count += rows
    return {"campaign_emails": count}


def files(business: Business) -> Iterable[tuple[str, bytes, int]]:
    """Each file's name below `campaigns/`, its bytes and how many e-mails it tells of."""
    for day in days(business):
        for name, written in MAILERS.items():
            body, rows = written(emails(business, name.partition(".")[0], day))
            yield f"{day:%Y/%m/%d}/{name}", body, rows


def _csv_gz(batches: Batches) -> tuple[bytes, int]:
    body, count = io.BytesIO(), 0
    # Neither a time nor a name: gzip would store them, and the same rows would not be the same bytes.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=body, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text)
        writer.writerow(EMAIL_COLUMNS)
        for batch in batches:
            writer.writerows(
                [str(value).lower() if isinstance(value, bool) else value for value in row] for row in batch
            )
            count += len(batch)
    return body.getvalue(), count


def _jsonl_zst(batches: Batches) -> tuple[bytes, int]:
    body, count = pa.BufferOutputStream(), 0
    with pa.CompressedOutputStream(body, "zstd") as packed:
        for batch in batches:
            for row in batch:
                known = {name: value for name, value in zip(EMAIL_COLUMNS, row, strict=True) if value is not None}
                packed.write((json.dumps(known, ensure_ascii=False, default=_plain) + "\n").encode())
            count += len(batch)
    return body.getvalue().to_pybytes(), count


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else f"{value.isoformat()}Z"


def _parquet(batches: Batches) -> tuple[bytes, int]:
    body, count = io.BytesIO(), 0
    with pq.ParquetWriter(body, PARQUET_SCHEMA) as writer:
        for batch in batches:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*batch, strict=True), PARQUET_SCHEMA, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=PARQUET_SCHEMA))
            count += len(batch)
    return body.getvalue(), count


MAILERS: dict[str, Callable[[Batches], tuple[bytes, int]]] = {
    "mailer-a.csv.gz": _csv_gz,
    "mailer-b.jsonl.zst": _jsonl_zst,
    "mailer-c.parquet": _parquet,
}
