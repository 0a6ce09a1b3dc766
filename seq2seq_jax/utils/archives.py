"""Archives of arrays from files of unknown origin: read within bounds, or refused in one line."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from seq2seq_jax.utils.errors import UserError

MAX_UNPACKED_BYTES = 1 << 26
MAX_UNPACKED_RATIO = 20
"""An archive may unpack to `MAX_UNPACKED_BYTES` and this many times its own size."""


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file. Pickled objects are refused.

    Args:
      path: The file.

    Returns:
      The arrays by name.

    Raises:
      UserError: The file cannot be read, is damaged, or unpacks to too much.
    """
    with one_line_errors(str(path), "is no usable .npz file"):
        with zipfile.ZipFile(path) as archive:
            check_unpacked_size(archive, path)
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            for name, size in sizes.items():
                with archive.open(name) as member:
                    _check_header(member, size)
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds something else than arrays")
        return arrays


def check_unpacked_size(archive: zipfile.ZipFile, path: Path) -> None:
    """Check that a zip file does not unpack to far more than its own size.

    Args:
      archive: The open archive.
      path: Its file, for errors.

    Raises:
      UserError: It unpacks to too much.
    """
    check_size(sum(info.file_size for info in archive.infolist()), path)


def check_size(unpacked: int, path: Path) -> None:
    """Check that a file does not hold far more than its own size.

    Args:
      unpacked: The number of bytes that it unpacks to.
      path: The file.

    Raises:
      UserError: It unpacks to too much.
    """
    limit = MAX_UNPACKED_BYTES + MAX_UNPACKED_RATIO * path.stat().st_size
    if unpacked > limit:
        what = f"unpacks to {unpacked:,} bytes, but at most {limit:,} are accepted for its size"
        raise UserError(str(path), what)


@contextmanager
def one_line_errors(file: str, what: str) -> Iterator[None]:
    """Report any exception of a reader as an error in the file: damaged files can cause all kinds.

    Args:
      file: The name of the file.
      what: What is wrong with it, in a few words.

    Raises:
      UserError: The block raised an exception.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(file, "cannot be read (No such file or directory)") from error
    except Exception as error:
        raise UserError(file, f"{what} ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """Return the message of an exception in one line, or its kind if it has none.

    Args:
      error: The exception.
    """
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
    return reason or type(error).__name__


def _check_header(member: IO[bytes], size: int) -> None:
    """Raise ValueError if the header of an .npy file promises more bytes than the file has."""
    version = np.lib.format.read_magic(member)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"unknown version {version} of .npy")
    shape, _, dtype = readers[version](member)
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if count * dtype.itemsize > size:
        raise ValueError("an array is larger than the file")
