"""What was asked for on the command line: a task of the project, by its name and parameters, and its day."""

import contextlib
import datetime
import difflib
import importlib
import io
import pkgutil
import traceback
from pathlib import Path
from typing import Any

import click
import luigi
from luigi.cmdline_parser import CmdlineParser
from luigi.task_register import Register, TaskClassException

from etl import config
from etl.errors import ConfigError


def family(name: str) -> type[luigi.Task]:
    """The task of that name in the package `tasks`; UsageError with those that are there."""
    import_tasks()
    try:
        return Register.get_task_cls(name)
    except TaskClassException:
        ours = sorted(found.get_task_family() for found in families())
        near = difflib.get_close_matches(name, ours, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ours)}"
        raise click.UsageError(f"no task {name}; {hint}") from None


def families() -> list[type[luigi.Task]]:
    """Every task of the package `tasks`, which is imported by now."""
    found = []
    for name in Register.task_names():
        try:
            found.append(Register.get_task_cls(name))
        except TaskClassException:
            # Two of one name: luigi runs neither by it.
            continue
    return [one for one in found if one.__module__.startswith("tasks.")]


def parameters(of: type[luigi.Task], arguments: tuple[str, ...]) -> dict[str, str]:
    """`--table venues` as {"table": "venues"}; UsageError for what the task does not have."""
    names = [word.removeprefix("--").replace("-", "_") for word in arguments[::2]]
    known = [name for name, _ in of.get_params()]
    if len(arguments) % 2 or (strange := [name for name in names if name not in known]):
        said = strange[0] if len(arguments) % 2 == 0 else arguments[-1]
        raise click.UsageError(
            f"{of.get_task_family()}: {said}: write its parameters as --name value; it has {', '.join(known)}"
        )
    return dict(zip(names, arguments[1::2], strict=True))


def task(of: type[luigi.Task], said: dict[str, str]) -> Any:
    """The task with these parameters; UsageError for one that is missing or cannot be read."""
    try:
        return of.from_str_params(said)
    except luigi.parameter.MissingParameterException:
        raise click.UsageError(_lacking(of, set(said))) from None
    except (luigi.parameter.ParameterException, ValueError) as error:
        raise click.UsageError(f"{of.get_task_family()}: {error}") from None


def understood(of: type[luigi.Task], said: list[str]) -> luigi.Task:
    """The task that these words of luigi's own command line mean.

    UsageError for those that it would refuse: a typing error is no run that failed.
    """
    family, complaint = of.get_task_family(), io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(complaint),
            CmdlineParser.global_instance(["--module", of.__module__, family, *said]) as parser,
        ):
            return parser.get_task_obj()
    except SystemExit:
        _, _, why = complaint.getvalue().rpartition(" error: ")
        known = ", ".join(f"--{name.replace('_', '-')}" for name, _ in of.get_params())
        raise click.UsageError(f"{family}: {why.strip()}; it takes {known or 'nothing'}") from None
    except luigi.parameter.MissingParameterException:
        raise click.UsageError(_lacking(of, {word[2:].replace("-", "_") for word in said})) from None
    except (luigi.parameter.ParameterException, ValueError) as error:
        raise click.UsageError(f"{family}: {error}") from None


def _lacking(of: type[luigi.Task], said: set[str]) -> str:
    family = of.get_task_family()
    lacking = [name for name, one in of.get_params() if name not in said and not one.has_task_value(family, name)]
    return f"{family}: say {', '.join('--' + name.replace('_', '-') for name in lacking)} besides"


def import_tasks() -> None:
    """ConfigError outside of a project's folder, and for a file of tasks/ that is broken."""
    config.present()
    try:
        package = importlib.import_module("tasks")
    except ModuleNotFoundError:
        raise ConfigError(f"no folder `tasks` in {Path.cwd()}; run etl in the project's own folder") from None
    for module in pkgutil.walk_packages(package.__path__, "tasks."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            raise ConfigError(_broken(package.__path__[0], module.name, error)) from None


def _broken(folder: str, module: str, error: Exception) -> str:
    """The last line of the project's own that led to the error."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    else:
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folder)]
        where = f"{ours[-1].filename}, line {ours[-1].lineno}" if ours else module
    said = error.msg if isinstance(error, SyntaxError) else error
    return f"{where}: cannot be imported: {type(error).__name__}: {said}"


def with_all_it_requires(task: luigi.Task) -> list[luigi.Task]:
    """The task and, once each, all that it requires."""
    found: dict[str, luigi.Task] = {}
    waiting = [task]
    while waiting:
        one = waiting.pop(0)
        if one.task_id not in found:
            found[one.task_id] = one
            waiting += luigi.task.flatten(one.requires())
    return list(found.values())


def day(said: datetime.datetime | None, option: str = "--date") -> datetime.date | None:
    """UsageError for a day that has not begun."""
    if said and said.date() > today():
        raise click.UsageError(
            f"{option} {said.date()} is in the future: today is {today()} in {config.etl().timezone}"
        )
    return said.date() if said else None


def today() -> datetime.date:
    return datetime.datetime.now(config.timezone()).date()


def yesterday() -> datetime.date:
    """The last complete business day."""
    return today() - datetime.timedelta(days=1)
