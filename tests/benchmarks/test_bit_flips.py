"""Flipped bits in the files of a run and of the cache."""

import pytest

from benchmarks.bit_flips import KINDS, flip_bits, load, make_run, to_markdown


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", "set by the runs")


def test_no_flipped_bit_is_silent_or_a_traceback(tmp_path):
    runs = [make_run(tmp_path / kind, kind) for kind in ("bpe", "sentencepiece")]
    counts = flip_bits(runs, flips=5 * len(KINDS))
    assert all(found.total() == 5 for found in counts.values())
    bad = {kind: found for kind, found in counts.items() if found["silent"] + found["traceback"]}
    assert not bad, to_markdown(bad)
    assert counts["vocabularies"]["noticed"] == counts["BPE codes"]["noticed"] == 5
    assert counts["SentencePiece models"]["noticed"] == counts["encoder weights"]["noticed"] == 5
    assert counts["prepared text (cache)"]["rebuilt"] == 5


def test_the_comparison_sees_another_vocabulary(tmp_path):
    first = make_run(tmp_path / "first", "bpe")
    other = make_run(tmp_path / "other", "bpe", seed=1)
    assert load(first).params != load(other).params
    assert load(first).vocabularies == load(other).vocabularies
