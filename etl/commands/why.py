"""`etl why`: why a task is not done, and what to do about it."""

import datetime
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from etl import asked, config
from etl.errors import EtlError

if TYPE_CHECKING:
    from etl.status.why import Cause

# Of more first things it is enough to know how many there are.
_MOST = 10

_WORDS = {
    "failed": "failed",
    "missing": "is not there yet",
    "gone": "can be read no more",
    "killed": "was killed",
    "running": "is at work",
    "undone": "is not done",
    "untried": "is not done",
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("task")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The business day. Default: the last complete one.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one object.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def why(task: str, date: datetime.datetime | None, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Why TASK is not done, and what to do next.

    Of all that it waits for the first things are named that are not done, with what became of each in the last run
    that had it to do. ARGUMENTS are the task's parameters, or what `etl status` and `etl run` call it by.

    \b
      etl why Nightly
      etl why MirrorTable --table users --date 2014-02-03
      etl why MirrorTable users

    Exit codes: 0 it is explained, be it done or not; 30 a server that would know does not answer.
    """
    from etl.status import why as reasons

    one = reasons.task(task, asked.day(date), arguments)
    console = Console()
    try:
        answer = reasons.explain(one)
    except EtlError:
        # What is done only the servers know; what was tried the ledger does.
        if not as_json:
            _causes(reasons.recalled(one), console)
        raise
    if as_json:
        click.echo(json.dumps(reasons.as_json(answer), default=str, indent=1))
        return
    if answer.done:
        _say(console, f"{answer.what} is done: {answer.done}")
        return
    others = answer.waiting - 1
    first = f"; of {others} task{'s' if others > 1 else ''} that it waits for, first:" if others else ":"
    _say(console, f"{answer.what} is not done{first}")
    _causes(answer.causes, console)
    for note in answer.notes:
        _say(console, note)
    if answer.next:
        _say(console, f"Next: {answer.next}")


def _causes(causes: "Sequence[Cause]", console: Console) -> None:
    """What is the same of many is told once, as of the first of them."""
    alike: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        alike.setdefault((cause.state, cause.said), []).append(cause)
    for (state, said), some in list(alike.items())[:_MOST]:
        at = datetime.datetime.fromtimestamp(some[0].at, config.timezone()) if some[0].at else None
        when = (f" at {at:%Y-%m-%d %H:%M}" if at else "") + (f" in run {some[0].run}" if some[0].run else "")
        one_or_many = _WORDS[state] if len(some) == 1 else _WORDS[state].replace("is ", "are ").replace("was ", "were ")
        _say(console, f"{', '.join(cause.task for cause in some)} {one_or_many}{when}")
        inner = " ".join(said.split())
        _say(console, Padding(Text(inner), (0, 0, 0, 4), expand=False) if console.is_terminal else f"    {inner}")
    if len(alike) > _MOST:
        _say(console, f"and {len(causes) - sum(len(some) for some in list(alike.values())[:_MOST])} more")


def _say(console: Console, text: RenderableType) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)
