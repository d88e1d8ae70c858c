"""What `etl new` proposes: a table of the warehouse, column by column, and how its rows come there."""

from dataclasses import dataclass, field

from etl.errors import ConfigError
from etl.new.names import camel, plural, singular, slug

DIMENSION, FACT = "dimension", "fact"
UNKNOWN = "unknown"

# The longest text that is 'unknown' where there is none, in bytes; a longer one is prose, which nobody groups by.
_SHORT = 400


@dataclass(frozen=True)
class Wishes:
    """What its user says of the table, where it is not to be found out: '' and () where nothing is said."""

    shape: str = ""
    name: str = ""
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Titles:
    """The names that the files, the classes and the table have, all of one word."""

    member: str
    module: str
    shape: str

    @classmethod
    def of(cls, source: str, wishes: Wishes, shape: str) -> "Titles":
        """From the source's name, or the name that was wished: `dim_promoter` and `promoter` say the same."""
        shape = wishes.shape or shape
        if not wishes.name:
            return cls(singular(slug(source)), slug(source), shape)
        said = slug(wishes.name)
        for prefix, of in (("dim_", DIMENSION), ("fact_", FACT)):
            if said.startswith(prefix):
                if wishes.shape not in ("", of):
                    raise ConfigError(f"--name {wishes.name} is a {of}'s name, and --as says {wishes.shape}")
                said, shape = said.removeprefix(prefix), of
        return cls(said, plural(said), shape)

    @property
    def table(self) -> str:
        return ("dim_" if self.shape == DIMENSION else "fact_") + self.member

    @property
    def extract(self) -> str:
        return f"Extract{camel(self.module)}"

    @property
    def load(self) -> str:
        return f"Load{camel(self.module)}"


@dataclass(frozen=True)
class Column:
    """A column of the table. `expression` is it in the load's SELECT, '' for the one that the loader numbers.

    `default` is, in SQL, what the unknown member has and a row without a value gets; `found` says what the source
    has, `comment` what people should know. `shown` are the texts that the test's two rows leave in it, the second of
    them made of NULL where that may be; None where a test should not look.
    """

    name: str
    type: str
    expression: str
    found: str
    required: bool = False
    default: str = ""
    comment: str = ""
    shown: tuple[str | None, str | None] | None = None

    @property
    def declared(self) -> str:
        return " ".join(
            word
            for word in ("NOT NULL" if self.required else "", f"DEFAULT {self.default}" if self.default else "")
            if word
        )


@dataclass
class Proposal:
    """`rows_of` is the SELECT's FROM; `extract` the extractor's class, where it needs one, and `setup` the lines by
    which a test makes two rows at the source. `notes` are for whoever reads what is proposed."""

    source: str
    titles: Titles
    columns: list[Column]
    key: tuple[str, ...]
    strategy: str
    about: str
    rows_of: str
    imports: list[str]
    requires: str
    fixtures: str
    setup: str
    extract: str = ""
    test_imports: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    primary: tuple[str, ...] = ()

    @property
    def is_dimension(self) -> bool:
        return self.titles.shape == DIMENSION


def size_of(kind: str) -> int:
    """The bytes that a VARCHAR(n) says; 0 for any other type."""
    return int(kind[len("VARCHAR(") : -1]) if kind.startswith("VARCHAR(") else 0


def default_of(kind: str) -> str:
    """The unknown member's value in a natural key of that type."""
    if size_of(kind):
        return f"'{UNKNOWN}'"
    return {"DATE": "DATE '0001-01-01'", "TIMESTAMP": "TIMESTAMP '0001-01-01'", "BOOLEAN": "FALSE"}.get(kind, "-1")


def key_column(name: str, kind: str, expression: str, found: str, titles: Titles, **said: object) -> Column:
    """A column of the natural key, which is never NULL; an unknown member has a value there that no source has."""
    if size_of(kind):
        kind = f"VARCHAR({max(size_of(kind), len(UNKNOWN) + 1)})"
    default = default_of(kind) if titles.shape == DIMENSION else ""
    return Column(name, kind, expression, found, True, default, **said)  # type: ignore[arg-type]


def ordinary(
    name: str,
    kind: str,
    expression: str,
    found: str,
    titles: Titles,
    required: bool = False,
    comment: str = "",
    shown: tuple[str | None, str | None] | None = None,
) -> Column:
    """A column that is no key. A dimension's short text is 'unknown' where there is none, so that one can group by it;
    `required` says that the source always has a value, and one that any warehouse can hold."""
    size = size_of(kind)
    if titles.shape != DIMENSION:
        return Column(name, kind, expression, found, required, "", comment, shown)
    if size and (required or size <= _SHORT) and size <= 4000:
        kind = f"VARCHAR({max(size, len(UNKNOWN) + 1)})"
        if not required:
            expression = f"COALESCE({expression}, '{UNKNOWN}')"
            shown = shown and (shown[0], UNKNOWN if shown[1] is None else shown[1])
        return Column(name, kind, expression, found, True, f"'{UNKNOWN}'", comment, shown)
    return Column(name, kind, expression, found, False, "", comment, shown)
