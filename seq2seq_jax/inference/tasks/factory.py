"""The tasks that a configuration can name, and how they are run."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.class_lookup import find_class
from seq2seq_jax.inference.prediction import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.decode_text import DecodeText
from seq2seq_jax.inference.tasks.dump_attention import DumpAttention
from seq2seq_jax.inference.tasks.dump_beams import DumpBeams
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.utils.errors import UserError

__all__ = ["DecodeText", "DumpAttention", "DumpBeams"]

Tasks = dict[str, InferenceTask]
"""By the keys where they stand, for errors."""


def make_tasks(config: ConfigDict) -> Tasks:
    """The tasks of a resolved configuration, in their order.

    Raises:
      UserError: a class cannot be imported, or a parameter is wrong.
    """
    tasks: Tasks = {}
    for label, entry in config.tasks.items():
        key = f"tasks.{label}"
        params: dict[str, Any] = dict(entry["params"])
        if entry["class"] in __all__:
            params["key"] = f"{key}.params"
        task_class = find_class(sys.modules[__name__], f"{key}.class", entry["class"])
        task = task_class(**params)
        if not isinstance(task, InferenceTask):
            base = f"{InferenceTask.__module__}.{InferenceTask.__name__}"
            raise UserError(f"{key}.class", f"{entry['class']} must derive from {base}")
        tasks[key] = task
    return tasks


def begin_tasks(tasks: Tasks, predictor: Predictor) -> None:
    """Raises UserError if a task needs what the predictor has not, or its files cannot be made."""
    for key, task in tasks.items():
        if task.attention and not predictor.has_attention:
            model = predictor.config.model
            raise UserError(key, f"needs attention, which {model} has not; leave it out")
        if task.history and predictor.config.inference.sampling.enable:
            what = "needs a search, but inference.sampling.enable is true; change either"
            raise UserError(key, what)
    for task in tasks.values():
        task.begin(predictor)


def run_tasks(
    tasks: Iterable[InferenceTask], first: int, predictions: Sequence[Prediction]
) -> list[Prediction]:
    """Gives predictions to all tasks; returns what is left to be written.

    Args:
      first: the number of the first.
    """
    written = []
    for number, prediction in enumerate(predictions, start=first):
        for task in tasks:
            prediction = task.run(number, prediction) or prediction
        written.append(prediction)
    return written
