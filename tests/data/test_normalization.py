import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.data.bpe import learn_bpe
from seq2seq_jax.data.normalization import FORMS, grapheme_clusters, normalize, recompose
from seq2seq_jax.data.sentencepiece_model import train_sentencepiece
from seq2seq_jax.data.subwords import SubwordConfig, WordTokenizers, make_tokenizers
from seq2seq_jax.data.tokenizers import (
    BPETokenizer,
    DelimiterTokenizer,
    SentencePieceTokenizer,
    has_unique_tokens,
)
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.data.vocabulary_check import check_vocabulary_file
from seq2seq_jax.inference.example_constraints import encode_constraints
from seq2seq_jax.utils.errors import UserError

REAL_FORMS = [form for form in FORMS if form.startswith("NF")]
KOREAN = "각하"
TEXTS = st.text(st.sampled_from("aéẹ̄ñ한글 \u0301\u0323\u1100\u1161ﬁʰt͡ʃ"), max_size=12)
LINES = ["café au lait", "crème brûlée", "naïve fiancée", "où ça"] * 9


def test_nfd_makes_jamo_of_korean_syllables_and_outputs_are_composed_again():
    tokenizer = DelimiterTokenizer("", normalization="NFD")
    tokens = tokenizer.split(KOREAN)

    assert len(tokens) == 5 and all("\u1100" <= token <= "\u11ff" for token in tokens)
    assert tokenizer.join(tokens) == KOREAN


@given(TEXTS)
@pytest.mark.parametrize("form", REAL_FORMS)
def test_joined_tokens_are_the_composed_form_of_every_text(form, text):
    expected = unicodedata.normalize("NFC", unicodedata.normalize(form, text))
    for clusters in (False, True):
        tokenizer = DelimiterTokenizer("", normalization=form, grapheme_clusters=clusters)
        assert tokenizer.join(tokenizer.split(text)) == expected
        assert "".join(tokenizer.split_to_compare(text)) == expected


@given(TEXTS)
@pytest.mark.parametrize("form", ["", "none"])
def test_texts_without_a_form_stay_as_they_are(form, text):
    tokenizer = DelimiterTokenizer("", normalization=form)
    assert tokenizer.join(tokenizer.split(text)) == text
    assert tokenizer.split_to_compare(text) == list(text)


def test_the_joined_text_is_composed_and_not_each_token():
    assert DelimiterTokenizer("", normalization="NFC").join(["e", "\u0301"]) == "é"
    assert recompose("e\u0301", "none") == "e\u0301"


def test_output_that_does_not_compose_differs_from_its_reference():
    tokenizer = DelimiterTokenizer("", normalization="NFD")
    only_consonants = tokenizer.join(["\u1100", "\u11a8"])
    assert tokenizer.split_to_compare(only_consonants) != tokenizer.split_to_compare("각")


def test_outputs_and_references_in_different_forms_are_equal_in_metrics():
    tokenizer = DelimiterTokenizer("", normalization="NFD", lowercase=True)
    assert tokenizer.split_to_compare("E\u0301") == tokenizer.split_to_compare("é") == ["é"]


def test_lower_casing_comes_before_normalization():
    assert normalize("İ", "NFC", lowercase=True) == "i\u0307"
    assert normalize("Σας", lowercase=True) == "σας"


def test_compatibility_forms_replace_letters_of_the_phonetic_alphabet():
    assert normalize("tʰ", "NFKC") == "th" and normalize("tʰ", "NFC") == "tʰ"


def test_grapheme_clusters_keep_marks_with_their_letters_but_are_no_phones():
    assert grapheme_clusters("e\u0301a\u0323\u0304") == ["e\u0301", "a\u0323\u0304"]
    assert grapheme_clusters("t͡ʃʰ") == ["t͡", "ʃ", "ʰ"]
    assert grapheme_clusters(unicodedata.normalize("NFD", KOREAN)) == [
        unicodedata.normalize("NFD", syllable) for syllable in KOREAN
    ]
    assert DelimiterTokenizer(" ", grapheme_clusters=True).split("e\u0301a b") == ["e\u0301a", "b"]


def test_every_way_to_split_has_its_own_digest_and_the_default_keeps_its_old_one():
    plain = DelimiterTokenizer("")
    digests = {
        DelimiterTokenizer("", normalization=form, grapheme_clusters=clusters).digest()
        for form in ("", "NFC", "NFD")
        for clusters in (False, True)
    }
    assert len(digests) == 6
    assert DelimiterTokenizer("", normalization="none").digest() == plain.digest()
    assert DelimiterTokenizer(" ", grapheme_clusters=True).digest() == (
        DelimiterTokenizer(" ").digest()
    )


def test_bpe_subwords_are_learned_from_normalized_text_and_composed_again():
    words = DelimiterTokenizer(" ", normalization="NFD")
    made = make_tokenizers(
        lambda: [(line, line) for line in LINES],
        WordTokenizers(words, words),
        SubwordConfig(kind="bpe", size=20),
    ).source

    assert isinstance(made, BPETokenizer)
    pieces = made.split("café")
    assert any("\u0301" in piece for piece in pieces) and made.join(pieces) == "café"
    assert BPETokenizer(words, learn_bpe({"a": 1}, 1)).digest() != made.digest()


@pytest.mark.parametrize("form", ["none", *REAL_FORMS])
def test_sentencepiece_follows_the_form_instead_of_its_own(form):
    words = DelimiterTokenizer(" ", normalization=form)
    lines = [line.replace("fi", "ﬁ") for line in LINES]
    made = make_tokenizers(
        lambda: [(line, line) for line in lines],
        WordTokenizers(words, words),
        SubwordConfig(kind="sentencepiece", size=60),
    ).source

    expected = recompose(normalize("naïve ﬁancée", form), form)
    assert made.join(made.split("naïve ﬁancée")) == expected
    assert ("ﬁ" in expected) == (form in ("none", "NFC", "NFD"))


def test_a_sentencepiece_model_with_its_own_normalization_is_refused_if_a_form_is_given():
    model = train_sentencepiece(LINES, 60)
    with pytest.raises(UserError, match=r"subwords.source_model: replaces characters itself"):
        SentencePieceTokenizer(model, normalization="NFD", where="subwords.source_model")
    SentencePieceTokenizer(model, normalization="NFKC")
    SentencePieceTokenizer(model)


def test_several_sequences_of_normalized_tokens_can_have_one_text():
    assert has_unique_tokens(DelimiterTokenizer(""))
    assert not has_unique_tokens(DelimiterTokenizer("", normalization="NFD"))


def test_allowed_tokens_may_be_written_composed():
    tokenizer = DelimiterTokenizer("", normalization="NFD")
    vocabulary = Vocabulary(["e", "\u0301", "x"])

    found = encode_constraints(vocabulary, tokenizer, prefixes=["é"], allowed_tokens=[["é", "x"]])

    assert found.allowed == [[0, 1, 2]]
    assert found.prefixes is not None and found.prefixes[0].tolist() == [0, 1]
    with pytest.raises(UserError, match="the token 'è' is not in the target vocabulary"):
        encode_constraints(vocabulary, tokenizer, allowed_tokens=[["è"]])


def test_tokens_of_a_vocabulary_file_in_another_form_are_reported():
    nfd = DelimiterTokenizer("", normalization="NFD")
    with pytest.raises(UserError, match=r"v.txt:2: 'é' is not in the Unicode .* form NFD"):
        check_vocabulary_file(Vocabulary(["a", "é"]), "v.txt", [nfd])
    clusters = DelimiterTokenizer("", grapheme_clusters=True)
    check_vocabulary_file(Vocabulary(["a", "x\u0323"]), "v.txt", [clusters])
    with pytest.raises(UserError, match="'ab' has several grapheme clusters"):
        check_vocabulary_file(Vocabulary(["ab"]), "v.txt", [clusters])
