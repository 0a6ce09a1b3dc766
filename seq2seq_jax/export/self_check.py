"""A check before anything is written: the NumPy program computes what the model in JAX computes."""

import jax
import numpy as np

from seq2seq_jax.export import seq2seq_numpy as runtime
from seq2seq_jax.export.exported_model import ExportedModel
from seq2seq_jax.utils.errors import UserError

TOLERANCE = 1e-3
"""The largest difference of log-probabilities; float32 arithmetic in another order explains it."""

_LENGTHS = (7, 1, 3)


def check_equality(exported: ExportedModel) -> float:
    """Compare the log-probabilities of random targets of random sources under teacher forcing.

    Args:
      exported: The model.

    Returns:
      The largest difference.

    Raises:
      UserError: It is larger than `TOLERANCE`.
    """
    vocabularies, random = exported.loaded.vocabularies, np.random.default_rng(0)
    longest = exported.config["source"]["max_seq_len"]
    lengths = np.array([min(length, longest) for length in _LENGTHS], np.int32)
    source = random.integers(vocabularies.source.size - 2, size=(len(lengths), max(lengths)))
    source[np.arange(len(lengths)), lengths - 1] = vocabularies.source.sequence_end_id
    targets = random.integers(vocabularies.target.size - 2, size=(len(lengths), 4))
    targets[:, 0] = vocabularies.target.sequence_start_id

    model = exported.loaded.model
    logits = jax.jit(lambda *inputs: model.apply(*inputs).logits)(
        {"params": exported.loaded.params}, source.astype(np.int32), lengths, targets
    )
    expected = np.asarray(jax.nn.log_softmax(logits))
    try:
        difference = _largest_difference(exported, source, lengths, targets, expected)
    except (KeyError, ValueError) as error:  # A weight is missing, or has another shape.
        what = f"the NumPy program cannot run this model ({error}); please report it"
        raise UserError("export", what) from error
    if not difference < TOLERANCE:
        raise UserError(
            "export",
            f"the NumPy program gives other log-probabilities than the model (difference"
            f" {difference:.1e}); this is a fault of the export, please report it",
        )
    return difference


def _largest_difference(
    exported: ExportedModel,
    source: np.ndarray,
    lengths: np.ndarray,
    targets: np.ndarray,
    expected: np.ndarray,
) -> float:
    program = runtime.Model(exported.config, runtime.read_safetensors(exported.weights))
    difference = 0.0
    for row, length in enumerate(lengths):
        memory, state = program.encode(source[row, :length].tolist())
        for time, token in enumerate(targets[row].tolist()):
            logits, state, _ = program.step([token], state, memory)
            found = runtime.log_softmax(logits)[0]
            difference = max(difference, float(np.max(np.abs(found - expected[row, time]))))
    return difference
