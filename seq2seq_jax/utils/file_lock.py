"""Advisory locks: one process at a time writes in a directory."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors, reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)


@contextmanager
def file_lock(path: Path, owner: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock while the block runs.

    The operating system releases the lock when the process ends, however it ends. The file remains;
    its content names the process that had the lock last. Where locks do not exist (on Windows, and
    on some network file systems), a warning says so, and the block runs without one.

    Args:
      path: The file of the lock, which is created with its directory.
      owner: What holds the lock, for the error: "another training".
      wait: Wait until the lock is free, instead of raising.

    Raises:
      UserError: Another process holds the lock, or the file cannot be written.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp(), "lock")
      >>> with file_lock(path, "another training"):
      ...     path.read_text() == f"process {os.getpid()} on {socket.gethostname()}"
      True
    """
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, path, owner, wait)
        with explain_write_errors(path):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, owner: str, wait: bool) -> None:
    if fcntl is None:
        _log.warning("this system has no file locks, so nothing excludes %s in %s", owner, path)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        holder = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip()
        named = f" ({holder})" if holder else ""
        what = f"{owner} is running here{named}; wait for it, or use another directory"
        raise UserError(str(path.parent), what) from None
    except OSError as error:
        _log.warning("%s cannot be locked (%s), so nothing excludes %s", path, reason(error), owner)
