"""Passwords that AWS gives: by moto's Redshift, and by a server that answers as the API's reference says."""

import json
import socket
import threading
import traceback
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import boto3
import pytest

from etl.errors import ConfigError, WarehouseError, WarehouseLost
from etl.testing.servers import Moto
from etl.warehouse import redshift_credentials
from etl.warehouse.redshift_credentials import Credentials, credentials

SECRET = "canary-secret-key"
TOKEN = "canary-session-token"
PASSWORD = "canary-database-password"
CLUSTER = "shop.abc123xyz789.eu-central-1.redshift.amazonaws.com"
WORKGROUP = "shop.123456789012.eu-central-1.redshift-serverless.amazonaws.com"


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AWS identity of the test's own, nothing kept from another test, and no search of the machine's."""
    monkeypatch.setattr(redshift_credentials, "_kept", {})
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nowhere"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
    ):
        monkeypatch.setenv(name, value)


@pytest.fixture
def cluster(moto_s3: Moto, monkeypatch: pytest.MonkeyPatch) -> str:
    """The host name of a cluster that moto's Redshift knows."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", moto_s3.endpoint)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    boto3.client("redshift", region_name="eu-central-1").create_cluster(
        ClusterIdentifier=name, NodeType="ra3.xlplus", MasterUsername="admin", MasterUserPassword="Passw0rdPassw0rd"
    )
    return f"{name}.abc123xyz789.eu-central-1.redshift.amazonaws.com"


class Api(ThreadingHTTPServer):
    """Answers every request with the next of `answers`, the last one for ever, and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, str]] = []
        self.asked: list[tuple[str, dict]] = []

    def answer(self, status: int, body: str) -> None:
        self.answers.append((status, body))


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        api: Api = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target")
        fields = json.loads(body) if target else {name: values[0] for name, values in parse_qs(body).items()}
        api.asked.append((target or fields["Action"], fields))
        status, text = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if target else "text/xml")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    server = Api()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    for name in ("REDSHIFT", "REDSHIFT_SERVERLESS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", f"http://127.0.0.1:{server.server_address[1]}")
    yield server
    server.shutdown()
    server.server_close()


def serverless(user: str = "IAMR:etl-loader", seconds: int = 3600) -> str:
    """As the reference of GetCredentials has it: times are seconds since 1970."""
    expires = (datetime.now(timezone.utc) + timedelta(seconds=seconds)).timestamp()
    return json.dumps({"dbPassword": PASSWORD, "dbUser": user, "expiration": expires, "nextRefreshTime": expires})


def provisioned(action: str, user: str) -> str:
    """As the reference of GetClusterCredentials and …WithIAM has it."""
    expires = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f'<{action}Response xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><{action}Result>'
        f"<DbUser>{user}</DbUser><DbPassword>{PASSWORD}</DbPassword><Expiration>{expires}</Expiration>"
        f"</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )


def refused(code: str, message: str = "no") -> str:
    return (
        '<ErrorResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )


def test_a_cluster_gives_a_password_for_the_user_of_the_url(cluster: str) -> None:
    found = credentials(f"redshift://etl_load@{cluster}:5439/warehouse")
    assert found.user == "IAM:etl_load"
    assert len(found.password) == 32
    left = found.expires - datetime.now(timezone.utc)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)


def test_a_cluster_that_is_not_there(cluster: str) -> None:
    with pytest.raises(WarehouseError, match=r"cluster other in eu-central-1: AWS knows no such cluster.*hostaddr"):
        credentials(f"redshift://etl_load@other.{cluster.partition('.')[2]}:5439/warehouse")


def test_a_cluster_is_asked_for_the_user_of_the_url_alone(api: Api) -> None:
    api.answer(200, provisioned("GetClusterCredentials", "IAM:etl_load"))
    assert credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse").password == PASSWORD
    ((action, fields),) = api.asked
    assert action == "GetClusterCredentials"
    assert fields.items() >= {
        ("ClusterIdentifier", "shop"),
        ("DbUser", "etl_load"),
        ("DbName", "warehouse"),
        ("AutoCreate", "false"),
        ("DurationSeconds", "3600"),
    }


def test_without_a_user_a_cluster_says_who_we_are(api: Api) -> None:
    api.answer(200, provisioned("GetClusterCredentialsWithIAM", "IAMR:etl-loader"))
    assert credentials(f"redshift://{CLUSTER}:5439/warehouse").user == "IAMR:etl-loader"
    ((action, fields),) = api.asked
    assert action == "GetClusterCredentialsWithIAM"
    assert "DbUser" not in fields


def test_a_workgroup_says_who_we_are(api: Api) -> None:
    api.answer(200, serverless())
    found = credentials(f"redshift://{WORKGROUP}:5439/warehouse")
    assert (found.user, found.password) == ("IAMR:etl-loader", PASSWORD)
    assert found.expires.tzinfo is not None
    assert api.asked == [
        (
            "RedshiftServerless.GetCredentials",
            {"workgroupName": "shop", "dbName": "warehouse", "durationSeconds": 3600},
        )
    ]


def test_a_workgroup_that_knows_us_by_another_name_than_the_url(api: Api) -> None:
    api.answer(200, serverless())
    with pytest.raises(ConfigError, match=r"url says etl_load.*as IAMR:etl-loader; leave the user away"):
        credentials(f"redshift://etl_load@{WORKGROUP}:5439/warehouse")
    assert credentials(f"redshift://IAMR%3Aetl-loader@{WORKGROUP}:5439/warehouse").user == "IAMR:etl-loader"


def test_a_password_is_asked_for_once(api: Api) -> None:
    api.answer(200, serverless())
    url = f"redshift://{WORKGROUP}:5439/warehouse"
    assert credentials(url) is credentials(url)
    credentials(f"redshift://{WORKGROUP}:5439/other")
    assert [fields["dbName"] for _, fields in api.asked] == ["warehouse", "other"]


def test_a_password_that_expires_soon_is_asked_for_again(api: Api) -> None:
    api.answer(200, serverless(seconds=60))
    api.answer(200, serverless())
    url = f"redshift://{WORKGROUP}:5439/warehouse"
    first, second = credentials(url), credentials(url)
    assert second.expires > first.expires
    assert credentials(url) is second


@pytest.mark.parametrize(
    ("host", "region", "arn"),
    [
        (CLUSTER, "eu-central-1", "arn:aws:redshift:eu-central-1:<account>:dbuser:shop/etl_load and arn:aws:"),
        ("shop.abc.cn-north-1.redshift.amazonaws.com.cn", "cn-north-1", "arn:aws-cn:redshift:cn-north-1:"),
    ],
)
def test_a_cluster_that_denies_says_which_permission_is_missing(api: Api, host: str, region: str, arn: str) -> None:
    api.answer(403, refused("AccessDenied", f"User {TOKEN} is not authorized"))
    with pytest.raises(WarehouseError) as caught:
        credentials(f"redshift://etl_load@{host}:5439/warehouse")
    said = str(caught.value)
    assert f"cluster shop in {region}: access denied" in said
    assert "redshift:GetClusterCredentials on " + arn in said
    assert "dbname:shop/warehouse" in said
    assert not isinstance(caught.value, WarehouseLost)


def test_a_workgroup_that_denies_says_which_permission_is_missing(api: Api) -> None:
    api.answer(400, json.dumps({"__type": "AccessDeniedException", "message": "no"}))
    with pytest.raises(WarehouseError, match=r"access denied; allow .* redshift-serverless:GetCredentials on arn:aws:"):
        credentials(f"redshift://{WORKGROUP}:5439/warehouse")


def test_a_workgroup_that_is_not_there(api: Api) -> None:
    body = {"__type": "ResourceNotFoundException", "message": "no", "resourceName": "shop"}
    api.answer(404, json.dumps(body))
    with pytest.raises(WarehouseError, match="knows no such workgroup"):
        credentials(f"redshift://{WORKGROUP}:5439/warehouse")


def test_credentials_that_have_expired(api: Api) -> None:
    api.answer(403, refused("ExpiredToken"))
    with pytest.raises(WarehouseError, match=r"expired or wrong \(ExpiredToken\); renew them"):
        credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")


def test_a_busy_service_may_answer_the_next_time(api: Api) -> None:
    api.answer(400, refused("Throttling"))
    with pytest.raises(WarehouseLost, match="answered Throttling; run again later"):
        credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")
    assert len(api.asked) == 3


def test_no_credentials_to_ask_with(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(WarehouseError, match="no AWS credentials to ask for one with; give this machine a role"):
        credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")
    assert api.asked == []


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(WarehouseError, match="no AWS credentials"):
        credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")


def test_an_endpoint_that_nobody_answers_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(WarehouseLost, match=r"does not answer.*VPC endpoint for the redshift API"):
            credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5",
        "warehouse.example.com",
        "shop.eu-central-1.redshift.amazonaws.com",
        "shop.abc.eu-central-1.redshift.amazonaws.com.evil.example",
        "shop.abc.eu-central-1.redshift-serverless.amazonaws.com",
        "shop.abc.eu-central-1.rds.amazonaws.com",
    ],
)
def test_a_host_that_names_no_cluster(host: str) -> None:
    with pytest.raises(ConfigError, match=r"has no password.*\$\{ENV_VAR\}.*hostaddr=10\.0\.0\.5"):
        credentials(f"redshift://etl_load@{host}:5439/warehouse")


def test_a_url_without_a_database() -> None:
    with pytest.raises(ConfigError, match="names no database"):
        credentials(f"redshift://etl_load@{CLUSTER}:5439")


def test_another_address_keeps_the_host_name(api: Api) -> None:
    api.answer(200, serverless())
    assert credentials(f"redshift://{WORKGROUP}:5439/warehouse?hostaddr=10.0.0.5").password == PASSWORD


def test_no_secret_is_shown(api: Api) -> None:
    shown = repr(Credentials("IAM:etl_load", PASSWORD, datetime.now(timezone.utc)))
    for code in ("AccessDenied", "SignatureDoesNotMatch", "Throttling", "Strange"):
        # AWS quotes the request that it could not verify.
        api.answers = [(403, refused(code, f"The Canonical String is x-amz-security-token:{TOKEN} {SECRET}"))]
        with pytest.raises(WarehouseError) as caught:
            credentials(f"redshift://etl_load@{CLUSTER}:5439/warehouse")
        shown += "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in (SECRET, TOKEN, PASSWORD) if secret in shown]
