import gzip

import pytest

from seq2seq_jax.data.readers.table_sniffing import detect_columns
from seq2seq_jax.utils.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_table(content: str, name: str = "a.tsv") -> str:
        data = content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write_table


@pytest.mark.parametrize(
    ("content", "name", "columns"),
    [
        ("cat\tK AE T\ndog\tD AO G\n", "a.tsv", ("1", "2", False, "")),
        ("cat\tK AE T\n", "a.tsv.gz", ("1", "2", False, "")),
        ("lemma\tform\nbe\tis\n", "a.tsv", ("lemma", "form", True, "")),
        ("\ufefflemma\tform\r\nbe\tis\r\n", "a.tsv", ("lemma", "form", True, "")),
        ("Target,Source\nx,y\n", "a.csv", ("Source", "Target", True, "")),
        ("source;target\n1,5;x\n", "a.csv.gz", ("source", "target", True, "")),
        ("english\tgerman\nthe\tdie\n", "a.tsv", ("english", "german", True, "")),
        ("lemma\tform\tfeatures\nbe\tis\tV\n", "a.tsv", ("lemma", "form", True, "")),
        ("input_text\tTarget text\na\tb\n", "a.tsv", ("input_text", "Target text", True, "")),
        (",source,target\n0,a,b\n", "a.csv", ("source", "target", True, "")),
        ("\ncat\tK AE T\n", "a.txt", ("1", "2", False, "tsv")),
        ('"a, b",c\n', "a.csv", ("1", "2", False, "")),
        # Rare names and ordinary words are pairs: a line that is lost would not be noticed.
        ("Wort\tForm\nsein\tist\n", "a.tsv", ("1", "2", False, "")),
        ("source\tS AO R S\n", "a.tsv", ("1", "2", False, "")),
        ("word\tword\n", "a.tsv", ("1", "2", False, "")),
    ],
)
def test_columns_are_detected(write, content, name, columns):
    assert detect_columns(write(content, name))[:4] == columns


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (("Wort", ""), ("Wort", "Form", True)),
        (("", "Wort"), ("Form", "Wort", True)),
        (("2", "1"), ("2", "1", False)),
        (("", "1"), ("2", "1", False)),
    ],
)
def test_columns_that_are_given_count(write, given, columns):
    assert detect_columns(write("Wort\tForm\nsein\tist\n"), *given)[:3] == columns


def test_numbers_of_columns_become_names_if_there_is_a_header(write):
    path = write("id\tform\tlemma\n1\tis\tbe\n")
    assert detect_columns(path, "3", "2")[:3] == ("lemma", "form", True)


@pytest.mark.parametrize(
    ("content", "given", "what"),
    [
        ("be\tis\tV\n", ("", ""), r"a\.tsv:1: has 3 columns and the file has no header; .*column"),
        ("be\tis\na\tb\tc\n", ("", ""), r"a\.tsv:2: has 3 columns"),
        ("id\ttag\tlemma\n1\tV\tbe\n", ("", ""), "has the columns id, tag, lemma; say which"),
        ("be\tis\n", ("Wort", ""), "has no column 'Wort'; its first row is 'be', 'is'"),
        ("be\tis\n", ("1", "3"), "has no column '3'"),
        ("be\tis\n", ("1", "1"), "source and target are the same column"),
        ("be is\n", ("", ""), r"a\.tsv:1: has one column; put a tab"),
        ("", ("", ""), "is empty"),
    ],
)
def test_a_table_whose_columns_cannot_be_told_is_refused_in_one_line(write, content, given, what):
    with pytest.raises(UserError, match=what) as error:
        detect_columns(write(content), *given)
    assert "\n" not in str(error.value)


def test_the_flags_are_named_where_columns_must_be_given(write):
    with pytest.raises(UserError, match="--source-column and --target-column"):
        detect_columns(write("be\tis\tV\n"))


def test_text_without_tabs_is_no_table(write):
    with pytest.raises(UserError, match=r"a\.txt: is no table"):
        detect_columns(write("be is\n", "a.txt"))


@pytest.mark.parametrize(
    ("content", "features", "columns"),
    [
        ("walk\twalked\tV;PST\n", "3", ("1", "2", "3", False)),
        ("walk\tV;PST\twalked\n", "2", ("1", "3", "2", False)),
        ("V;PST\twalk\twalked\n", "1", ("2", "3", "1", False)),
        ("lemma\ttags\tform\na\tV\tb\n", "tags", ("lemma", "form", "tags", True)),
        ("form\tlemma\tmorph\na\tb\tV\n", "morph", ("lemma", "form", "morph", True)),
        ("x\ty\tmorph\na\tb\tV\n", "morph", ("x", "y", "morph", True)),
    ],
)
def test_a_column_of_features_is_neither_source_nor_target(write, content, features, columns):
    found = detect_columns(write(content), others={"features_column": features})
    read = (found.source_column, found.target_column, found.others["features_column"])
    assert (*read, found.header) == columns
    assert f"; features in column {columns[2]}" in found.describe()


@pytest.mark.parametrize(
    ("content", "given", "what"),
    [
        ("a\tb\n", ("", ""), r"a\.tsv:1: has 2 columns, but a source, a target and 1 more"),
        ("a\tb\tV\n", ("2", "1"), "target and features are the same|source and features are the"),
        ("a\tb\tV\tx\n", ("", ""), "has 4 columns and the file has no header"),
    ],
)
def test_a_table_without_room_for_features_is_refused(write, content, given, what):
    with pytest.raises(UserError, match=what):
        detect_columns(write(content), *given, {"features_column": "2"})


def test_the_result_is_described_in_one_line(write):
    named, unnamed = write("lemma\tform\nbe\tis\n"), write("be\tis\n", "b.tsv")
    assert detect_columns(named).describe() == "column names found: lemma, form; lemma -> form"
    assert detect_columns(unnamed).describe() == (
        "no header: the first row, 'be' and 'is', is a pair; columns 1 and 2 are read"
    )
