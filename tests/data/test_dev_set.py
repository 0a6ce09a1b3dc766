import pytest

from seq2seq_jax.data.dev_set import DevSet, build_dev_set
from seq2seq_jax.data.vocabulary import build_vocabularies
from seq2seq_jax.errors import UserError

PAIRS = [
    (list("read"), ["R", "EH", "D"]),
    (list("a"), ["AH"]),
    (list("read"), ["R", "IY", "D"]),
    ([], ["AH"]),
    (list("a"), ["AH"]),
    (list("the"), []),
]


def dev_set(pairs, source_max_len: int = 50) -> DevSet:
    source, target = build_vocabularies(PAIRS)
    return build_dev_set(pairs, source, target, source_max_len=source_max_len, target_max_len=3)


def test_each_source_comes_once_with_all_its_references():
    dev = dev_set(iter(PAIRS))
    assert dev.sources == [list("read"), list("a")]
    assert dev.references == [[["R", "EH", "D"], ["R", "IY", "D"]], [["AH"]]]
    assert len(dev) == len(dev.source_ids) == 2


def test_every_pair_counts_for_perplexity_and_dropped_ones_nowhere():
    dev = dev_set(PAIRS)
    assert len(dev.corpus) == 4
    assert dev.corpus.counts.dropped == {"empty source": 1, "empty target": 1}


def test_sources_to_decode_are_cut_but_references_are_not():
    dev = dev_set(PAIRS, source_max_len=2)
    assert dev.source_ids.lengths.tolist() == [2, 2]
    assert dev.source_ids[0].tolist() == dev.corpus.source[0].tolist()
    assert dev.corpus.target.lengths.tolist() == [3, 3, 3, 3]
    assert len(dev.references[0][0]) == 3


def test_an_empty_dev_set_is_an_error_at_its_own_key():
    with pytest.raises(UserError, match=r"^input_pipeline_dev\.params: no pair is left"):
        dev_set([])
