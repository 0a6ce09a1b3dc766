import io
import json
import os

import numpy as np
import pytest

from seq2seq_jax.captioning.data.caption_corpus import check_images, make_caption_corpus
from seq2seq_jax.captioning.data.image_captions import ImageCaptioningInputPipeline
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError
from tests.captioning.data.encoded_images import grey, png, truncated
from tests.data.readers.tfrecord_files import serialize_sequence_example, write_records
from tests.data.readers.tiny_tfds import prepare

KEY = "input_pipeline_train.params"
KARPATHY = {
    "images": [
        {
            "filename": "red.png",
            "filepath": "val",
            "split": "restval",
            "sentences": [{"raw": "A red.", "tokens": ["a", "red"]}, {"raw": " Red\nit is. "}],
        },
        {"filename": "blue.png", "filepath": "val", "split": "test", "sentences": [{"raw": "B"}]},
    ]
}


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "val").mkdir()
    for name in ("red", "blue"):
        (tmp_path / f"{name}.png").write_bytes(png(name))
        (tmp_path / "val" / f"{name}.png").write_bytes(png(name))
    return tmp_path


def pipeline_over(directory, content, **params) -> ImageCaptioningInputPipeline:
    text = content if isinstance(content, str) else json.dumps(content)
    (directory / "captions").write_text(text)
    return ImageCaptioningInputPipeline(
        captions=str(directory / "captions"), image_dir=str(directory), key=KEY, **params
    )


def captions_of(pipeline) -> dict[str, list[str]]:
    return {os.path.basename(example.name): example.captions for example in pipeline}


@pytest.mark.parametrize(
    "table",
    [
        "red.png\ta red\nblue.png\ta blue\nred.png\tno blue\n",
        "file\tcaption\nred.png\ta red\nblue.png\ta blue\n\nred.png\tno blue",
        "Image\twho\nred.png#0\ta red\nred.png#1\tno blue\nblue.png#0\ta blue\n",
    ],
)
def test_a_table_has_a_header_or_none_and_a_row_a_caption(directory, table):
    pipeline = pipeline_over(directory, table)
    assert captions_of(pipeline) == {"red.png": ["a red", "no blue"], "blue.png": ["a blue"]}
    assert captions_of(pipeline) == captions_of(pipeline)  # afresh each time
    assert [example.read() for example in pipeline] == [png("red"), png("blue")]


@pytest.mark.parametrize("name", ["captions.csv", "captions.txt", "captions"])
@pytest.mark.parametrize("columns", [{}, {"image_column": "image", "caption_column": "caption"}])
@pytest.mark.parametrize("separator", [",", ";"])
def test_csv_with_a_header_is_read_whatever_its_name(directory, name, columns, separator):
    rows = ["image,caption", 'red.png,"A dog , brown , runs ."', 'blue.png,"Two ""cats"" ."']
    if separator == ";":
        rows = ["image;caption", "red.png;A dog , brown , runs .", 'blue.png;"Two ""cats"" ."']
    (directory / name).write_text("\n".join(rows) + "\n")
    pipeline = ImageCaptioningInputPipeline(
        captions=str(directory / name), image_dir=str(directory), key=KEY, **columns
    )
    assert captions_of(pipeline) == {
        "red.png": ["A dog , brown , runs ."],
        "blue.png": ['Two "cats" .'],
    }


def test_csv_without_a_header_is_known_by_its_name(directory):
    (directory / "captions.csv").write_text('red.png,"a , red"\nblue.png,a blue\n')
    pipeline = ImageCaptioningInputPipeline(
        captions=str(directory / "captions.csv"), image_dir=str(directory), key=KEY
    )
    assert captions_of(pipeline) == {"red.png": ["a , red"], "blue.png": ["a blue"]}


def test_a_caption_with_commas_in_a_tab_separated_table_keeps_them(directory):
    pipeline = pipeline_over(directory, "red.png\ta , red\nblue.png\ta blue\n")
    assert captions_of(pipeline) == {"red.png": ["a , red"], "blue.png": ["a blue"]}


def test_columns_of_a_table_can_be_named(directory):
    table = "id\ttext\timage\n1\ta red\tred.png\n"
    pipeline = pipeline_over(directory, table, image_column="image", caption_column="text")
    assert captions_of(pipeline) == {"red.png": ["a red"]}
    with pytest.raises(UserError, match=r"captions:1: has no column 'txt'; valid: 'id', 'tex"):
        list(pipeline_over(directory, table, image_column="image", caption_column="txt"))


def test_coco_json_has_captions_apart_from_images(directory):
    coco = {
        "images": [{"id": 7, "file_name": "red.png"}, {"id": 9, "file_name": "blue.png"}],
        "annotations": [
            {"image_id": 9, "caption": "A blue\nthing. "},
            {"image_id": 7, "caption": "A red."},
            {"image_id": 9, "caption": "Blue."},
        ],
    }
    wanted = {"red.png": ["A red."], "blue.png": ["A blue thing.", "Blue."]}
    assert captions_of(pipeline_over(directory, coco)) == wanted


def test_karpathy_json_has_splits_and_tokens_where_there_are_any(directory):
    pipeline = pipeline_over(directory, KARPATHY, split="restval")
    assert captions_of(pipeline) == {"red.png": ["a red", "Red it is."]}
    assert [example.read() for example in pipeline] == [png("red")]
    assert len(captions_of(pipeline_over(directory, KARPATHY))) == 2
    with pytest.raises(UserError, match="has no split 'dev'; valid: restval, test"):
        list(pipeline_over(directory, KARPATHY, split="dev"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("red.png\ta red\nblue.png a blue\n", "captions:2: has 0 tabs, but needs 1"),
        ("image,caption\nred.png,a , red\n", "captions:2: has 3 columns, but the first row has 2"),
        ("image,caption\nred.png\n", "captions:2: has 0 commas, but needs 1 or more"),
        ('image,caption\nred.png,"a red\n', "captions:2: is not CSV: a quote in this row is never"),
        ('{"images": [\n}', "captions:2: not JSON"),
        ({"photos": []}, "is neither COCO's JSON .* nor Karpathy's"),
        ({"images": [], "annotations": [{"image_id": 3, "caption": ""}]}, "neither .*: KeyError 3"),
        ("\n \n", "captions: is empty"),
    ],
)
def test_a_wrong_file_of_captions_is_one_line(directory, content, message):
    with pytest.raises(UserError, match=message) as caught:
        list(pipeline_over(directory, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params.captions: nothing given; use one of files"),
        ({"captions": "a", "name": "b"}, "params.name: captions and name given"),
        ({"captions": "no_such_file"}, "no_such_file: cannot be read"),
        ({"captions": __file__, "image_dir": "no_such"}, "image_dir: no_such is not a directory"),
    ],
)
def test_wrong_parameters_are_told_at_once(params, message):
    with pytest.raises(UserError, match=message):
        ImageCaptioningInputPipeline(**params, key=KEY)


def test_images_that_cannot_be_used_fail_or_are_skipped_with_a_count(directory, caplog):
    (directory / "broken.png").write_bytes(b"no image")
    table = "red.png\ta red\nbroken.png\tx\nnone.png\ty\nblue.png\t \n"
    with pytest.raises(UserError) as caught:
        check_images(pipeline_over(directory, table), key=KEY)
    assert str(caught.value).startswith(f"{directory}/broken.png: not an image of a known format")
    assert str(caught.value).endswith("or use on_error=skip")

    checked = check_images(pipeline_over(directory, table), on_error="skip", key=KEY)
    assert [example.captions for example in checked.examples] == [["a red"]]
    assert checked.without_caption == 1
    (warning,) = caplog.messages
    assert warning.startswith("2 of 4 images cannot be used and are skipped")

    with pytest.raises(UserError, match=r"no image is left of the 1 .*not an image of a known"):
        check_images(pipeline_over(directory, "broken.png\tx\n"), on_error="skip", key=KEY)


def test_damage_behind_the_head_is_found_before_training_if_all_is_unpacked():
    examples = [grey(1, "a"), truncated(2, "b")]
    assert len(check_images(examples).examples) == 2
    with pytest.raises(UserError, match=r"2\.png: the image is broken"):
        check_images(examples, decode=True)


def test_an_image_that_comes_with_each_of_its_captions_becomes_one():
    examples = [grey(1, "a"), grey(2, "b"), grey(1, "c")]
    checked = check_images(examples, merge_same=True)
    assert [example.captions for example in checked.examples] == [["a", "c"], ["b"]]
    assert len(check_images(examples).examples) == 3
    assert [example.captions for example in examples] == [["a"], ["b"], ["c"]]


def test_records_are_sequence_examples_with_an_image_and_a_caption_each(tmp_path):
    path = tmp_path / "a.tfrecord"
    captions = (["<S>", "a", "red", "</S>"], ["all", "red"])
    records = [
        serialize_sequence_example(
            {"image/data": [png("red")]},
            {
                "image/caption": [[word.encode()] for word in words],
                "image/caption_ids": [[number] for number in range(len(words))],
            },
        )
        for words in captions
    ]
    write_records(path, records)
    pipeline = ImageCaptioningInputPipeline(files=str(path), key=KEY)
    examples = list(pipeline)
    assert [example.captions for example in examples] == [["a red"], ["all red"]]
    assert [example.read() for example in reversed(examples)] == [png("red")] * 2
    assert examples[1].name == f"{path} record 2"
    checked = check_images(pipeline, merge_same=pipeline.images_repeat)
    assert [example.captions for example in checked.examples] == [["a red", "all red"]]

    with pytest.raises(UserError, match="image_format: unknown image format 'raw'"):
        ImageCaptioningInputPipeline(files=str(path), image_format="raw", key=KEY)
    write_records(tmp_path / "b.gz", records)
    with pytest.raises(UserError, match=r"b\.gz: is compressed by gzip"):
        ImageCaptioningInputPipeline(files=f"{path},{tmp_path}/b.gz", key=KEY)


def test_a_corpus_pairs_each_image_with_each_of_its_captions():
    checked = check_images([grey(1, "a b", "b"), grey(2, "c a a a")])
    vocabulary = Vocabulary(["a", "b"])
    corpus = make_caption_corpus(checked, str.split, vocabulary, max_len=5)
    unk, start, end = 2, 3, 4
    assert corpus.image_of.tolist() == [0, 0, 1]
    rows = [corpus.targets[i].tolist() for i in range(3)]
    assert rows == [[start, 0, 1, end], [start, 1, end], [start, unk, 0, 0, 0]]
    assert (corpus.truncated, corpus.oov_rate) == (1, 1 / 7)
    assert corpus.id_counts(vocabulary).tolist() == [4, 2, 1, 0, 2]  # START is never predicted
    again = make_caption_corpus(checked, str.split, Vocabulary(["a", "b", "c"]), max_len=5)
    assert again.digest != corpus.digest


def test_tensorflow_datasets_are_read_without_tensorflow(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    captions = tfds.features.Sequence({"id": np.int64, "text": np.str_})
    examples = {
        colour: {
            "image": io.BytesIO(png(colour)),
            "captions": [{"id": 0, "text": text} for text in texts],
        }
        for colour, texts in (("red", ["a red"]), ("blue", ["a blue", "it\nis blue"]))
    }
    features = {"image": tfds.features.Image(), "captions": captions}
    prepare(tmp_path, "coco_captions", features, {"train": list(examples.values())})
    prepare(tmp_path, "texts", {"caption": "text"}, {"train": [{"caption": "a"}]})

    params = {"name": "coco_captions", "data_dir": str(tmp_path), "key": KEY}
    examples = list(ImageCaptioningInputPipeline(**params))
    assert [example.captions for example in examples] == [["a red"], ["a blue", "it is blue"]]
    assert [example.read() for example in reversed(examples)] == [png("blue"), png("red")]
    assert examples[1].name.endswith("record 2")
    (last,) = ImageCaptioningInputPipeline(**params, split="train[50%:]")
    assert last.captions == ["a blue", "it is blue"] and last.read() == png("blue")
    for changed, message in (
        ({"split": "val"}, r"split: no split 'val' in coco_captions; valid: train"),
        ({"name": "flickr"}, r"name: flickr is not prepared in"),
        ({"name": "texts"}, r"name: texts must have the feature image, and one of captions/text"),
    ):
        with pytest.raises(UserError, match=message):
            ImageCaptioningInputPipeline(**{**params, **changed})
