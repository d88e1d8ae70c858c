"""What the loader and the reader may do at a warehouse, beside what they should: one concern each."""

from collections.abc import Sequence
from dataclasses import dataclass

from etl.warehouse.names import quote


@dataclass(frozen=True)
class Concern:
    """`serious` is what a load would fail by; `remedy` is what an administrator runs."""

    about: str
    serious: bool
    said: str
    remedy: str


# What holds rows of the sources as they are, of which the reader is to see nothing.
HIDDEN_SCHEMAS = ("raw", "stage")
SHOWN = 3


def listed(names: Sequence[str]) -> str:
    """A few of them, and how many there are more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def tables(names: Sequence[str]) -> str:
    """For a statement: all of them, as they are to be written."""
    return ", ".join(".".join(map(quote, name.split(".", 1))) for name in names)
