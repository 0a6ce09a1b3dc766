from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.dev_set import DevSet, make_dev_set
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import build_vocabulary

PAIRS = [
    TextPair("read", "R EH D"),
    TextPair("a", "AH"),
    TextPair("Read", "R IY D"),
    TextPair("", "AH"),
    TextPair("a", " AH"),
    TextPair("the", ""),
]
TOKENIZERS = Tokenizers(DelimiterTokenizer("", lowercase=True), DelimiterTokenizer(" "))


def dev_set(prepare, source_max_len: int = 50) -> DevSet:
    vocabulary = build_vocabulary([list("read"), ["R", "EH", "D", "IY", "AH"]])
    corpus = make_corpus(
        prepare(PAIRS, TOKENIZERS),
        vocabulary,
        vocabulary,
        source_max_len=source_max_len,
        target_max_len=3,
    )
    return make_dev_set(corpus, PAIRS, TOKENIZERS)


def test_each_source_occurs_once_with_all_its_references(prepare):
    dev = dev_set(prepare)
    assert dev.sources == ["read", "a"]
    assert dev.rows.tolist() == [0, 1]
    assert dev.references == [["R EH D", "R IY D"], ["AH"]]


def test_all_pairs_that_were_kept_count_for_perplexity(prepare):
    dev = dev_set(prepare)
    assert len(dev.corpus) == 4
    assert dev.corpus.counts.dropped == {"empty source": 1, "empty target": 1}


def test_sources_are_truncated_but_references_are_not(prepare):
    dev = dev_set(prepare, source_max_len=2)
    assert dev.corpus.source.lengths.tolist() == [2, 2, 2, 2]
    assert dev.corpus.target.lengths.tolist() == [3, 3, 3, 3]
    assert dev.references[0][0] == "R EH D"
