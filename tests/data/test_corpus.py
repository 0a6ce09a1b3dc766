import numpy as np
import pytest

from seq2seq_jax.data.corpus import Corpus, make_corpus
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError

SOURCE = Vocabulary(["a", "b"])  # UNK 2, START 3, END 4
TARGET = Vocabulary(["x", "y", "z"])  # UNK 3, START 4, END 5


@pytest.fixture
def corpus_of(prepare):
    """Make a corpus of pairs such as "a b > x y"."""

    def corpus_of(*pairs: str, source_max_len: int = 50, target_max_len: int = 50) -> Corpus:
        return make_corpus(
            prepare([tuple(pair.split(">")) for pair in pairs]),
            SOURCE,
            TARGET,
            source_max_len=source_max_len,
            target_max_len=target_max_len,
        )

    return corpus_of


def rows(side) -> list[list[int]]:
    ids, lengths = side.padded(np.arange(len(side)), int(side.lengths.max()))
    assert lengths.tolist() == side.lengths.tolist()
    return [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]


def test_a_source_ends_with_end_and_a_target_starts_with_start_too(corpus_of):
    corpus = corpus_of("a b > x y z", "b > x")
    assert rows(corpus.source) == [[0, 1, 4], [1, 4]]
    assert rows(corpus.target) == [[4, 0, 1, 2, 5], [4, 0, 5]]
    assert len(corpus) == 2


def test_max_seq_len_includes_special_tokens_and_truncation_removes_the_end(corpus_of):
    corpus = corpus_of("a b a > x y z", "a b > x y", source_max_len=3, target_max_len=4)
    assert rows(corpus.source) == [[0, 1, 0], [0, 1, 4]]
    assert rows(corpus.target) == [[4, 0, 1, 2], [4, 0, 1, 5]]
    assert (corpus.counts.source_truncated, corpus.counts.target_truncated) == (1, 1)


def test_padding_and_padding_rows_are_zero(corpus_of):
    corpus = corpus_of("b > y", "b b > y y")
    ids, lengths = corpus.target.padded(np.array([0]), 5, num_rows=2)
    assert ids.tolist() == [[4, 1, 5, 0, 0], [0] * 5]
    assert lengths.tolist() == [3, 0]


def test_pairs_with_an_empty_side_are_dropped_and_counted(corpus_of):
    corpus = corpus_of("a > x", " > x", "a > ", " > ", "b > y")
    assert rows(corpus.source) == [[0, 4], [1, 4]]
    assert corpus.counts.dropped == {"empty source": 2, "empty target": 1}
    assert (corpus.counts.read, corpus.counts.kept) == (5, 2)


def test_the_oov_rate_is_the_fraction_of_tokens_without_special_tokens(corpus_of):
    corpus = corpus_of("a ? b b > x", "a > ? y ?")
    assert corpus.counts.source_oov_rate == 1 / 5
    assert corpus.counts.target_oov_rate == 2 / 4


def test_the_digest_depends_on_text_vocabularies_and_truncation(corpus_of, prepare):
    digests = {
        corpus_of("a > x").digest,
        corpus_of("b > x").digest,
        corpus_of("a > x", target_max_len=2).digest,
        make_corpus(
            prepare([("a", "x")]), TARGET, TARGET, source_max_len=50, target_max_len=50
        ).digest,
    }
    assert len(digests) == 4
    assert corpus_of("a > x").digest in digests


@pytest.mark.parametrize("pairs", [(), (" > x", "a > ")])
def test_a_corpus_without_pairs_is_an_error(corpus_of, pairs):
    with pytest.raises(UserError) as error:
        corpus_of(*pairs)
    assert str(error.value) == (
        f"input_pipeline_train.params: no pair is left of the {len(pairs)} that were read "
        f"({len(pairs) // 2} empty source, {len(pairs) // 2} empty target)"
    )
