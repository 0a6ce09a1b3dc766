import logging

import pytest

from seq2seq_jax.data.bpe import BPECodes
from seq2seq_jax.data.tokenizers import BPETokenizer, DelimiterTokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.data.vocabulary_check import check_vocabulary_file
from seq2seq_jax.utils.errors import UserError

WORDS, CHARACTERS = DelimiterTokenizer(" "), DelimiterTokenizer("")


def check(path, content: bytes, *tokenizers):
    path.write_bytes(content)
    vocabulary = Vocabulary.read(path)
    check_vocabulary_file(vocabulary, str(path), tokenizers or [WORDS])
    return vocabulary.tokens


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"a 10\nb 9\n", 1, "'a 10' contains .* fairseq; replace the blank"),
        (b"a\nb 9\n", 2, "'b 9' contains the delimiter ' '"),
        (b"</s>: 0\n<unk>: 1\na: 2\n", 1, "Marian's YAML"),
        (b'"a": 0\n"b": 1\n', 1, "Marian's YAML"),
        (b'{"eos": 0, "a": 1}\n', 1, "JSON"),
        (b'{"eos":0,"a":1}', 1, "is no token; this looks like JSON"),
        (b'{\n  "eos": 0,\n  "a": 1\n}\n', 1, "JSON"),
        (b'["a","b"]\n', 1, "JSON"),
        (b"a\nb \n", 2, "remove the blanks"),
        (b"\xef\xbb\xbf a\r\nb\r\n", 1, "remove the blanks"),
        (b"New York\t7\n", 1, "contains the delimiter"),
    ],
)
def test_a_vocabulary_of_another_toolkit_is_refused_with_its_line(tmp_path, content, line, what):
    with pytest.raises(UserError, match=f"vocab:{line}: .*{what}"):
        check(tmp_path / "vocab", content)


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (b"10\n9\n9:3\na:2\n:\n{\n}\n[\n]\n", ("10", "9", "9:3", "a:2", ":", "{", "}", "[", "]")),
        (b"10\t3\n9\t2\n", ("10", "9")),
        (b"a\t-1.2\n\xe2\x96\x81b\t-3\n", ("a", "\u2581b")),
        (b"\xef\xbb\xbfa\r\nb\r\n", ("a", "b")),
        (b"[1]\n", ("[1]",)),
        (b"{}\n", ("{}",)),
    ],
)
def test_tokens_of_digits_colons_and_brackets_and_counts_are_read(tmp_path, content, tokens):
    assert check(tmp_path / "vocab", content) == tokens


def test_a_token_of_several_characters_is_refused_where_characters_are_tokens(tmp_path):
    with pytest.raises(UserError, match="vocab:2: 'bc' has several characters"):
        check(tmp_path / "vocab", b"a\nbc\n", CHARACTERS)


def test_a_shared_vocabulary_has_the_tokens_of_either_side(tmp_path):
    assert check(tmp_path / "vocab", b" \nAA\na\n", CHARACTERS, WORDS) == (" ", "AA", "a")


def test_the_delimiter_decides_whether_a_blank_may_be_inside_a_token(tmp_path):
    assert check(tmp_path / "vocab", b"New York\n", DelimiterTokenizer("|")) == ("New York",)
    with pytest.raises(UserError, match="vocab:1: 'n@@ ' contains"):
        check(tmp_path / "vocab", b"n@@ \n", BPETokenizer(WORDS, BPECodes(())))


def test_special_tokens_of_other_toolkits_are_reported(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        check(tmp_path / "vocab", b"<unk>\n<s>\n</s>\na\n", CHARACTERS)
    assert "vocab: <unk>, <s>, </s> count as ordinary tokens" in caplog.text
