"""Where the vocabulary layer's bias starts: at the logarithms of how often words occur.

A bias of zeros has to learn them first, and with a large vocabulary Adam finds a shorter way: it
turns what the decoder hands to the layer into a constant, which a tanh then lets go of slowly.
"""

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.class_lookup import find_class
from seq2seq_jax.data.ragged import Rows
from seq2seq_jax.errors import UserError
from seq2seq_jax.models import decoders
from seq2seq_jax.models.build import Params


def initial_vocab_bias(config: ConfigDict, targets: Rows, vocab_size: int) -> Params:
    """The parameters that `vocab_bias` gives, below their names in the model; none if it is zeros.

    Raises:
      UserError: the decoder is one that does not say which layer makes its logits.
    """
    if config.vocab_bias == "zeros":
        return {}
    decoder = config.decoder["class"]
    if not hasattr(find_class(decoders, "decoder.class", decoder), "features"):
        raise UserError(
            "vocab_bias",
            "log_frequency needs a decoder whose layer project_logits makes logits of its features;"
            f" {decoder} has no method features; zeros would do",
        )
    return {"decoder": {"project_logits": {"bias": log_frequencies(targets, vocab_size)}}}


def log_frequencies(targets: Rows, vocab_size: int) -> np.ndarray:
    """[vocab_size], float32:  b_w = log((n_w + 1) / sum_v (n_v + 1)),  so that softmax(b) is how
    often the decoder is to say w (n_w times), with one more of each for the words never said.

    START, which opens every row of `targets` and is never predicted, does not count.
    """
    counts = np.ones(vocab_size, np.int64)
    width = int(targets.lengths.max())
    for rows in np.array_split(np.arange(len(targets)), -(-len(targets) // 4096)):
        ids, lengths = targets.padded(rows, width)
        columns = np.arange(width)
        said = ids[(columns >= 1) & (columns < lengths[:, None])]
        counts += np.bincount(said, minlength=vocab_size)
    return np.log(counts / counts.sum()).astype(np.float32)
