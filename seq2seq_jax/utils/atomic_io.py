"""Atomic file writes: a file or directory is either complete or unchanged."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors, write_error


def atomic_write(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically; its directory is created.

    Args:
      path: The name of the file.
      content: Its content.

    Raises:
      UserError: The file cannot be written.
    """
    with atomic_replace(Path(path)) as partial:
        partial.write_bytes(content)


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """Yield the name of a temporary file that is renamed to `path` when the block ends.

    The directory is created. If the block raises, the temporary file is removed.

    Args:
      path: The name of the file to create or replace.

    Yields:
      The name of the temporary file, in the same directory.

    Raises:
      UserError: The file cannot be written.
    """
    with explain_write_errors(path):
        if path.exists() and not path.is_file():  # Do not replace /dev/null.
            raise UserError(str(path), "cannot be written (not a regular file); use another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        os.close(handle)
        partial = Path(name)
        try:
            yield partial
            partial.chmod(0o644)  # mkstemp creates files that only their owner can read
            with partial.open("rb") as written:
                os.fsync(written.fileno())  # write the content to disk before the name
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path, remedy: str = "") -> Iterator[Path]:
    """Yield a temporary directory that is renamed to `path` when the block ends.

    The parent directory is created. If the block raises, the temporary directory is removed.
    Temporary directories for the same path that killed processes of this machine left behind are
    removed first.

    Args:
      path: The directory to create.
      remedy: What to do if it cannot be written; empty: what the reason suggests.

    Yields:
      The temporary directory, next to `path`.

    Raises:
      FileExistsError: `path` exists when the block ends, for example because another process was
        faster.
      UserError: The directory cannot be written.
    """
    prefix = f".{path.name}.{socket.gethostname()}."
    partial = path.parent / f"{prefix}{os.getpid()}.part"
    with explain_write_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        for abandoned in path.parent.glob(f"{prefix}*.part"):
            if not _is_alive(abandoned.name.removeprefix(prefix).removesuffix(".part")):
                shutil.rmtree(abandoned, ignore_errors=True)
        partial.mkdir(exist_ok=True)
    try:
        with explain_write_errors(path, remedy):
            yield partial
        try:
            partial.rename(path)
        except OSError as error:
            if path.exists():
                raise FileExistsError(error.errno, "exists", str(path)) from error
            raise write_error(path, error, remedy) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)  # signal 0 only checks that the process exists
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):  # another user's process, or another kind of name
        pass
    return True
