"""TFRecord files: a sequence of byte strings, each with two checksums.

The format is described at https://www.tensorflow.org/tutorials/load_data/tfrecord. A record
consists of these parts, in little-endian byte order:

    8 bytes  length of the data
    4 bytes  checksum of these 8 bytes
    length   data
    4 bytes  checksum of the data

A checksum is CRC-32C, rotated and shifted. The whole file can be compressed by gzip, which is
recognized by its content, not by its name. An empty file has no records.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import google_crc32c

from seq2seq_jax.data.readers.text_lines import decompress, open_bytes
from seq2seq_jax.utils.errors import UserError

MAX_RECORD_BYTES = (1 << 31) - 1
"""A protocol buffer cannot be longer, so a larger length is an error."""

FRAME_BYTES = 16
"""The number of bytes of a record in addition to its data."""


def read_tfrecords(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield the data of each record.

    Args:
      path: The name of the file.

    Yields:
      The data of the records, in order.

    Raises:
      UserError: The file cannot be read, is not a TFRecord file, or is being written to; or
        (FILE record N, from 1) a checksum is wrong or the file is truncated.
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


def read_tfrecord_at(path: str | os.PathLike[str], offset: int, number: int) -> bytes:
    """Read one record of a file that is not compressed.

    Args:
      path: The name of the file.
      offset: The byte at which the record begins.
      number: The number of the record, from 1, for error messages.

    Returns:
      The data of the record.

    Raises:
      UserError: As `read_tfrecords`.
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
        raise UserError(where, "is missing: the file has become shorter")
    return data


def is_gzip(start: bytes) -> bool:
    """Return whether a TFRecord file is compressed by gzip.

    Args:
      start: The first bytes of the file, at least 12.

    Returns:
      Whether they are the start of gzip and not of a record.
    """
    return start.startswith(b"\x1f\x8b") and not is_tfrecord(start)


def is_tfrecord(start: bytes) -> bool:
    """Return whether a file begins with a record, according to the checksum of its length.

    Args:
      start: The first bytes of the file, at least 12.

    Returns:
      Whether the checksum is correct.
    """
    if len(start) < _HEADER.size:
        return False
    checksum: int = _HEADER.unpack_from(start)[1]
    return masked_crc32c(start[:8]) == checksum


def tfrecord(data: bytes) -> bytes:
    """Return the record of a TFRecord file that holds these bytes.

    Args:
      data: The bytes.
    """
    length = struct.pack("<Q", len(data))
    header = length + _FOOTER.pack(masked_crc32c(length))
    return header + data + _FOOTER.pack(masked_crc32c(data))


def masked_crc32c(data: bytes) -> int:
    """Return the checksum of TFRecord files: CRC-32C, rotated right by 15 bits, plus a constant.

    The mask keeps the checksum reliable if the data themselves contain checksums.

    Args:
      data: The bytes.

    Returns:
      32 bits.
    """
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_PIECE = 1 << 24
_DAMAGED = "the file is damaged; copy it again or use another copy"


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """Open a file, decompressed if necessary, that must not change its size while it is read."""
    file = open_bytes(name)
    start = file.peek(_HEADER.size)
    is_compressed = is_gzip(start) if start else name.endswith(".gz")
    with decompress(file, name) if is_compressed else file as content:
        yield content


def _next_record(file: BinaryIO, name: str, number: int) -> bytes | None:
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        _reject_text(header, name, number)
        raise UserError(
            f"{name} record {number}",
            f"is truncated in its header: {len(header)} of {_HEADER.size} bytes; {_DAMAGED}",
        )
    length, checksum = _HEADER.unpack(header)
    if masked_crc32c(header[:8]) != checksum:
        _reject_text(header, name, number)
        or_other = ", or this is not a TFRecord file" if number == 1 else ""
        raise UserError(
            f"{name} record {number}", f"the checksum of its length is wrong: {_DAMAGED}{or_other}"
        )
    if length > MAX_RECORD_BYTES:
        raise UserError(
            f"{name} record {number}",
            f"has a length of {length:,} bytes; the maximum is {MAX_RECORD_BYTES:,}",
        )
    data = _read(file, length)
    footer = file.read(_FOOTER.size)
    if len(data) < length or len(footer) < _FOOTER.size:
        raise UserError(
            f"{name} record {number}",
            f"is truncated: {len(data) + len(footer):,} of {length + _FOOTER.size:,} bytes after "
            f"its header; {_DAMAGED}",
        )
    if masked_crc32c(data) != _FOOTER.unpack(footer)[0]:
        raise UserError(f"{name} record {number}", f"the checksum of its data is wrong: {_DAMAGED}")
    return data


def _read(file: BinaryIO, length: int) -> bytes:
    """Read the next `length` bytes, or as many as there are."""
    if length <= _PIECE:
        return file.read(length)
    # In pieces, so that memory is only allocated for bytes that exist.
    pieces = []
    while length and (piece := file.read(min(length, _PIECE))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _reject_text(start: bytes, name: str, number: int) -> None:
    # The last character can be incomplete. The length of a record contains zeros, so it is not
    # printable.
    text = start.decode("utf-8", "ignore").removeprefix("\ufeff")
    if number == 1 and text and text.translate(dict.fromkeys(b"\t\r\n")).isprintable():
        raise UserError(
            name,
            "is text, not a TFRecord file; use ParallelTextInputPipeline or TSVInputPipeline",
        )
