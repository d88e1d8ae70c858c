"""The folder that the pages are in: what we wrote there we replace, and nothing else is touched."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.errors import ConfigError

# Lists what is ours.
LIST = "dictionary.json"
_MADE_BY = "etl docs"


def publish(folder: Path, pages: Mapping[str, str], dictionary: dict[str, Any]) -> None:
    """Write the pages and the dictionary, each file at once, and delete those pages of before that are no more.

    ConfigError for a folder that is not ours, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _ours(folder)
        if strange := sorted(name for name in pages if name not in before and os.path.lexists(folder / name)):
            raise ConfigError(f"{folder / strange[0]}: is not of `etl docs`, which would write it; name another --out")
        # Death half-way leaves a folder that is known to be ours.
        _write(folder, LIST, _listed(dictionary, sorted({*before, *pages})))
        for name, text in pages.items():
            _write(folder, name, text)
        for name in before:
            if name not in pages:
                (folder / name).unlink(missing_ok=True)
        _write(folder, LIST, _listed(dictionary, sorted(pages)))
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}; name another folder by --out") from None


def _ours(folder: Path) -> list[str]:
    """The pages that were written here before; ConfigError for a folder with files of somebody else's alone."""
    try:
        said = json.loads((folder / LIST).read_text(encoding="utf-8"))
        if isinstance(said, dict) and said.get("made_by") == _MADE_BY:
            # No other than plain names: nothing outside the folder is ours.
            return [name for name in said["files"] if name == Path(name).name and name != LIST]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    if there := sorted(path.name for path in folder.iterdir()):
        raise ConfigError(f"{folder}: holds {there[0]} and no pages of `etl docs`; name a new or empty folder by --out")
    return []


def _listed(dictionary: dict[str, Any], files: list[str]) -> str:
    return json.dumps({"made_by": _MADE_BY, "files": files} | dictionary, indent=1)


def _write(folder: Path, name: str, text: str) -> None:
    new = folder / f".{name}.{os.getpid()}"
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
    finally:
        new.unlink(missing_ok=True)
