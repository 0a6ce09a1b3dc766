import pytest

from seq2seq_jax.data.corpus import Corpus, build_corpus
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.errors import UserError

SOURCE = Vocabulary(["a", "b"])  # UNK 2, START 3, END 4
TARGET = Vocabulary(["x", "y", "z"])  # UNK 3, START 4, END 5


def corpus_of(*pairs: str, source_max_len: int = 50, target_max_len: int = 50) -> Corpus:
    """A corpus of pairs such as "a b > x y"."""
    split = (pair.split(">") for pair in pairs)
    return build_corpus(
        ((source.split(), target.split()) for source, target in split),
        SOURCE,
        TARGET,
        source_max_len=source_max_len,
        target_max_len=target_max_len,
    )


def rows(ragged) -> list[list[int]]:
    return [ragged[i].tolist() for i in range(len(ragged))]


def test_a_source_ends_with_end_and_a_target_starts_with_start_too():
    corpus = corpus_of("a b > x y z", "b > x")
    assert rows(corpus.source) == [[0, 1, 4], [1, 4]]
    assert rows(corpus.target) == [[4, 0, 1, 2, 5], [4, 0, 5]]
    assert len(corpus) == 2


def test_max_seq_len_counts_special_tokens_and_cutting_loses_the_end():
    corpus = corpus_of("a b a > x y z", "a b > x y", source_max_len=3, target_max_len=4)
    assert rows(corpus.source) == [[0, 1, 0], [0, 1, 4]]
    assert rows(corpus.target) == [[4, 0, 1, 2], [4, 0, 1, 5]]
    assert (corpus.counts.source_cut, corpus.counts.target_cut) == (1, 1)


def test_pairs_with_an_empty_side_are_dropped_and_counted():
    corpus = corpus_of("a > x", " > x", "a > ", " > ", "b > y")
    assert rows(corpus.source) == [[0, 4], [1, 4]]
    assert corpus.counts.dropped == {"empty source": 2, "empty target": 1}
    assert (corpus.counts.read, corpus.counts.kept) == (5, 2)


def test_the_unknown_share_is_that_of_the_words():
    corpus = corpus_of("a ? b b > x", "a > ? y ?")
    assert corpus.counts.source_unknown == 1 / 5
    assert corpus.counts.target_unknown == 2 / 4


def test_pairs_are_taken_one_by_one():
    taken = []

    def pairs():
        for i in range(3):
            taken.append(i)
            yield ["a"] * (i + 1), ["x"]

    assert build_corpus(
        pairs(), SOURCE, TARGET, source_max_len=9, target_max_len=9
    ).source.lengths.tolist() == [2, 3, 4]
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("pairs", [(), (" > x", "a > ")])
def test_a_corpus_without_pairs_is_an_error(pairs):
    with pytest.raises(UserError) as error:
        corpus_of(*pairs)
    assert str(error.value) == (
        f"input_pipeline_train.params: no pair is left of the {len(pairs)} that were read "
        f"({len(pairs) // 2} empty source, {len(pairs) // 2} empty target)"
    )
