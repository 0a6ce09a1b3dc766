"""Mixtures of corpora: weights by corpus and by epoch."""

import numpy as np
import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.data.mixture import Mixture, parse_stages
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError


def mixture(weights, sizes=(4, 6)):
    return Mixture(tuple(f"{size}.tsv" for size in sizes), sizes, parse_stages(weights))


def test_a_weight_is_how_often_an_epoch_contains_each_example():
    examples = mixture("2,0.5").examples(epoch=0, seed=0)
    assert sorted(examples[examples < 4]) == [0, 0, 1, 1, 2, 2, 3, 3]
    rest = examples[examples >= 4]
    assert len(rest) == len(set(rest)) == 3


def test_a_fraction_is_another_part_in_each_epoch_and_the_same_for_the_same_seed():
    mixed = mixture("0,0.5", (1, 100))
    first, again = (mixed.examples(epoch=0, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(mixed.examples(epoch=1, seed=7))
    assert set(first) != set(mixed.examples(epoch=0, seed=8))


def test_weights_follow_the_schedule():
    mixed = mixture("1,3;5:0,1")
    assert [mixed.counts(epoch) for epoch in (0, 4, 5, 9)] == [[4, 18], [4, 18], [0, 6], [0, 6]]
    assert "  6.tsv            18 of 6 (weight 3), 81.8%" in mixed.report()
    assert "from epoch 5" in mixed.report()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("1", "has 1 weights, but there are 2 files"),
        ("1,1;5:1", "has 1 weights, but there are 2 files"),
        ("1,1;5:1,1;5:1,1", "has epochs 0, 5, 5; use ascending ones"),
        ("0,0.01", "leaves no example in epoch 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(UserError, match=message):
        mixture(weights)


def config_of(tmp_path, **overrides):
    for name, lines in (("a", ["a b", "b", "a a"]), ("b", ["c c c", "c d"])):
        rows = "".join(f"{line}\t{line}\n" for line in lines)
        (tmp_path / f"{name}.tsv").write_text(rows + "\t\n" * (name == "a"))  # One is dropped.
    settings = {
        "input_pipeline_train.class": "TSVInputPipeline",
        "input_pipeline_train.params.files": f"{tmp_path}/a.tsv,{tmp_path}/b.tsv",
        "input_pipeline_train.params.header": "false",
        "eval_every_n_steps": "0",
        "buckets": "8",
        "batch_size": "2",
        **overrides,
    }
    return resolve(default_config("AttentionSeq2Seq"), settings.items())


def data_of(config, tmp_path):
    return problem_of(config).prepare_training(config, Workdir(tmp_path / "run"), Devices())


def sources_of(batches, epochs, vocabulary):
    """Return the sources of whole epochs, as texts, and the number of batches of each."""
    found, lengths = [], []
    for epoch in epochs:
        texts, count = [], 0
        while batches.epoch == epoch:
            batch = next(batches)
            count += 1
            for ids, length in zip(batch["source_ids"], batch["source_len"], strict=True):
                if length:
                    texts.append(" ".join(vocabulary.decode(ids[: length - 1])))
        found.append(sorted(texts))
        lengths.append(count)
    return found, lengths


def test_epochs_of_a_run_have_the_weights_of_its_files(tmp_path):
    data = data_of(config_of(tmp_path, **{"corpora.weights": "1,2;1:0,1"}), tmp_path)
    found, lengths = sources_of(data.batches, (0, 1, 2), data.vocabularies.source)
    assert found[0] == ["a a", "a b", "b", "c c c", "c c c", "c d", "c d"]
    assert found[1] == found[2] == ["c c c", "c d"]
    assert lengths == [4, 1, 1]
    assert data.batches.describe_contributions() == "a.tsv 3 (27.3%), b.tsv 8 (72.7%)"
    assert "b.tsv" in data.report


def test_a_mixture_resumes_within_an_epoch(tmp_path):
    config = config_of(tmp_path, **{"corpora.weights": "1,1.5;1:1,0.5"})
    whole = data_of(config, tmp_path).batches
    for _ in range(4):
        next(whole)
    state, expected = whole.state(), [next(whole) for _ in range(5)]
    resumed = data_of(config, tmp_path).batches
    resumed.restore(state)
    for batch in expected:
        for name, array in next(resumed).items():
            np.testing.assert_array_equal(array, batch[name])
    assert resumed.describe_contributions() == whole.describe_contributions()


def test_weights_need_files(tmp_path):
    given = {"input_pipeline_train.params.builtin": "toy_copy", "corpora.weights": "1,1"}
    config = resolve(default_config("AttentionSeq2Seq"), given.items())
    with pytest.raises(UserError, match=r"corpora\.weights: needs training files"):
        data_of(config, tmp_path)


@pytest.mark.parametrize("weights", ["1,x", "1:1,1", "1;2,1", ",", "-1,2", "1,2;3"])
def test_other_forms_are_refused(tmp_path, weights):
    with pytest.raises(UserError, match=r"corpora\.weights"):
        config_of(tmp_path, **{"corpora.weights": weights})
