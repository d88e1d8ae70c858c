"""luigi.cfg for the local stack: the project's own text with the embedded servers' addresses in it."""

import re
from collections.abc import Mapping

from etl.config import EMBEDDED

_HEADER = re.compile(r"\[(?P<name>[^]]+)\]")
_OPTION = re.compile(r"(?P<key>[^\s#;=:\[][^=:]*?)\s*[=:]\s*(?P<value>.*?)\s*$")


def point_at(text: str, servers: Mapping[str, Mapping[str, str]], scheduler: Mapping[str, str]) -> str:
    """Every section of `servers` that says `url = embedded` gets its server's lines, [core] the scheduler's.

    All other lines stay as they are, comments included.
    """
    head, *sections = _split(text)
    written = [head]
    for section in sections:
        name = _name(section)
        if name == "core":
            section = _with(section, scheduler)
        elif name in servers and _options(section).get("url") == EMBEDDED:
            section = _with(section, servers[name])
        written.append(section)
    if "core" not in map(_name, sections):
        written.append(_with("\n[core]\n", scheduler))
    return "".join(written)


def _split(text: str) -> list[str]:
    """What stands before the first section, then a string a section."""
    parts = [""]
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            parts.append("")
        parts[-1] += line if line.endswith("\n") else f"{line}\n"
    return parts


def _name(section: str) -> str:
    header = _HEADER.match(section.lstrip())
    return header["name"] if header else ""


def _options(section: str) -> dict[str, str]:
    return {_key(match): match["value"] for line in section.splitlines() if (match := _OPTION.match(line))}


def _key(match: re.Match[str]) -> str:
    # Luigi takes scheduler-host for scheduler_host.
    return match["key"].strip().replace("-", "_")


def _with(section: str, options: Mapping[str, str]) -> str:
    """The section with these options in place of its own; those that it lacks follow the last that it had."""
    lines: list[str] = []
    place: int | None = None
    dropping = False
    for line in section.splitlines(keepends=True):
        match = _OPTION.match(line)
        if match and _key(match) in options:
            place = len(lines) if place is None else place
            dropping = True
        elif dropping and line[0] in " \t" and line.strip():
            continue  # the rest of a value that runs over several lines
        else:
            dropping = False
            lines.append(line)
        if place is None and _HEADER.match(line):
            after_header = len(lines)
    if place is None:
        place = after_header
    lines[place:place] = [f"{key} = {value}\n" for key, value in options.items()]
    return "".join(lines)
