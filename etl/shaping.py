"""What a load's SELECT says of other tables: which of their rows are new to it, and which members they name."""

import logging
import re
from dataclasses import replace
from datetime import datetime

from etl.errors import ConfigError
from etl.warehouse import Engine, control
from etl.warehouse.control import Receipt
from etl.warehouse.members import Inference, infer, inferences, missing
from etl.warehouse.names import quote

logger = logging.getLogger("luigi-interface.etl")

_SINCE = re.compile(r"\{since (\w+\.\w+)\}")


def only_new(db: Engine, select: str, target: str, strategy: str) -> tuple[str, dict[str, datetime]]:
    """The SELECT with each `{since raw.sales}` put in, and how far that takes the target: source -> loaded_at."""
    sources = sorted(set(_SINCE.findall(select)))
    if sources and strategy == "replace":
        raise ConfigError(
            f"{target}: {{since {sources[0]}}} selects what is new, and strategy replace deletes the rest; "
            f"write upsert or append"
        )
    taken: dict[str, datetime] = {}
    for source in sources:
        # Asked before the rows are, so that those which come in between are taken twice and not never.
        ((latest,),) = db.query(f"SELECT MAX(loaded_at) FROM {'.'.join(map(quote, source.split('.')))}")
        if latest:
            taken[source] = latest
        select = select.replace(f"{{since {source}}}", control.seen(db, target, source))
    return select, taken


def add_members(db: Engine, select: str, receipt: Receipt) -> None:
    """Add the members that the SELECT's rows name and a dimension lacks, each dimension with a receipt of its own.

    `receipt` is that of the load. Each dimension is locked meanwhile, and what is added is committed.
    """
    for wanted in inferences(select, receipt.target):
        if missing(db, wanted):
            _add(db, wanted, receipt)


def _add(db: Engine, wanted: Inference, receipt: Receipt) -> None:
    with db.locked(wanted.name), db.transaction():
        before = control.standing(db, wanted.name).rows or 0
        added = infer(db, wanted)
        of_members = Receipt(receipt.task_key, wanted.name, receipt.business_date, receipt.run_id, receipt.code_version)
        control.record_members(
            db, replace(of_members, rows_staged=added, rows_inserted=added, rows_after=before + added)
        )
    logger.info("%s: %s members inferred from %s", wanted.name, f"{added:,}", wanted.source)
