"""A bucket on S3: objects in, objects out. No other module talks to S3."""

import concurrent.futures
import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions

from etl import config
from etl.errors import ConfigError, LakeBusy, LakeError
from etl.failpoint import failpoint

# S3 takes multipart pieces of 5 MiB and more (the last one excepted).
_PIECE = 8 * 1024 * 1024


@dataclass(frozen=True)
class Object:
    """An object as the server lists it; `key` is relative to the bucket's prefix, `size` in bytes."""

    key: str
    size: int
    etag: str
    modified: datetime


class Bucket:
    """The objects below one `s3://bucket/prefix`. Keys are relative to that prefix.

    Every failure is a LakeError that names the object and what the server said. A server that is busy or does not
    answer is asked five times by botocore; then it is a LakeBusy.
    """

    def __init__(self, store: config.Store):
        parts = urlsplit(store.url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigError(f"{store.url}: not a bucket; write s3://bucket/prefix")
        self.name = parts.netloc
        self.prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        self._store = store

    def url(self, key: str) -> str:
        return f"s3://{self.name}/{self.prefix}{key}"

    def key(self, url: str) -> str:
        """The inverse of `url`; a LakeError for an object that lies elsewhere."""
        root = self.url("")
        if not url.startswith(root):
            raise LakeError(f"{url}: outside {root}; is [lake] url the one it was written with?")
        return url[len(root) :]

    def exists(self, key: str) -> bool:
        """One HEAD request."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """In bytes; None when there is no such object."""
        return self.stamp(key)[0]

    def stamp(self, key: str) -> tuple[int | None, str]:
        """Size and ETag, of which one at least is another when the object is; (None, '') when there is none."""
        try:
            with self._explained(key):
                answer = self._s3.head_object(Bucket=self.name, Key=self.prefix + key)
        except _Absent:
            return None, ""
        return answer["ContentLength"], _etag(answer)

    def open(self, key: str, etag: str | None = None) -> BinaryIO:
        """The object as a stream that is read once, front to back; with `etag`, that version of it or LakeError."""
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        try:
            with self._explained(key):
                answer = self._s3.get_object(Bucket=self.name, Key=self.prefix + key, **condition)
        except _Absent:
            raise LakeError(f"{self.url(key)}: not there any more; extract it again") from None
        except _Present:
            raise LakeError(f"{self.url(key)}: replaced since it was listed (etag {etag}); run again") from None
        # A server may ignore If-Match.
        if etag and answer["ETag"].strip('"') != etag:
            answer["Body"].close()
            raise LakeError(
                f"{self.url(key)}: replaced since it was listed (etag {etag}, now {answer['ETag']}); run again"
            )
        return answer["Body"]

    def read(self, key: str) -> bytes:
        with contextlib.closing(self.open(key)) as body, self._explained(key):
            return body.read()

    def put_new(self, key: str, body: bytes) -> bool:
        """Write the object unless it exists; False when it did.

        The condition is the server's (If-None-Match). A server that ignores the header overwrites.
        """
        try:
            with self._explained(key):
                self._s3.put_object(Bucket=self.name, Key=self.prefix + key, Body=body, IfNoneMatch="*")
        except _Present:
            return False
        return True

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write the object, in place of one of that key. A browser shows what it knows by its `content_type`."""
        with self._explained(key):
            self._s3.put_object(Bucket=self.name, Key=self.prefix + key, Body=body, ContentType=content_type)

    def list(self, prefix: str = "") -> Iterator[Object]:
        with self._explained(prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix + prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    yield Object(
                        item["Key"][len(self.prefix) :], item["Size"], item["ETag"].strip('"'), item["LastModified"]
                    )

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._explained(key):
                self._s3.delete_object(Bucket=self.name, Key=self.prefix + key)

    def upload(self, key: str) -> "Upload":
        return Upload(self, key)

    def abort_uploads(self, prefix: str, but: str = "") -> None:
        """Abandon every unfinished multipart upload below the prefix but one: what a killed process leaves."""
        absent = self._s3.exceptions.NoSuchUpload
        # rclone's S3 server answers NoSuchUpload when there is none.
        with self._explained(prefix), contextlib.suppress(absent):
            pages = self._s3.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.name, Prefix=self.prefix + prefix):
                for upload in page.get("Uploads", ()):
                    if upload["UploadId"] == but:
                        continue
                    # Its own attempt may end it meanwhile.
                    with contextlib.suppress(absent):
                        self._s3.abort_multipart_upload(
                            Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    @property
    def _s3(self) -> Any:
        store = self._store
        return _client(store.endpoint_url, store.region, store.access_key_id, store.secret_access_key, os.getpid())

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except botocore.exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in ("404", "NoSuchKey", "NotFound"):
                raise _Absent from None
            if code in ("412", "PreconditionFailed", "ConditionalRequestConflict"):
                raise _Present from None
            said = f"{self.url(key)}: {_advice(code, self._store)}"
            if code in _BUSY or _status(error) >= 500:
                raise LakeBusy(f"{said}; {_LATER}") from None
            raise LakeError(said) from None
        except botocore.exceptions.SSLError as error:
            raise LakeError(f"{self.url(key)}: {error}") from None
        except _BROKEN as error:
            raise LakeBusy(f"{self.url(key)}: {error}; {_LATER}") from None
        except botocore.exceptions.BotoCoreError as error:
            raise LakeError(f"{self.url(key)}: {error}") from None


class Upload:
    """A writable stream that becomes an object when it is closed, and nothing when it is aborted.

    Holds two pieces of 8 MiB, one of which travels while the other fills: a small object is one PUT, a larger one a
    multipart upload. `size` and `sha256` describe the bytes written so far, `etag` the object once it is there.
    """

    closed = False

    def __init__(self, bucket: Bucket, key: str):
        self._bucket = bucket
        self._where = {"Bucket": bucket.name, "Key": bucket.prefix + key}
        self._key = key
        self._pending = bytearray()
        self._pieces: list[dict[str, Any]] = []
        self._upload: str | None = None
        self._courier: concurrent.futures.ThreadPoolExecutor | None = None
        self._travelling: concurrent.futures.Future[None] | None = None
        self._digest = hashlib.sha256()
        self.size = 0
        self.etag = ""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        if self.closed:
            # A compressor flushes what it holds when it is destroyed, and must not begin an aborted upload again.
            return len(data)
        self._digest.update(data)
        self.size += len(data)
        self._pending += data
        if len(self._pending) >= _PIECE:
            self._send()
        return len(data)

    def flush(self) -> None:
        """Nothing: a piece is sent when it is full."""

    def close(self) -> None:
        if self.closed:
            return
        failpoint("upload.before_close")
        with self._bucket._explained(self._key):
            if self._upload is None:
                self.etag = _etag(self._bucket._s3.put_object(**self._where, Body=self._pending))
            else:
                if self._pending:
                    self._send()
                self._arrive()
                self._complete()
                # Not every server gives the finished object the ETag that it answers with.
                _, self.etag = self._bucket.stamp(self._key)
        self._dismiss()
        self.closed = True
        failpoint("upload.after_close")

    def abort(self) -> None:
        """Leave nothing behind; safe to call at any time, and best effort when the server is gone."""
        # A piece that arrives after its upload was abandoned would stay.
        with contextlib.suppress(LakeError):
            self._arrive()
        self._dismiss()
        if not self.closed and self._upload is not None:
            with contextlib.suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                self._bucket._s3.abort_multipart_upload(**self._where, UploadId=self._upload)
        self.closed = True

    def _complete(self) -> None:
        s3 = self._bucket._s3
        try:
            s3.complete_multipart_upload(**self._where, UploadId=self._upload, MultipartUpload={"Parts": self._pieces})
        except s3.exceptions.NoSuchUpload:
            # What was asked again, because its answer was lost, may have been done the first time.
            if self._bucket.size(self._key) != self.size:
                raise

    def _send(self) -> None:
        with self._bucket._explained(self._key):
            if self._upload is None:
                answer = self._bucket._s3.create_multipart_upload(**self._where)
                self._upload = answer["UploadId"]
                if answer["ResponseMetadata"].get("RetryAttempts"):
                    # Of a request whose answer was lost nobody knows the id of what it began.
                    self._bucket.abort_uploads(self._key, but=answer["UploadId"])
        self._arrive()
        if self._courier is None:
            self._courier = concurrent.futures.ThreadPoolExecutor(1)
        self._travelling = self._courier.submit(self._deliver, len(self._pieces) + 1, self._pending)
        self._pending = bytearray()

    def _deliver(self, number: int, piece: bytearray) -> None:
        with self._bucket._explained(self._key):
            answer = self._bucket._s3.upload_part(**self._where, UploadId=self._upload, PartNumber=number, Body=piece)
        self._pieces.append({"PartNumber": number, "ETag": answer["ETag"]})
        failpoint("upload.piece")

    def _arrive(self) -> None:
        """Wait for the piece that is on its way; what became of it is raised here."""
        travelling, self._travelling = self._travelling, None
        if travelling is not None:
            travelling.result()

    def _dismiss(self) -> None:
        if self._courier is not None:
            self._courier.shutdown()
            self._courier = None


_LATER = "run again when it answers"

# Codes of answers that a later request may not get; of those with 5xx all are such.
_BUSY = {"SlowDown", "RequestTimeout", "RequestTimeoutException", "Throttling", "ThrottlingException", "InternalError"}

# Connections that could not be made, were silent for too long, or broke off, also in the middle of a body.
_BROKEN = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.IncompleteReadError,
)


def _etag(answer: dict[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')


class _Absent(Exception):
    pass


class _Present(Exception):
    pass


@functools.lru_cache(maxsize=8)
def _client(
    endpoint_url: str | None, region: str | None, access_key_id: str | None, secret_access_key: str | None, pid: int
) -> Any:
    """One client a process, for all buckets of an account: its connection pool must not be shared across a fork."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=region or "us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            # Trailing checksums are chunked in a way that S3-compatible servers may store as data;
            # a part's sha256 stands in the manifest and is verified when it is read.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint_url else {},
        ),
    )


def _status(error: botocore.exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _advice(code: str, store: config.Store) -> str:
    known = {
        "NoSuchBucket": "no such bucket; create it, or mend the url",
        "AccessDenied": "access denied; the credentials need s3:GetObject, PutObject, DeleteObject and ListBucket here",
        # The answer to a HEAD says no more than its number.
        "403": "access denied; check access_key_id and secret_access_key, and that they are allowed s3:GetObject, "
        "PutObject, DeleteObject and ListBucket here",
        "InvalidAccessKeyId": "the server does not know this access_key_id",
        "SignatureDoesNotMatch": "the secret_access_key is not the one that belongs to the access_key_id",
        "ExpiredToken": "the credentials have expired; renew them and run again",
        "NoSuchUpload": "another attempt at this extract took over and abandoned this upload",
    }
    server = store.endpoint_url or "S3"
    return known.get(code, f"{server} answered {code}")
