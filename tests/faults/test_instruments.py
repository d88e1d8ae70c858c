"""The instruments themselves: a fault that does not come, or comes elsewhere, would prove nothing."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from etl.testing import Bucket
from tests.faults import s3
from tests.faults.tcp import HOST, TO_CLIENT, TO_SERVER, Connection, TcpProxy


@pytest.fixture
def echo() -> Iterator[TcpProxy]:
    """A proxy in front of a server that says what it hears."""
    with socket.create_server((HOST, 0)) as listener, TcpProxy(listener.getsockname()[1]) as proxy:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(100):
                    connection.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)


def said(proxy: TcpProxy, text: bytes) -> bytes:
    """All that comes back until as much has come as was sent, or the connection ends."""
    heard = b""
    with socket.create_connection((HOST, proxy.port), timeout=20) as client:
        client.sendall(text)
        while len(heard) < len(text) and (data := client.recv(100)):
            heard += data
    return heard


def test_bytes_are_forwarded_and_counted(echo):
    assert said(echo, b"x" * 1000) == b"x" * 1000
    assert said(echo, b"yz") == b"yz"
    assert echo.crossed == {TO_SERVER: 1002, TO_CLIENT: 1002}
    assert not echo.fired.is_set()


@pytest.mark.parametrize("byte", [0, 1, 137, 999])
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_a_connection_is_cut_at_its_byte(echo, direction, byte):
    echo.at(direction, byte, Connection.cut)
    # What was sent and not read makes the end a reset; what the server has heard may be on its way back when it comes.
    with contextlib.suppress(ConnectionResetError):
        assert len(said(echo, b"x" * 1000)) <= byte
    assert echo.fired.wait(20) and echo.crossed[direction] == byte
    assert said(echo, b"again") == b"again"


def test_a_reset_is_an_error_to_the_client(echo):
    echo.at(TO_CLIENT, 10, Connection.reset)
    with pytest.raises(ConnectionResetError):
        said(echo, b"x" * 1000)


def test_bytes_stand_still_while_an_action_lasts(echo):
    going_on = threading.Event()
    echo.at(TO_SERVER, 3, lambda connection: going_on.wait(20))
    with socket.create_connection((HOST, echo.port), timeout=20) as client:
        client.sendall(b"abcdef")
        assert client.recv(100) == b"abc"
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)
        going_on.set()
        client.settimeout(20)
        assert client.recv(100) == b"def"


def test_a_server_that_is_down_takes_nobody_until_it_is_back(echo):
    echo.down()
    assert said(echo, b"hello") == b""
    echo.clear()
    assert said(echo, b"hello") == b"hello"


@pytest.fixture
def proxied(bucket: Bucket) -> Iterator[tuple[s3.S3Proxy, Bucket]]:
    """A bucket that is asked through a proxy, by a client that asks once."""
    with s3.S3Proxy(int(bucket.endpoint_url.rpartition(":")[2])) as proxy:
        bucket.client = boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{proxy.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        yield proxy, bucket


def test_requests_are_forwarded_and_counted_by_operation(proxied):
    proxy, bucket = proxied
    bucket.put("a", b"body")
    assert (bucket.get("a"), bucket.keys()) == (b"body", ["a"])
    assert bucket.client.head_object(Bucket=bucket.name, Key="a")["ContentLength"] == 4
    upload = {"Bucket": bucket.name, "Key": "b"}
    upload["UploadId"] = bucket.client.create_multipart_upload(**upload)["UploadId"]
    part = bucket.client.upload_part(**upload, PartNumber=1, Body=b"piece")["ETag"]
    bucket.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    bucket.client.delete_object(Bucket=bucket.name, Key="a")
    assert bucket.keys() == ["b"] and not proxy.fired.is_set()
    assert proxy.seen == {
        "PutObject": 1, "GetObject": 1, "HeadObject": 1, "ListObjects": 2, "DeleteObject": 1,
        "CreateMultipartUpload": 1, "UploadPart": 1, "CompleteMultipartUpload": 1,
    }  # fmt: skip


def test_the_chosen_requests_are_refused_and_no_others(proxied):
    proxy, bucket = proxied
    bucket.put("a", b"body")
    proxy.answer("GetObject", 2, s3.refusal(503, "SlowDown"), times=2)
    assert bucket.get("a") == b"body"
    for _ in range(2):
        with pytest.raises(botocore.exceptions.ClientError, match="SlowDown"):
            bucket.get("a")
    assert bucket.get("a") == b"body" and proxy.fired.is_set()


@pytest.mark.parametrize(
    ("fault", "becomes"),
    [(s3.truncated(0.5), b"01234"), (s3.altered(0.5, 0), b"0123446789"), (s3.dripping(4, 0.001), b"0123456789")],
)
def test_a_body_becomes_another(proxied, fault, becomes):
    proxy, bucket = proxied
    bucket.put("a", b"0123456789")
    proxy.answer("GetObject", 1, fault)
    # The answer's checksum is not asked for here.
    assert bucket.client.get_object(Bucket=bucket.name, Key="a", ChecksumMode="DISABLED")["Body"].read() == becomes


def test_a_body_that_breaks_off(proxied):
    proxy, bucket = proxied
    bucket.put("a", b"0123456789")
    proxy.answer("GetObject", 1, s3.broken_body(0.5))
    with pytest.raises(botocore.exceptions.BotoCoreError):
        bucket.get("a")


@pytest.mark.parametrize(("fault", "there"), [(s3.lost_answer, ["a"]), (s3.lost_request, [])])
def test_what_is_lost_is_the_answer_or_the_request(proxied, fault, there):
    proxy, bucket = proxied
    proxy.answer("PutObject", 1, fault)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        bucket.put("a", b"body")
    assert bucket.keys() == there


def test_half_a_request_is_none(proxied):
    proxy, bucket = proxied
    with socket.create_connection((HOST, proxy.port), timeout=20) as client:
        client.sendall(f"PUT /{bucket.name}/a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nhalf".encode())
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert bucket.keys() == []
