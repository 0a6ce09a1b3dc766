import pytest

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.report import format_data_report, padding_by_bucket
from seq2seq_jax.data.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["a", "b"])
PAIRS = [("a", "a"), ("a b", "b"), ("a ?", "b b"), ("a b a b", "a a a a a"), ("", "a"), ("a", "")]


@pytest.fixture
def corpus(prepare):
    return make_corpus(prepare(PAIRS), VOCABULARY, VOCABULARY, source_max_len=5, target_max_len=6)


def test_padding_is_counted_in_whole_batches(corpus):
    small, large = padding_by_bucket(corpus, Buckets(((3, 4), (5, 6)), (2, 2)))
    assert (small.pairs, small.batches, small.positions, small.tokens) == (3, 2, 28, 8 + 10)
    assert (large.pairs, large.batches, large.positions, large.tokens) == (1, 1, 22, 11)
    assert large.padding == 0.5


def test_a_bucket_without_pairs_has_no_padding(corpus):
    assert padding_by_bucket(corpus, Buckets(((1, 1), (5, 6)), (1, 1)))[0].padding == 0


def test_the_report_describes_the_corpus(corpus):
    assert format_data_report(corpus, Buckets(((3, 4), (5, 6)), (2, 2))).splitlines() == [
        "Pairs              6 read, 4 kept, 2 dropped (1 empty source, 1 empty target)",
        "Truncated          0 sources, 1 targets (longer than max_seq_len)",
        "Out of vocabulary  11.11% of source tokens, 0.00% of target tokens",
        "Length in tokens      min    5%   25%   50%   75%   95%   max",
        "  source                2     2     2     3     3     5     5",
        "  target                3     3     3     3     4     6     6",
        "Padding            42.0% in 2 buckets",
        "  source width  target width       pairs   batches   rows   padding",
        "             3             4           3         2      2     35.7%",
        "             5             6           1         1      2     50.0%",
    ]
