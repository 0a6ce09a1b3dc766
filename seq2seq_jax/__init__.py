"""Encoder-decoder models with recurrent networks, in JAX and Flax.

    import seq2seq_jax as s2s

    config = s2s.resolve(s2s.load_config("g2p"), [("train_steps", "200")])
    s2s.train(config, "runs/g2p")
    predictor = s2s.Predictor.from_workdir("runs/g2p", beam_width=5)
    print(predictor.predict(["transformer"])[0].text)

Each name is imported when it is first used, so that `import seq2seq_jax` takes no time.

Letters for the axes of arrays, in docstrings and in annotations:

  B  examples in a batch             K  hypotheses in a beam
  S  source positions (padded)       T  target positions (padded)
  E  width of an embedding           H  width of an encoder's output
  D  width of a decoder's output     A  width of the attention
  V  target vocabulary, with UNK, SEQUENCE_START and SEQUENCE_END

The batch axis comes first (`[B, S, E]`), except inside a scan over time.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seq2seq_jax.config import default_config, load_config, resolve
    from seq2seq_jax.evaluation.run_evaluation import evaluate
    from seq2seq_jax.inference.predictor import Predictor
    from seq2seq_jax.reports.attention_plot import plot_attention
    from seq2seq_jax.reports.beam_tree import beam_tree, write_beam_tree
    from seq2seq_jax.reports.learning_curve import plot_learning_curve
    from seq2seq_jax.serving.client import Client
    from seq2seq_jax.storage.metrics_log import read_metrics
    from seq2seq_jax.sweeps import Range, Sweep
    from seq2seq_jax.training.train import train
    from seq2seq_jax.utils.errors import UserError
    from seq2seq_jax.utils.logging import set_up_logging

_MODULES = {
    "Client": "serving.client",
    "Predictor": "inference.predictor",
    "Range": "sweeps",
    "Sweep": "sweeps",
    "UserError": "utils.errors",
    "beam_tree": "reports.beam_tree",
    "default_config": "config",
    "evaluate": "evaluation.run_evaluation",
    "load_config": "config",
    "plot_attention": "reports.attention_plot",
    "plot_learning_curve": "reports.learning_curve",
    "read_metrics": "storage.metrics_log",
    "resolve": "config",
    "set_up_logging": "utils.logging",
    "train": "training.train",
    "write_beam_tree": "reports.beam_tree",
}

__all__ = [
    "Client",
    "Predictor",
    "Range",
    "Sweep",
    "UserError",
    "beam_tree",
    "default_config",
    "evaluate",
    "load_config",
    "plot_attention",
    "plot_learning_curve",
    "read_metrics",
    "resolve",
    "set_up_logging",
    "train",
    "write_beam_tree",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
