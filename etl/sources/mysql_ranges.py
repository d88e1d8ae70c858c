"""A big table in ranges of its key, each over a connection of its own, all of which are shown to see one snapshot.

MariaDB says where in its binary log a consistent snapshot is (Binlog_snapshot_file and _position). Two connections
that name the same place see the same rows. A server without that log, and MySQL's own, says nothing: one connection.
"""

import itertools
from dataclasses import dataclass

import pymysql

from etl.sources.mysql_types import quoted

# Rows, by the server's own guess: below that one connection is as fast.
WORTH_DIVIDING = 1_000_000

_STATUS = "(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Binlog_snapshot_{}')"
# A log has a number, shop-bin.000042, and grows to gigabytes: both fit into one integer.
PLACE = (
    f"(CAST(SUBSTRING_INDEX({_STATUS.format('file')}, '.', -1) AS SIGNED) * {1 << 40} + "
    f"CAST({_STATUS.format('position')} AS SIGNED))"
)


@dataclass(frozen=True)
class Ranges:
    """Conditions of which each row meets one, and the place of the snapshot in which they are to be read."""

    conditions: tuple[str, ...]
    place: int


def divided(connection: pymysql.Connection, table: str, leading: str, number: int) -> Ranges | None:
    """Ranges of `leading`, an integer that the table's key begins with, in the connection's snapshot.

    None where the server does not say which snapshot that is, and for a table with nothing to divide.
    """
    with connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Binlog_snapshot_file'")
        if not any(file for _, file in cursor.fetchall()):
            return None
        cursor.execute(f"SELECT {PLACE}")
        ((place,),) = cursor.fetchall()
        # The ends of an index, which cost nothing to read.
        cursor.execute(f"SELECT MIN({quoted(leading)}), MAX({quoted(leading)}) FROM {quoted(table)}")
        ((first, last),) = cursor.fetchall()
    if first is None or int(last) - int(first) < number:
        return None
    cuts = [int(first) + (int(last) - int(first)) * i // number for i in range(1, number)]
    name = quoted(leading)
    between = [f"{name} >= {low} AND {name} < {high}" for low, high in itertools.pairwise(cuts)]
    return Ranges((f"{name} < {cuts[0]}", *between, f"{name} >= {cuts[-1]}"), int(place))
