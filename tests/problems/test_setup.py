import numpy as np
import pytest
from flax import linen as nn

from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.problems.setup import initial_vocab_bias, log_frequencies
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError
from tests.problems.test_text_data import Squares, characters


class Opaque(nn.Module):
    """A decoder that does not say what its logits are made of."""

    zero_state = initial_state = step = None


def test_the_bias_is_how_often_the_decoder_is_to_say_a_word_and_once_more():
    bias = log_frequencies(np.array([3, 1, 0, 0, 2]))

    np.testing.assert_allclose(np.exp(bias) * 11, [4, 2, 1, 1, 3], rtol=1e-6)


def test_training_starts_from_it_and_its_first_loss_is_the_entropy_of_the_words(tmp_path):
    # Weights so small that the bias alone is left of the logits.
    one_step = {"train_steps": 1, "log_every_n_steps": 1, "batch_size": 40, "buckets": "3"}
    config = characters(
        **one_step, vocab_bias="log_frequency", embedding__init_scale=1e-6, optimizer__name="SGD"
    )
    data = problem_of(config).prepare_training(config, Workdir(tmp_path / "looked_at"), Devices())
    bias = data.initial_params()["decoder"]["project_logits"]["bias"]
    vocabulary = data.vocabularies.target
    said = [
        token_id
        for _, square in Squares()
        for token_id in [*vocabulary.encode(square), vocabulary.sequence_end_id]
    ]

    np.testing.assert_array_equal(
        bias, log_frequencies(np.bincount(said, minlength=vocabulary.size))
    )

    train(config, tmp_path / "run")

    (first,) = [x["train/loss"] for x in read_metrics(tmp_path / "run") if "train/loss" in x]
    assert first == pytest.approx(-bias[said].mean(), abs=1e-3)
    assert first < np.log(13) - 0.1  # that of zeros


def test_a_decoder_whose_layer_is_not_known_is_refused():
    config = characters(vocab_bias="log_frequency")
    config.decoder["class"] = f"{__name__}.Opaque"

    with pytest.raises(UserError, match=r"vocab_bias.*\.Opaque has no method pre_logits"):
        initial_vocab_bias(config, lambda: np.ones(5))
