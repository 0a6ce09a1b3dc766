"""What people see while something runs: log lines and progress on stderr, never on stdout."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
"""Log lines and progress bars share it, so that neither tears the other."""


def set_up_logging(level: int = logging.INFO) -> None:
    """Sends the package's log to the console: plain text, warnings marked as such."""
    logger = logging.getLogger("seq2seq_jax")
    logger.handlers = [_ConsoleHandler()]
    logger.setLevel(level)
    logger.propagate = False


def say(text: str) -> None:
    """Prints on stderr, as the log does: stdout is for results alone."""
    print(text, file=sys.stderr, flush=True)


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        if console.is_terminal:
            console.print(text)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def progress_count(what: str) -> Iterator[Callable[[int], None]]:
    """As `progress_bar`, for what has no known end: a count, and the time that it has taken."""
    columns = (
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def progress_bar(what: str, total: int, completed: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar with an estimate of the time left, where stderr is a terminal; elsewhere nothing.

    Yields a function to be called with what is completed.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total, completed=completed)
        yield lambda done: bar.update(task, completed=done)
