"""Settings: one dataclass a section of luigi.cfg, read when a task runs and never at import.

A setting that is missing, unknown or of the wrong kind is a ConfigError that names its section.
Secrets are written as ${ENV_VAR} and stay in the environment.
"""

import configparser
import dataclasses
import typing
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import luigi.configuration

from etl.errors import ConfigError

EMBEDDED = "embedded"


@dataclasses.dataclass(frozen=True)
class Etl:
    """`retry_seconds` is how long after a first failure another attempt may begin; 0 means never. `fresh_by` is when a
    table must be at the day before: etl.status.freshness. `log_format` is text or json: etl.logs.
    """

    timezone: str = "UTC"
    sql: str = "warehouse_sql"
    retry_seconds: int = 300
    fresh_by: str = "08:00"
    log_format: str = "text"

    def __post_init__(self) -> None:
        _one_of("etl", "log_format", self.log_format, "text", "json")


@dataclasses.dataclass(frozen=True)
class Notify:
    """Who is told how a run went: by mail (`smtp`, `sender`, `to`), a `webhook`, a `command`, or several of them.

    `timeout` is what each may take, in seconds.
    """

    when: str = "recovery"
    smtp: str = dataclasses.field(default="", repr=False)
    sender: str = ""
    to: str = ""
    webhook: str = dataclasses.field(default="", repr=False)
    command: str = ""
    timeout: int = 30

    def __post_init__(self) -> None:
        _one_of("notify", "when", self.when, "failure", "recovery", "always")
        if self.smtp and not (self.sender and self.to):
            raise ConfigError("[notify] smtp: mail needs a sender and to besides")
        for key, url, schemes in (
            ("smtp", self.smtp, ("smtp", "smtps")),
            ("webhook", self.webhook, ("https", "http")),
        ):
            if url and not _is_url(url, schemes):
                raise ConfigError(
                    f"[notify] {key}: cannot be read; write {schemes[0]}://… or {schemes[1]}://…, "
                    "and special characters of a password as %XX (%%XX in luigi.cfg)"
                )


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Where metrics are written for Prometheus: a `textfile` of node_exporter's, and the URL of a Pushgateway."""

    textfile: str = ""
    push: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.textfile and not self.textfile.endswith(".prom"):
            raise ConfigError(f"[metrics] textfile = {self.textfile}: node_exporter reads only files that end in .prom")
        if self.push and not _is_url(self.push, ("http", "https")):
            raise ConfigError("[metrics] push: cannot be read; write http://… or https://…, as of a Pushgateway")


@dataclasses.dataclass(frozen=True)
class Store:
    """An S3 bucket, and below which prefix of it: `url = s3://bucket/prefix`.

    Without the two keys boto3 looks for credentials where it always does (environment, profile, role).
    """

    url: str
    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Lake(Store):
    """Where manifests and their parts live. `keep_days = 0` deletes them as soon as they are loaded."""

    keep_days: int = 7
    compression: str = "zstd"
    part_mb: int = 16


@dataclasses.dataclass(frozen=True)
class Warehouse:
    """`copies` is how many connections COPY a manifest's parts side by side, or how many slices Redshift has; time-outs
    are in seconds. `iam_role` is what Redshift reads the lake by: `default`, or a role's ARN.

    `keep_days` is how long receipts, and losses and quarantined rows of single days, are kept.
    """

    url: str = dataclasses.field(repr=False)
    reader: str = "bi_reader"
    iam_role: str = "default"
    copies: int = 2
    lock_timeout: int = 300
    statement_timeout: int = 3600
    keep_days: int = 400


@dataclasses.dataclass(frozen=True)
class Url:
    """A source that one URL describes."""

    url: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class MySQL(Url):
    """`connections` is how many share the reading of a big table, where they can be shown to see one snapshot.

    Of a table that is read by the column that says when a row changed: `commit_lag` is how many seconds after that time
    a row may become visible, and `look_back` how many are read anew each night.
    """

    connections: int = 2
    commit_lag: int = 60
    look_back: int = 3600


@dataclasses.dataclass(frozen=True)
class Sixpack:
    """`window_days = 0` reads every day that Sixpack knows, which is how back-dated numbers are found."""

    prefix: str = "sxp"
    window_days: int = 0


@dataclasses.dataclass(frozen=True)
class Calendar:
    """`fiscal_year_start` is a month (1 to 12); `country` is an ISO code, whose public holidays are marked."""

    country: str = "US"
    fiscal_year_start: int = 1


# Accounts that only `etl init` and `etl migrate` need: a night does not even look whether their passwords are set.
_OF_THE_OWNER = {"warehouse": ("owner_url", "admin_url")}

Section = typing.TypeVar("Section")

_SECTIONS: dict[str, type] = {
    "etl": Etl,
    "lake": Lake,
    "warehouse": Warehouse,
    "mysql": MySQL,
    "redis": Url,
    "elasticsearch": Url,
    "s3_source": Store,
    "sixpack": Sixpack,
    "calendar": Calendar,
    "notify": Notify,
    "metrics": Metrics,
}


def etl() -> Etl:
    return _read("etl", Etl)


def timezone() -> ZoneInfo:
    """The zone in which a business day begins and ends."""
    name = etl().timezone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"[etl] timezone = {name}: no such time zone; write one like Europe/Berlin") from None


def lake() -> Lake:
    return _read("lake", Lake)


def warehouse() -> Warehouse:
    return _read("warehouse", Warehouse)


def owner_url() -> str | None:
    """The user's who is to own the tables that people read."""
    return _of_the_owner("owner_url")


def admin_url() -> str | None:
    """Somebody's who may create roles."""
    return _of_the_owner("admin_url")


def _of_the_owner(key: str) -> str | None:
    if not luigi.configuration.get_config().has_option("warehouse", key):
        return None
    return str(_value("warehouse", key, str)) or None


def copies() -> int:
    """[warehouse] copies by itself, 1 or more: whoever extracts need not know the warehouse's address."""
    if not luigi.configuration.get_config().has_option("warehouse", "copies"):
        return Warehouse.copies
    return max(1, typing.cast(int, _value("warehouse", "copies", int)))


def mysql() -> MySQL:
    return _read("mysql", MySQL)


def redis() -> Url:
    return _read("redis", Url)


def elasticsearch() -> Url:
    return _read("elasticsearch", Url)


def s3_source() -> Store:
    return _read("s3_source", Store)


def sixpack() -> Sixpack:
    return _read("sixpack", Sixpack)


def calendar() -> Calendar:
    section = _read("calendar", Calendar)
    if not 1 <= section.fiscal_year_start <= 12:
        raise ConfigError(f"[calendar] fiscal_year_start = {section.fiscal_year_start}: write a month, 1 to 12")
    return section


def notify() -> Notify:
    return _read("notify", Notify)


def metrics() -> Metrics:
    return _read("metrics", Metrics)


def sections() -> tuple[str, ...]:
    """The sections of luigi.cfg that are ours."""
    return tuple(_SECTIONS)


def problems() -> dict[str, ConfigError]:
    """Each section of ours that is there and cannot be read, and why."""
    found = {}
    for name, shape in _SECTIONS.items():
        try:
            if luigi.configuration.get_config().has_section(name):
                _read(name, shape)
        except ConfigError as error:
            found[name] = error
    return found


def present() -> None:
    """ConfigError where no settings are read at all, as outside of a project's folder."""
    parser = luigi.configuration.get_config()
    if not any(map(parser.has_section, _SECTIONS)):
        raise ConfigError(f"no luigi.cfg in {Path.cwd()}; run etl in the project's own folder")


def check() -> None:
    """Read every section of ours that is there, so that a typing error is found before the night begins."""
    for name, shape in _SECTIONS.items():
        if luigi.configuration.get_config().has_section(name):
            _read(name, shape)


def _read(name: str, shape: type[Section]) -> Section:
    parser = luigi.configuration.get_config()
    fields = {field.name: field for field in dataclasses.fields(shape)}  # type: ignore[arg-type]
    written = set(parser.options(name)) - set(parser.defaults()) if parser.has_section(name) else set()
    known = (*fields, *_OF_THE_OWNER.get(name, ()))
    if unknown := sorted(written - set(known)):
        raise ConfigError(f"[{name}] {unknown[0]}: no such setting; [{name}] takes {', '.join(known)}")
    values = {}
    for key, field in fields.items():
        if key in written:
            values[key] = _value(name, key, field.type)
        elif field.default is dataclasses.MISSING:
            present()
            raise ConfigError(f"[{name}] {key}: not set; add it to the [{name}] section of luigi.cfg")
    if values.get("url") == EMBEDDED:
        raise ConfigError(
            f"[{name}] url = {EMBEDDED}: the local stack is not running here; start it with `etl up`, "
            f"which writes var/luigi.cfg, or write the URL of a server"
        )
    return shape(**values)


def _one_of(section: str, key: str, value: str, *choices: str) -> None:
    if value not in choices:
        raise ConfigError(f"[{section}] {key} = {value}: write {', '.join(choices[:-1])} or {choices[-1]}")


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _value(section: str, key: str, kind: object) -> object:
    try:
        text = luigi.configuration.get_config().get(section, key)
    except configparser.InterpolationError as error:
        unset = getattr(error, "message", str(error)).partition("variable ")[2].partition(". ")[0]
        hint = f"set the environment variable {unset}" if unset else "write a literal % as %%"
        raise ConfigError(f"[{section}] {key}: {hint}") from None
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise ConfigError(f"[{section}] {key} = {text}: write a whole number") from None
    return text
