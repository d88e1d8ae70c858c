"""A command that runs tasks, from its lock to what is said of it afterwards."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import date

import click

from etl import afterwards, ledger, logs
from etl.errors import EtlError
from etl.ledger import Book
from etl.lock import alone

_INTERRUPTED = 1
_CRASH = 40


def night(what: str, task: str, day: date | None, work: Callable[[Book], int], wait: float = 0) -> int:
    """Do the work alone, keep its ledger, and tell of it whatever came of it; the work's exit code.

    `task` is the family with what tells it from its like; its days are not run side by side. `what` is how people call
    the run. `wait` is how many seconds are waited for another such run. Work that is refused for how it was asked for
    was never begun.
    """
    logs.begin()
    book = None
    with alone(task, what, wait, lambda words: click.echo(words, err=True)):
        try:
            with ledger.begun(what, task, str(day) if day else None, sys.stderr.isatty()) as book, _noted(book):
                book.hear(code=work(book))
        except click.UsageError:
            if book:
                ledger.forget(book.run)
                book = None
            raise
        finally:
            if book:
                afterwards.tell(book.run)
    assert book.run.code is not None
    return book.run.code


@contextlib.contextmanager
def _noted(book: Book) -> Iterator[None]:
    """What ends the work early goes into the ledger with its exit code."""
    try:
        yield
    except EtlError as error:
        book.hear(error=str(error), code=error.code)
        raise
    except click.UsageError:
        raise
    except KeyboardInterrupt:
        book.hear(error="interrupted", code=_INTERRUPTED)
        raise
    except BaseException as error:
        book.hear(error=f"{type(error).__name__}: {error}", code=_CRASH)
        raise
