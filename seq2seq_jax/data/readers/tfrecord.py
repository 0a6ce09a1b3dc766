"""TFRecord files: records of bytes in a row, each with two checksums, as TensorFlow writes them.

A record is, in little endian, as https://www.tensorflow.org/tutorials/load_data/tfrecord says:

    8 bytes  length of the data
    4 bytes  checksum of these 8 bytes
    length   data
    4 bytes  checksum of the data

A checksum is CRC-32C, rotated and shifted. The whole file may be packed by gzip; nothing in its
name need say so, as its content does. A file of no bytes is a file of no records.
"""

import gzip
import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import google_crc32c

from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError

LONGEST_RECORD = (1 << 31) - 1
"""Bytes. A protocol buffer cannot be longer, so a length above this is nonsense."""

FRAME_BYTES = 16
"""What a record takes in a file besides its data."""


def read_tfrecords(path: str | os.PathLike) -> Iterator[bytes]:
    """Yields the data of each record.

    Raises:
      UserError: the file cannot be read, is no TFRecord file or is being written to; or
        (FILE record N, from 1) a checksum is wrong or the file is cut.
    """
    name = os.fspath(path)
    number = 1
    with _opened(name) as file:
        try:
            while (data := _next_record(file, name, number)) is not None:
                yield data
                number += 1
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{name} record {number}", f"cannot be read ({reason})") from error


def read_tfrecord_at(path: str | os.PathLike, offset: int, number: int) -> bytes:
    """Reads record `number` (from 1), which begins at byte `offset` of a file that is not packed.

    Errors as `read_tfrecords`.
    """
    name = os.fspath(path)
    where = f"{name} record {number}"
    try:
        with open(name, "rb") as file:
            file.seek(offset)
            data = _next_record(file, name, number)
    except OSError as error:
        raise UserError(where, f"cannot be read ({error.strerror or error})") from error
    if data is None:
        raise UserError(where, "is no longer there: the file became shorter")
    return data


def write_records(path: str | os.PathLike, records: Iterable[bytes]) -> int:
    """Writes a TFRecord file, packed by gzip if its name ends in .gz; the same records make the
    same bytes.

    The file is there whole or, if anything fails meanwhile, as it was before.

    Returns:
      How many records there were.

    Raises:
      UserError: it cannot be written.
    """
    path = Path(path)
    count = 0
    try:
        with (
            atomic_replace(path) as partial,
            partial.open("wb") as file,
            _packed(file, path.suffix == ".gz") as packed,
        ):
            for data in records:
                packed.write(_frame(data))
                count += 1
    except OSError as error:
        raise UserError(str(path), f"cannot be written ({error.strerror or error})") from error
    return count


def is_gzip(start: bytes) -> bool:
    """Whether a TFRecord file that begins so is packed. Needs 12 bytes."""
    return start.startswith(b"\x1f\x8b") and not is_tfrecord(start)


def is_tfrecord(start: bytes) -> bool:
    """Whether a file that begins so has a record there, as far as its checksum tells. Needs 12
    bytes."""
    if len(start) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(start)
    return masked_crc32c(start[:8]) == checksum


def masked_crc32c(data: bytes) -> int:
    """CRC-32C, rotated right by 15 bits and shifted by a constant: a checksum that stays sound
    where the data hold checksums themselves."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_PIECE = 1 << 24
_BUFFER = 1 << 20
_DAMAGED = "the file is damaged; copy or make it anew"


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A file, unpacked if it is packed, that must not change its size while it is read."""
    check_readable(name)
    with io.BufferedReader(io.FileIO(name), _BUFFER) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.peek(_HEADER.size)
        if not start and name.endswith(".gz"):  # no gzip file is empty
            raise UserError(name, "cannot be read (it is empty, which no gzip file is)")
        try:
            if is_gzip(start):
                unpacked = cast(io.RawIOBase, gzip.GzipFile(fileobj=file, mode="rb"))
                yield io.BufferedReader(unpacked, _BUFFER)
            else:
                yield file
        except UserError as error:
            _check_size(file, name, size, error)
            raise
        _check_size(file, name, size, None)


def _check_size(file: BinaryIO, name: str, size: int, cause: Exception | None) -> None:
    now = os.fstat(file.fileno()).st_size
    if now != size:
        raise UserError(
            name,
            f"had {size:,} bytes when it was opened and has {now:,} now: something is writing to "
            "it; wait until it is complete, or give a copy",
        ) from cause


def _next_record(file: BinaryIO, name: str, number: int) -> bytes | None:
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        _refuse_text(header, name, number)
        raise UserError(
            f"{name} record {number}",
            f"cut in its header: {len(header)} of {_HEADER.size} bytes; {_DAMAGED}",
        )
    length, checksum = _HEADER.unpack(header)
    if masked_crc32c(header[:8]) != checksum:
        _refuse_text(header, name, number)
        or_other = ", or this is no TFRecord file" if number == 1 else ""
        raise UserError(
            f"{name} record {number}", f"the checksum of its length is wrong: {_DAMAGED}{or_other}"
        )
    if length > LONGEST_RECORD:
        raise UserError(
            f"{name} record {number}",
            f"says that it has {length:,} bytes; more than {LONGEST_RECORD:,} cannot be",
        )
    data = _read(file, length)
    footer = file.read(_FOOTER.size)
    if len(data) < length or len(footer) < _FOOTER.size:
        raise UserError(
            f"{name} record {number}",
            f"cut: {len(data) + len(footer):,} of {length + _FOOTER.size:,} bytes behind its "
            f"header; {_DAMAGED}",
        )
    if masked_crc32c(data) != _FOOTER.unpack(footer)[0]:
        raise UserError(f"{name} record {number}", f"the checksum of its data is wrong: {_DAMAGED}")
    return data


def _read(file: BinaryIO, length: int) -> bytes:
    """As many of the next `length` bytes as there are."""
    if length <= _PIECE:
        return file.read(length)
    # Piece by piece: memory is taken for bytes that are there, not for those that are promised.
    pieces = []
    while length and (piece := file.read(min(length, _PIECE))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _refuse_text(start: bytes, name: str, number: int) -> None:
    # A character may be cut at the end. A length has zeros, unless it is cut.
    text = start.decode("utf-8", "ignore").removeprefix("\ufeff")
    if number == 1 and text and text.translate(dict.fromkeys(b"\t\r\n")).isprintable():
        raise UserError(
            name,
            "is text, not a TFRecord file; ParallelTextInputPipeline and TSVInputPipeline read it",
        )


def _frame(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return b"".join(
        (
            length,
            _FOOTER.pack(masked_crc32c(length)),
            data,
            _FOOTER.pack(masked_crc32c(data)),
        )
    )


@contextmanager
def _packed(file: BinaryIO, pack: bool) -> Iterator[BinaryIO]:
    if not pack:
        yield file
        return
    # Without the name and the time of writing, which gzip would keep.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)
