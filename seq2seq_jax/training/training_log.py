"""Training metrics between two log lines, and the lines themselves."""

import logging
import math
import time
from collections.abc import Mapping

import jax

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.evaluation.dev_evaluation import Evaluation, describe_samples
from seq2seq_jax.evaluation.perplexity import perplexity
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.training.schedules import Schedule
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import join_fields

MAX_PENDING_STEPS = 8
"""Steps that may be in flight at once: enough that the device never waits for the next one, few
enough that a signal is handled soon."""

_log = logging.getLogger(__name__)


class MetricAccumulator:
    """Sums of the metrics of all steps since the last log line.

    The numbers are copied from the device only when they are needed. The sums are part of
    checkpoints, so that a resumed run logs the same values as an uninterrupted one, except for the
    speed. The speed is that of the steps during which the clock runs: `pause` it before a step that
    compiles.
    """

    def __init__(self, saved: Mapping[str, float] | None = None) -> None:
        """Start with the sums of a checkpoint, or with nothing; the clock does not run yet.

        Args:
          saved: What `sums` returned when the checkpoint was written.
        """
        self._sums: dict[str, float] = dict(saved or {})
        self._pending: list[Mapping[str, jax.Array]] = []
        self._timed_steps = 0
        self._timed_source_tokens = 0.0
        self._timed_target_tokens = 0.0
        self._seconds = 0.0
        self._started: float | None = None

    def add(self, metrics: Mapping[str, jax.Array]) -> None:
        """Add the metrics of one step, and wait for the step `MAX_PENDING_STEPS` before.

        Args:
          metrics: What the train step returned; the device may still be computing it.
        """
        self._pending.append(metrics)
        if len(self._pending) > MAX_PENDING_STEPS:
            jax.block_until_ready(self._pending[-1 - MAX_PENDING_STEPS])

    def pause(self) -> None:
        """Wait for the last step and stop the clock, if it is running."""
        if self._started is not None:
            self.sums()
            self._seconds += time.perf_counter() - self._started
            self._started = None

    def resume(self) -> None:
        """Start the clock, if it is not running."""
        if self._started is None:
            self._started = time.perf_counter()

    def sums(self) -> dict[str, float]:
        """Wait for the last step, and return all sums since the last log line as JSON numbers."""
        for metrics in jax.device_get(self._pending):
            if self._started is not None:
                self._timed_steps += 1
                self._timed_source_tokens += float(metrics["source_tokens"])
                self._timed_target_tokens += float(metrics["target_tokens"])
            for name, value in {"steps": 1, **metrics}.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._pending = []
        return self._sums

    def timed_steps(self) -> tuple[int, float]:
        """Return the number of steps during which the clock ran, and their seconds."""
        return self._timed_steps, self._seconds

    def scalars(self, step: int, schedule: Schedule, lr_scale: float = 1.0) -> dict[str, float]:
        """Return the metrics for the log: means, the learning rate and the speed.

        The clock must be paused.

        Args:
          step: Number of steps done.
          schedule: The learning rate schedule; the learning rate is that of the last update.
          lr_scale: Factor of the learning rate.

        Returns:
          The metrics by their names in `metrics.jsonl`. `train/cpu_seconds` is the CPU time that
          this process has used so far. If every step compiled, there is no speed.
        """
        sums = self.sums()
        loss = sums["loss"] / sums["target_tokens"]
        scalars = {
            "train/loss": loss,
            "train/perplexity": perplexity(loss),
            "train/grad_norm": sums["grad_norm"] / sums["steps"],
            "train/learning_rate": lr_scale * float(schedule(step - 1)),
            "train/cpu_seconds": time.process_time(),
        }
        if self._timed_steps:
            source, target = self._timed_source_tokens, self._timed_target_tokens
            scalars["train/source_tokens_per_second"] = source / self._seconds
            scalars["train/target_tokens_per_second"] = target / self._seconds
        return scalars


class CompilationLog:
    """Logs the shape of a batch when it is the first one of its shape, which is then compiled."""

    def __init__(self, num_shapes: int) -> None:
        """Start without any compiled shape.

        Args:
          num_shapes: The number of different shapes of batches.
        """
        self._num_shapes = num_shapes
        self._compiled: set[tuple[int, ...]] = set()

    def __call__(self, batch: Batch) -> bool:
        """Log the shape of a batch if it is new.

        Args:
          batch: A training batch.

        Returns:
          Whether the shape is new.
        """
        widths = tuple(x.shape[1] for name, x in batch.items() if name.endswith("_ids"))
        if widths in self._compiled:
            return False
        self._compiled.add(widths)
        bucket, count = " x ".join(map(str, widths)), len(self._compiled)
        _log.info("Compiling bucket %s (%d of %d)", bucket, count, self._num_shapes)
        return True


def check_loss(loss: float, step: int, checkpoints: Checkpoints) -> None:
    """Check that the loss is finite.

    Args:
      loss: The loss.
      step: Number of steps done.
      checkpoints: The checkpoints of the run, which the error mentions.

    Raises:
      UserError: The loss is infinite or not a number.
    """
    if not math.isfinite(loss):
        last_saved = checkpoints.latest_step()
        kept = f"; the checkpoint of step {last_saved} is intact" if last_saved else ""
        raise UserError(
            "optimizer.learning_rate",
            f"the loss is {loss} at step {step}; use a lower learning rate or a lower"
            f" optimizer.clip_gradients{kept}",
        )


def log_training(
    writer: MetricWriter,
    step: int,
    train_steps: int,
    scalars: Mapping[str, float],
    remaining_seconds: float | None,
) -> None:
    """Write training metrics to disk and to the log.

    The speed in the log line is in target tokens per second. Perplexity and the norm of the
    gradient are only written to disk.

    Args:
      writer: Writes the metrics to disk.
      step: Number of steps done.
      train_steps: Number of steps of the whole training.
      scalars: What `MetricAccumulator.scalars` returned.
      remaining_seconds: The estimated remaining time, if it is known.
    """
    writer.write_scalars(step, scalars)
    fields = [
        f"step {step}/{train_steps}",
        f"loss {scalars['train/loss']:.3g}",
        f"lr {scalars['train/learning_rate']:.3g}",
    ]
    if speed := scalars.get("train/target_tokens_per_second"):
        fields.append(f"{format_count(speed)} tok/s")
    if remaining_seconds is not None:
        fields.append(f"ETA {format_duration(remaining_seconds)}")
    _log.info("%s", join_fields(fields))


def log_evaluation(
    writer: MetricWriter, step: int, train_steps: int, evaluation: Evaluation
) -> None:
    """Write the results on the dev set and samples to disk and to the log.

    The results of groups, such as languages, are only written to disk.

    Args:
      writer: Writes the results to disk.
      step: Number of steps done.
      train_steps: Number of steps of the whole training.
      evaluation: The results.
    """
    numbers = evaluation.numbers
    texts = {name: text for name, text in evaluation.results.items() if isinstance(text, str)}
    if evaluation.samples:
        texts["samples"] = describe_samples(evaluation.samples)
        _log.info("%s", texts["samples"])
    scalars = numbers | evaluation.group_numbers
    writer.write_scalars(step, {f"dev/{name}": value for name, value in scalars.items()})
    if texts:
        writer.write_texts(step, {f"dev/{name}": text for name, text in texts.items()})
    fields = [f"{name} {value:.4g}" for name, value in numbers.items()]
    _log.info("%s", join_fields([f"step {step}/{train_steps}", "dev", *fields]))


def format_count(number: float) -> str:
    """Return a number with a unit prefix for thousands and millions.

    Args:
      number: At least 0.

    Example:
      >>> format_count(950), format_count(3_649), format_count(1_200_000)
      ('950', '3.6k', '1.2M')
    """
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{suffix}"
    return f"{number:.0f}"


def format_duration(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    Args:
      seconds: At least 0.

    Example:
      >>> format_duration(190), format_duration(3_661)
      ('3:10', '1:01:01')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
