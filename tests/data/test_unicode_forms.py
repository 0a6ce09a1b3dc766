import pytest

from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline
from seq2seq_jax.data.unicode_forms import (
    FormCounter,
    TextForm,
    file_forms,
    form_warnings,
    format_forms,
)

NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["abc", "笑"], "the same in NFC and NFD"),
        (["abc", NFC], "NFC"),
        ([NFD, "x"], "NFD"),
        ([NFC, NFC, NFD], "mixed (1 of 3 texts is not NFC)"),
        (["각"], "NFC"),
        ([], "the same in NFC and NFD"),
    ],
)
def test_the_form_of_texts_is_named(texts, form):
    found = TextForm()
    for text in texts:
        found.add(text)
    assert str(found) == form


def test_both_sides_of_each_file_have_a_form_of_their_own(tmp_path):
    for name, row in (("a.tsv", f"{NFC}\tx"), ("b.tsv", f"{NFD}\t{NFC}")):
        (tmp_path / name).write_text(row + "\n")
    names = f"{tmp_path}/a.tsv", f"{tmp_path}/b.tsv"
    pipeline = TSVInputPipeline(",".join(names), "1", "2", "", False, key="k")

    assert format_forms(file_forms(pipeline, "train")) == [
        f"{names[0]}: sources NFC, targets the same in NFC and NFD",
        f"{names[1]}: sources NFD, targets NFC",
    ]


def test_parallel_files_are_named_one_by_one(tmp_path):
    source, target = tmp_path / "x", tmp_path / "y"
    source.write_text(NFD + "\n")
    target.write_text(NFC + "\n")
    pipeline = ParallelTextInputPipeline(str(source), str(target), key="k")

    assert format_forms(file_forms(pipeline, "train")) == [
        f"{source}: sources NFD",
        f"{target}: targets NFC",
    ]


def test_pairs_without_files_are_named_as_a_whole():
    pairs = [TextPair(NFC, "x")]
    assert format_forms(file_forms(pairs, "train")) == [
        "train: sources NFC, targets the same in NFC and NFD"
    ]
    counter = FormCounter(iter(pairs), "<stdin>")
    assert list(counter) == pairs and str(counter.forms[0].form) == "NFC"


def test_a_warning_names_the_files_where_training_and_dev_set_differ():
    train, dev = (
        file_forms([TextPair(source, "x")], name) for source, name in ((NFC, "a"), (NFD, "b"))
    )

    (warning,) = form_warnings(train, dev)

    assert "sources of the training set are in the Unicode normalization form NFC (a)" in warning
    assert "dev set in NFD (b); use --config.source.normalization=NFC" in warning
    assert form_warnings(train, train) == []
    assert form_warnings(train, dev, normalized=["source"]) == []
    assert form_warnings(train, file_forms([TextPair("x", "x")], "c")) == []
