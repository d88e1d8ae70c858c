"""Whether the server at hand does what we believe of Redshift: each belief asked one by one, of a real cluster.

`conform` runs in a schema and below a lake prefix of its own, and removes both. A Finding that does not hold says what
was expected, what was found, and what of ours relies on it.
"""

import dataclasses
import json
import textwrap
from collections.abc import Callable, Generator, Iterable, Iterator

# Their checks register themselves: those of SQL first, then COPY's, then those of two sessions.
import etl.conformance.copies
import etl.conformance.sessions
import etl.conformance.statements  # noqa: F401
from etl.conformance.ground import CHECKS, Finding, Ground, Session

__all__ = ["Finding", "Session", "as_json", "conform", "report"]

_WIDTH = 80
_NAME = 38


def conform(db: Session, beside: Callable[[], Session] | None = None) -> Generator[Finding, None, None]:
    """One Finding a check, as each is done; everything that was made is removed, whatever happens.

    `beside` opens a further session; without it, one is opened like `db` itself.
    """
    ground = Ground(db, beside or (lambda: type(db)(db.settings, "etl conformance")))  # type: ignore[call-arg,attr-defined]
    made = ground.make()
    yield made
    if not made.holds:
        return
    try:
        for check in CHECKS:
            yield check.of(ground)
    finally:
        left = ground.remove()
    yield left


def report(findings: Iterable[Finding]) -> Iterator[str]:
    """Lines of at most 80 columns: one a finding that holds, and a paragraph for each that does not."""
    total = held = 0
    for finding in findings:
        total += 1
        held += finding.holds
        if finding.holds:
            yield f"ok   {_cut(finding.name, _NAME):{_NAME}} {_cut(finding.found, _WIDTH - _NAME - 6)}".rstrip()
            continue
        yield f"NOT  {_cut(finding.name, _WIDTH - 5)}"
        for word, text in (("expected", finding.expected), ("found", finding.found), ("why", finding.why)):
            lead = f"     {word:9} "
            yield from textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
    yield f"{held} of {total} hold" + ("" if held == total else "; read what is marked NOT before you rely on it")


def as_json(findings: Iterable[Finding]) -> str:
    return json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1, ensure_ascii=False)


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
