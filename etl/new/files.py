"""A proposal as the four files that a person would write: the task, the table, the load's SQL, and a test of them."""

import re
from pathlib import Path

from etl.new.proposal import Column, Proposal
from etl.new.text import WIDTH, drawn, listed

DAY = "date(2014, 2, 3)"


def files(proposal: Proposal, sql: Path) -> dict[Path, str]:
    """Each file's text by its path in the project; `sql` is the folder that [etl] sql names."""
    titles = proposal.titles
    return {
        Path("tasks") / f"{titles.module}.py": task(proposal),
        sql / "tables" / f"{titles.table}.sql": table(proposal),
        sql / "loads" / f"{titles.table}.sql": load(proposal),
        Path("tests") / f"test_{titles.module}.py": test(proposal),
    }


def task(proposal: Proposal) -> str:
    titles = proposal.titles
    about = proposal.about[0].lower() + proposal.about[1:] if proposal.about[1:2].islower() else proposal.about
    lines = [f'    table = "{titles.table}"']
    if proposal.extract and not proposal.requires:
        lines.insert(0, f"    extractor = {titles.extract}")
    if proposal.strategy != "replace":
        lines.append(f'    strategy = "{proposal.strategy}"')
    lines.append(f"    key = {listed(proposal.key, len('    key = '))}")
    lines.append(f'    sql = "{titles.table}.sql"')
    if proposal.requires:
        lines += ["", "    def requires(self):", f"        return {proposal.requires}"]
    extract = f"{proposal.extract}\n\n\n" if proposal.extract else ""
    return (
        f'"""{titles.table}: {about.rstrip(".")}."""\n\n{_imports(proposal.imports)}\n\n\n{extract}'
        f"class {titles.load}(BaseLoader):\n" + "\n".join(lines) + "\n"
    )


def table(proposal: Proposal) -> str:
    titles = proposal.titles
    surrogate = f"{titles.member}_key"
    head = [f"-- {proposal.about}"]
    columns = list(proposal.columns)
    if proposal.is_dimension:
        head.append(f"-- redshift: DISTSTYLE ALL SORTKEY ({surrogate})")
        ours = f"ours; -1 is the unknown {titles.member.replace('_', ' ')}"
        columns.insert(0, Column(surrogate, "BIGINT", "", "", required=True, comment=ours))
    elif proposal.strategy == "partition":
        head += ["-- redshift: SORTKEY (date_key)", "-- postgres: INDEX (date_key)"]
    primary = (surrogate,) if proposal.is_dimension else proposal.primary
    names = max(len(column.name) for column in columns)
    kinds = max(len(column.type) for column in columns)
    declared = []
    for column in columns:
        said = column.declared + (" PRIMARY KEY" if primary == (column.name,) else "")
        declared.append(f"    {column.name:{names}} {column.type:{kinds}} {said}".rstrip())
    if len(primary) > 1:
        declared.append(f"    PRIMARY KEY ({', '.join(primary)})")
    declared = [line + ("," if number < len(declared) else "") for number, line in enumerate(declared, 1)]
    comments = [column.comment for column in columns] + [""]
    room = max((len(line) for line, said in zip(declared, comments, strict=False) if said), default=0) + 2
    body = [f"{line:{room}}-- {said}" if said else line for line, said in zip(declared, comments, strict=False)]
    return "\n".join([*head, f"CREATE TABLE public.{titles.table} (", *body, ");"]) + "\n"


def load(proposal: Proposal) -> str:
    room = max(len(column.expression) for column in proposal.columns)
    columns = [f"    {column.expression:{room}} AS {column.name}" for column in proposal.columns]
    return "SELECT\n" + ",\n".join(columns) + f"\nFROM {proposal.rows_of}\n"


def test(proposal: Proposal) -> str:
    titles = proposal.titles
    setup = proposal.setup
    imports = ["run_task", "shows", *proposal.test_imports]
    return (
        f'"""{titles.table}, of two rows made up: one has everything, the other only what is never missing."""\n\n'
        "from datetime import date\n\n"
        f"from etl.testing import {', '.join(sorted(imports))}\n"
        f"from tasks.{titles.module} import {titles.load}\n\n\n"
        f"def test_rows_of_the_source_become_{titles.table}({proposal.fixtures}):\n{setup}\n\n"
        f"    run_task({titles.load}(date={DAY}))\n\n{_expected(proposal)}"
    )


def _expected(proposal: Proposal) -> str:
    """Drawings of the table; of a wide one several, each with its key."""
    titles = proposal.titles
    columns: list[tuple[str, tuple[str | None, ...]]] = []
    if proposal.is_dimension:
        columns.append((f"{titles.member}_key", ("-1", "1", "2")))
    for column in proposal.columns:
        if column.shown is not None:
            unknown = (_unquoted(column.default),) if proposal.is_dimension else ()
            columns.append((column.name, (*unknown, *column.shown)))
    first, rest = columns[:1], columns[1:]
    drawings, taken, room = [], list(first), _width(first)
    for one in rest:
        if room + _width([one]) > WIDTH - 10 and len(taken) > 1:
            drawings.append(taken)
            taken, room = list(first), _width(first)
        taken.append(one)
        room += _width([one])
    drawings.append(taken)
    return "".join(
        drawn(
            "shows",
            "warehouse",
            f"public.{titles.table}",
            [name for name, _ in some],
            list(zip(*(values for _, values in some), strict=True)),
        )
        for some in drawings
    )


def _width(columns: list[tuple[str, tuple[str | None, ...]]]) -> int:
    return sum(max(len(name), *(len(value or "NULL") for value in values)) + 3 for name, values in columns)


def _unquoted(default: str) -> str | None:
    """A default as the database shows it."""
    if not default:
        return None
    if found := re.fullmatch(r"(TIMESTAMP |DATE )?'(.*)'", default):
        return found[2] + (" 00:00:00" if found[1] == "TIMESTAMP " else "")
    return {"FALSE": "false"}.get(default, default)


def _imports(lines: list[str]) -> str:
    """The standard library's first, then ours; each in the order of its modules."""
    ours = sorted(line for line in lines if line.startswith(("from etl", "from tasks")))
    others = sorted(line for line in lines if line not in ours)
    return "\n".join([*others, *([""] if others else []), *ours])
