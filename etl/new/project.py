"""The folder of a project: what is there already, new files in it, all or none, and one more load in its Nightly."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from etl import config
from etl.errors import ConfigError, EtlError
from etl.new.proposal import Titles

NIGHTLY = Path("tasks/nightly.py")
CONFTEST = Path("tests/conftest.py")
_PLUGIN = 'pytest_plugins = ["etl.testing"]'


@dataclass(frozen=True)
class Nightly:
    """tasks/nightly.py with the load in it; `text` is '' where the file has another form, and `lines` say what to add
    by hand."""

    text: str
    lines: tuple[str, str]


def sql_folder() -> Path:
    """ConfigError where this is no project's folder."""
    folder = Path(config.etl().sql)
    for path in (Path("luigi.cfg"), Path("tasks"), folder):
        if not path.exists():
            raise ConfigError(f"no {path} in {Path.cwd()}; run etl in the project's own folder")
    return folder


def check_names(titles: Titles, paths: list[Path]) -> None:
    """ConfigError for a file that is there, or a class that luigi knows by that name already."""
    cure = "--name another_word names table, task and files otherwise"
    if there := [path for path in paths if path.exists()]:
        raise ConfigError(f"{there[0]} is there already, and nothing is overwritten; {cure}")
    for path in sorted(Path("tasks").rglob("*.py")):
        for name in (titles.load, titles.extract):
            if re.search(rf"^class {name}\b", path.read_text(encoding="utf-8"), re.MULTILINE):
                raise ConfigError(f"{path} has a class {name} already; {cure}")


def conftest() -> tuple[str, str]:
    """The text of tests/conftest.py where there is none, and what to add to one that is there, '' for nothing."""
    if not CONFTEST.exists():
        return f'"""What tests are given: warehouse, mysql, redis, search, s3_source and lake."""\n\n{_PLUGIN}\n', ""
    said = CONFTEST.read_text(encoding="utf-8")
    return "", "" if "etl.testing" in said or "def warehouse(" in said else _PLUGIN


def nightly(titles: Titles) -> Nightly:
    """The load as the last line of Nightly.requires, where that yields one task a line, and its import."""
    line = f"yield {titles.load}(date=self.date)"
    imported = f"from tasks.{titles.module} import {titles.load}"
    said = (imported, line)
    if not NIGHTLY.exists():
        return Nightly("", said)
    text = NIGHTLY.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return Nightly("", said)
    last = _last_yield(tree)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if last is None or last.end_lineno is None or not imports:
        return Nightly("", said)
    lines = text.splitlines(keepends=True)
    if not lines[last.end_lineno - 1].endswith("\n"):
        lines[last.end_lineno - 1] += "\n"
    lines.insert(last.end_lineno, " " * last.col_offset + line + "\n")
    ours = [node for node in imports if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tasks.")]
    later = [node for node in ours if (node.module or "") > f"tasks.{titles.module}"]
    place = later[0].lineno - 1 if later else (ours or imports)[-1].end_lineno or 0
    lines.insert(place, ("" if ours else "\n") + imported + "\n")
    return Nightly("".join(lines), said)


def _last_yield(tree: ast.Module) -> ast.stmt | None:
    for found in tree.body:
        if isinstance(found, ast.ClassDef) and found.name == "Nightly":
            for method in found.body:
                if isinstance(method, ast.FunctionDef) and method.name == "requires":
                    last = method.body[-1]
                    return last if isinstance(last, ast.Expr) and isinstance(last.value, ast.Yield) else None
    return None


def write(new: dict[Path, str], changed: dict[Path, str]) -> None:
    """Write the new files and replace the changed ones; when one fails, all is as it was before."""
    before = {path: path.read_bytes() for path in changed}
    made: list[Path] = []
    folders: list[Path] = []
    try:
        for path, text in new.items():
            for folder in reversed([one for one in path.parents if not one.exists()]):
                folder.mkdir()
                folders.append(folder)
            # Not over a file that somebody else has made since.
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
        for path, text in changed.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        for path, was in before.items():
            if path.read_bytes() != was:
                path.write_bytes(was)
        for path in made:
            path.unlink()
        for folder in reversed(folders):
            folder.rmdir()
        raise EtlError(f"{error.filename}: {error.strerror}; nothing was written") from None
