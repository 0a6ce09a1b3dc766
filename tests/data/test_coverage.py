import unicodedata

import pytest

from seq2seq_jax.data.coverage import normal_form, normal_form_warning, oov_warning
from seq2seq_jax.data.tokenizers import DelimiterTokenizer
from seq2seq_jax.data.vocabulary import Vocabulary

WORDS, CHARACTERS = DelimiterTokenizer(" "), DelimiterTokenizer("")
ENGLISH = Vocabulary(["the", "cat", "sat", "on", "a", "mat"])
GERMAN = Vocabulary(["die", "Katze", "saß"])


@pytest.mark.parametrize(
    ("text", "tokenizer", "vocabulary", "reason"),
    [
        ("die Katze saß", WORDS, ENGLISH, "source and target are swapped"),
        ("THE CAT SAT", WORDS, ENGLISH, "the vocabulary is lower-case"),
        ("the cat", CHARACTERS, ENGLISH, "the delimiter is wrong; it should be ' ' instead of ''"),
        ("abc", WORDS, Vocabulary("abc"), "it should be '' instead of ' '"),
        ("кот сидел", WORDS, ENGLISH, "in Cyrillic script, but the vocabulary is in Latin"),
        ("한국어", CHARACTERS, Vocabulary(unicodedata.normalize("NFD", "한국")), "form NFD"),
        ("cafe\u0301", WORDS, Vocabulary(["caf\u00e9"]), "not in Unicode normal form NFC"),
        ("xyz", WORDS, ENGLISH, "Possible reasons: another language"),
    ],
)
def test_a_text_that_is_mostly_out_of_vocabulary_is_explained(text, tokenizer, vocabulary, reason):
    warning = oov_warning("dev tokens", 0.9, [text], tokenizer, vocabulary, GERMAN)
    assert warning.startswith("90.00% of the dev tokens are out of vocabulary. ")
    assert reason in warning


def test_half_of_the_tokens_may_be_out_of_vocabulary():
    assert oov_warning("tokens", 0.5, ["x"], WORDS, ENGLISH) == ""


def test_the_normal_form_of_words_and_of_characters_is_recognized():
    for tokenizer in (WORDS, CHARACTERS):
        for form in ("NFC", "NFD"):
            assert normal_form(tokenizer.split(unicodedata.normalize(form, "é ê ñ"))) == form
    assert normal_form(["the", "cat"]) == ""


def test_a_dev_set_in_another_normal_form_is_reported():
    vocabulary, tokens = Vocabulary(["é", "a"]), ["e\u0301", "a"]
    warning = normal_form_warning("the sources of the dev set", tokens, vocabulary)
    assert "are in Unicode normal form NFD, but the vocabulary is in NFC" in warning
    assert normal_form_warning("the sources", ["é"], vocabulary) == ""
    assert normal_form_warning("the sources", ["a"], vocabulary) == ""
