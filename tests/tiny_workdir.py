"""Workdirs with random checkpoints, as after a training."""

from pathlib import Path
from typing import Any

import jax

from seq2seq_jax.config import write_config
from seq2seq_jax.models.build import build_model
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from tests.tiny_models import VOCABULARY, model_params, tiny_config

VOCABULARIES = Vocabularies(VOCABULARY, VOCABULARY)


def tiny_run(
    path: Path,
    seeds: dict[int, int],
    *,
    ema_params: int | None = None,
    metrics: dict[int, float] | None = None,
    vocabularies: Vocabularies = VOCABULARIES,
    **overrides: Any,
) -> Workdir:
    """Write a workdir with checkpoints of random parameters.

    Args:
      path: The workdir, which must not exist.
      seeds: The seed of the parameters of the checkpoint at each step.
      ema_params: Seed of the moving average of the parameters, in all checkpoints.
      metrics: The log perplexity at a step.
      vocabularies: The vocabularies of both sides.
      **overrides: As in `tiny_config`.

    Returns:
      The workdir.
    """
    sizes = {
        "encoder__class": "UnidirectionalRNNEncoder",
        "inference__max_decode_length": 6,
        "inference__batch_size": 3,
        "source__max_seq_len": 8,
    }
    config = tiny_config(**sizes | overrides)
    workdir = Workdir(path)
    path.mkdir(parents=True)
    write_config(config, workdir.config_file)
    workdir.write_vocabularies(vocabularies)
    model = build_model(config, *vocabularies.sizes)
    for step, seed in seeds.items():
        state = {"params": tiny_run_params(model, seed)}
        if ema_params is not None:
            state["ema_params"] = tiny_run_params(model, ema_params)
        measured = {"log_perplexity": (metrics or {})[step]} if step in (metrics or {}) else {}
        workdir.checkpoints(config).save(step, state, {}, measured)
    return workdir


def tiny_run_params(model: Any, seed: int) -> Any:
    """Return large random parameters, so that outputs vary, and never SEQUENCE_START."""
    params = jax.tree.map(lambda leaf: 2 * leaf, model_params(model, seed))
    params["decoder"]["project_logits"]["bias"][VOCABULARY.sequence_start_id] = -100
    return params
