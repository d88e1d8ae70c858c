"""Objects in and out of two S3 servers that differ: moto honours If-None-Match, rclone checks credentials."""

import contextlib
import hashlib
import multiprocessing
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import boto3
import botocore.client
import botocore.config
import botocore.endpoint
import botocore.exceptions
import pytest

from etl import config
from etl.errors import ConfigError, LakeBusy, LakeError
from etl.lake import Bucket
from etl.stack import S3
from etl.testing.servers import started
from tests.faults.s3 import Exchange, S3Proxy, broken_body, lost_answer, lost_request, refusal

PIECE = 8 << 20


@pytest.fixture(scope="session")
def rclone_s3(server_folder) -> Iterator[S3]:
    server = S3(server_folder / "s3")
    with started(server):
        yield server


@pytest.fixture
def rclone_store(rclone_s3) -> config.Store:
    return config.Store(
        url=f"s3://lake/{uuid.uuid4().hex}",
        endpoint_url=rclone_s3.endpoint,
        access_key_id=rclone_s3.password("access_key_id"),
        secret_access_key=rclone_s3.password("secret_access_key"),
    )


@pytest.fixture(params=["moto", "rclone"])
def store(request) -> config.Store:
    if request.param == "rclone":
        return request.getfixturevalue("rclone_store")
    made = request.getfixturevalue("bucket")
    return config.Store(f"{made.url}/some/prefix/", made.endpoint_url, None, "test", "test")


@pytest.fixture
def place(store) -> Bucket:
    return Bucket(store)


def client(store: config.Store) -> botocore.client.BaseClient:
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=store.secret_access_key,
    )


def unfinished(store: config.Store, place: Bucket) -> list[str]:
    s3 = client(store)
    try:
        return [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=place.name).get("Uploads", ())]
    except s3.exceptions.NoSuchUpload:
        return []


def write(place: Bucket, key: str, body: bytes) -> None:
    with contextlib.closing(place.upload(key)) as upload:
        upload.write(body)


def keys(place: Bucket, prefix: str = "") -> list[str]:
    return sorted(found.key for found in place.list(prefix))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 12345])
def test_what_is_uploaded_comes_back(place, size):
    body = os.urandom(1 << 20) * (size // (1 << 20) + 1)
    body = body[:size]
    upload = place.upload("folder/a key é +")
    for start in range(0, size, 3_000_000):
        upload.write(body[start : start + 3_000_000])
    assert not place.exists("folder/a key é +")
    upload.close()
    assert (upload.size, upload.sha256) == (size, hashlib.sha256(body).hexdigest())
    assert place.size("folder/a key é +") == size
    assert place.read("folder/a key é +") == body


def test_a_write_larger_than_a_piece(place, store):
    body = os.urandom(PIECE * 2 + 1)
    write(place, "big", body)
    assert place.read("big") == body
    assert unfinished(store, place) == []


@pytest.mark.parametrize("size", [10, PIECE, PIECE * 2 + 5])
def test_an_aborted_upload_leaves_nothing(place, store, size):
    upload = place.upload("x/part")
    upload.write(b"x" * size)
    upload.abort()
    upload.close()
    upload.abort()
    assert keys(place) == []
    assert unfinished(store, place) == []


def test_closing_twice_writes_once(place):
    upload = place.upload("x")
    upload.write(b"1")
    upload.close()
    place.delete(["x"])
    upload.close()
    assert not place.exists("x")


def test_keys_are_relative_to_the_prefix(place, store):
    write(place, "a/1", b"1")
    write(place, "a/2", b"22")
    write(place, "b", b"333")
    assert keys(place) == ["a/1", "a/2", "b"]
    assert keys(place, "a/") == ["a/1", "a/2"]
    assert keys(place, "nothing/") == []
    assert {found.key: found.size for found in place.list()} == {"a/1": 1, "a/2": 2, "b": 3}
    prefix = place.prefix
    assert prefix.strip("/")
    assert client(store).get_object(Bucket=place.name, Key=prefix + "a/2")["Body"].read() == b"22"
    assert place.url("a/2") == f"s3://{place.name}/{prefix}a/2"
    assert place.key(place.url("a/2")) == "a/2"


def test_a_url_elsewhere_is_refused(place):
    with pytest.raises(LakeError, match=r"s3://other/key: outside s3://.*; is \[lake\] url the one"):
        place.key("s3://other/key")


@pytest.mark.exam
def test_many_objects_are_listed_and_deleted(bucket):
    place = Bucket(config.Store(bucket.url, bucket.endpoint_url, None, "test", "test"))
    names = {f"n/{i:04}" for i in range(1001)}
    for name in names:
        bucket.put(name, b"")
    assert {found.key for found in place.list("n/")} == names
    place.delete(found.key for found in place.list("n/"))
    assert keys(place) == []


def test_deleting_what_is_not_there_is_no_error(place):
    write(place, "a", b"")
    place.delete(["a", "a", "never/was"])
    assert keys(place) == []


def test_an_absent_object(place):
    assert place.size("no") is None
    assert not place.exists("no")
    with pytest.raises(LakeError, match="/no: not there any more; extract it again"):
        place.read("no")


def test_a_prefix_is_not_an_object(place):
    write(place, "a/b", b"")
    assert not place.exists("a")


def test_put_new_of_a_new_object(place):
    assert place.put_new("m", b"first") is True
    assert place.read("m") == b"first"


def test_put_new_leaves_a_twins_object_alone(bucket):
    place = Bucket(config.Store(bucket.url, bucket.endpoint_url, None, "test", "test"))
    place.put_new("m", b"first")
    assert place.put_new("m", b"second") is False
    assert place.read("m") == b"first"


def test_put_new_overwrites_on_a_server_that_ignores_the_condition(rclone_store):
    """Known and accepted for the local stack; should rclone learn it, the docstring of put_new may say more."""
    place = Bucket(rclone_store)
    place.put_new("m", b"first")
    assert place.put_new("m", b"second") is True
    assert place.read("m") == b"second"


def test_abort_uploads_ends_those_below_the_prefix_and_no_others(place, store):
    lost = [place.upload(f"mine/{i}") for i in range(2)]
    other, whole = place.upload("mine-not/0"), place.upload("mine/whole")
    for upload in (*lost, other, whole):
        upload.write(b"x" * PIECE)
    whole.close()
    assert len(unfinished(store, place)) == 3
    place.abort_uploads("mine/")
    assert unfinished(store, place) == [place.prefix + "mine-not/0"]
    assert keys(place) == ["mine/whole"]
    other.close()
    assert place.size("mine-not/0") == PIECE
    place.abort_uploads("mine/")


def test_an_upload_that_another_attempt_abandoned(rclone_store):
    """Moto answers this with its own failure."""
    place = Bucket(rclone_store)
    upload = place.upload("mine/0")
    upload.write(b"x" * PIECE)
    place.abort_uploads("mine/")
    with pytest.raises(LakeError, match="mine/0: another attempt at this extract took over"):
        upload.close()


@pytest.mark.exam
def test_more_unfinished_uploads_than_one_page_lists(bucket):
    place = Bucket(config.Store(bucket.url, bucket.endpoint_url, None, "test", "test"))
    for i in range(1001):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=f"mine/{i}")
    place.abort_uploads("mine/")
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)


def test_a_forked_process_has_a_connection_of_its_own(place):
    write(place, "a", b"parent")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(place.read, ["a"] * 8) == [b"parent"] * 8
    assert place.read("a") == b"parent"


@pytest.mark.parametrize("url", ["", "lake", "s3://", "s3:///key", "https://lake/x", "file:///lake"])
def test_a_url_that_is_no_bucket(url):
    with pytest.raises(ConfigError, match="not a bucket; write s3://bucket/prefix"):
        Bucket(config.Store(url))


ACTIONS = {
    "exists": lambda place: place.exists("k"),
    "read": lambda place: place.read("k"),
    "list": lambda place: list(place.list("k")),
    "upload": lambda place: write(place, "k", b"x"),
    "multipart": lambda place: write(place, "k", b"x" * PIECE),
    "put_new": lambda place: place.put_new("k", b"x"),
    "delete": lambda place: place.delete(["k"]),
    "abort_uploads": lambda place: place.abort_uploads("k"),
}


@pytest.fixture(params=ACTIONS)
def action(request):
    return ACTIONS[request.param]


def failure(action, store: config.Store) -> str:
    with pytest.raises(LakeError) as caught:
        action(Bucket(store))
    said = str(caught.value)
    assert said.startswith(f"{Bucket(store).url('k')}: ")
    assert "\n" not in said
    assert "hush" not in said
    return said


def test_a_dead_server(action, monkeypatch):
    """Botocore waits between its five attempts, the test does not."""
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda _: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        store = config.Store("s3://lake/p", nobody, None, "key", "hush")
        assert f'Could not connect to the endpoint URL: "{nobody}/lake' in failure(action, store)


@pytest.mark.parametrize("name", ["upload", "multipart", "put_new", "list", "read"])
def test_a_bucket_that_is_not_there(store, name):
    absent = config.Store(
        f"s3://absent-{uuid.uuid4().hex}", store.endpoint_url, None, store.access_key_id, store.secret_access_key
    )
    assert "no such bucket; create it, or mend the url" in failure(ACTIONS[name], absent)


def test_an_access_key_that_the_server_does_not_know(action, rclone_store):
    store = config.Store(rclone_store.url, rclone_store.endpoint_url, None, "nobody", "hush")
    said = failure(action, store)
    assert "access_key_id" in said


def test_a_wrong_secret(action, rclone_store):
    store = config.Store(rclone_store.url, rclone_store.endpoint_url, None, rclone_store.access_key_id, "hush")
    said = failure(action, store)
    assert "secret_access_key" in said


def test_no_credentials_at_all(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "Unable to locate credentials" in failure(ACTIONS["read"], config.Store(bucket.url, bucket.endpoint_url))


# ---- a server on a bad day


@pytest.fixture
def weather(bucket, monkeypatch) -> Iterator[S3Proxy]:
    """Botocore waits between its attempts, the test does not."""
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda _: None)
    with S3Proxy(urlsplit(bucket.endpoint_url).port) as proxy:
        yield proxy


@pytest.fixture
def behind(bucket, weather) -> Bucket:
    return Bucket(config.Store(bucket.url, f"http://127.0.0.1:{weather.port}", None, "test", "test"))


def refusal_that_says_ok(exchange: Exchange) -> None:
    """As S3 answers a multipart upload whose pieces it cannot join, the status having been sent before it tried."""
    exchange.answer(200, [("Content-Type", "application/xml")], b"<Error><Code>InternalError</Code></Error>")


PASSING = {
    "500": refusal(500, "InternalError"),
    "503": refusal(503, "SlowDown"),
    "200, and an error in it": refusal_that_says_ok,
    "too slow for it": refusal(400, "RequestTimeout"),
    "reset before the answer": lost_request,
    "reset after it was done": lost_answer,
}
MULTIPART = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
WEATHER = [
    (operation, fault)
    for operation in ("PutObject", *MULTIPART)
    for fault in PASSING
    if operation == "CompleteMultipartUpload" or not fault.startswith("200")
]


@pytest.mark.parametrize(("operation", "fault"), WEATHER)
def test_what_passes_is_not_noticed(behind, weather, operation, fault):
    weather.answer(operation, 1, PASSING[fault], times=2 if fault != "reset after it was done" else 1)
    body = os.urandom(1 << 20) * (9 if operation in MULTIPART else 1)
    write(behind, "k", body)
    assert weather.fired.is_set()
    assert behind.read("k") == body


@pytest.mark.parametrize(
    ("operation", "fault"), [one for one in WEATHER if one != ("CompleteMultipartUpload", "reset after it was done")]
)
def test_what_does_not_pass_in_five_attempts_may_pass_later(behind, weather, operation, fault):
    weather.answer(operation, 1, PASSING[fault], times=100)
    with pytest.raises(LakeBusy, match=r"^s3://.*/k: "):
        write(behind, "k", b"x" * (PIECE + 1 if operation in MULTIPART else 1))
    assert weather.seen[operation] == 5


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (400, "ExpiredToken"), (404, "NoSuchBucket"), (404, "NoSuchUpload")]
)
def test_what_does_not_pass_is_asked_once(behind, weather, status, code):
    weather.answer("PutObject", 1, refusal(status, code), times=100)
    with pytest.raises(LakeError) as failure:
        write(behind, "k", b"x")
    assert not isinstance(failure.value, LakeBusy)
    assert weather.seen["PutObject"] == 1


def test_an_upload_that_was_done_without_an_answer_is_done(behind, weather):
    """Whoever asks again is told that there is no such upload any more."""
    answers = iter([lost_answer, refusal(404, "NoSuchUpload")])
    weather.answer("CompleteMultipartUpload", 1, lambda exchange: next(answers)(exchange), times=2)
    write(behind, "k", b"x" * (PIECE + 1))
    assert next(answers, None) is None
    assert behind.size("k") == PIECE + 1


def test_an_upload_that_was_begun_without_an_answer_is_abandoned(behind, weather, bucket):
    weather.answer("CreateMultipartUpload", 1, lost_answer)
    write(behind, "k", b"x" * (PIECE + 1))
    assert weather.seen["CreateMultipartUpload"] == 2
    assert behind.size("k") == PIECE + 1
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)


def test_an_upload_that_was_ended_by_another_is_not_taken_for_ours(behind, weather):
    weather.answer("CompleteMultipartUpload", 1, refusal(404, "NoSuchUpload"))
    with pytest.raises(LakeError, match="another attempt at this extract took over"):
        write(behind, "k", b"x" * (PIECE + 1))


@pytest.mark.parametrize("share", [0, 0.5])
def test_an_object_that_breaks_off_may_come_whole_later(behind, weather, share):
    write(behind, "k", os.urandom(100_000))
    weather.answer("GetObject", 1, broken_body(share))
    with pytest.raises(LakeBusy, match=r"^s3://.*/k: "):
        behind.read("k")
    assert len(behind.read("k")) == 100_000


def test_a_server_that_says_nothing_may_answer_later(behind, weather, monkeypatch):
    """The silence that is borne is shorter here, and else as it is."""
    made = botocore.config.Config
    monkeypatch.setattr(botocore.config, "Config", lambda **said: made(**said | {"read_timeout": 0.1}))
    silent = threading.Event()
    weather.answer("GetObject", 1, lambda exchange: silent.wait(20), times=100)
    with pytest.raises(LakeBusy, match=r"^s3://.*/k: Read timeout"):
        behind.read("k")
    silent.set()
    assert weather.seen["GetObject"] == 5
