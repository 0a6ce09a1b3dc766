"""Errors of the operating system in one line: which file, why, and what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_jax.utils.errors import UserError

_REMEDIES = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "free some space and run the same command again",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "use a shorter name",
}
_WRITE_REMEDIES = _REMEDIES | {
    errno.EACCES: "use a place that you may write to",
    errno.EPERM: "use a place that you may write to",
    errno.EROFS: "use a place that you may write to",
    errno.ENOENT: "use a directory that exists or can be created",
    errno.ENOTDIR: "a file is where a directory must be; use another place",
    errno.EEXIST: "a file is where a directory must be; use another place",
    errno.EISDIR: "a directory is where a file must be; use another name",
}


def write_error(path: str | os.PathLike[str], error: OSError, remedy: str = "") -> UserError:
    """Return the error for a file or directory that cannot be written.

    Args:
      path: The file or directory.
      error: What the operating system reported.
      remedy: What to do; empty: what the reason suggests.
    """
    remedy = remedy or _WRITE_REMEDIES.get(error.errno or 0, "")
    what = f"cannot be written ({reason(error)})" + (f"; {remedy}" if remedy else "")
    return UserError(os.fspath(path), what)


@contextmanager
def explain_write_errors(path: str | os.PathLike[str], remedy: str = "") -> Iterator[None]:
    """Report that a file or directory cannot be written, in one line.

    Errors that name a file somewhere else, such as an input, are left alone.

    Args:
      path: What the block writes: a file, or a directory with everything in it.
      remedy: What to do if that fails; empty: what the reason suggests.

    Raises:
      UserError: The block failed to write.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not _concerns(Path(path), error):
            raise
        raise write_error(path, error, remedy) from error


def explain_system_error(error: Exception) -> UserError | None:
    """Return the one-line form of an error of the operating system that nothing else explained.

    Args:
      error: Any exception.

    Returns:
      The error to report; None if `error` is of another kind.
    """
    if isinstance(error, OSError):
        where = "operating system" if error.filename is None else os.fsdecode(error.filename)
        remedy = _REMEDIES.get(error.errno or 0)
        return UserError(where, reason(error) + (f"; {remedy}" if remedy else ""))
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return UserError(repr(error.object)[:200], "is not UTF-8; use a name that is")
    if isinstance(error, ValueError) and "null byte" in str(error):
        return UserError("file name", "contains a NUL character; use a name without it")
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        what = "is not set, and this user has no home directory; set HOME or SEQ2SEQ_JAX_CACHE"
        return UserError("HOME", what)
    return None


def reason(error: Exception) -> str:
    """Return what an exception says, in one line.

    Args:
      error: The exception.
    """
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:300]


def _concerns(path: Path, error: OSError) -> bool:
    """Return whether an error comes from writing `path`."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return error.errno is not None  # A failed write has a number, but names no file.
    other = Path(os.fsdecode(error.filename))
    return path.parent in (other.parent, *other.parents) or other in path.parents
