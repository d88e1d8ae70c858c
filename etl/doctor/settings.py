"""luigi.cfg: which files were read, whether each section of ours is complete, and names that nobody reads."""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import luigi
import luigi.configuration
from luigi.task_register import Register

from etl import config
from etl.doctor.finding import FAILED, OK, WARNING, Finding, of_error
from etl.errors import ConfigError

_UNSET = re.compile(r"(.+): set the environment variable (\w+)$")
_NEEDED = ("warehouse", "lake")
# Of luigi's own sections, those whose settings are known to us by name; what is read in other ways stands behind.
_LUIGIS = {"core": ("autoload_range",), "worker": (), "scheduler": (), "execution_summary": (), "retcode": ()}
_OTHERS_OF_LUIGI = ("resources", "logging", "email", "smtp", "batch_notifier", "task_history", "metrics", "DEFAULT")


def files() -> list[Path]:
    """The settings files that are there, of those that luigi reads."""
    parser = luigi.configuration.get_config()
    return [path for path in map(Path, dict.fromkeys(parser._config_paths)) if path.is_file()]


def unreadable() -> dict[str, ConfigError]:
    """Each section of ours that is there and cannot be read, and why."""
    found = config.problems()
    for name, read in (("etl", config.timezone), ("calendar", config.calendar)):
        if name not in found:
            try:
                read()
            except ConfigError as error:
                found[name] = error
    return found


def is_set(section: str, unreadable: dict[str, ConfigError]) -> bool:
    """Whether a section is there and can be read, so that its server can be asked."""
    return luigi.configuration.get_config().has_section(section) and section not in unreadable


def incomplete(unreadable: dict[str, ConfigError]) -> bool:
    """Whether what tasks miss in the settings is said already."""
    return bool(unreadable) or not files()


def check(unreadable: dict[str, ConfigError]) -> Iterator[Finding]:
    yield from _files()
    parser = luigi.configuration.get_config()
    if not files():
        return
    stopped = [name for name in unreadable if parser.get(name, "url", "", raw=True) == config.EMBEDDED]
    if stopped:
        said = f"{', '.join(f'[{name}]' for name in stopped)}: url = embedded, and the local stack is not running"
        yield Finding("settings", "embedded", FAILED, said, "etl up, or write the URLs of your servers")
    for name, error in unreadable.items():
        if unset := _UNSET.search(str(error)):
            found = f"{unset[1]} names ${{{unset[2]}}}, which is not set"
            yield Finding("settings", name, FAILED, found, f"export {unset[2]}=…, also for cron")
        elif name not in stopped:
            yield of_error("settings", name, error)
    for name in _NEEDED:
        if not parser.has_section(name):
            url = {"warehouse": "postgresql://etl_load:${WAREHOUSE_PASSWORD}@host:5432/warehouse"}
            remedy = f"[{name}] url = {url.get(name, 's3://bucket/prefix')}"
            yield Finding("settings", name, FAILED, f"there is no section [{name}]", remedy)
    read = [name for name in config.sections() if parser.has_section(name) and name not in unreadable]
    if read:
        yield Finding("settings", "sections", OK, f"complete: {', '.join(f'[{name}]' for name in read)}")
    yield from _unknown_sections()
    yield from _unknown_keys()


def _files() -> Iterator[Finding]:
    said = os.environ.get("LUIGI_CONFIG_PATH")
    if said and not Path(said).is_file():
        found = f"LUIGI_CONFIG_PATH = {said} is no file"
        yield Finding("settings", "file", FAILED, found, "unset LUIGI_CONFIG_PATH, or name a luigi.cfg that is there")
    elif not files():
        found = f"no luigi.cfg in {Path.cwd()}"
        yield Finding("settings", "file", FAILED, found, "cd to the project's own folder, or set LUIGI_CONFIG_PATH")
    else:
        yield Finding("settings", "file", OK, f"read from {', '.join(map(str, files()))}")


def _unknown_sections() -> Iterator[Finding]:
    ours = list(config.sections())
    known = {*ours, *_LUIGIS, *_OTHERS_OF_LUIGI, *Register.task_names()}
    for name in luigi.configuration.get_config().sections():
        if name in known:
            continue
        if near := difflib.get_close_matches(name, [*ours, *_LUIGIS], n=1):
            yield Finding("settings", name, WARNING, f"[{name}]: nothing reads it", f"write [{near[0]}]")


def _unknown_keys() -> Iterator[Finding]:
    parser = luigi.configuration.get_config()
    for section, besides in _LUIGIS.items():
        if not parser.has_section(section):
            continue
        known = [name for name, _ in _shape(section).get_params()] + list(besides)
        for key in set(parser.options(section)) - set(parser.defaults()):
            name = key.replace("-", "_")
            if name not in known and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.75)):
                yield Finding(
                    "settings", section, WARNING, f"[{section}] {key}: luigi reads no such setting", f"write {near[0]}"
                )


def _shape(section: str) -> type[luigi.Config]:
    import luigi.execution_summary
    import luigi.interface
    import luigi.retcodes
    import luigi.scheduler
    import luigi.worker

    shapes = {
        "core": luigi.interface.core,
        "worker": luigi.worker.worker,
        "scheduler": luigi.scheduler.scheduler,
        "execution_summary": luigi.execution_summary.execution_summary,
        "retcode": luigi.retcodes.retcode,
    }
    return shapes[section]
