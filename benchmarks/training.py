"""Training steps of this package."""

import statistics
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from benchmarks.cases import (
    CASES,
    DROPOUT,
    LEARNING_RATE,
    REAL,
    Batch,
    Case,
    Pair,
    make_batches,
    our_ids,
    target_tokens,
)
from benchmarks.real_lengths import pick_evenly, real_pairs
from benchmarks.timing import Runs, rates, time_runs
from benchmarks.work import Work, training_work
from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.data.batches import TrainBatches
from seq2seq_jax.data.buckets import BatchRows, choose_buckets
from seq2seq_jax.data.corpus import Corpus, CorpusCounts
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state, make_train_step


def measure_training(work: Work) -> dict[str, Any]:
    """Measure target tokens per second, including SEQUENCE_END, without padding.

    Args:
      work: The measurement.
    """
    case = CASES[work.case]
    is_real = work.case == REAL
    batches = bucketed_batches(case, work.data) if is_real else make_batches(case, our_ids(case))
    model = make_model(case)
    runs = time_steps(model, batches, work.seconds)
    losses = [loss for output in runs.outputs for loss in output]
    return {
        **rates("tok", target_tokens(batches), runs),
        "step_cpu_ms": round(1e3 * min(runs.cpu) / len(batches), 2),
        "step_ms_median": round(1e3 * statistics.median(runs.wall) / len(batches), 3),
        **training_work(work, batches),
        "loss_first": round(losses[0], 4),
        "loss_last": round(losses[-1], 4),
        "finite": bool(np.all(np.isfinite(losses))),
    }


def time_steps(model: nn.Module, batches: Sequence[Batch], seconds: float) -> Runs:
    """Time passes over all batches; each returns the losses, which are means over tokens.

    Args:
      model: The model.
      batches: The batches.
      seconds: The seconds of the measurement.
    """
    settings = OptimizerConfig(learning_rate=LEARNING_RATE, params={"eps": 8e-7})
    optimizer = make_optimizer(settings)
    step = Devices().compile_step(make_train_step(model, optimizer, kernels=active_kernels()))
    numbers = settings.numbers()
    state = create_train_state(init_params(model, seed=0), optimizer, numbers=numbers)

    def one_pass() -> list[float]:
        nonlocal state
        metrics = []
        for batch in batches:
            state, step_metrics = step(state, batch)
            metrics.append(step_metrics)
        return [float(m["loss"] / m["target_tokens"]) for m in jax.device_get(metrics)]

    return time_runs(one_pass, seconds)


def make_model(case: Case) -> nn.Module:
    """Build the model of a case from its configuration.

    Args:
      case: The case.
    """
    return build_model(resolve(case_config(case)), case.vocab_size, case.vocab_size)


def case_config(case: Case) -> ConfigDict:
    """Return the configuration of a case, a size of configs/nmt.py; its data are not read.

    Args:
      case: The case.
    """
    config = default_config("AttentionSeq2Seq")
    # A configuration needs data to be valid.
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    config.source.reverse = False
    config.embedding.dim = case.units
    config.attention["class"] = case.attention
    config.attention.params = {"num_units": case.units}
    for part, layers in (("encoder", case.encoder_layers), ("decoder", case.decoder_layers)):
        cell = {
            "cell_class": case.cell,
            "cell_params": {"num_units": case.units},
            "dropout_input_keep_prob": 1 - DROPOUT,
            "num_layers": layers,
        }
        config[part].params = {"rnn_cell": cell}
    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = LEARNING_RATE
    config.batch_size = case.batch_size
    return config


def bucketed_batches(case: Case, files: Sequence[str] = ()) -> list[Batch]:
    """Return some batches of an epoch, in buckets that are chosen as in training.

    Args:
      case: The case.
      files: Two parallel files, or none.
    """
    corpus = _corpus(case, real_pairs(case, files))
    lengths = corpus.source.lengths, corpus.target.lengths
    buckets = choose_buckets(*lengths, BatchRows(case.batch_size))
    batches = sorted(
        TrainBatches(corpus, buckets, seed=0, num_epochs=1),
        key=lambda batch: (batch["source_ids"].shape, batch["target_ids"].shape),
    )
    return pick_evenly(batches, case.batches)


def _corpus(case: Case, pairs: Sequence[Pair]) -> Corpus:
    ids = our_ids(case)
    return Corpus(
        source=Ragged.from_rows(source.tolist() for source, _ in pairs),
        target=Ragged.from_rows([ids.start, *target.tolist(), ids.end] for _, target in pairs),
        counts=CorpusCounts(len(pairs), {}, 0, 0, 0.0, 0.0),
        digest="",
    )
