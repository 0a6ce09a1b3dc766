"""Inference tasks: what `infer` does with each prediction, one task after the other."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.schema.parameters import construct
from seq2seq_jax.utils.errors import UserError


class InferenceTask:
    """The base class of all tasks; a subclass overrides what it needs.

    The keywords of the constructor are the keys `tasks.NAME.params.*`. A constructor with a keyword
    `key` receives the dotted key of its parameters, for error messages.

    Attributes:
      needs_attention: Whether its predictions must have attention weights.
      needs_beam_trace: Whether its predictions must have a beam trace.
    """

    needs_attention = False
    needs_beam_trace = False

    def begin(self, predictor: Predictor) -> None:
        """Prepare for predictions; called once, before the first.

        Args:
          predictor: The predictor that makes them.

        Raises:
          UserError: A file cannot be written, for example.
        """

    def run(self, number: int, prediction: Prediction) -> Prediction | None:
        """Process one prediction; called in the order of the sources.

        Args:
          number: Number of the source, from 0.
          prediction: What the task before this one returned.

        Returns:
          What replaces the prediction in the tasks after this one and in the output; None: the
          prediction stays as it is.
        """
        return None

    def end(self) -> None:
        """Finish; called once, after the last prediction or after an error."""


Tasks = dict[str, InferenceTask]
"""Tasks by their dotted keys, in their order."""


def make_tasks(config: ConfigDict) -> Tasks:
    """Construct the tasks of a configuration.

    Args:
      config: A resolved configuration.

    Returns:
      The tasks by their dotted keys.

    Raises:
      UserError: A class cannot be imported, or a parameter is wrong.
    """
    tasks: Tasks = {}
    for label, entry in config.tasks.items():
        key = f"tasks.{label}"
        task_class = resolve_class("task", entry["class"], f"{key}.class")
        supplied: dict[str, Any] = {}
        if "key" in inspect.signature(task_class).parameters:
            supplied["key"] = f"{key}.params"
        params = entry["params"]
        tasks[key] = construct(task_class, params, resolve_class, f"{key}.params", **supplied)
    return tasks


def begin_tasks(tasks: Tasks, predictor: Predictor) -> None:
    """Check that a predictor provides what the tasks need, and begin them.

    Args:
      tasks: The tasks.
      predictor: The predictor.

    Raises:
      UserError: A task needs what the predictor does not provide, or cannot write its files.
    """
    for key, task in tasks.items():
        if task.needs_attention and not predictor.has_attention:
            model = predictor.config.model
            raise UserError(key, f"needs attention, but {model} has none; leave the task out")
        if task.needs_beam_trace and predictor.inference.sampling.enable:
            what = "needs a search, but inference.sampling.enable is true; change either"
            raise UserError(key, what)
    for task in tasks.values():
        task.begin(predictor)


def run_tasks(
    tasks: Iterable[InferenceTask], first: int, predictions: Sequence[Prediction]
) -> list[Prediction]:
    """Give predictions to all tasks, one task after the other.

    Args:
      tasks: The tasks.
      first: Number of the first prediction.
      predictions: The predictions.

    Returns:
      What the tasks made of the predictions.
    """
    results = []
    for number, prediction in enumerate(predictions, start=first):
        for task in tasks:
            prediction = task.run(number, prediction) or prediction
        results.append(prediction)
    return results
