"""A short-lived user and password for Redshift, of AWS, for a `[warehouse] url` that has no password."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import botocore.config
import botocore.exceptions

from etl.errors import ConfigError, WarehouseError, WarehouseLost

# An hour is the longest that a cluster gives.
_SECONDS = 3600
# A password that is about to expire is not given out: a connection takes its time, and clocks differ.
_MARGIN = timedelta(minutes=2)

_LABEL = r"[a-z0-9-]+"
_PROVISIONED = re.compile(rf"({_LABEL})\.{_LABEL}\.({_LABEL})\.redshift\.amazonaws\.com(\.cn)?")
_SERVERLESS = re.compile(rf"({_LABEL})\.\d{{12}}\.({_LABEL})\.redshift-serverless\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True)
class Credentials:
    """`user` is as the server wants it (IAM:…), `expires` in UTC; a session that has begun outlives it."""

    user: str
    password: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True)
class _Cluster:
    """What a URL says: a provisioned cluster's identifier or a serverless workgroup's name, and where."""

    name: str
    region: str
    partition: str
    serverless: bool
    user: str
    database: str

    @property
    def called(self) -> str:
        return f"workgroup {self.name} in {self.region}" if self.serverless else f"cluster {self.name} in {self.region}"

    @property
    def permission(self) -> str:
        """The IAM action that is needed, and on what."""
        if self.serverless:
            return (
                f"redshift-serverless:GetCredentials on arn:{self.partition}:redshift-serverless:{self.region}:"
                f"<account>:workgroup/<id of {self.name}>"
            )
        arn = f"arn:{self.partition}:redshift:{self.region}:<account>"
        database = f"{arn}:dbname:{self.name}/{self.database}"
        if self.user:
            return f"redshift:GetClusterCredentials on {arn}:dbuser:{self.name}/{self.user} and {database}"
        return f"redshift:GetClusterCredentialsWithIAM on {database}"


def credentials(url: str) -> Credentials:
    """Whom to connect as; asked of AWS again shortly before they expire, and not before.

    AWS is asked as whoever boto3 finds (environment, profile, role). WarehouseLost where the same may succeed later.
    """
    cluster = _cluster(url)
    found = _kept.get(cluster)
    if found is None or found.expires - _MARGIN <= datetime.now(timezone.utc):
        found = _kept[cluster] = _asked(cluster)
    return found


_kept: dict[_Cluster, Credentials] = {}


def _cluster(url: str) -> _Cluster:
    parts = urlsplit(url)
    host, user, database = parts.hostname or "", unquote(parts.username or ""), unquote(parts.path.lstrip("/"))
    if not database:
        raise ConfigError("[warehouse] url names no database; write redshift://user@host:5439/database")
    for pattern, serverless in ((_PROVISIONED, False), (_SERVERLESS, True)):
        if found := pattern.fullmatch(host):
            name, region, china = found.groups()
            return _Cluster(name, region, "aws-cn" if china else "aws", serverless, user, database)
    raise ConfigError(
        f"[warehouse] url has no password, and {host or 'no host'} is not the name of a cluster that AWS could be "
        f"asked for one; write the password as ${{ENV_VAR}}, or the cluster's own host name, "
        f"name.hash.region.redshift.amazonaws.com or workgroup.account.region.redshift-serverless.amazonaws.com "
        f"(?hostaddr=10.0.0.5 after the database keeps the name and connects elsewhere)"
    )


def _asked(cluster: _Cluster) -> Credentials:
    answer = _answered(cluster, functools.partial(_serverless if cluster.serverless else _provisioned, cluster))
    if cluster.serverless and cluster.user and cluster.user != answer.user:
        raise ConfigError(
            f"[warehouse] url says {cluster.user}, and a serverless workgroup knows who AWS says that we are as "
            f'{answer.user}; leave the user away and grant what the loader needs to "{answer.user}", or write a '
            f"password as ${{ENV_VAR}}"
        )
    return answer


def _provisioned(cluster: _Cluster) -> Credentials:
    client = _client("redshift", cluster.region)
    which = {"ClusterIdentifier": cluster.name, "DbName": cluster.database, "DurationSeconds": _SECONDS}
    if cluster.user:
        answer = client.get_cluster_credentials(**which, DbUser=cluster.user, AutoCreate=False)
    else:
        answer = client.get_cluster_credentials_with_iam(**which)
    return Credentials(answer["DbUser"], answer["DbPassword"], answer["Expiration"])


def _serverless(cluster: _Cluster) -> Credentials:
    answer = _client("redshift-serverless", cluster.region).get_credentials(
        workgroupName=cluster.name, dbName=cluster.database, durationSeconds=_SECONDS
    )
    return Credentials(answer["dbUser"], answer["dbPassword"], answer["expiration"])


def _client(service: str, region: str) -> Any:
    return boto3.client(
        service,
        region_name=region,
        config=botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=10, read_timeout=30
        ),
    )


def _answered(cluster: _Cluster, ask: Callable[[], Credentials]) -> Credentials:
    try:
        return ask()
    except botocore.exceptions.ClientError as error:
        raise _refusal(cluster, error) from None
    except (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
        botocore.exceptions.ProfileNotFound,
        botocore.exceptions.TokenRetrievalError,
    ):
        raise WarehouseError(
            f"{cluster.called}: [warehouse] url has no password, and there are no AWS credentials to ask for one with; "
            f"give this machine a role, or set AWS_PROFILE, or write a password as ${{ENV_VAR}}"
        ) from None
    except botocore.exceptions.SSLError:
        raise WarehouseError(
            f"{cluster.called}: AWS's certificate could not be verified when a password was asked for; is there a "
            f"proxy between, whose authority AWS_CA_BUNDLE must name?"
        ) from None
    except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError):
        raise WarehouseLost(
            f"{cluster.called}: AWS does not answer when it is asked for a password; run again when it does. Without "
            f"a way to the internet it takes a VPC endpoint for the {_service(cluster)} API"
        ) from None
    except botocore.exceptions.BotoCoreError as error:
        raise WarehouseError(f"{cluster.called}: no password of AWS ({type(error).__name__})") from None


def _refusal(cluster: _Cluster, error: botocore.exceptions.ClientError) -> WarehouseError:
    """Only the answer's code is shown: the text of a refused signature quotes the request, session token and all."""
    code = str(error.response.get("Error", {}).get("Code"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _DENIED:
        return WarehouseError(f"{cluster.called}: access denied; allow this machine's identity {cluster.permission}")
    if code in _ABSENT:
        return WarehouseError(
            f"{cluster.called}: AWS knows no such {'workgroup' if cluster.serverless else 'cluster'} in this account; "
            f"mend the host in [warehouse] url. Of a VPC endpoint's name nobody can tell the cluster: write the "
            f"cluster's own host name, and ?hostaddr= with the endpoint's address after the database"
        )
    if code in _UNKNOWN:
        return WarehouseError(
            f"{cluster.called}: AWS takes our credentials for expired or wrong ({code}); renew them, then run again"
        )
    if status >= 500 or "Throttl" in code or code in _BUSY:
        return WarehouseLost(f"{cluster.called}: asked for a password, AWS answered {code}; run again later")
    return WarehouseError(f"{cluster.called}: asked for a password by {_service(cluster)}, AWS answered {code}")


_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
_ABSENT = {"ClusterNotFound", "ClusterNotFoundFault", "ResourceNotFoundException"}
_UNKNOWN = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_BUSY = {"RequestLimitExceeded", "TooManyRequestsException", "ServiceUnavailable"}


def _service(cluster: _Cluster) -> str:
    return "redshift-serverless" if cluster.serverless else "redshift"
