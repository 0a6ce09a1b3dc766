import logging

import pytest

from seq2seq_jax.data.bpe import learn_bpe
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.sentencepiece_model import train_sentencepiece
from seq2seq_jax.data.subwords import (
    SubwordConfig,
    WordTokenizers,
    make_tokenizers,
    read_tokenizers,
    write_tokenizers,
)
from seq2seq_jax.data.tokenizers import DelimiterTokenizer
from seq2seq_jax.utils.errors import UserError

WORDS = ["the", "lower", "house", "newer", "wider", "nation", "national", "international"]
WORDS += ["a@@", "@@@", "x@@y", "UNKUNK", "FUNK"]
CODES = learn_bpe({word: 9 - i % 3 for i, word in enumerate(WORDS)}, 60)
PAIRS = [TextPair(f"The {a} {b}", f"der {b}e {a}er") for a in WORDS for b in WORDS]


def lines(side: int) -> list[str]:
    return [pair[side] for pair in PAIRS]


def words(
    source_delimiter: str = " ", target_delimiter: str = " ", lowercase: bool = False
) -> WordTokenizers:
    source = DelimiterTokenizer(source_delimiter, lowercase)
    return WordTokenizers(source, DelimiterTokenizer(target_delimiter))


def test_words_and_characters_need_no_training():
    made = make_tokenizers(unread, words(target_delimiter="", lowercase=True))
    assert made[:2] == (DelimiterTokenizer(" ", True), DelimiterTokenizer(""))


def unread():
    raise AssertionError("the pairs are not needed")


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_joint_subwords_are_learned_once_from_both_sides(kind, caplog):
    with caplog.at_level(logging.INFO, "seq2seq_jax"):
        made = make_tokenizers(lambda: PAIRS, words(), SubwordConfig(kind=kind, size=40))
    unit = {"bpe": "BPE merges", "sentencepiece": "SentencePiece pieces"}[kind]
    assert caplog.messages == [f"Learning 40 {unit} from 338 lines of source and target text"]
    assert made.source.digest() == made.target.digest()
    both = lines(0) + lines(1)
    if kind == "bpe":
        counts = {word: " ".join(both).split(" ").count(word) for word in " ".join(both).split()}
        assert made.source.codes == learn_bpe(counts, 40)
    else:
        assert len({piece for text in both for piece in made.source.split(text)}) <= 40


def test_each_side_can_have_its_own_subwords_or_none():
    apart = make_tokenizers(
        lambda: PAIRS, words(), SubwordConfig(kind="sentencepiece", size=40, joint=False)
    )
    assert apart.target.model == train_sentencepiece(lines(1), 40) != apart.source.model
    one = make_tokenizers(
        lambda: PAIRS,
        words(source_delimiter="", lowercase=True),
        SubwordConfig(kind="bpe", size=40, sides="target"),
    )
    assert one.source == DelimiterTokenizer("", True)
    assert one.target.split("der housee") != ["der", "housee"]


def test_subwords_are_learned_from_the_lower_cased_source():
    shouted = [TextPair(source.upper(), target) for source, target in PAIRS]
    for kind in ("bpe", "sentencepiece"):
        subwords = SubwordConfig(kind=kind, size=40, joint=False)
        learned, same = (
            make_tokenizers(lambda pairs=pairs: pairs, words(lowercase=True), subwords)
            for pairs in (PAIRS, shouted)
        )
        assert learned.source.digest() == same.source.digest()


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_learned_subwords_are_read_back_from_the_directory(tmp_path, kind):
    settings = words(lowercase=True, source_delimiter="|"), SubwordConfig(kind=kind, size=40)
    made = make_tokenizers(lambda: PAIRS, *settings)
    assert read_tokenizers(tmp_path, *settings) is None
    write_tokenizers(tmp_path, made)
    back = read_tokenizers(tmp_path, *settings)
    suffix = {"bpe": "codes", "sentencepiece": "model"}[kind]
    files = sorted(tmp_path.iterdir())
    names = [f"subwords.{side}.{suffix}" for side in ("source", "target")]
    assert [file.name for file in files] == names
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [side.digest() for side in back[:2]] == [side.digest() for side in made[:2]]
    text = "The lower|house"
    assert back.source.split(text) == made.source.split(text)
    files[1].unlink()
    assert read_tokenizers(tmp_path, *settings) is None


def test_words_need_no_file(tmp_path):
    write_tokenizers(tmp_path, make_tokenizers(unread, words()))
    assert list(tmp_path.iterdir()) == []
    assert read_tokenizers(tmp_path, words())[:2] == words()[:2]


def test_given_codes_are_not_learned(tmp_path):
    path = str(tmp_path / "codes")
    CODES.write(path)
    joint = make_tokenizers(unread, words(), SubwordConfig(kind="bpe", target_model=path))
    assert joint.source.codes == joint.target.codes == CODES
    apart = make_tokenizers(
        lambda: PAIRS,
        words(),
        SubwordConfig(kind="bpe", size=5, joint=False, target_model=path),
    )
    assert len(apart.source.codes.merges) == 5
    assert apart.target.codes == CODES
    with pytest.raises(UserError, match=f"^{path}: is not a SentencePiece model"):
        make_tokenizers(unread, words(), SubwordConfig(kind="sentencepiece", source_model=path))
