"""Training metrics between two lines of the log."""

import math
import time
from typing import Any

import jax

from seq2seq_jax.training.schedules import Schedule

# Steps that may be under way at once: enough that the device never waits for the next, few enough
# that a signal is soon obeyed.
MOST_UNDER_WAY = 8


class MetricAccumulator:
    """Sums of what the train steps gave since the last line.

    The device's numbers are fetched only when they are needed: a step waits for none but those of
    `MOST_UNDER_WAY` steps before. The sums go into checkpoints, so that a resumed run writes the
    very lines of an unbroken one, speeds apart.
    """

    def __init__(self, saved: dict[str, float] | None = None):
        self._sums: dict[str, float] = dict(saved or {})
        self._pending: list[dict[str, jax.Array]] = []
        self._steps_here = 0
        self._source_tokens_here = 0.0
        self._target_tokens_here = 0.0
        self._seconds = 0.0
        self._started = time.perf_counter()

    def add(self, metrics: dict[str, jax.Array]) -> None:
        """Takes the metrics of one step, and waits for those of `MOST_UNDER_WAY` steps before."""
        self._pending.append(metrics)
        if len(self._pending) > MOST_UNDER_WAY:
            jax.block_until_ready(self._pending[-1 - MOST_UNDER_WAY])

    def pause(self) -> None:
        """Stops the clock: what follows is not training. Waits for the last step."""
        self.sums()
        self._seconds += time.perf_counter() - self._started

    def resume(self) -> None:
        self._started = time.perf_counter()

    def sums(self) -> dict[str, float]:
        """All sums so far; can be written as JSON."""
        for metrics in jax.device_get(self._pending):
            self._steps_here += 1
            self._source_tokens_here += float(metrics["source_tokens"])
            self._target_tokens_here += float(metrics["target_tokens"])
            for name, value in {"steps": 1, **metrics}.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._pending = []
        return self._sums

    def seconds_per_step(self) -> float:
        """Of the steps taken by this process."""
        return self._seconds / max(self._steps_here, 1)

    def scalars(self, step: int, schedule: Schedule, lr_scale: float = 1.0) -> dict[str, Any]:
        """The line at `step`: means over the window, the rate of its last update, tokens a
        second, and the CPU time that this process has used.

        To be called while paused.
        """
        sums = self.sums()
        loss = sums["loss"] / sums["target_tokens"]
        seconds = max(self._seconds, 1e-9)
        return {
            "train/loss": loss,
            "train/perplexity": math.exp(min(loss, 700)),
            "train/grad_norm": sums["grad_norm"] / sums["steps"],
            "train/learning_rate": lr_scale * float(schedule(step - 1)),
            "train/cpu_seconds": time.process_time(),
            "train/source_tokens_per_second": self._source_tokens_here / seconds,
            "train/target_tokens_per_second": self._target_tokens_here / seconds,
        }
