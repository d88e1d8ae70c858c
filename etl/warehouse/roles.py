"""Who may do what in a warehouse of three roles: etl_load loads, etl_owner owns what people read, bi_reader reads.

What only one engine has of it lives in postgres_roles.py and redshift_roles.py.
"""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from etl.warehouse.engine import Engine

# Tables of schema etl that hold keys and rows of the sources, and the columns with them, which only the owner reads.
SAMPLES: Mapping[str, tuple[str, ...]] = {"losses": ("samples",), "quarantine": ("source_row",)}

# What the loader needs of a table that another owns: a load publishes by nothing else.
WRITING = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Right:
    """One privilege on a DATABASE, SCHEMA or TABLE, whose name is as in SQL; or on `columns` of a table."""

    kind: str
    name: str
    privilege: str
    role: str
    columns: tuple[str, ...] = ()


class Roles(abc.ABC):
    """How an engine makes roles, and what it says of their privileges."""

    # Of a database, for the loader, the owner and the reader.
    in_the_database: ClassVar[tuple[tuple[str, ...], ...]]
    # Of schema etl, for the loader.
    in_etl: ClassVar[tuple[str, ...]] = ("USAGE",)

    def __init__(self, db: "Engine"):
        self._db = db

    @property
    def writing(self) -> tuple[str, ...]:
        """Of a table that is the owner's, for the loader."""
        return WRITING

    @abc.abstractmethod
    def there(self, role: str) -> bool: ...

    @abc.abstractmethod
    def is_superuser(self, role: str) -> bool:
        """Nothing is ever denied to such a role."""

    @abc.abstractmethod
    def creating(self, role: str, password: str | None) -> str:
        """The statement that makes a role, with a verifier in place of the password."""

    @abc.abstractmethod
    def creating_for_people(self, role: str, password: str | None) -> str:
        """The same with a place for the password."""

    @abc.abstractmethod
    def membership(self, roles: Sequence[str]) -> list[str]:
        """What whoever is connected needs to be able to give things to the roles."""

    @abc.abstractmethod
    def grantee(self, role: str) -> str:
        """As GRANT calls it."""

    def tells_of(self, role: str) -> bool:
        """Whether the server says which privileges the role has."""
        return True

    def held(self, rights: Sequence[Right]) -> list[bool]:
        """Of each, whether its role has it, by whatever way; role and object are there."""
        asked = [right for right in rights if not right.columns]
        whole = iter(self._asked(asked))
        return [self._reads(right) if right.columns else next(whole) for right in rights]

    def _asked(self, rights: Sequence[Right]) -> list[bool]:
        if not rights:
            return []
        calls = ", ".join(f"has_{right.kind.lower()}_privilege(%s, %s, %s)" for right in rights)
        values = [value for right in rights for value in (right.role, self._named(right), right.privilege)]
        return [bool(one) for one in self._db.query(f"SELECT {calls}", values)[0]]

    @abc.abstractmethod
    def _reads(self, right: Right) -> bool:
        """Whether a role may SELECT each of the columns."""

    @staticmethod
    def _named(right: Right) -> str:
        return right.name if right.kind == "TABLE" else right.name.strip('"').replace('""', '"')

    def granting(self, rights: Sequence[Right]) -> list[str]:
        """One statement for all that a role gets on an object."""
        statements = []
        grouped: dict[tuple[str, str, str], list[str]] = {}
        for right in rights:
            listed = f" ({', '.join(right.columns)})" if right.columns else ""
            grouped.setdefault((right.kind, right.name, right.role), []).append(right.privilege + listed)
        for (kind, name, role), privileges in grouped.items():
            statements.append(f"GRANT {', '.join(privileges)} ON {kind} {name} TO {self.grantee(role)}")
        return statements
