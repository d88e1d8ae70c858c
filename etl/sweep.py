"""The sweep after a load: files on S3 go when every load that requires them has committed and they have been kept, and
what the warehouse remembers goes when it is old.
"""

import logging
import re
from datetime import datetime, timedelta, timezone

from luigi.task_register import Register, TaskClassException

from etl import config
from etl.errors import EtlError
from etl.lake import Bucket
from etl.manifest import ManifestTarget
from etl.warehouse import Engine, control, retention

logger = logging.getLogger("luigi-interface.etl")

# A file of one attempt at an extract: folder, run and attempt, name.
_WRITTEN = re.compile(r"(?P<folder>.+)/\d{8}T\d{6}-[0-9a-f]{8}-[0-9a-f]{6}/[^/]+")


def sweep(db: Engine) -> None:
    """Delete what may go. A manifest without a marker for each of its loads is never touched.

    The load is done by now, so a lake that refuses is a warning, and the next load sweeps again.
    """
    keep_days, families = config.lake().keep_days, set()
    for url in control.sweepable(db, keep_days):
        try:
            target = ManifestTarget.at(url)
            if target.exists():
                target.remove(target.manifest())
            control.swept(db, url)
            families.add(target.folder.partition("/")[0])
        except EtlError as error:
            logger.warning("sweep: %s", error)
    for family in families:
        try:
            _bury(family, keep_days)
        except EtlError as error:
            logger.warning("sweep: %s", error)
    retention.forget(db, db.settings.keep_days, _is_by_day)
    retention.drop_dead_stages(db)


def _bury(family: str, keep_days: int) -> None:
    """Delete parts without a manifest, which attempts that died have left, where nobody has tried again.

    No attempt lives for a day. Looked for where an extract of the same family was swept: an empty lake costs nothing.
    """
    bucket = Bucket(config.lake())
    there = list(bucket.list(f"{family}/"))
    extracts = {found.key.removesuffix("/manifest.json") for found in there if found.key.endswith("/manifest.json")}
    before = datetime.now(timezone.utc) - timedelta(days=keep_days + 1)
    bucket.delete(
        found.key
        for found in there
        if (part := _WRITTEN.fullmatch(found.key)) and part["folder"] not in extracts and found.modified < before
    )


def _is_by_day(family: str) -> bool:
    """Whether a load's rows stand beside those of other days, so that what it put aside grows old with its day."""
    try:
        return getattr(Register.get_task_cls(family), "strategy", "") in ("append", "partition")
    except TaskClassException:
        return False
