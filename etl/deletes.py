"""What only a MySQL table has, or only its mirror: keys are counted and hashed by ranges, and no log is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import methodcaller

from etl.checksums import Side, Sums
from etl.drill import Drill, both
from etl.errors import DataError

# As many are always let through: a tenth of a small table is nothing to be alarmed at.
_FEW = 20
# How many ranges are cut by one question. Each holds one row at least that only one side has.
_AT_ONCE = 1024


@dataclass(frozen=True)
class Unlike:
    """Some of what is on one side only: the keys of rows that are `gone` from the source, and the positions of those
    that are `new` there."""

    gone: list[tuple[str, ...]]
    new: list[int]


@dataclass
class Cap:
    """How much of a table may be deleted in one night: a source that was wiped must not wipe the warehouse.

    `most` is in percent of the `rows` that the table has.
    """

    target: str
    rows: int
    most: int

    def check(self, gone: int) -> None:
        wiped = gone and gone >= self.rows and self.most < 100
        if wiped or (gone > _FEW and 100 * gone > self.most * self.rows):
            raise DataError(
                f"{self.target}: at least {gone:,} of its {self.rows:,} rows are gone from the source, and no more "
                f"than {self.most} % may go in a night; nothing was published. If they are to go: `etl run MirrorTable "
                f"--table {self.target.partition('.')[2]} … --most-deleted 100`"
            )


def unlike(source: Side, there: Side, target: str, most: int) -> Iterator[Unlike]:
    """All that is on one side only, in pieces of bounded size; DataError where more is gone than `most` percent.

    Both sides have nothing but a key to compare, and each is read in a snapshot of its own.
    """
    drill = Drill(source, there, source.key[:1], _AT_ONCE)
    cap = Cap(target, _rows(drill.theirs), most)
    # So much at least, which needs no search.
    cap.check(_rows(drill.theirs) - _rows(drill.ours))
    gone = 0
    for inside in drill:
        ours, theirs = both(methodcaller("rows", (), inside), source, there)
        at_source, in_warehouse = {row.position for row in ours}, {row.position for row in theirs}
        found = Unlike(
            [row.key for row in theirs if row.position not in at_source],
            [row.position for row in ours if row.position not in in_warehouse],
        )
        gone += len(found.gone)
        cap.check(gone)
        yield found


def _rows(sums: dict[int, Sums]) -> int:
    return sum(cell.rows for cell in sums.values())
