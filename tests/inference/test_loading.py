"""What is loaded from a workdir: one checkpoint, the mean of several, several models."""

import jax
import numpy as np
import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.loading import load_ensemble
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, tiny_model
from tests.tiny_workdir import tiny_run, tiny_run_params

SEEDS = {10: 1, 20: 2, 30: 3}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "one"
    return tiny_run(path, SEEDS, metrics={10: 2.0, 20: 4.0, 30: 3.0})


def load(workdir, **inference):
    keys = [(f"inference.{key}", value) for key, value in inference.items()]
    return load_ensemble(workdir, resolve(workdir.config(), keys))


def assert_params(loaded, *seeds):
    """The parameters are the mean of those drawn with these seeds."""
    model = tiny_model(encoder__class="UnidirectionalRNNEncoder")
    drawn = [tiny_run_params(model, seed) for seed in seeds]
    expected = jax.tree.map(lambda *leaves: np.mean(np.array(leaves, float), axis=0), *drawn)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), loaded.params, expected)
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded.params)} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("inference", "steps", "which"),
    [
        ({}, [10], "step 10"),
        ({"checkpoint": "latest"}, [30], "step 30"),
        ({"checkpoint": "20"}, [20], "step 20"),
        ({"average_checkpoints": "last:2"}, [30, 20], "the average of steps 20 30"),
        ({"average_checkpoints": "best:2"}, [10, 30], "the average of steps 10 30"),
        ({"average_checkpoints": "last:3"}, [30, 20, 10], "the average of steps 10 20 30"),
    ],
    ids=str,
)
def test_the_configuration_selects_the_checkpoints(workdir, inference, steps, which):
    (loaded,) = load(workdir, **inference)
    assert loaded.steps == steps
    assert loaded.description == which
    assert_params(loaded, *(SEEDS[step] for step in steps))


def test_averaging_more_checkpoints_than_exist_is_an_error_of_one_line(workdir, tmp_path):
    with pytest.raises(UserError) as error:
        load(workdir, average_checkpoints="last:4")
    assert str(error.value) == (
        f"inference.average_checkpoints: is last:4, but {workdir.checkpoints_dir} has 3"
        " checkpoints; use last:3"
    )
    unmeasured = tiny_run(tmp_path / "run", {5: 1})
    with pytest.raises(UserError, match=r"has 0 checkpoints with log_perplexity$"):
        load(unmeasured, average_checkpoints="best:1")


def test_the_moving_average_is_loaded_if_training_kept_one(tmp_path):
    workdir = tiny_run(tmp_path / "run", {5: 1}, ema_params=7)
    (loaded,) = load(workdir)
    assert_params(loaded, 7)


def test_an_ensemble_is_loaded_from_several_workdirs(workdir, tmp_path):
    other = tiny_run(tmp_path / "other", {40: 5}, model="BasicSeq2Seq")
    first, second = load(workdir, ensemble=str(other.path))
    assert (first.steps, second.steps) == ([10], [40])
    assert (first.has_attention, second.has_attention) == (True, False)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            {"vocabularies": Vocabularies(VOCABULARY, Vocabulary("abcdeg"))},
            "target vocabularies",
        ),
        ({"source__lowercase": "true"}, "source tokenizers"),
    ],
    ids=["vocabularies", "tokens"],
)
def test_an_ensemble_of_different_vocabularies_or_tokenizers_is_refused(
    workdir, tmp_path, change, what
):
    other = tiny_run(tmp_path / "other", {40: 5}, **change)
    with pytest.raises(UserError) as error:
        load(workdir, ensemble=str(other.path))
    assert str(error.value) == (
        f"inference.ensemble: {workdir.path} and {other.path} have different {what};"
        " the members of an ensemble must have the same"
    )
