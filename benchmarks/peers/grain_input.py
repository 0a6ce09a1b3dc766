"""grain over array_record: `python -m ...grain_input WORK.json --seconds 10`.

grain has no bucketing; as its guide recommends, a custom iterator does it. The pipeline is measured
without threads, with grain's default of 16 threads, and with one process per processor; the best
result counts. The peak memory is that of the main process.
"""

import argparse
import json
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from benchmarks.cases import Batch
from benchmarks.prepared_input import (
    BATCH_SIZE,
    PreparedInput,
    split_record,
    time_batches,
)
from benchmarks.timing import peak_rss_mb
from benchmarks.work import usable_processors


def make_dataset(prepared: PreparedInput, threads: int, workers: int) -> Any:
    source = grain.sources.ArrayRecordDataSource([prepared.array_record])
    pairs = (
        grain.MapDataset.source(source)
        .shuffle(seed=0)
        .repeat()
        .map(lambda record: split_record(np.frombuffer(record, "<i4")))
        .to_iter_dataset(grain.ReadOptions(num_threads=threads))
    )
    batches = _Bucketed(pairs, prepared.shapes)
    if workers:
        return batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    return batches


class _Bucketed(grain.IterDataset):
    def __init__(self, parent: Any, shapes: list[tuple[int, int]]):
        super().__init__(parent)
        self._shapes = shapes

    def __iter__(self) -> "_BucketedIterator":
        return _BucketedIterator(self._parent.__iter__(), self._shapes)


class _BucketedIterator(grain.DatasetIterator):
    """Collects pairs by bucket; a full bucket is a batch."""

    def __init__(self, parent: Any, shapes: list[tuple[int, int]]):
        super().__init__(parent)
        self._shapes = shapes
        self._sources, self._targets = (list(widths) for widths in zip(*shapes, strict=True))
        self._waiting: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in shapes]

    def __next__(self) -> Batch:
        while True:
            source, target = next(self._parent)
            bucket = max(
                bisect_left(self._sources, len(source)), bisect_left(self._targets, len(target))
            )
            waiting = self._waiting[bucket]
            waiting.append((source, target))
            if len(waiting) == BATCH_SIZE:
                self._waiting[bucket] = []
                return _padded(waiting, self._shapes[bucket])

    def get_state(self) -> dict[str, Any]:
        return {"parent": self._parent.get_state()}  # enough to be time_runs

    def set_state(self, state: dict[str, Any]) -> None:
        self._parent.set_state(state["parent"])


def _padded(pairs: list[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]) -> Batch:
    batch: Batch = {}
    for side, name in enumerate(("source", "target")):
        ids = np.zeros((len(pairs), shape[side]), np.int32)
        lengths = np.zeros(len(pairs), np.int32)
        for row, pair in enumerate(pairs):
            lengths[row] = len(pair[side])
            ids[row, : len(pair[side])] = pair[side]
        batch[f"{name}_ids"], batch[f"{name}_len"] = ids, lengths
    return batch


def measure(prepared: PreparedInput, seconds: float) -> dict[str, Any]:
    processors = len(usable_processors())
    tried = []
    for threads, workers in ((0, 0), (16, 0), (0, processors)):
        batches: Iterator[Batch] = iter(make_dataset(prepared, threads, workers))
        results = time_batches(batches, seconds / 3)
        tried.append({**results, "read_threads": threads, "workers": workers})
        batches.close()  # type: ignore[attr-defined]
    return max(tried, key=lambda results: results["tok_s_median"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    found = measure(PreparedInput.read(arguments.work), arguments.seconds)
    line = {**found, "threads": len(usable_processors()), "peak_rss_mb": peak_rss_mb()}
    print(json.dumps(line))
