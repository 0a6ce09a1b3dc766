"""Tiny models with random parameters, and batches for them."""

from typing import Any

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.models.build import build_model

VOCABULARY = Vocabulary("abcdef")


def tiny_config(model: str = "AttentionSeq2Seq", **overrides: Any) -> ConfigDict:
    """Return a resolved configuration with 3 to 6 units; `__` in overrides stands for a dot."""
    sizes = {
        "input_pipeline_train.params.builtin": "toy_copy",
        "input_pipeline_dev.params.builtin": "toy_copy",
        "embedding.dim": "3",
        "decoder.params.rnn_cell.cell_params.num_units": "4",
    }
    if model == "AttentionSeq2Seq":
        sizes["attention.params.num_units"] = "5"
    given = {key.replace("__", "."): str(value) for key, value in overrides.items()}
    if given.get("encoder.class") not in ("PoolingEncoder", "ConvEncoder"):
        sizes["encoder.params.rnn_cell.cell_params.num_units"] = "4"
    return resolve(default_config(model), [*(sizes | given).items()])


def tiny_model(model: str = "AttentionSeq2Seq", **overrides: Any) -> nn.Module:
    """Return the model of `tiny_config`, with `VOCABULARY` on both sides and of features."""
    return build_model(tiny_config(model, **overrides), *[VOCABULARY.size] * 3)


def random_params(module: nn.Module, *args: Any, seed: int = 0, **kwargs: Any) -> Any:
    """Return normally distributed parameters, biases included, so that errors become visible."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *args, **kwargs))
    return random_like(shapes.get("params", {}), seed)


def random_like(shapes: Any, seed: int = 0) -> Any:
    """Return normally distributed arrays of these shapes."""
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: random.normal(size=leaf.shape).astype(np.float32), shapes)


def model_params(model: nn.Module, seed: int = 0) -> Any:
    """Return `random_params` of a whole model."""
    ids = np.zeros((1, 2), np.int32)
    return random_params(model, *model.dummy_inputs(), ids, seed=seed)


def pair_batch(lengths: list[tuple[int, int]], width: int | None = None, seed: int = 0) -> dict:
    """Return a batch of random pairs.

    Args:
      lengths: Source and target length of each pair, special tokens included. A pair of length 0
        is padding, which is zeros.
      width: The width of both sides; None: the longest row.
      seed: Seed of the ids.
    """
    random = np.random.default_rng(seed)
    batch = {
        f"{side}_ids": np.zeros((len(lengths), width or max(column)), np.int32)
        for side, column in zip(("source", "target"), zip(*lengths, strict=True), strict=True)
    }
    for side, column in zip(("source", "target"), zip(*lengths, strict=True), strict=True):
        batch[f"{side}_len"] = np.array(column, np.int32)
        for row, length in zip(batch[f"{side}_ids"], column, strict=True):
            row[:length] = random.integers(len(VOCABULARY.tokens), size=length)
            if length:
                row[length - 1] = VOCABULARY.sequence_end_id
    real = batch["target_len"] > 0
    batch["target_ids"][real, 0] = VOCABULARY.sequence_start_id
    return batch


def with_features(batch: dict, lengths: list[int], width: int | None = None, seed: int = 0) -> dict:
    """Return a batch with random features: as many as given for each row, padded to a width."""
    random = np.random.default_rng(seed)
    ids = np.zeros((len(lengths), width or max(lengths)), np.int32)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = random.integers(len(VOCABULARY.tokens), size=length)
    return {**batch, "features_ids": ids, "features_len": np.array(lengths, np.int32)}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
