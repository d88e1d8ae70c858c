"""A column's lineage as a tree, up to the sources or down to what is made of it."""

from dataclasses import dataclass, field

from etl.dictionary.model import VALUE, Dictionary, Field, Origin


@dataclass
class Branch:
    """A column, or a whole table where `of.column` is "", and how it takes part in the branch above or below.

    `origins` are what its own task does to it, on the way down to the sources. A branch that is `again` there has been
    followed already: what is shared by many is drawn once.
    """

    of: Field
    how: str = VALUE
    origins: list[Origin] = field(default_factory=list)
    below: list["Branch"] = field(default_factory=list)
    again: bool = False


def made_of(dictionary: Dictionary, start: Field) -> Branch:
    """Down to the sources, by the columns whose values go in."""
    return _down(dictionary, start, set())


def used_in(dictionary: Dictionary, start: Field) -> list[Branch]:
    """Up to the marts. What a column only finds or decides on is named and not followed."""
    return _up(dictionary, start, {start})


def _down(dictionary: Dictionary, here: Field, seen: set[Field]) -> Branch:
    origins = dictionary.tables[here.table].columns[here.column].origins
    if here in seen:
        return Branch(here, again=any(origin.values for origin in origins))
    seen.add(here)
    values = dict.fromkeys(value for origin in origins for value in origin.values if dictionary.has(value))
    return Branch(here, origins=origins, below=[_down(dictionary, value, seen) for value in values])


def _up(dictionary: Dictionary, here: Field, seen: set[Field]) -> list[Branch]:
    found = []
    for used, how in dictionary.uses.get(here, []):
        branch = Branch(used, how)
        found.append(branch)
        if how == VALUE and used in seen:
            branch.again = used in dictionary.uses
        elif how == VALUE:
            seen.add(used)
            branch.below = _up(dictionary, used, seen)
    return found
