"""Classes of a user's own, in one file, from the command line to a trained model."""

import dataclasses
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen as nn

from seq2seq_jax.cli import main
from seq2seq_jax.config import default_config, load_config, read_config, resolve
from seq2seq_jax.config.key_listing import KeyListing
from seq2seq_jax.models.build import build_model
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.model_config import AttentionSeq2SeqConfig
from seq2seq_jax.models.seq2seq import AttentionSeq2Seq
from seq2seq_jax.schema import above, at_least, between, one_of
from seq2seq_jax.storage.metrics_log import read_metrics


class WindowEncoder(nn.Module):
    """Averages a window of embeddings: an encoder with three parameters."""

    num_units: Annotated[int, at_least(1), "Width of the outputs."] = 8
    decay: Annotated[float, above(0), "Weight of a neighbour relative to the centre."] = 0.5
    side: Annotated[str, one_of("left", "both"), "Which neighbours belong to the window."] = "both"

    @nn.compact
    def __call__(self, inputs, lengths, *, train=False):
        is_real = (jnp.arange(inputs.shape[1]) < lengths[:, None])[..., None]
        x = nn.Dense(self.num_units)(inputs) * is_real
        neighbours = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        if self.side == "both":
            neighbours += jnp.pad(x, ((0, 0), (0, 1), (0, 0)))[:, 1:]
        outputs = (x + self.decay * neighbours) * is_real
        mean = outputs.sum(axis=1) / jnp.maximum(lengths, 1)[:, None]
        return EncoderOutput(outputs, mean, outputs, lengths)


class LeakyCell(nn.Module):
    """h' = (1 - leak) h + leak tanh(x W + h U + b)."""

    num_units: Annotated[int, at_least(1), "Width of state and output."] = 8
    leak: Annotated[float, above(0), "Share of the new state."] = 0.5
    init_scale: float = 0.04

    @property
    def output_size(self):
        return self.num_units

    def setup(self):
        self.input = nn.Dense(self.num_units)
        self.recurrent = nn.Dense(self.num_units, use_bias=False)

    def initial_state(self, batch_size):
        return jnp.zeros((batch_size, self.num_units))

    def __call__(self, h, x):
        h = (1 - self.leak) * h + self.leak * jnp.tanh(self.input(x) + self.recurrent(h))
        return h, h


@dataclasses.dataclass(frozen=True)
class GatedSeq2SeqConfig(AttentionSeq2SeqConfig):
    gate: Annotated[float, between(0, 1), "Share of the context that passes."] = 1.0


class GatedSeq2Seq(AttentionSeq2Seq):
    """A model with an additional key."""

    config_class: ClassVar[type] = GatedSeq2SeqConfig


def half_sgd(
    learning_rate, share: Annotated[float, above(0), "Share of the learning rate."] = 0.5
) -> optax.GradientTransformation:
    return optax.chain(optax.sgd(learning_rate), optax.scale(share))


def clip_everything(max_norm: float = 1.0) -> optax.GradientTransformation:
    return optax.clip_by_global_norm(max_norm)


MINE = __name__
CELL = "decoder.params.rnn_cell"
OWN = {
    "encoder.class": f"{MINE}.WindowEncoder",
    f"{CELL}.cell_class": f"{MINE}.LeakyCell",
    "optimizer.name": f"{MINE}.half_sgd",
}


@pytest.fixture(autouse=True)
def _compiled_in_haste():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def flags(keys):
    return [f"--config.{key}={value}" for key, value in keys.items()]


def refused(capsys, **keys):
    """The line with which `train` refuses flags, behind the log of keys that were dropped."""
    assert main(["train", "--config=configs/tiny.py", *flags(OWN | keys)]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    return line


def test_an_encoder_a_cell_and_an_optimizer_of_ones_own_train(tmp_path):
    keys = OWN | {
        "encoder.params.num_units": 6,
        "encoder.params.side": "left",
        f"{CELL}.cell_params.num_units": 5,
        f"{CELL}.cell_params.leak": 0.25,
        "optimizer.params.share": 0.1,
        "train_steps": 1,
        "eval_every_n_steps": 0,
        "log_every_n_steps": 1,
    }
    assert main(["train", "--config=configs/tiny.py", f"--workdir={tmp_path}", *flags(keys)]) == 0

    config = read_config(tmp_path / "config.json", trust=True)
    assert config.encoder.params.to_dict() == {"num_units": 6, "decay": 0.5, "side": "left"}
    assert config.decoder.params.rnn_cell.cell_params.to_dict() == {"num_units": 5, "leak": 0.25}
    assert config.optimizer.params.to_dict() == {"share": 0.1}
    assert [line["step"] for line in read_metrics(tmp_path)] == [1]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("encoder.params.num_units", 0, "must be a whole number, at least 1; got 0"),
        ("encoder.params.side", "bot", 'must be one of: left, both; got "bot", did you mean both?'),
        ("encoder.params.width", 3, "unknown key width; valid: num_units, decay, side"),
        (f"{CELL}.cell_params.leak", 0, "must be a number, above 0; got 0"),
        ("optimizer.params.share", "half", 'must be a number, above 0; got "half"'),
        (
            "optimizer.params.learning_rate",
            1,
            "unknown key learning_rate, did you mean optimizer.learning_rate? valid: share",
        ),
    ],
)
def test_parameters_of_ones_own_classes_are_checked(capsys, key, value, message):
    assert refused(capsys, **{key: value}) == f"error: {key}: {message}"


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("encoder.class", f"{MINE}.half_sgd", f"must be the path of a class; {MINE}.half_sgd is a"),
        (
            "optimizer.name",
            f"{MINE}.clip_everything",
            "must be a function with the keyword learning_rate",
        ),
        (
            "encoder.class",
            f"{MINE}.WindowEncodr",
            f"{MINE} has no class WindowEncodr, did you mean",
        ),
    ],
)
def test_an_object_of_another_kind_is_refused(capsys, key, name, message):
    assert refused(capsys, **{key: name}).startswith(f"error: {key}: {message}")


def test_parameters_of_ones_own_classes_are_listed_with_their_meanings():
    with pytest.raises(KeyListing) as listing:
        resolve(
            load_config("configs/tiny.py"),
            [("encoder.class", OWN["encoder.class"]), ("encoder.params.help", "")],
        )
    assert str(listing.value) == (
        "--config.encoder.params.num_units=8  (a whole number, at least 1)\n"
        "    Width of the outputs.\n"
        "--config.encoder.params.decay=0.5  (a number, above 0)\n"
        "    Weight of a neighbour relative to the centre.\n"
        "--config.encoder.params.side=both  (one of: left, both)\n"
        "    Which neighbours belong to the window."
    )


def test_a_model_of_ones_own_has_the_keys_of_its_base_class_and_its_own():
    config = resolve(
        default_config("AttentionSeq2Seq"), [("model", f"{MINE}.GatedSeq2Seq"), ("gate", "0.5")]
    )

    assert config.gate == 0.5 and config.encoder["class"] == "BidirectionalRNNEncoder"
    assert isinstance(build_model(config, 5, 6), GatedSeq2Seq)


def test_an_optimizer_of_another_module_of_optax_goes_by_its_path():
    config = resolve(default_config("BasicSeq2Seq"), [("optimizer.name", "optax.contrib.muon")])
    assert config.optimizer.params.ns_steps == 5
