"""Settings: one dataclass a section of luigi.cfg, read when a task runs and never at import.

A setting that is missing, unknown or of the wrong kind is a ConfigError that names its section.
Secrets are written as ${ENV_VAR} and stay in the environment.
"""

import configparser
import dataclasses
import typing
from zoneinfo import ZoneInfo

import luigi.configuration

from etl.errors import ConfigError

EMBEDDED = "embedded"


@dataclasses.dataclass(frozen=True)
class Etl:
    """`retry_seconds` is how long after a first failure another attempt may begin; 0 means never."""

    timezone: str = "UTC"
    sql: str = "warehouse_sql"
    retry_seconds: int = 300


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


def check() -> None:
    """Read every section of ours that is there, so that a typing error is found before the night begins."""
    for name, shape in _SECTIONS.items():
        if luigi.configuration.get_config().has_section(name):
            _read(name, shape)


def _read(name: str, shape: type[Section]) -> Section:
    parser = luigi.configuration.get_config()
    fields = {field.name: field for field in dataclasses.fields(shape)}  # type: ignore[arg-type]
    written = set(parser.options(name)) - set(parser.defaults()) if parser.has_section(name) else set()
    if unknown := sorted(written - set(fields)):
        raise ConfigError(f"[{name}] {unknown[0]}: no such setting; [{name}] takes {', '.join(fields)}")
    values = {}
    for key, field in fields.items():
        if key in written:
            values[key] = _value(name, key, field.type)
        elif field.default is dataclasses.MISSING:
            raise ConfigError(f"[{name}] {key}: not set; add it to the [{name}] section of luigi.cfg")
    if values.get("url") == EMBEDDED:
        raise ConfigError(
            f"[{name}] url = {EMBEDDED}: the local stack is not running here; start it with `etl up`, "
            f"which writes var/luigi.cfg, or write the URL of a server"
        )
    return shape(**values)


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
