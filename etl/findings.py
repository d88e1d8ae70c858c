"""What an extractor notices while it reads: losses, the rows its source counted, the files it took."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Loss:
    """`count` values of `column` could not be kept as they were; `samples` are keys of such rows."""

    column: str
    reason: str
    count: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass
class Findings:
    """Filled by an extractor's `batches()` and written into its manifest.

    `counted` is the number of rows by the source's own count, in the snapshot that was read; `key` names
    the columns that identify a row at the source; `files` are the objects that were read.
    """

    counted: int | None = None
    key: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    losses: dict[tuple[str, str], Loss] = field(default_factory=dict)

    SAMPLES = 5

    def loss(self, column: str, reason: str, count: int, samples: list[str] | None = None) -> None:
        loss = self.losses.setdefault((column, reason), Loss(column, reason))
        loss.count += count
        loss.samples = (loss.samples + (samples or []))[: self.SAMPLES]

    def file(self, key: str, etag: str, size: int, rows: int) -> None:
        self.files.append({"key": key, "etag": etag, "size": size, "rows": rows})

    def skip(self, reason: str, count: int = 1) -> None:
        """Rows of the source that are rightly not taken, such as a key that expired while it was read."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count
