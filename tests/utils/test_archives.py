"""Hostile and damaged archives of arrays give one line."""

import io
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest

from seq2seq_jax.captioning.data.caption_files import read_captions
from seq2seq_jax.captioning.weights.inception_weights import read_inception_weights
from seq2seq_jax.utils.archives import read_npz
from seq2seq_jax.utils.errors import UserError


def npy(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive_of(members, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


GOOD = archive_of({"a.npy": saved(np.arange(50.0)), "b.npy": saved(np.ones((3, 4), np.float32))})
HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
HOSTILE = {
    "empty": b"",
    "a .npy file": saved(np.ones(3)),
    "text": b"text",
    "a huge shape": archive_of({"a.npy": npy(HUGE)}),
    "a negative shape": archive_of({"a.npy": npy(HUGE.replace("9999", "-9", 1))}),
    "an endless header": archive_of({"a.npy": npy("((((" * 999)}),
    "a deep header": archive_of({"a.npy": npy("[" * 60_000)}),
    "code in the header": archive_of({"a.npy": npy("__import__('os').system('true')")}),
    "objects": archive_of({"a.npy": saved(np.array([{}], object))}),
    "no array": archive_of({"a.txt": b"text"}),
    "a bomb": archive_of({"a.npy": bytes(200_000_000)}),
    "an unknown compression": GOOD.replace(
        b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x00\x00\x63\x00"
    ),
    "cut": GOOD[:-30],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_npz_gives_one_line(tmp_path, content):
    file = tmp_path / "w.npz"
    file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_npz(file)
    assert str(refused.value).startswith(f"{file}: ") and "\n" not in str(refused.value)


def flips(content, number, seed=0):
    draw = random.Random(seed)
    for _ in range(number):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        yield bytes(flipped)


def test_a_flipped_bit_in_an_npz_changes_no_number_in_silence(tmp_path):
    file = tmp_path / "w.npz"
    for content in flips(GOOD, 300):
        file.write_bytes(content)
        try:
            arrays = read_npz(file)
        except UserError as error:
            assert "\n" not in str(error)
        else:
            assert all(isinstance(array, np.ndarray) for array in arrays.values())


DEEP = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
PTH = {
    "a huge text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 50),
    "a huge frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60),
    "deep lists": DEEP,
    "a huge memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a bomb": archive_of({"w/data.pkl": pickle.dumps({}, 2), "w/data/0": bytes(200_000_000)}),
    "deep lists in a zip": archive_of({"w/data.pkl": DEEP}),
}


@pytest.mark.parametrize("content", PTH.values(), ids=PTH)
def test_a_hostile_torch_file_gives_one_line(tmp_path, content):
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_inception_weights(file)
    assert str(refused.value).startswith(f"{file}: ") and "\n" not in str(refused.value)


def test_damaged_files_of_keras_give_one_line(tmp_path):
    h5py = pytest.importorskip("h5py")
    file = tmp_path / "w.h5"
    with h5py.File(file, "w") as written:
        written["conv2d/conv2d/kernel:0"] = np.ones((3, 3, 3, 4), np.float32)
        written.create_dataset("conv2d_1/kernel:0", data=np.ones(99), compression="gzip")
    for content in flips(file.read_bytes(), 150):
        file.write_bytes(content)
        try:
            read_inception_weights(file)
        except UserError as error:
            assert "\n" not in str(error)


def test_a_dataset_of_keras_that_unpacks_to_too_much_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as written:
        written.create_dataset("conv2d/kernel:0", (1 << 40,), "f4", chunks=(1 << 20,))
    with pytest.raises(UserError, match=r"w\.h5: unpacks to 4,398,046,511,104 bytes"):
        read_inception_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"images": ' + "9" * 5000 + "}", "3", "[]"])
def test_hostile_caption_files_give_one_line(tmp_path, content):
    file = tmp_path / "captions.json"
    file.write_text(content)
    with pytest.raises(UserError) as refused:
        read_captions(str(file))
    assert str(refused.value).startswith(str(file)) and "\n" not in str(refused.value)
