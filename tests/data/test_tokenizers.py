import logging
import pickle
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq_jax.data import tokenizers
from seq2seq_jax.data.bpe import BPECodes, learn_bpe
from seq2seq_jax.data.postprocessing import decode_sentencepiece, strip_bpe
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.sentencepiece_model import train_sentencepiece
from seq2seq_jax.data.tokenizers import (
    BPETokenizer,
    DelimiterTokenizer,
    SentencePieceTokenizer,
    make_tokenizers,
    read_tokenizers,
    write_tokenizers,
)
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS
from seq2seq_jax.utils.errors import UserError

WORDS = ["the", "lower", "house", "newer", "wider", "nation", "national", "international"]
WORDS += ["a@@", "@@@", "x@@y", "UNKUNK", "FUNK"]
CODES = learn_bpe({word: 9 - i % 3 for i, word in enumerate(WORDS)}, 60)
PAIRS = [TextPair(f"The {a} {b}", f"der {b}e {a}er") for a in WORDS for b in WORDS]
TEXTS = st.text(st.one_of(st.sampled_from("@@@ abcUNK▁\u00a0"), st.characters(codec="utf-8")))


def lines(side: int) -> list[str]:
    return [pair[side] for pair in PAIRS]


@pytest.fixture(scope="module")
def model() -> bytes:
    return train_sentencepiece(lines(0) + ["SEQUENCE_END UNK"] * 99, 60)


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
def test_joined_words_and_characters_split_into_themselves(delimiter, tokens):
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
def test_bpe_gives_the_words_of_every_text_back(delimiter, codes):
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


def test_a_word_or_piece_that_would_be_misread_has_its_last_character_split_off():
    tokenizer = BPETokenizer(DelimiterTokenizer(" "), BPECodes((("@", "@</w>"), ("N", "K</w>"))))
    assert tokenizer.split("@@ b") == ["@@@", "@", "b"]
    tokenizer = BPETokenizer(DelimiterTokenizer(" "), BPECodes((("N", "K</w>"), ("U", "NK</w>"))))
    assert tokenizer.split("FUNK UNK") == ["F@@", "UN@@", "K", "UN@@", "K"]


@given(TEXTS)
def test_post_processing_joins_as_the_tokenizer_does(text):
    bpe = BPETokenizer(DelimiterTokenizer(" "), CODES)
    assert strip_bpe(" ".join(bpe.split(text))) == bpe.join(bpe.split(text)).strip()


def test_a_word_that_decoding_left_unfinished_is_shown_without_its_mark():
    bpe = BPETokenizer(DelimiterTokenizer(" "), CODES)
    assert bpe.join(["lo@@", "wer", "hou@@"]) == "lower hou"
    assert bpe.join(["@@"]) == bpe.join([]) == ""


def test_the_cache_of_words_stays_within_its_bound(monkeypatch):
    monkeypatch.setattr(tokenizers, "_CACHED_PIECES", 100)
    bpe = BPETokenizer(DelimiterTokenizer(" "), BPECodes(()))
    for number in range(200):
        word = f"{number}" + "x" * (number % 50)
        assert bpe.join(bpe.split(f"a {word}")) == f"a {word}"
        assert sum(map(len, bpe._cache.values())) == bpe._cached_pieces <= 100


def test_sentencepiece_gives_every_text_back_as_it_normalises_it(model):
    tokenizer = SentencePieceTokenizer(model)
    normalize = tokenizer._processor.normalize

    @settings(deadline=None)
    @given(TEXTS)
    @example("ｆｕｌｌ　ﬁ  lead \u2028 UNK FUNK SEQUENCE_END <unk> ⁇ 笑笑")
    def check(text):
        pieces = tokenizer.split(text)
        assert tokenizer.join(pieces) == normalize(text).replace("▁", " ").removeprefix(" ")
        assert not set(pieces) & set(SPECIAL_TOKENS)
        assert decode_sentencepiece(" ".join(pieces)) == tokenizer.join(pieces).strip()

    check()


def test_words_and_characters_need_no_training():
    made = make_tokenizers(unread, kind="", target_delimiter="", lowercase=True)
    assert made == (DelimiterTokenizer(" ", True), DelimiterTokenizer(""))


def unread():
    raise AssertionError("the pairs are not needed")


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_joint_subwords_are_learnt_once_from_both_sides(kind, caplog):
    with caplog.at_level(logging.INFO, "seq2seq_jax"):
        made = make_tokenizers(lambda: PAIRS, kind=kind, size=40)
    unit = {"bpe": "merges of BPE", "sentencepiece": "pieces of SentencePiece"}[kind]
    assert caplog.messages == [f"learning 40 {unit} from 338 lines of source and target text"]
    assert made.source.digest() == made.target.digest()
    both = lines(0) + lines(1)
    if kind == "bpe":
        counts = {word: " ".join(both).split(" ").count(word) for word in " ".join(both).split()}
        assert made.source.codes == learn_bpe(counts, 40)
    else:
        assert len({piece for text in both for piece in made.source.split(text)}) <= 40


def test_each_side_may_have_subwords_of_its_own_or_none(model):
    apart = make_tokenizers(lambda: PAIRS, kind="sentencepiece", size=40, joint=False)
    assert apart.target.model == train_sentencepiece(lines(1), 40) != apart.source.model
    one = make_tokenizers(
        lambda: PAIRS, kind="bpe", size=40, sides="target", lowercase=True, source_delimiter=""
    )
    assert one.source == DelimiterTokenizer("", True)
    assert one.target.split("der housee") != ["der", "housee"]


def test_the_case_of_the_source_does_not_matter_where_it_is_lower_cased():
    shouted = [TextPair(source.upper(), target) for source, target in PAIRS]
    for kind in ("bpe", "sentencepiece"):
        learn = partial(make_tokenizers, kind=kind, size=40, joint=False, lowercase=True)
        assert learn(lambda: PAIRS).source.digest() == learn(lambda: shouted).source.digest()


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_what_was_learnt_comes_back_from_the_directory(tmp_path, kind, model):
    settings = {"kind": kind, "lowercase": True, "source_delimiter": "|"}
    made = make_tokenizers(lambda: PAIRS, size=40, **settings)
    assert read_tokenizers(tmp_path, **settings) is None
    write_tokenizers(tmp_path, made)
    back = read_tokenizers(tmp_path, **settings)
    suffix = {"bpe": "codes", "sentencepiece": "model"}[kind]
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"subwords.{side}.{suffix}" for side in made._fields]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [side.digest() for side in back] == [side.digest() for side in made]
    text = "The lower|house"
    assert back.source.split(text) == made.source.split(text)
    files[1].unlink()
    assert read_tokenizers(tmp_path, **settings) is None


def test_words_leave_no_file_and_need_none(tmp_path):
    write_tokenizers(tmp_path, make_tokenizers(unread, kind=""))
    assert list(tmp_path.iterdir()) == []
    assert read_tokenizers(tmp_path, kind="") == make_tokenizers(unread, kind="")


def test_codes_that_are_given_are_not_learnt(tmp_path):
    path = str(tmp_path / "codes")
    CODES.write(path)
    joint = make_tokenizers(unread, kind="bpe", target_model=path)
    assert joint.source.codes == joint.target.codes == CODES
    apart = make_tokenizers(lambda: PAIRS, kind="bpe", size=5, joint=False, target_model=path)
    assert len(apart.source.codes.merges) == 5
    assert apart.target.codes == CODES
    with pytest.raises(UserError, match=f"^{path}: is not a model of sentencepiece"):
        make_tokenizers(unread, kind="sentencepiece", source_model=path)


def test_digests_differ_where_anything_is_split_otherwise(model):
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
