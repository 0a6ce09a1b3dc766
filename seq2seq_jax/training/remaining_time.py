"""The estimate of the remaining time of a training, without compilation."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import jax

_compilation_seconds = 0.0


class RemainingTime:
    """Estimates how long a training still takes, if nothing more is compiled.

    A step takes its mean duration so far, in which recent steps count more. Evaluations and
    checkpoints take as long as the last ones, and happen as often as the configuration says.
    """

    def __init__(
        self, train_steps: int, periods: Mapping[str, int], initial_steps: Mapping[str, float]
    ) -> None:
        """Start without any measurement.

        Args:
          train_steps: Number of steps of the whole training.
          periods: After how many steps each interruption happens, such as "evaluation"; 0: never.
          initial_steps: As how many training steps an interruption counts before the first one.
        """
        self._train_steps, self._periods, self._initial_steps = train_steps, periods, initial_steps
        self._half_life = max(train_steps / 10, 1)
        self._steps = self._step_seconds = 0.0
        self._seconds: dict[str, float] = {}

    def add_steps(self, count: int, seconds: float) -> None:
        """Add steps that compiled nothing.

        Args:
          count: Number of steps.
          seconds: How long they took together.
        """
        keep = 0.5 ** (count / self._half_life)
        self._steps = keep * self._steps + count
        self._step_seconds = keep * self._step_seconds + seconds

    @contextmanager
    def interruption(self, name: str) -> Iterator[None]:
        """Measure an evaluation, or saving a checkpoint, without the compilation in it.

        Args:
          name: A name of `periods`.
        """
        compilation, started = compilation_seconds(), time.perf_counter()
        yield
        compilation = compilation_seconds() - compilation
        self._seconds[name] = max(time.perf_counter() - started - compilation, 0.0)

    def estimate(self, step: int) -> float | None:
        """Return the remaining seconds, or None if no step was measured yet.

        Args:
          step: Number of steps done. The evaluation that follows this step is not yet done.
        """
        if not self._steps:
            return None
        seconds_per_step = self._step_seconds / self._steps
        total = (self._train_steps - step) * seconds_per_step
        for name, period in self._periods.items():
            if period:
                count = -(-self._train_steps // period) - (step - 1) // period
                initial = self._initial_steps.get(name, 0.0) * seconds_per_step
                total += count * self._seconds.get(name, initial)
        return total


def compilation_seconds() -> float:
    """Return for how long XLA has compiled in this process so far."""
    return _compilation_seconds


def _add_compilation(event: str, duration_secs: float, **_: str | int) -> None:
    global _compilation_seconds
    if event == "/jax/core/compile/backend_compile_duration":
        _compilation_seconds += duration_secs


jax.monitoring.register_event_duration_secs_listener(_add_compilation)
