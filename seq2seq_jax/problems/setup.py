"""Steps of preparing a run that all problems share."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.readers.input_pipeline import build_pipeline
from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.models.build import Params
from seq2seq_jax.utils.errors import UserError, quantity


def make_pipeline(config: ConfigDict, key: str) -> Any:
    """Build an input pipeline.

    Args:
      config: A resolved configuration.
      key: "input_pipeline_train" or "input_pipeline_dev".

    Returns:
      An iterable of examples.

    Raises:
      UserError: The class cannot be imported, or a file is missing.
    """
    pipeline = resolve_class("pipeline", config[key]["class"], f"{key}.class")
    return build_pipeline(pipeline, config[key].params, f"{key}.params")


def read_vocabulary(config: ConfigDict, key: str) -> Vocabulary | None:
    """Read the vocabulary file that a configuration names.

    Args:
      config: A resolved configuration.
      key: "vocab_source" or "vocab_target".

    Returns:
      The vocabulary; None if the configuration names no file.

    Raises:
      UserError: The file cannot be used.
    """
    path = os.path.expanduser(config[key])
    if not path:
        return None
    check_readable(path, key=key)
    return Vocabulary.read(path)


def require_tokens(vocabulary: Vocabulary, config: ConfigDict) -> Vocabulary:
    """Check that a vocabulary that was built from the training data has a token.

    Args:
      vocabulary: The vocabulary.
      config: A resolved configuration.

    Returns:
      The vocabulary.

    Raises:
      UserError: No token of the training data occurs often enough.
    """
    frequency = config.vocab_min_frequency
    if frequency and not vocabulary.tokens:
        what = f"is {frequency}, and no token of the training data occurs more often"
        raise UserError("vocab_min_frequency", f"{what}; use a smaller value")
    return vocabulary


def check_batch_size(batch_size: int, devices: int, accumulation_steps: int) -> None:
    """Check that every device gets the same number of rows in every accumulation step.

    Args:
      batch_size: The number of rows of a batch.
      devices: The number of devices.
      accumulation_steps: The value of `gradient_accumulation_steps`.

    Raises:
      UserError: `batch_size` is not divisible by the product of the other two.

    Example:
      >>> check_batch_size(16, devices=2, accumulation_steps=4)  # 2 rows in each step
    """
    unit = devices * accumulation_steps
    if batch_size % unit:
        steps = f" × {accumulation_steps} accumulation steps" if accumulation_steps > 1 else ""
        raise UserError(
            "batch_size",
            f"must be divisible by {unit} ({quantity(devices, 'device')}{steps});"
            f" got {batch_size}. Use {-(-batch_size // unit) * unit}.",
        )


def initial_vocab_bias(config: ConfigDict, count: Callable[[], np.ndarray]) -> Params:
    """Return the initial bias of the layer over the vocabulary, as `vocab_bias` asks for.

    A bias of zeros has to learn how frequent tokens are first. With a large vocabulary Adam finds a
    shorter way: it turns the input of the layer into a constant, which a tanh unlearns slowly.

    Args:
      config: A resolved configuration.
      count: Returns [V], how often each token occurs in the targets, SEQUENCE_END included.

    Returns:
      Parameters by their names in the model; none for `vocab_bias=zeros`.

    Raises:
      UserError: The decoder does not compute its logits from pre-logits by a separate layer.
    """
    if config.vocab_bias == "zeros":
        return {}
    decoder = config.decoder["class"]
    if not hasattr(resolve_class("decoder", decoder, "decoder.class"), "pre_logits"):
        raise UserError(
            "vocab_bias",
            "log_frequency needs a decoder that computes logits from pre_logits by the layer"
            f" project_logits; {decoder} has no method pre_logits; use zeros",
        )
    return {"decoder": {"project_logits": {"bias": log_frequencies(count())}}}


def log_frequencies(counts: np.ndarray) -> np.ndarray:
    """Return biases whose softmax is the relative frequency of each token, with add-one smoothing.

      b_w = log((n_w + 1) / sum_v (n_v + 1))

    Args:
      counts: [V], the number n_w of occurrences of each token.

    Returns:
      [V] float32.

    Example:
      >>> np.exp(log_frequencies(np.array([3, 0]))).round(2)
      array([0.8, 0.2], dtype=float32)
    """
    return np.asarray(np.log((counts + 1) / np.sum(counts + 1)), np.float32)
