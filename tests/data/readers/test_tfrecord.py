import gzip
import os
import struct
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers import records
from seq2seq_jax.data.readers.records import check_random_access, read_record_at, read_records
from seq2seq_jax.data.readers.tfrecord import masked_crc32c, read_tfrecords
from seq2seq_jax.utils.errors import UserError
from tests.data.readers.tfrecord_files import write_records

# Written by TensorFlow 2.21: two Examples and a SequenceExample, whose contents are in
# test_tf_example.py.
TENSORFLOW = Path(__file__).parent / "records" / "tensorflow.tfrecord"
PACKED = TENSORFLOW.with_suffix(".tfrecord.gz")


def read_until_error(path) -> tuple[list[bytes], str]:
    """Return the records, and the error that ended them or an empty string."""
    found = []
    try:
        for data in read_tfrecords(path):
            found.append(data)
    except UserError as error:
        assert "\n" not in str(error)
        return found, str(error)
    return found, ""


def error_of(path, content: bytes) -> str:
    path.write_bytes(content)
    return read_until_error(path)[1]


def header(length: int) -> bytes:
    data = struct.pack("<Q", length)
    return data + struct.pack("<I", masked_crc32c(data))


def test_checksums_are_those_of_the_standard():
    # RFC 3720, B.4, has 0x8A9136AA for 32 zeros and 0x46DD794E for the bytes 0 to 31.
    assert masked_crc32c(bytes(32)) == (0x6D551522 + 0xA282EAD8) % 2**32
    assert masked_crc32c(bytes(range(32))) == (0xF29C8DBA + 0xA282EAD8) % 2**32


def test_records_of_tensorflow_are_read(tmp_path):
    found = list(read_tfrecords(TENSORFLOW))
    assert [len(data) for data in found] == [0x88, 0x31, 0xA7]
    assert list(read_tfrecords(PACKED)) == found
    write_records(tmp_path / "a", found)
    assert (tmp_path / "a").read_bytes() == TENSORFLOW.read_bytes()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=60)), st.sampled_from(["a.tfrecord", "a.tfrecord.gz"]))
def test_records_are_read_in_order_and_one_by_one(tmp_path_factory, written, name):
    path = tmp_path_factory.mktemp("records") / name
    write_records(path, written)
    assert list(read_tfrecords(path)) == written
    assert [record.data for record in read_records(path)] == written
    if path.suffix != ".gz":
        for record in reversed(list(read_records(path))):
            assert read_record_at(path, record.position, record.number) == record.data


def test_a_compressed_file_is_recognized_by_its_content(tmp_path):
    write_records(tmp_path / "a.gz", [b"x" * 1000])
    assert len((tmp_path / "a.gz").read_bytes()) < 100
    (tmp_path / "a.gz").rename(tmp_path / "a.tfrecord")
    assert list(read_tfrecords(tmp_path / "a.tfrecord")) == [b"x" * 1000]
    # A length with the first two bytes of gzip does not make a file gzip.
    write_records(tmp_path / "c.gz.tfrecord", [bytes(0x8B1F)])
    assert list(read_tfrecords(tmp_path / "c.gz.tfrecord")) == [bytes(0x8B1F)]


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "a.tfrecord").touch()
    assert read_until_error(tmp_path / "a.tfrecord") == ([], "")
    assert list(read_records(tmp_path / "a.tfrecord")) == []
    assert "not a gzip file" in error_of(tmp_path / "a.gz", b"")


def test_a_truncated_file_yields_the_complete_records_and_reports_the_next(tmp_path):
    whole, written = TENSORFLOW.read_bytes(), list(read_tfrecords(TENSORFLOW))
    ends = [0]
    for data in written:
        ends.append(ends[-1] + 16 + len(data))
    for cut in range(len(whole)):
        complete = sum(end <= cut for end in ends) - 1
        (tmp_path / "a").write_bytes(whole[:cut])
        found, error = read_until_error(tmp_path / "a")
        assert found == written[:complete]
        if cut in ends:
            assert error == ""
        else:
            in_header = " in its header" if cut - ends[complete] < 12 else ""
            where = f"{tmp_path}/a record {complete + 1}"
            assert error.startswith(f"{where}: is truncated{in_header}: ")


@pytest.mark.parametrize("golden", [TENSORFLOW, PACKED], ids=["plain", "compressed"])
def test_a_flipped_bit_never_changes_a_record(tmp_path, golden):
    whole, written = golden.read_bytes(), list(read_tfrecords(TENSORFLOW))
    errors = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "a").write_bytes(damaged)
        found, error = read_until_error(tmp_path / "a")
        # Some bytes of a gzip file, such as its time, do not affect the records; its own checksum
        # comes after the last record.
        assert found == written[: len(found)] and (error or found == written)
        errors += bool(error)
    assert errors == len(whole) if golden is TENSORFLOW else errors > 0.9 * len(whole)


def test_damage_is_reported_in_one_line_with_file_and_record(tmp_path):
    path, whole = tmp_path / "a.tfrecord", TENSORFLOW.read_bytes()
    second = 16 + 0x88
    damaged = bytearray(whole)
    damaged[second + 3] ^= 1
    assert error_of(path, damaged) == (
        f"{path} record 2: the checksum of its length is wrong: the file is damaged; copy it "
        "again or use another copy"
    )
    damaged = bytearray(whole)
    damaged[second + 20] ^= 1
    assert error_of(path, damaged).startswith(f"{path} record 2: the checksum of its data is wrong")
    assert error_of(path, whole[:-9]).startswith(
        f"{path} record 3: is truncated: 162 of 171 bytes after its header"
    )
    packed = PACKED.read_bytes()
    assert "record 1: cannot be read (Compressed file ended" in error_of(path, packed[:60])
    assert error_of(path, gzip.compress(whole[:-9])).startswith(
        f"{path} record 3: is truncated: 162 of 171"
    )
    assert ": the checksum of its length is wrong" in error_of(path, zlib.compress(whole))


def test_a_wrong_length_allocates_no_memory(tmp_path):
    for length in (2**63, 2**64 - 1, 2**31):
        error = error_of(tmp_path / "a", header(length) + b"data")
        assert error == (
            f"{tmp_path}/a record 1: has a length of {length:,} bytes; the maximum is 2,147,483,647"
        )
    error = error_of(tmp_path / "a", header(2**31 - 1) + b"data")
    assert "record 1: is truncated: 4 of 2,147,483,651 bytes" in error
    assert "record 1: is truncated: 4 of 2,147,483,651" in error_of(
        tmp_path / "a.gz", gzip.compress(header(2**31 - 1) + b"data")
    )


@pytest.mark.parametrize(
    "text", ["A black dog.\n", "笑 う\tx\n" * 5, "\ufeffhi", "hi\n", "a", "ä" * 30]
)
def test_a_text_file_is_recognized(tmp_path, text):
    assert error_of(tmp_path / "a.txt", text.encode()) == (
        f"{tmp_path}/a.txt: is text, not a TFRecord file; use ParallelTextInputPipeline or "
        "TSVInputPipeline"
    )


def test_files_of_other_kinds_are_errors(tmp_path):
    error = error_of(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    assert error.endswith("another copy, or this is not a TFRecord file")
    with pytest.raises(UserError, match=r"none: cannot be read \(No such file"):
        list(read_tfrecords(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is a pipe"):
        list(read_records(tmp_path / "pipe"))


@pytest.mark.parametrize("ending", [b"\0", b"a" * 2000], ids=["mid record", "at its end"])
def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path, ending):
    path = tmp_path / "a.tfrecord"
    write_records(path, [b"a", b"b"])
    reading = read_tfrecords(path)
    next(reading)
    with open(path, "ab") as file:
        file.write(ending)
    with pytest.raises(UserError, match=r"had 34 bytes when it was opened .* writing to it"):
        list(reading)


def test_a_compressed_file_cannot_be_read_in_any_order(tmp_path):
    check_random_access(TENSORFLOW)
    for attempt in (check_random_access, lambda path: read_record_at(path, 0, 1)):
        with pytest.raises(UserError, match=r"tfrecord\.gz: is compressed by gzip, .* \(gunzip\)"):
            attempt(PACKED)


def test_a_missing_record_is_an_error_when_it_is_read_again(tmp_path):
    write_records(tmp_path / "a", [b"a", b"b"])
    first, second = read_records(tmp_path / "a")
    write_records(tmp_path / "a", [b"a"])
    assert read_record_at(first.file, first.position, first.number) == b"a"
    with pytest.raises(UserError, match=r"a record 2: is missing"):
        read_record_at(second.file, second.position, second.number)


def write_array_record(path, written: list[bytes]) -> str:
    module = pytest.importorskip("array_record.python.array_record_module")
    writer = module.ArrayRecordWriter(str(path), "group_size:1")
    for data in written:
        writer.write(data)
    writer.close()
    return str(path)


def test_array_record_files_are_recognized_by_their_content(tmp_path, monkeypatch):
    written = [b"record %d" % number for number in range(500)]
    for chunk_bytes in (1, 1 << 22):
        monkeypatch.setattr(records, "CHUNK_BYTES", chunk_bytes)
        name = write_array_record(tmp_path / "a.tfrecord", written)
        found = list(read_records(name))
        assert [record.data for record in found] == written
        assert found[7].where == f"{name} record 8"
    assert read_record_at(name, found[7].position, 8) == b"record 7"
    assert list(read_records(write_array_record(tmp_path / "empty", []))) == []


def test_a_damaged_array_record_file_is_reported_in_one_line(tmp_path):
    # What cannot be compressed, so that a flipped bit lies in the data.
    written = [os.urandom(40) for _ in range(20)]
    whole = bytearray(Path(write_array_record(tmp_path / "a", written)).read_bytes())
    whole[whole.index(written[10])] ^= 1
    (tmp_path / "a").write_bytes(whole)
    reading = read_records(tmp_path / "a")
    assert [next(reading).data for _ in range(10)] == written[:10]
    with pytest.raises(UserError, match=r"a record 11: the array_record file is damaged") as error:
        next(reading)
    assert "\n" not in str(error.value)
    for cut in (24, 100, len(whole) - 100):
        (tmp_path / "a").write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"/a: the array_record file is damaged or incomplete"):
            list(read_records(tmp_path / "a"))


def test_without_array_record_the_error_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(records.RIEGELI_SIGNATURE + bytes(100))
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_module", None)
    with pytest.raises(UserError, match=r"use pip install .*\[records\]'"):
        list(read_records(tmp_path / "a"))
