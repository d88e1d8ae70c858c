"""Secrets: none in clear text in luigi.cfg, none in a file that others may read, and none in what is said here."""

import dataclasses
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import luigi.configuration

from etl import stack
from etl.doctor import settings
from etl.doctor.finding import OK, WARNING, Finding

_IN_URL = re.compile(r"://[^/@\s]*?:([^@\s]+)@")
_KEY = re.compile(r"password|secret|token|passphrase")
_ENV = re.compile(r"\$\{(\w+)\}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# A shorter one is found in too many words.
_SHORTEST = 6


def check() -> Iterator[Finding]:
    # What `etl up` writes has passwords of its own servers, which it made at random, and is for its owner alone.
    own = stack.SETTINGS.absolute()
    written = [path for path in settings.files() if path.absolute() != own]
    clear = sorted({place for path in written for place in _clear(path)})
    for section, key in clear:
        name = f"{section}_PASSWORD".upper()
        remedy = f"write ${{{name}}} in its place, and the secret into the environment"
        yield Finding("secrets", section, WARNING, f"[{section}] {key} holds a secret in clear text", remedy)
    for path in settings.files():
        mode = path.stat().st_mode
        if mode & _OTHERS & ~stat.S_IXGRP and _clear(path):
            said = f"{path} holds secrets, and others may read it (mode {stat.S_IMODE(mode):04o})"
            yield Finding("secrets", "mode", WARNING, said, f"chmod 600 {path}")
    var = Path("var")
    if var.is_dir() and var.stat().st_mode & _OTHERS:
        said = f"others may look into var/ (mode {stat.S_IMODE(var.stat().st_mode):04o})"
        yield Finding("secrets", "var", WARNING, said, "chmod 700 var")
    if settings.files() and not clear:
        yield Finding("secrets", "clear text", OK, "none stands in a settings file of yours")


def _clear(path: Path) -> list[tuple[str, str]]:
    """Section and key of each secret that a file holds itself."""
    parser = luigi.configuration.LuigiConfigParser()
    parser.read(path, encoding="utf-8")
    return [
        (section, key)
        for section in parser.sections()
        for key, value in parser.items(section, raw=True)
        if (secret := _secret(key, value)) and not _ENV.search(secret)
    ]


def _secret(key: str, value: str) -> str:
    found = _IN_URL.search(value)
    return found[1] if found else value if _KEY.search(key) else ""


def without(finding: Finding) -> Finding:
    """The finding without any secret of the settings: what a server or a driver says may quote one."""
    found, remedy = finding.found, finding.remedy
    for secret in _known():
        found, remedy = found.replace(secret, "…"), remedy.replace(secret, "…")
    return dataclasses.replace(finding, found=found, remedy=remedy)


def _known() -> set[str]:
    parser = luigi.configuration.get_config()
    known: set[str] = set()
    for section in parser.sections():
        for key, value in parser.items(section, raw=True):
            if not (secret := _secret(key, value)):
                continue
            meant = _ENV.sub(lambda name: os.environ.get(name[1], ""), secret.replace("%%", "%"))
            known |= {meant, unquote(meant)}
    return {secret for secret in known if len(secret) >= _SHORTEST}
