"""The training loop, and saving and restoring its state."""

import jax
import numpy as np
import optax
import pytest

from seq2seq_jax.evaluation.run_evaluation import evaluate
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.training.trainer import Trainer
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


class MeanLength:
    """A user-defined metric: the mean number of tokens of an output."""

    result_names = ("mean_length",)
    lower_is_better = True

    def __call__(self, hypotheses, references):
        return {"mean_length": sum(map(len, hypotheses)) / len(hypotheses)}


def short_config(**overrides):
    """Return a configuration of four steps, which is evaluated every two steps."""
    settings = {
        "train_steps": 4,
        "batch_size": 4,
        "buckets": "25",
        "eval_every_n_steps": 2,
        "log_every_n_steps": 1,
        "inference.max_decode_length": 4,
    }
    return tiny_config(**settings | overrides)


def metrics_without_speed(workdir):
    return [
        {name: value for name, value in line.items() if "second" not in name}
        for line in read_metrics(workdir)
    ]


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    config = short_config(ema_decay=0.5, encoder__params__rnn_cell__dropout_input_keep_prob=0.5)
    whole = Trainer(config, Workdir(tmp_path / "whole"))
    assert whole.fit()

    config.train_steps = 2
    assert train(config, tmp_path / "resumed")
    config.train_steps = 4
    resumed = Trainer(config, Workdir(tmp_path / "resumed"))
    assert resumed.step == 2
    assert resumed.fit()

    assert digest(resumed.state.saved) == digest(whole.state.saved)
    assert metrics_without_speed(tmp_path / "resumed") == metrics_without_speed(tmp_path / "whole")


def test_evaluate_and_save_can_be_called_outside_of_the_loop(tmp_path):
    config = short_config()
    trainer = Trainer(config, Workdir(tmp_path))
    trainer.fit()
    results = trainer.evaluate()
    assert results == pytest.approx(evaluate(tmp_path).results)
    assert trainer.checkpoints.metrics(4) == results
    saved_at = (tmp_path / "checkpoints" / "4" / "checkpoint.json").stat().st_mtime_ns
    trainer.save(results)  # the step has a checkpoint already
    assert (tmp_path / "checkpoints" / "4" / "checkpoint.json").stat().st_mtime_ns == saved_at


def test_evaluating_without_a_dev_set_is_an_error(tmp_path):
    trainer = Trainer(short_config(eval_every_n_steps=0), Workdir(tmp_path))
    with pytest.raises(UserError, match="eval_every_n_steps: is 0"):
        trainer.evaluate()


def test_the_metric_class_decides_which_checkpoint_is_best(tmp_path):
    config = short_config(metrics=f"{__name__}.MeanLength", best_metric="mean_length")
    checkpoints = Workdir(tmp_path).checkpoints(config)
    for step, length in ((1, 3.0), (2, 2.0), (3, 5.0)):
        checkpoints.save(step, {"x": np.float32(0)}, {}, {"mean_length": length})
    assert checkpoints.best_step() == 2


def test_training_stops_early_and_lowers_the_learning_rate_without_improvements(tmp_path, caplog):
    config = short_config(
        optimizer__name="SGD",
        optimizer__learning_rate=1e-12,  # too small to change anything
        optimizer__lr_min_learning_rate=0,
        optimizer__lr_plateau_patience=1,
        eval_every_n_steps=1,
        early_stopping_patience=2,
        train_steps=50,
    )
    with caplog.at_level("INFO"):
        assert train(config, tmp_path)
    lines = [line for line in read_metrics(tmp_path) if "train/loss" in line]
    rates = [line["train/learning_rate"] for line in lines]
    assert 3 <= len(rates) < 50
    assert rates[-1] < rates[0]
    no_improvement = "log_perplexity has not improved in"
    assert f"Early stopping: {no_improvement} 2 evaluations" in caplog.messages
    assert f"Lowering the learning rate: {no_improvement} 1 evaluation" in caplog.messages
    assert "Compiling bucket 21 x 22 (1 of 1)" in caplog.messages
    assert any(message.startswith("Peak memory: ") for message in caplog.messages)


def exploding_sgd(learning_rate):
    return optax.stateless(lambda grads, _: jax.tree.map(lambda grad: 1e38 * grad, grads))


def test_a_loss_that_is_not_finite_ends_training_with_an_error(tmp_path):
    config = short_config(
        optimizer__name=f"{__name__}.exploding_sgd",
        optimizer__clip_gradients=0,
        optimizer__clip_embed_gradients=0,
    )
    with pytest.raises(UserError, match=r"optimizer\.learning_rate: the loss is .*; use a lower"):
        train(config, tmp_path)


def test_a_finished_run_is_not_trained_further(tmp_path, caplog):
    assert train(short_config(), tmp_path)
    lines = read_metrics(tmp_path)
    with caplog.at_level("INFO"):
        assert train(short_config(), tmp_path)
    assert "All 4 steps are done; increase train_steps to continue" in caplog.messages
    assert read_metrics(tmp_path) == lines


def test_reference_kernels_train_and_evaluate_as_the_fast_ones_do(tmp_path):
    states, results = [], []
    for kernels in ("fast", "reference"):
        config = short_config(
            kernels=kernels, encoder__params__rnn_cell__dropout_input_keep_prob=0.5
        )
        trainer = Trainer(config, Workdir(tmp_path / kernels))
        trainer.fit()
        states.append(jax.device_get(trainer.state.params))
        results.append(trainer.evaluate()["log_perplexity"])
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-5), *states)
    assert results[0] == pytest.approx(results[1], rel=1e-5)
