"""The sweep: files on S3 are deleted when every load that requires them has committed and they have been kept."""

import logging

from etl import config
from etl.errors import EtlError
from etl.manifest import ManifestTarget
from etl.warehouse import Postgres, control

logger = logging.getLogger("luigi-interface.etl")


def sweep(db: Postgres) -> None:
    """Delete what may go. A manifest without a marker for each of its loads is never touched.

    The load is done by now, so a lake that refuses is a warning, and the next load sweeps again.
    """
    keep_days = config.lake().keep_days
    for url in control.sweepable(db, keep_days):
        try:
            target = ManifestTarget.at(url)
            if target.exists():
                target.remove(target.manifest())
            control.swept(db, url)
        except EtlError as error:
            logger.warning("sweep: %s", error)
