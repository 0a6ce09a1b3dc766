"""One corpus, prepared for each input pipeline as that pipeline reads it best; and how they are
timed. What others read has less left to do than what we read:

    ours      numbers of tokens, mapped into memory: ids, START, END, cutting when batches are made
    others    a record a pair, whose ids are final: START and END are there, long ones are cut

Left for all: to shuffle, to bucket by length, to pad, in batches of 64. Ours and grain's shuffle is
a permutation of the whole, tf.data's a window of 100,000 pairs. Numpy alone.
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
    """
    Attributes:
      pairs: how many.
      shapes: widths of source and target of the buckets, as ours were chosen.
      files: the text, two parallel files.
      vocab_size, max_len: words of each vocabulary, and ids of a sentence, at the most.
      array_record, tfrecord: files of records; "" where they could not be written. A record is
        the source's length, its ids, and those of the target, int32 in little endian.
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
        return cls(**json.loads(Path(path).read_text()))

    def write(self, path: str | Path) -> None:
        Path(path).write_text(json.dumps(dataclasses.asdict(self)))


def time_batches(batches: Iterator[Batch], seconds: float) -> dict[str, Any]:
    """Tokens a second, special ones included and padding not; the median is that of stretches of a
    quarter of a second, the mean is over all, what an epoch begins with included."""
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
    """Source and target ids of a record."""
    source_len = int(record[0])
    return record[1 : 1 + source_len], record[1 + source_len :]
