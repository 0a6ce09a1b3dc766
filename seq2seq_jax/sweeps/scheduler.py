"""Which training comes next."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.trials import Training


class Plan(Protocol):
    """
    Attributes:
      total: how many trials are to be done, those that were done before left out.
    """

    total: int

    def next(self) -> Training | None:
        """The training to be started next; None if there is none left."""

    def record(self, training: Training, results: Sequence[Result]) -> None:
        """Hears what came of one."""


class ListedPlan:
    """Trainings that are known from the start."""

    def __init__(self, trainings: Iterable[Training]):
        self._waiting = deque(trainings)
        self.total = sum(len(training.trials) for training in self._waiting)

    def next(self) -> Training | None:
        return self._waiting.popleft() if self._waiting else None

    def record(self, training: Training, results: Sequence[Result]) -> None:
        pass
