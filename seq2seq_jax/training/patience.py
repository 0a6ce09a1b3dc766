"""Noticing that a dev metric gets better no more."""

from collections.abc import Mapping
from typing import Any

from seq2seq_jax.storage.checkpoints import lower_is_better


class Plateau:
    """Counts the evaluations since a metric was best.

    Args:
      metric: its name among the results.
      patience: how many in a row make a plateau; 0: none ever does.
    """

    def __init__(self, metric: str, patience: int):
        self._metric, self._patience = metric, patience
        self._best: float | None = None  # the higher the better
        self._waited = 0

    def reached(self, results: Mapping[str, float]) -> bool:
        """Takes the results of an evaluation; says whether they complete a plateau.

        Counting then starts anew.
        """
        if not self._patience:
            return False
        value = results[self._metric]
        value = -value if lower_is_better(self._metric) else value
        if self._best is None or value > self._best:
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self._waited < self._patience:
            return False
        self._waited = 0
        return True

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on counting; can be written as JSON."""
        return {"best": self._best, "waited": self._waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]
