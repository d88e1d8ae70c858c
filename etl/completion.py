"""What a shell offers where TAB is pressed: tasks, their parameters, and tables, besides what click knows itself.

Quick, and silent whatever is missing: no server is asked, and what cannot be read has nothing to offer.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import luigi
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

SHELLS = ("bash", "zsh", "fish")

# Tables of so many runs, the last ones, are known by name.
_RUNS = 10


class Task(click.types.StringParamType):
    """A task's name."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in sorted(_families()) if name.startswith(incomplete)]


class Table(click.types.StringParamType):
    """A table's name: in full, or from its beginning without the schema."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        known = sorted(_tables())
        if ctx.command.name == "compare":
            known = [name.partition(".")[2] for name in known if name.startswith("raw.")]
        found = [name for name in known if name.startswith(incomplete)]
        short = [name.partition(".")[2] for name in known] if incomplete else []
        found += [name for name in short if name.startswith(incomplete)]
        return [CompletionItem(name) for name in dict.fromkeys(found)]


def attach(main: click.Group) -> None:
    """Let each argument TASK and TABLE of the commands be completed, and what follows a TASK."""
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and parameter.name in _TYPES and parameter.type is click.STRING:
                parameter.type = _TYPES[parameter.name]
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)


def script(main: click.Command, shell: str) -> str:
    """What a shell is to evaluate so that TAB asks us."""
    return dict(zip(SHELLS, (_Bash, _Zsh, _Fish), strict=True))[shell](main, {}, "etl", "_ETL_COMPLETE").source()


_TYPES: dict[str, click.ParamType] = {"task": Task(), "table": Table()}


class _OfTasks(ShellComplete):
    """Click knows the options of a command; those of the task that is named behind it are its parameters."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        task = next((family for name, family in _families().items() if name in args[1:]), None) if args[1:] else None
        if not task:
            return found
        parameters = {f"--{name.replace('_', '-')}": parameter for name, parameter in task.get_params()}
        if incomplete.startswith("-"):
            known = {item.value for item in found}
            more = [name for name in parameters if name.startswith(incomplete) and name not in (*known, *args)]
            return found + [CompletionItem(name) for name in more]
        last = parameters.get(args[-1])
        return [CompletionItem(value) for value in _values(args[-1], last) if value.startswith(incomplete)] or found


class _Bash(_OfTasks, BashComplete):
    pass


class _Zsh(_OfTasks, ZshComplete):
    pass


class _Fish(_OfTasks, FishComplete):
    pass


def _values(name: str, parameter: luigi.Parameter | None) -> list[str]:
    if isinstance(parameter, luigi.ChoiceParameter):
        return sorted(map(str, parameter._choices))
    if parameter and name == "--table":
        return sorted(table.partition(".")[2] for table in _tables() if table.startswith("raw."))
    return []


def _families() -> dict[str, type[luigi.Task]]:
    """The project's tasks, and the library's that are made by parameters alone."""
    from etl import asked

    found: list[type[luigi.Task]] = []
    with _silence():
        sys.path.insert(0, str(Path.cwd()))
        asked.import_tasks()
        from etl.mirror import MirrorTable
        from etl.sources.mysql import ExtractTable

        found = [*asked.families(), MirrorTable, ExtractTable]
    return {family.get_task_family(): family for family in found}


def _tables() -> set[str]:
    """Those that this folder's last runs have loaded, and those that have a file."""
    from etl import ledger
    from etl.warehouse.definition import sql_path

    found: set[str] = set()
    with _silence():
        found |= {f"mart.{path.stem}" for path in sql_path("marts", "").glob("*.sql")}
        for path in sql_path("tables", "").glob("*.sql"):
            schema = "public" if path.stem.startswith(("dim_", "fact_")) else "raw"
            found.add(f"{schema}.{path.stem}")
    with _silence():
        if ledger.FOLDER.is_dir() and any(ledger.FOLDER.iterdir()):
            found |= {task.table for run in ledger.runs(_RUNS) for task in run.tasks.values() if task.table}
    return found


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Whatever the project's modules print, warn of or raise would stand in the middle of somebody's command."""
    nowhere = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        contextlib.suppress(Exception, SystemExit),
    ):
        warnings.simplefilter("ignore")
        yield
