"""Files of records: TFRecord, compressed by gzip or not, and array_record.

The kind of a file is recognized by its first bytes, never by its name, because both kinds occur
with any name (`train-00003-of-00100`). A TFRecord file begins with a length and its checksum, an
array_record file with the signature of Riegeli files
(https://github.com/google/riegeli/blob/master/doc/riegeli_records_file_format.md).
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.data.readers.tfrecord import (
    FRAME_BYTES,
    is_gzip,
    read_tfrecord_at,
    read_tfrecords,
)
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

CHUNK_BYTES = 1 << 22
"""Compressed bytes of an array_record file that are read together."""

RIEGELI_SIGNATURE = bytes.fromhex("83af70d10d884a3f00000000000000004000000000000000")
"""The first bytes of an array_record file."""


class Record(NamedTuple):
    """A record of a file.

    Attributes:
      file: The name of its file.
      number: The number of the record in the file, from 1.
      position: An argument for `read_record_at`.
      data: The bytes that were written.
    """

    file: str
    number: int
    position: int
    data: bytes

    @property
    def where(self) -> str:
        """`FILE record N`, for error messages."""
        return f"{self.file} record {self.number}"


def read_records(path: str | os.PathLike[str]) -> Iterator[Record]:
    """Yield the records of a file, in order.

    Args:
      path: The name of the file.

    Yields:
      The records.

    Raises:
      UserError: The file cannot be read, is of neither kind, or (FILE record N) is damaged; or it
        is an array_record file and the library array_record is not installed.
    """
    name = os.fspath(path)
    start = _read_start(name)
    if start.startswith(RIEGELI_SIGNATURE):
        yield from _read_array_records(name)
        return
    position = 0
    for number, data in enumerate(read_tfrecords(name), start=1):
        yield Record(name, number, position, data)
        position += FRAME_BYTES + len(data)


def read_record_at(path: str | os.PathLike[str], position: int, number: int) -> bytes:
    """Read the data of a record that `read_records` yielded again; from any thread.

    Args:
      path: The name of the file.
      position: The position of the record.
      number: The number of the record, from 1, for error messages.

    Returns:
      The data of the record.

    Raises:
      UserError: As `read_records`; or the file is compressed by gzip.
    """
    name = os.fspath(path)
    start = _read_start(name)
    if start.startswith(RIEGELI_SIGNATURE):
        return _read_array_record_at(name, position, number)
    _reject_gzip(start, name)
    return read_tfrecord_at(name, position, number)


def check_random_access(path: str | os.PathLike[str]) -> None:
    """Check that the records of a file can be read in any order.

    Args:
      path: The name of the file.

    Raises:
      UserError: The file is compressed by gzip.
    """
    name = os.fspath(path)
    _reject_gzip(_read_start(name), name)


def _read_start(name: str) -> bytes:
    check_readable(name)
    with open(name, "rb") as file:
        return file.read(len(RIEGELI_SIGNATURE))


def _reject_gzip(start: bytes, name: str) -> None:
    if is_gzip(start):
        raise UserError(
            name,
            "is compressed by gzip, but its records are needed in any order; decompress it "
            "(gunzip)",
        )


def _read_array_records(name: str) -> Iterator[Record]:
    reader = _array_record_reader(name, "")
    try:
        count = reader.num_records()
        # Many at once, because a call costs more than reading a short record.
        step = max(1, CHUNK_BYTES * count // os.path.getsize(name))
        for start in range(0, count, step):
            indices = range(start, min(start + step, count))
            try:
                read: Iterable[bytes] = reader.read(indices.start, indices.stop)
            except (RuntimeError, IndexError):  # one by one, up to the damaged one
                read = (_read_array_record_at(name, index, index + 1) for index in indices)
            for index, data in zip(indices, read, strict=True):
                yield Record(name, index + 1, index, data)
    finally:
        reader.close()


def _read_array_record_at(name: str, index: int, number: int) -> bytes:
    reader = _array_record_reader(name, "readahead_buffer_size:0,max_parallelism:0")
    try:
        data: bytes = reader.read([index])[0]
        return data
    except (RuntimeError, IndexError) as error:
        raise _damaged(f"{name} record {number}", error) from error
    finally:
        reader.close()


def _array_record_reader(name: str, options: str) -> Any:
    try:
        from array_record.python.array_record_module import ArrayRecordReader
    except ImportError as error:
        raise UserError(
            name,
            "is an array_record file, but array_record is not installed; use "
            + install_command("records"),
        ) from error
    reader = ArrayRecordReader(name, options)
    if not reader.ok():
        # The first attempt to read raises an error with the reason.
        try:
            reader.read()
        except (RuntimeError, IndexError) as error:
            raise _damaged(name, error) from error
        raise _damaged(name, RuntimeError("it cannot be opened"))
    return reader


def _damaged(where: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(where, f"the array_record file is damaged or incomplete ({reason})")
