"""`etl new`: look at a source, propose a table for it, write the files that load it and a test that passes.

look    mysql, redis, s3 and elasticsearch each read as little of the real source as tells its columns and types
        (catalogue, sample), and make a Proposal of it
write   files renders a Proposal as the task, the table, the load's SQL and its test; project puts them in place, all
        or none, and adds the load to tasks/nightly.py
"""

import importlib

from etl.new.proposal import Proposal, Wishes


def look(kind: str, name: str, wishes: Wishes) -> Proposal:
    """What is proposed for `name` of that kind of source, which is asked; nothing is written anywhere."""
    # Each needs its own driver, which not every project has.
    proposal: Proposal = importlib.import_module(f"etl.new.{kind}").look(name, wishes)
    return proposal
