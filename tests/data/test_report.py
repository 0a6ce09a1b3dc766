import pytest

from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.report import format_data_report
from seq2seq_jax.data.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["a", "b"])
PAIRS = [("a", "a"), ("a b", "b"), ("a ?", "b b"), ("a b a b", "a a a a a"), ("", "a"), ("a", "")]


@pytest.fixture
def corpus(prepare):
    return make_corpus(prepare(PAIRS), VOCABULARY, VOCABULARY, source_max_len=5, target_max_len=6)


def test_the_report_counts_padding_in_whole_batches(corpus):
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
