"""What a run says of itself: a line for people, numbers for programs."""

import logging
from collections.abc import Mapping
from typing import Any

from seq2seq_jax.evaluation.dev_evaluation import Evaluation, describe_samples
from seq2seq_jax.storage.metrics_log import MetricWriter

_log = logging.getLogger(__name__)


def report_training(
    writer: MetricWriter, step: int, train_steps: int, scalars: Mapping[str, Any], seconds: float
) -> None:
    """Writes and logs training metrics; from the seconds of a step follows the time left."""
    writer.write_scalars(step, scalars)
    _log.info(
        "step %d/%d  loss %.4f  ppl %.3f  lr %.2g  grad %.2f  "
        "%.0f source + %.0f target tokens/s  left %s",
        step,
        train_steps,
        *(scalars[f"train/{name}"] for name in _LOGGED),
        _clock(seconds * (train_steps - step)),
    )


def report_evaluation(
    writer: MetricWriter, step: int, train_steps: int, evaluation: Evaluation
) -> None:
    """Writes and logs results on the dev set, and samples."""
    numbers = evaluation.numbers
    texts = {name: text for name, text in evaluation.results.items() if isinstance(text, str)}
    if evaluation.samples:
        texts["samples"] = describe_samples(evaluation.samples)
        _log.info("%s", texts["samples"])
    writer.write_scalars(step, {f"dev/{name}": value for name, value in numbers.items()})
    if texts:
        writer.write_texts(step, {f"dev/{name}": text for name, text in texts.items()})
    summary = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    _log.info("step %d/%d  dev  %s", step, train_steps, summary)


_LOGGED = (
    "loss",
    "perplexity",
    "learning_rate",
    "grad_norm",
    "source_tokens_per_second",
    "target_tokens_per_second",
)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
