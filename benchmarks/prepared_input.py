"""One corpus, prepared for each input pipeline in its best format, and how they are timed.

The other pipelines read data that need less work than ours:

    ours      token numbers in memory-mapped files: ids, START, END and truncation at batching
    others    one record per pair with the final ids: truncated, with START and END

All of them shuffle, bucket by length and pad, in batches of 64. Ours and grain shuffle the whole
corpus, tf.data a window of 100,000 pairs. This module needs numpy only.
"""

import dataclasses
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Batch

BATCH_SIZE = 64
_WARM_BATCHES = 100
_WINDOW_S = 0.25


@dataclasses.dataclass(frozen=True)
class PreparedInput:
    """A prepared corpus.

    A record is the source's length, its ids and those of the target, as little-endian int32.

    Attributes:
      pairs: The number of pairs.
      shapes: The widths of source and target of the buckets, as chosen by this package.
      files: The text, two parallel files.
      vocab_size: The size of each vocabulary.
      max_len: The length to which sentences are truncated.
      array_record: The records as array_record; empty if it is not installed.
      tfrecord: The records as TFRecord.
    """

    pairs: int
    shapes: list[tuple[int, int]]
    files: tuple[str, str]
    vocab_size: int
    max_len: int
    array_record: str
    tfrecord: str

    @classmethod
    def read(cls, path: str | Path) -> "PreparedInput":
        """Read the description from a JSON file.

        Args:
          path: The file.
        """
        return cls(**json.loads(Path(path).read_text()))

    def write(self, path: str | Path) -> None:
        """Write the description to a JSON file.

        Args:
          path: The file.
        """
        Path(path).write_text(json.dumps(dataclasses.asdict(self)))


def time_batches(batches: Iterator[Batch], seconds: float) -> dict[str, Any]:
    """Measure tokens per second, including special tokens, without padding.

    The median is over intervals of a quarter of a second; the mean is over the whole time,
    including the start of an epoch.

    Args:
      batches: The batches.
      seconds: The seconds of the measurement.
    """
    started = time.perf_counter()
    first = next(batches)
    first_s = time.perf_counter() - started
    rows, *_ = first["source_ids"].shape
    for _ in range(_WARM_BATCHES):
        next(batches)
    rates: list[float] = []
    total = slots = count = 0
    started = now = window = time.perf_counter()
    read = 0
    while now - started < seconds or not rates:
        batch = next(batches)
        tokens = int(batch["source_len"].sum()) + int(batch["target_len"].sum())
        total, read, count = total + tokens, read + tokens, count + 1
        slots += batch["source_ids"].size + batch["target_ids"].size
        now = time.perf_counter()
        if now - window >= _WINDOW_S:
            rates.append(read / (now - window))
            window, read = now, 0
    return {
        "batch": rows,
        "tok_s_best": round(max(rates)),
        "tok_s_median": round(statistics.median(rates)),
        "tok_s_mean": round(total / (now - started)),
        "batch_s_mean": round(count / (now - started), 1),
        "padding": round(1 - total / slots, 3),
        "first_batch_s": round(first_s, 2),
        "reps": len(rates),
    }


def split_record(record: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the source and target ids of a record.

    Args:
      record: The record as int32.
    """
    source_len = int(record[0])
    return record[1 : 1 + source_len], record[1 + source_len :]
