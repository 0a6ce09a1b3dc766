"""What users see while a program runs: log lines and progress on stderr, never on stdout."""

import logging
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

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

LINE_WIDTH = 80
"""The number of columns that log lines of several fields fit into."""

_log = logging.getLogger(__name__)


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


def announce_jax() -> None:
    """Print a line when JAX is imported for the first time, because that takes seconds."""
    if "jax" not in sys.modules and not any(isinstance(f, _JaxFinder) for f in sys.meta_path):
        sys.meta_path.insert(0, _JaxFinder())


@contextmanager
def slow_work(description: str, seconds: float = 1.0) -> Iterator[None]:
    """Log what is done, if it is not done soon.

    Args:
      description: What the block does, as a log line.
      seconds: The line is logged if the block takes longer than this.

    Example:
      >>> with slow_work("Reading the data"):
      ...     pass  # fast, so nothing is logged
    """
    timer = threading.Timer(seconds, _log.info, ("%s", description))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def join_fields(fields: Sequence[str], width: int = LINE_WIDTH) -> str:
    """Join the fields of a log line, and begin a new line only between two fields.

    Args:
      fields: The fields.
      width: The largest width of a line, unless a single field is wider.

    Example:
      >>> print(join_fields(["step 1/2", "loss 2.31", "lr 0.002"], width=24))
      step 1/2 | loss 2.31
        | lr 0.002
    """
    lines = [fields[0]]
    for field in fields[1:]:
        longer = f"{lines[-1]} | {field}"
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(f"  | {field}")
    return "\n".join(lines)


def wrap_words(text: str, width: int) -> str:
    """Break the lines of a text that are too wide between words, so that no number is cut.

    Args:
      text: The text.
      width: The largest width of a line, unless a single word is wider.

    Example:
      >>> print(wrap_words("10,000 pairs of 9,000 sources", width=20))
      10,000 pairs of
        9,000 sources
    """
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    lines = text.split("\n")
    return "\n".join(wrapper.fill(line) if len(line) > width else line for line in lines)


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
    description: str, total: int, completed: int = 0, *, estimate: bool = True
) -> Iterator[Callable[[int], None]]:
    """Show a bar, if stderr is a terminal.

    Args:
      description: What is done.
      total: The size of the work.
      completed: The size of what is done already.
      estimate: Show the remaining time, and otherwise the elapsed time.

    Yields:
      A function that takes the size of what is done.
    """
    time_column = TimeRemainingColumn() if estimate else TimeElapsedColumn()
    columns = (BarColumn(), MofNCompleteColumn(), time_column)
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
            console.print(wrap_words(text, console.width))
        else:
            say(text)


class _JaxFinder(MetaPathFinder):
    """Finds no module, but sees when JAX is searched for."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "jax":
            sys.meta_path.remove(self)
            say("Importing JAX")
