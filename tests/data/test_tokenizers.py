import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq_jax.data import tokenizers
from seq2seq_jax.data.bpe import BPECodes, learn_bpe
from seq2seq_jax.data.sentencepiece_model import load_sentencepiece, train_sentencepiece
from seq2seq_jax.data.tokenizers import (
    BPETokenizer,
    DelimiterTokenizer,
    SentencePieceTokenizer,
    decode_sentencepiece,
    find_postprocessing,
    strip_bpe,
)
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS
from seq2seq_jax.utils.errors import UserError

WORDS = ["the", "lower", "house", "newer", "wider", "nation", "national", "international"]
WORDS += ["a@@", "@@@", "x@@y", "UNKUNK", "FUNK"]
CODES = learn_bpe({word: 9 - i % 3 for i, word in enumerate(WORDS)}, 60)
LINES = [f"The {a} {b}" for a in WORDS for b in WORDS]
TEXTS = st.text(st.one_of(st.sampled_from("@@@ abcUNK▁\u00a0"), st.characters(codec="utf-8")))


@pytest.fixture(scope="module")
def model() -> bytes:
    return train_sentencepiece(LINES + ["SEQUENCE_END UNK"] * 99, 60)


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
        ("笑é", "", ["笑", "é"]),
    ],
)
def test_texts_are_split_at_delimiters_as_by_google_seq2seq(text, delimiter, tokens):
    assert DelimiterTokenizer(delimiter).split(text) == tokens


@given(
    st.sampled_from(["", " ", "|"]),
    st.lists(st.text(st.characters(exclude_characters=" |"), min_size=1, max_size=1)),
)
def test_splitting_joined_tokens_restores_them(delimiter, tokens):
    tokenizer = DelimiterTokenizer(delimiter)
    assert tokenizer.split(tokenizer.join(tokens)) == tokens


def test_a_text_is_lower_cased_before_it_is_split(model):
    assert DelimiterTokenizer("", True).split("Straße ÉTÉ") == list("straße été")
    bpe = BPETokenizer(DelimiterTokenizer(" ", True), CODES)
    assert bpe.join(bpe.split("The LOWER house")) == "the lower house"
    pieces = SentencePieceTokenizer(model, lowercase=True)
    assert pieces.join(pieces.split("The LOWER house")) == "the lower house"


@pytest.mark.parametrize("delimiter", [" ", "|"])
@pytest.mark.parametrize("codes", [CODES, BPECodes(CODES.merges, "0.1"), BPECodes(())])
def test_joining_bpe_pieces_restores_the_words_of_every_text(delimiter, codes):
    words = DelimiterTokenizer(delimiter)
    tokenizer = BPETokenizer(words, codes)

    @given(TEXTS)
    @example("@@ a@@ @@@ @@@@ x@@y UNK FUNK UNKUNK")
    @example("a @@ @@")
    def check(text):
        pieces = tokenizer.split(text)
        assert tokenizer.join(pieces) == words.join(words.split(text))
        assert not set(pieces) & set(SPECIAL_TOKENS)

    check()


def test_the_last_character_of_an_ambiguous_piece_is_split_off():
    tokenizer = BPETokenizer(DelimiterTokenizer(" "), BPECodes((("@", "@</w>"), ("N", "K</w>"))))
    assert tokenizer.split("@@ b") == ["@@@", "@", "b"]
    tokenizer = BPETokenizer(DelimiterTokenizer(" "), BPECodes((("N", "K</w>"), ("U", "NK</w>"))))
    assert tokenizer.split("FUNK UNK") == ["F@@", "UN@@", "K", "UN@@", "K"]


@given(TEXTS)
def test_strip_bpe_joins_pieces_as_the_tokenizer_does(text):
    bpe = BPETokenizer(DelimiterTokenizer(" "), CODES)
    assert strip_bpe(" ".join(bpe.split(text))) == bpe.join(bpe.split(text)).strip()


def test_an_unfinished_word_at_the_end_loses_its_continuation_mark():
    bpe = BPETokenizer(DelimiterTokenizer(" "), CODES)
    assert bpe.join(["lo@@", "wer", "hou@@"]) == "lower hou"
    assert bpe.join(["@@"]) == bpe.join([]) == ""


def test_the_cache_of_words_is_bounded(monkeypatch):
    monkeypatch.setattr(tokenizers, "MAX_CACHED_PIECES", 100)
    bpe = BPETokenizer(DelimiterTokenizer(" "), BPECodes(()))
    for number in range(200):
        word = f"{number}" + "x" * (number % 50)
        assert bpe.join(bpe.split(f"a {word}")) == f"a {word}"
        assert len(pickle.dumps(bpe)) < 2000


def test_joining_sentencepiece_pieces_restores_the_normalized_text(model):
    tokenizer = SentencePieceTokenizer(model)
    normalize = load_sentencepiece(model, "model").normalize

    @settings(deadline=None)
    @given(TEXTS)
    @example("ｆｕｌｌ　ﬁ  lead \u2028 UNK FUNK SEQUENCE_END <unk> ⁇ 笑笑")
    def check(text):
        pieces = tokenizer.split(text)
        assert tokenizer.join(pieces) == normalize(text).replace("▁", " ").removeprefix(" ")
        assert not set(pieces) & set(SPECIAL_TOKENS)
        assert decode_sentencepiece(" ".join(pieces)) == tokenizer.join(pieces).strip()

    check()


def test_digests_differ_if_any_text_is_split_differently(model):
    words = DelimiterTokenizer(" ")
    different = [
        words,
        DelimiterTokenizer(""),
        DelimiterTokenizer(" ", lowercase=True),
        BPETokenizer(words, CODES),
        BPETokenizer(DelimiterTokenizer("|"), CODES),
        BPETokenizer(words, BPECodes(CODES.merges[1:])),
        BPETokenizer(words, BPECodes(CODES.merges, "0.1")),
        SentencePieceTokenizer(model),
        SentencePieceTokenizer(model, lowercase=True),
    ]
    digests = [tokenizer.digest() for tokenizer in different]
    assert len(set(digests)) == len(different)
    assert digests == [pickle.loads(pickle.dumps(tokenizer)).digest() for tokenizer in different]


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("a b@@ c d@@", "a bc d@@"),
        ("Ni@@ ki@@ tin .", "Nikitin ."),
        ("@@ x", "x"),
        (" lead ", "lead"),
        ("no bpe", "no bpe"),
        ("x@@  y", "x y"),
    ],
)
def test_bpe_pieces_are_joined_as_by_google_seq2seq(text, stripped):
    assert strip_bpe(text) == stripped


@pytest.mark.parametrize(
    ("text", "decoded"),
    [("▁Hello ▁wor ld .", "Hello world."), ("▁ a b", "ab"), ("x▁y z", "x yz"), ("", "")],
)
def test_sentencepiece_pieces_are_joined_as_by_google_seq2seq(text, decoded):
    assert decode_sentencepiece(text) == decoded


def test_post_processing_functions_are_found_by_their_short_and_their_documented_names():
    assert find_postprocessing("strip_bpe") is strip_bpe
    assert find_postprocessing("seq2seq.data.postproc.decode_sentencepiece") is decode_sentencepiece
    assert find_postprocessing("")("as it is@@ ") == "as it is@@ "


@pytest.mark.parametrize("name", ["strip", "find_postprocessing", "a.b.Callable"])
def test_an_unknown_post_processing_function_is_an_error_that_lists_the_valid_ones(name):
    with pytest.raises(UserError) as error:
        find_postprocessing(name, "metrics.BleuMetricSpec.params.postproc_fn")
    assert str(error.value) == (
        f"metrics.BleuMetricSpec.params.postproc_fn: no function {name!r}; "
        "valid: strip_bpe, decode_sentencepiece"
    )
