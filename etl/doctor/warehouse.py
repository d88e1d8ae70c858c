"""The warehouse: whether it answers, what it is, its TLS, text, clock and disk, and who may do what there."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

from etl import config, warehouse
from etl.doctor import network
from etl.doctor.finding import FAILED, OK, WARNING, Finding
from etl.warehouse import postgres_privileges, redshift_privileges
from etl.warehouse.engine import Engine
from etl.warehouse.postgres import Postgres
from etl.warehouse.redshift import Redshift

_ENCRYPTED = ("require", "verify-ca", "verify-full")
_GIB = 1 << 30
# What loads write to in every project; those of warehouse_sql come to them.
_SCHEMAS = ("etl", "stage", "raw", "public", "mart")

_MODULES: dict[type[Engine], ModuleType] = {Postgres: postgres_privileges, Redshift: redshift_privileges}


def check() -> Iterator[Finding]:
    settings = config.warehouse()
    parts = urlsplit(settings.url)
    port = Redshift.port if parts.scheme == "redshift" else Postgres.port
    host = parse_qs(parts.query).get("hostaddr", [parts.hostname])[0]
    if host and (gone := network.unreachable("warehouse", host, parts.port or port)):
        yield gone
        return
    with warehouse.connect("etl doctor") as db:
        where = f"{parts.hostname}:{parts.port or port}{parts.path}"
        yield Finding("warehouse", "connection", OK, f"{db.version()} at {where} answers {parts.username}")
        yield from _server(db, host or "")
        found = False
        for concern in _MODULES[type(db)].concerns(db, _schemas(), db.owner):
            found = True
            state = FAILED if concern.serious else WARNING
            yield Finding("warehouse", concern.about, state, concern.said, concern.remedy)
        if not found:
            yield Finding(
                "warehouse", "privileges", OK, "text is UTF-8, and loader and reader may do what they need, and no more"
            )


def _server(db: Engine, host: str) -> Iterator[Finding]:
    mode = parse_qs(urlsplit(db.settings.url).query).get("sslmode", [""])[0]
    remedy = "[warehouse] url = …?sslmode=verify-full&sslrootcert=/path/of/the/ca.crt"
    yield network.tls("warehouse", host, _MODULES[type(db)].encrypted(db), mode in _ENCRYPTED, remedy)
    asked = time.time()
    ((theirs,),) = db.query(f"SELECT EXTRACT(EPOCH FROM {db.now})")
    yield network.clock("warehouse", float(theirs), asked)
    free = db.free_disk()
    if free is not None:
        state, cure = (OK, "") if free >= _GIB else (WARNING, "free some space: a load needs room for its stage")
        yield Finding("warehouse", "disk", state, f"{free / _GIB:,.1f} GiB are free at the server", cure)


def _schemas() -> list[str]:
    found = list(_SCHEMAS)
    for path in sorted(Path(config.etl().sql).glob("tables/*.sql")):
        found += re.findall(r"^CREATE\s+TABLE\s+(\w+)\.", path.read_text(encoding="utf-8"), re.I | re.M)
    return list(dict.fromkeys(found))
