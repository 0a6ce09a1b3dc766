"""Where the vocabulary layer's bias starts: at the logarithms of how often words occur.

A bias of zeros has to learn them first, and with a large vocabulary Adam finds a shorter way: it
turns what the decoder hands to the layer into a constant, which a tanh then lets go of slowly.
"""

from collections.abc import Callable

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.models.build import Params
from seq2seq_jax.utils.errors import UserError


def initial_vocab_bias(config: ConfigDict, count: Callable[[], np.ndarray]) -> Params:
    """The parameters that `vocab_bias` gives, below their names in the model; none if it is zeros.

    Args:
      count: gives [V], how often the decoder is to say each word, END included.

    Raises:
      UserError: the decoder is one that does not say which layer makes its logits.
    """
    if config.vocab_bias == "zeros":
        return {}
    decoder = config.decoder["class"]
    if not hasattr(resolve_class("decoder", decoder, "decoder.class"), "pre_logits"):
        raise UserError(
            "vocab_bias",
            "log_frequency needs a decoder whose layer project_logits makes logits of its features;"
            f" {decoder} has no method features; zeros would do",
        )
    return {"decoder": {"project_logits": {"bias": log_frequencies(count())}}}


def log_frequencies(counts: np.ndarray) -> np.ndarray:
    """[V], float32:  b_w = log((n_w + 1) / sum_v (n_v + 1)),  so that softmax(b) is how often the
    decoder is to say w (n_w times), with one more of each for the words never said.
    """
    return np.log((counts + 1) / np.sum(counts + 1)).astype(np.float32)
