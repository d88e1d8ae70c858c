"""The lake, where a probe is written, read and deleted; and the partners' bucket, which is only listed."""

import contextlib
import email.utils
import http.client
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from etl import config
from etl.doctor import network
from etl.doctor.finding import FAILED, OK, Finding, of_error
from etl.errors import LakeError
from etl.lake import Bucket


def check(section: str) -> Iterator[Finding]:
    store = config.lake() if section == "lake" else config.s3_source()
    endpoint = urlsplit(store.endpoint_url or "")
    if endpoint.hostname:
        port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
        if gone := network.unreachable(section, endpoint.hostname, port):
            yield gone
            return
        safe = endpoint.scheme == "https"
        remedy = f"[{section}] endpoint_url = https://{endpoint.hostname}"
        yield network.tls(section, endpoint.hostname, safe, safe, remedy)
    bucket = Bucket(store)
    where = bucket.url("")
    try:
        next(iter(bucket.list()), None)
    except LakeError as error:
        yield _denied(section, "s3:ListBucket", error)
        if section != "lake":
            return
    else:
        yield Finding(section, "list", OK, f"{where} can be listed")
    asked = time.time()
    if (theirs := _clock(store.endpoint_url or f"https://{bucket.name}.s3.amazonaws.com")) is not None:
        yield network.clock(section, theirs, asked)
    if section == "lake":
        yield from _probe(bucket)


def _clock(url: str) -> float | None:
    """The Date that every answer bears, also one that refuses whoever did not say who he is."""
    try:
        headers = urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=4).headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except (OSError, http.client.HTTPException):
        return None
    return email.utils.parsedate_to_datetime(headers["Date"]).timestamp() if headers.get("Date") else None


def _probe(bucket: Bucket) -> Iterator[Finding]:
    """It is deleted again, unless that is what one may not."""
    key, body = f"doctor/{secrets.token_hex(8)}", b"etl doctor was here"
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("s3:PutObject", lambda: bucket.put(key, body)),
        ("s3:GetObject", lambda: bucket.read(key)),
        ("s3:DeleteObject", lambda: bucket.delete([key])),
    )
    failed = False
    for permission, step in steps:
        try:
            got = step()
        except LakeError as error:
            failed = True
            yield _denied("lake", permission, error)
            if permission == "s3:PutObject":
                return
        else:
            if permission == "s3:GetObject" and got != body:
                failed = True
                said = f"{bucket.url(key)}: what was written is not what is read"
                yield Finding("lake", permission, FAILED, said, "look at the store, or at what stands before it")
    if failed:
        return
    with contextlib.suppress(LakeError):
        if bucket.exists(key):
            said = f"{bucket.url(key)} was deleted, and is still there"
            yield Finding("lake", "s3:DeleteObject", FAILED, said, "look at the store, or at what stands before it")
            return
    yield Finding("lake", "probe", OK, "an object was written, read and deleted")


def _denied(section: str, permission: str, error: LakeError) -> Finding:
    """Named by the one permission that is missing, where that is what the store says."""
    found = of_error(section, permission, error)
    if "access denied" not in str(error):
        return found
    whom = f"grant {permission} to the identity that [{section}] uses"
    return Finding(section, permission, FAILED, f"{permission} is denied at {str(error).partition(': ')[0]}", whom)
