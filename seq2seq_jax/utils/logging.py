"""What users see while a program runs: log lines and progress on stderr, never on stdout."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
"""The console that log lines and progress bars share, so that neither overwrites the other."""


def set_up_logging(level: int = logging.INFO) -> None:
    """Send the package's log to stderr as plain text, with warnings marked as such.

    Args:
      level: The lowest level that is shown.
    """
    logger = logging.getLogger("seq2seq_jax")
    logger.handlers = [_ConsoleHandler()]
    logger.setLevel(level)
    logger.propagate = False


def say(text: str) -> None:
    """Print a line on stderr, because stdout is for results.

    Args:
      text: The line.
    """
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress_count(description: str) -> Iterator[Callable[[int], None]]:
    """Show a count and the elapsed time, if stderr is a terminal, for work of unknown size.

    Args:
      description: What is counted.

    Yields:
      A function that takes the current count.
    """
    columns = (TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with _progress(description, None, 0, columns) as show:
        yield show


@contextmanager
def progress_bar(
    description: str, total: int, completed: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show a bar and the remaining time, if stderr is a terminal.

    Args:
      description: What is done.
      total: The size of the work.
      completed: The size of what is done already.

    Yields:
      A function that takes the size of what is done.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _progress(description, total, completed, columns) as show:
        yield show


@contextmanager
def _progress(
    description: str, total: int | None, completed: int, columns: tuple[ProgressColumn, ...]
) -> Iterator[Callable[[int], None]]:
    with Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(description, total=total, completed=completed)
        yield lambda done: bar.update(task, completed=done)


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        if console.is_terminal:
            console.print(text)
        else:
            say(text)
