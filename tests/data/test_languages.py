import pytest

from seq2seq_jax.data.languages import (
    TaggedTokenizer,
    check_language,
    check_tag,
    check_vocabulary_has_tags,
    group_by_language,
    known_languages,
    split_tag,
    tag_source,
    tag_sources,
)
from seq2seq_jax.data.tokenizers import DelimiterTokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError

CHARACTERS = TaggedTokenizer(DelimiterTokenizer("", lowercase=True))
VOCABULARY = Vocabulary(["<dut>", "<ice>", "a"])


@pytest.mark.parametrize(
    ("text", "language", "rest"),
    [
        ("<dut> zee", "dut", "zee"),
        ("<dut>  zee", "dut", " zee"),
        ("<dut> <b> x", "dut", "<b> x"),
        ("<dut> ", "dut", ""),
        ("<dut>", "dut", ""),
        ("<dut>zee", "", "<dut>zee"),
        ("< dut> zee", "", "< dut> zee"),
        ("zee <dut> x", "", "zee <dut> x"),
        ("", "", ""),
    ],
)
def test_a_tag_is_a_name_in_brackets_and_a_blank_at_the_beginning(text, language, rest):
    assert split_tag(text) == (language, rest)


def test_a_tag_is_one_token_and_is_neither_lower_cased_nor_divided():
    tokens = CHARACTERS.split("<DUT> Zee")
    assert tokens == ["<DUT>", "z", "e", "e"]
    assert CHARACTERS.join(tokens) == "<DUT> zee"
    assert CHARACTERS.split("<x>y") == list("<x>y")


def test_a_source_of_a_tag_alone_is_empty():
    assert CHARACTERS.split(tag_source("", "dut")) == []


def test_tagged_and_other_tokenizers_have_different_digests():
    assert CHARACTERS.digest() != CHARACTERS.rest.digest()


def test_one_language_is_for_all_sources_and_a_list_has_one_for_each():
    assert tag_sources(["a", "b"], "dut") == ["<dut> a", "<dut> b"]
    assert tag_sources(["a", "<dut> b"], ["ice", None]) == ["<ice> a", "<dut> b"]
    assert tag_sources(["a"], None) == ["a"]
    with pytest.raises(ValueError, match="got 1 for 2 texts"):
        tag_sources(["a", "b"], ["dut"])


@pytest.mark.parametrize("name", ["", "  ", "two words", "a>b", "<dut>"])
def test_impossible_names_of_languages_are_reported(name):
    with pytest.raises(UserError, match=r"train\.tsv:3: a language must be a name without blanks"):
        check_language(name, "train.tsv:3")


def test_sources_without_a_known_language_are_reported_with_the_known_ones():
    assert known_languages(VOCABULARY) == ["dut", "ice"]
    check_tag("<ice> a", VOCABULARY, "text 1")
    check_tag("", VOCABULARY, "text 1")
    with pytest.raises(UserError, match=r"text 1: has no language.*<dut>.*knows dut, ice"):
        check_tag("a", VOCABULARY, "text 1")
    with pytest.raises(
        UserError, match=r"unknown language 'icel', did you mean ice.*knows dut, ice"
    ):
        check_tag("<icel> a", VOCABULARY, "text 1")


def test_a_vocabulary_without_a_tag_is_reported():
    check_vocabulary_has_tags(VOCABULARY, ["<dut>", "<ice>"])
    with pytest.raises(UserError, match=r"yields sources without a language, such as one .* 'a'"):
        check_vocabulary_has_tags(VOCABULARY, ["<dut>", "a"])
    with pytest.raises(UserError, match=r"vocab_source: has no tokens for the languages <tur>;"):
        check_vocabulary_has_tags(VOCABULARY, ["<dut>", "<tur>"])


def test_sources_are_grouped_by_their_tags():
    assert group_by_language(["<dut> a", "<ice> b", "<dut> c"]).members() == {
        "dut": [0, 2],
        "ice": [1],
    }
