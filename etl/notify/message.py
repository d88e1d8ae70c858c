"""What is sent: a headline and a text, the same by whichever way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """`state` is failed, died, recovered, done or test. `run` is the run it tells of, `story` the one that it began
    with: that run itself, or the first of those that failed before it.
    """

    state: str
    headline: str
    text: str
    run: str
    story: str
