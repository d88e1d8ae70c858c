"""What happens in the simulated year, and how often: all of it follows from one seed."""

import random
from dataclasses import dataclass

# Rows of a table that a day adds, changes, deletes and brings back, on average.
TRADE: dict[str, dict[str, float]] = {
    "users": {"new": 0.7, "changed": 2.5, "deleted": 0.2, "back": 0.15},
    "venues": {"new": 0.05, "changed": 0.3, "deleted": 0.04, "back": 0.03},
    "events": {"new": 0.2, "changed": 1.0, "deleted": 0.1, "back": 0.07},
    "listings": {"new": 1.5, "changed": 3.0, "deleted": 0.4, "back": 0.15},
    "ticket_sales": {"new": 2.0, "changed": 1.5, "deleted": 0.3, "back": 0.15},
}

# What becomes of the nights; all but the plain ones are described in nights.py.
NIGHTS: dict[str, float] = {
    "plain": 45,
    "skipped": 9,
    "run again": 6,
    "run twice at once": 10,
    "killed at a failpoint": 13,
    "killed somewhere": 13,
    "killed and left": 5,
}

# What a day does to the columns of a table of the shop.
SCHEMAS: dict[str, float] = {
    "as it was": 70,
    "column added": 9,
    "column dropped": 5,
    "column widened": 7,
    "column narrowed": 3,
    "column renamed": 3,
    "column retyped": 3,
}

# The share of nights during which a transaction is open that began before them.
LATE = 0.3


@dataclass(frozen=True)
class Night:
    """`kind` is one of NIGHTS, `schema` one of SCHEMAS; `late` says that a transaction commits after the night."""

    kind: str
    schema: str
    late: bool

    def __str__(self) -> str:
        return f"{self.kind}, {self.schema}{', a late commit' if self.late else ''}"


class Chance(random.Random):
    """Random numbers of one seed, the same on every machine."""

    def by_weight(self, weights: dict[str, float]) -> str:
        return self.choices(list(weights), list(weights.values()))[0]

    def about(self, mean: float) -> int:
        """A whole number, `mean` on average, now and then far above it."""
        count = 0
        while self.random() < mean / (1 + mean):
            count += 1
        return count

    def nights(self, number: int) -> list[Night]:
        """The first and the last are plain; between them is every kind of night and of change at least once."""
        kinds, schemas = self._mixed(NIGHTS, number - 2), self._mixed(SCHEMAS, number - 2)
        # On the first day with a shop that has nights behind it something is committed late, too.
        late = [turn == 0 or self.random() < LATE for turn in range(number - 2)]
        plain = Night("plain", "as it was", False)
        return [plain, *(Night(*said) for said in zip(kinds, schemas, late, strict=True)), plain]

    def _mixed(self, weights: dict[str, float], number: int) -> list[str]:
        first = self.sample(list(weights), len(weights))[:number]
        return first + [self.by_weight(weights) for _ in range(number - len(first))]
