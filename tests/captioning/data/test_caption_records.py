import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seq2seq_jax.captioning.data.caption_records import (
    check_image_format,
    read_captioned_images,
)
from seq2seq_jax.data.readers.tfrecord import read_tfrecords
from seq2seq_jax.utils.errors import UserError
from tests.data.readers.tfrecord_files import (
    serialize_example,
    serialize_sequence_example,
    write_records,
)

RECORDS = Path(__file__).parents[2] / "data" / "readers" / "records"


def record(image=b"image", tokens=(b"a", b"cat"), ids=(4, 9), **context) -> bytes:
    return serialize_sequence_example(
        {"image/data": [image], **context},
        {"image/caption": [[token] for token in tokens], "image/caption_ids": [[i] for i in ids]},
    )


FIELDS = ("image/data", "image/caption_ids", "image/caption")


def write(path, *written: bytes) -> str:
    write_records(path, written)
    return str(path)


def message(path, *fields) -> str:
    with pytest.raises(UserError) as error:
        list(read_captioned_images(path, *(fields or FIELDS)))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_record_that_tensorflow_wrote_is_an_image_with_its_caption(tmp_path):
    name = write(tmp_path / "a", list(read_tfrecords(RECORDS / "tensorflow.tfrecord"))[2])
    (found,) = read_captioned_images(name, *FIELDS)
    assert (found.name, found.read()) == (f"{name} record 1", b"\xff\xd8\xff not quite")
    assert found.captions == ["a cat"]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([b"SEQUENCE_START", b"a", b"cat", b"SEQUENCE_END"], "a cat"),
        ([b"a", b"<S>", b"cat"], "a <S> cat"),
        ([b"<S>", b"</S>"], ""),
        ([], ""),
    ],
)
def test_start_and_end_tokens_are_removed_from_a_caption(tmp_path, tokens, words):
    name = write(tmp_path / "a", record(tokens=tokens))
    assert [found.captions for found in read_captioned_images(name, *FIELDS)] == [[words]]


def test_captions_in_the_context_or_in_an_example_are_found(tmp_path):
    features = {"pic": [b"x"], "text": [b"a", b"dog"], "ids": [4, 8]}
    name = write(
        tmp_path / "a",
        serialize_sequence_example(features, {}),
        serialize_example(features),
        serialize_sequence_example({"text": [b"a dog"]}, {"pic": [[b"x"]]}),
    )
    found = list(read_captioned_images(name, "pic", "ids", "text"))
    assert [(image.read(), image.captions) for image in found] == [(b"x", ["a dog"])] * 3


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (
            serialize_sequence_example({"image/encoded": [b"x"]}, {"image/caption": [[b"a"]]}),
            "has no feature 'image/data'; it has 'image/caption', 'image/encoded'",
        ),
        (
            serialize_example({"image/data": [b"x"]}),
            "has no feature 'image/caption'; it has 'image/data'",
        ),
        (
            serialize_example({"image/data": [b"x", b"y"], "image/caption": [b"a"]}),
            "feature 'image/data' must hold one image; it holds 2",
        ),
        (
            serialize_example({"image/data": [3], "image/caption": [b"a"]}),
            "feature 'image/data' must hold bytes, but holds integers",
        ),
        (record(tokens=[b"\xff"]), "feature 'image/caption' is not UTF-8 (byte 0xff at column 1)"),
        (record(ids=[b"a"]), "feature 'image/caption_ids' must hold integers, but holds bytes"),
        (b"\xff" * 9, "is not a tf.train.SequenceExample"),
        (
            record(**{"image/format": [b"raw"]}),
            "unknown image format 'raw'; valid: jpg, jpeg, png, webp, gif, bmp, tif, tiff; raw "
            "pixels do not tell their layout",
        ),
    ],
    ids=["image", "caption", "images", "number", "latin-1", "ids", "bytes", "raw"],
)
def test_a_record_that_is_no_captioned_image_is_named(tmp_path, damaged, problem):
    name = write(tmp_path / "a", record(**{"image/format": [b"JPEG"]}), damaged)
    assert message(name) == f"{name} record 2: {problem}"


def test_the_format_of_the_configuration_is_checked_under_its_key():
    check_image_format("PNG", "params.image_format")
    with pytest.raises(UserError, match=r"^params\.image_format: unknown image format 'svg'"):
        check_image_format("svg", "params.image_format")


@pytest.mark.parametrize("kind", ["tfrecord", "array_record"])
def test_images_are_read_again_in_any_order_from_any_thread(tmp_path, kind):
    encoded = [os.urandom(3000) for _ in range(60)]
    written = [record(data, tokens=[b"number", b"%d" % i]) for i, data in enumerate(encoded)]
    name = str(tmp_path / "a")
    if kind == "tfrecord":
        write(name, *written)
    else:
        module = pytest.importorskip("array_record.python.array_record_module")
        writer = module.ArrayRecordWriter(name, "group_size:1")
        for data in written:
            writer.write(data)
        writer.close()
    found = list(read_captioned_images(name, *FIELDS))
    assert [example.name for example in found] == [f"{name} record {i + 1}" for i in range(60)]
    assert found[7].captions == ["number 7"]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda example: example.read(), reversed(found)))
    assert images == encoded[::-1]


def test_images_of_a_packed_file_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.gz: is compressed by gzip, .*decompress it"):
        next(read_captioned_images(write(tmp_path / "a.gz", record()), *FIELDS))
