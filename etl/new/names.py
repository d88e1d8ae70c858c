"""Names for what is written: from whatever a source calls its things to what SQL and Python take unquoted."""

import contextlib
import re
import unicodedata
from collections.abc import Iterable

from etl.errors import DataError
from etl.warehouse.names import plain
from etl.warehouse.stage import KEPT

# What one of the two warehouses reserves (Postgres 18, appendix C; Redshift, "Reserved words"), and the columns that
# every table of theirs has.
_RESERVED = frozenset(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc asymmetric authorization az64 backup between
    binary blanksasnull both bytedict bzip2 case cast check collate collation column concurrently constraint create
    credentials cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user current_user_id default deferrable deflate defrag delta delta32k desc disable distinct do else
    emptyasnull enable encode encrypt encryption end except explicit false fetch for foreign freeze from full
    globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect interval
    into is isnull join lateral leading left like limit localtime localtimestamp lun luns lzo lzop minus mostly16
    mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer overlaps
    parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog resort
    respect restore returning right row select session_user similar snapshot some symmetric sysdate system system_user
    table tablesample tag tdes text255 text32k then timestamp to top trailing true truncatecolumns union unique unnest
    unpivot user using values variadic verbose wallet when where window with without
    tableoid xmin cmin xmax cmax ctid
    """.split()  # noqa: SIM905
)
# A name of Postgres; Redshift's has 127 bytes.
LONGEST = 63


def slug(name: str) -> str:
    """Lower case, digits and underscores, a letter first: `Order Details` and `orderDetails` are order_details."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", letters)
    word = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_") or "x"
    return (f"n{word}" if word[0].isdigit() else word)[:50].rstrip("_")


def column_name(source: str, member: str, taken: Iterable[str]) -> str:
    """A name that needs no quotes on either engine and that no column before has: `order` is promoter_order."""
    word = slug(source)
    if word in _RESERVED or word in KEPT:
        word = f"{member}_{word}"[:LONGEST]
    others, number, name = set(taken), 1, word
    while name in others:
        number += 1
        name = f"{word[: LONGEST - 4]}_{number}"
    return name


def quoted(name: str) -> str:
    """As SQL must write the name of a column or table that is there."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def is_plain(table: str) -> bool:
    """Whether the warehouse can have a table of that name: a raw one is called as its source is."""
    with contextlib.suppress(DataError):
        return bool(plain(table))
    return False


def singular(word: str) -> str:
    for ending, becomes in (
        ("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("uses", "us"),
        ("ss", "ss"), ("us", "us"), ("is", "is"), ("news", "news"), ("s", ""),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + becomes
    return word


def plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")


def camel(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))
