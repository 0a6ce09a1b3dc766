import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.data.parallel_text import Pair, join_tokens, read_pairs, split_text
from seq2seq_jax.errors import UserError

KEY = "input_pipeline_train.params"


def params(**changes: str) -> dict[str, str]:
    return {
        "source_files": "",
        "target_files": "",
        "source_delimiter": " ",
        "target_delimiter": " ",
        "builtin": "",
        "split": "train",
    } | changes


def write(path, text: str) -> str:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def message(params: dict[str, str], **keywords) -> str:
    with pytest.raises(UserError) as error:
        list(read_pairs(params, **keywords))
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "delimiter", "tokens"),
    [
        ("a b c", " ", ["a", "b", "c"]),
        ("a  b c ", " ", ["a", "b", "c"]),
        ("", " ", []),
        ("abc d", "", ["a", "b", "c", " ", "d"]),
        ("a\tb c", " ", ["a\tb", "c"]),
        ("a b|c", "|", ["a b", "c"]),
        ("a\u00a0b\u2003c d", " ", ["a\u00a0b\u2003c", "d"]),
    ],
)
def test_texts_are_split_as_by_google_seq2seq(text, delimiter, tokens):
    assert split_text(text, delimiter) == tokens


def test_the_empty_delimiter_splits_unicode_characters_not_bytes():
    assert split_text("笑é", "") == ["笑", "é"]


def test_a_source_is_lower_cased_before_it_is_split():
    assert split_text("Straße ÉTÉ", "", lowercase=True) == list("straße été")


@given(
    st.sampled_from(["", " ", "|"]),
    st.lists(st.text(st.characters(exclude_characters=" |"), min_size=1, max_size=1)),
)
def test_joined_tokens_split_into_themselves(delimiter, tokens):
    assert split_text(join_tokens(tokens, delimiter), delimiter) == tokens


def test_files_are_read_one_after_the_other_plain_or_gzipped(tmp_path):
    a, b = write(tmp_path / "a", "A b\nc\n"), write(tmp_path / "b.gz", "D\n")
    x, y = write(tmp_path / "x", "xyz\n笑\n"), write(tmp_path / "y.gz", "Z\n")
    given = params(
        source_files=f"{a}, {b}", target_files=f"{x},{y}", target_delimiter="", builtin="toy_copy"
    )
    assert list(read_pairs(given, lowercase=True)) == [
        Pair(["a", "b"], ["x", "y", "z"]),
        Pair(["c"], ["笑"]),
        Pair(["d"], ["Z"]),
    ]
    assert list(read_pairs(given)) == list(read_pairs(given))


def test_a_line_that_has_other_line_separators_inside_keeps_its_partner(tmp_path):
    source = write(tmp_path / "s", "a\u2028b\x85c\r\nd\r\n")
    target = write(tmp_path / "t", "1\n2\n")
    assert list(read_pairs(params(source_files=source, target_files=target))) == [
        Pair(["a\u2028b\x85c"], ["1"]),
        Pair(["d"], ["2"]),
    ]


def test_empty_lines_keep_their_place(tmp_path):
    source, target = write(tmp_path / "s", "a\n\nb\n"), write(tmp_path / "t", "x\ny\n\n")
    pairs = list(read_pairs(params(source_files=source, target_files=target)))
    assert pairs == [(["a"], ["x"]), ([], ["y"]), (["b"], [])]


@pytest.mark.parametrize(("in_source", "in_target"), [(3, 5), (5, 3), (0, 1), (2, 0), (4, 3)])
def test_unequal_numbers_of_lines_are_told_with_both_counts(tmp_path, in_source, in_target):
    source = write(tmp_path / "s.gz", "a\n" * in_source)
    target = write(tmp_path / "t", "b\n" * in_target)
    assert message(params(source_files=source, target_files=target)) == (
        f"{source}: {in_source} lines, but {target} has {in_target}: "
        "line i of the one must belong to line i of the other"
    )


def test_unequal_numbers_of_files_are_told_with_both_counts():
    assert message(params(source_files="a,b", target_files="c")) == (
        f"{KEY}.source_files: 2 source files but 1 target files: "
        "every source file needs its target file"
    )


def test_a_missing_file_is_told_before_anything_is_read(tmp_path):
    here, missing = write(tmp_path / "here", "a\n"), tmp_path / "missing"
    with pytest.raises(UserError) as error:
        read_pairs(params(source_files=here, target_files=f"{missing}"))
    assert str(error.value) == f"{missing}: cannot be read (No such file or directory)"


def test_a_line_that_is_not_utf8_is_told_by_file_and_line(tmp_path):
    source, target = write(tmp_path / "s", "a\nb\nc\n"), tmp_path / "t"
    target.write_bytes(b"x\ny\n\xfcber\n")
    text = message(params(source_files=source, target_files=str(target)))
    assert text.startswith(f"{target}:3: not UTF-8 (byte 0xfc at column 1)")


def test_no_files_and_no_builtin_corpus_is_an_error():
    dev = "input_pipeline_dev.params"
    assert message(params(), key=dev) == (
        f"{dev}.source_files: no files; name them, or a built-in corpus as {dev}.builtin "
        "(toy_copy, toy_reverse, cmudict)"
    )


def test_an_unknown_builtin_corpus_or_split_is_an_error():
    assert message(params(builtin="toy")) == (
        f"{KEY}.builtin: no built-in corpus 'toy'; there are toy_copy, toy_reverse, cmudict"
    )
    assert message(params(builtin="toy_copy", split="validation")) == (
        f"{KEY}.split: no split 'validation'; there are train, dev, test"
    )


def test_a_builtin_corpus_with_delimiters_that_are_not_its_own_is_an_error():
    assert message(params(builtin="cmudict")) == (
        f"{KEY}.source_delimiter: cmudict needs '' here, not ' '"
    )
    assert message(params(builtin="toy_copy", target_delimiter="")) == (
        f"{KEY}.target_delimiter: toy_copy needs ' ' here, not ''"
    )


def test_the_toy_corpora_are_read_as_pairs_of_tokens():
    reverse = list(read_pairs(params(builtin="toy_reverse", split="dev")))
    assert len(reverse) == 1000
    assert all(pair.target == pair.source[::-1] for pair in reverse)
