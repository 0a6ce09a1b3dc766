"""tf.data over TFRecord: `python -m ...tf_data_input WORK.json --seconds 10`.

Its buckets have one length, that of the longer side; both sides are padded to it.
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from benchmarks.cases import Batch
from benchmarks.prepared_input import BATCH_SIZE, PreparedInput, time_batches
from benchmarks.timing import peak_rss_mb
from benchmarks.work import usable_processors

SHUFFLED = 100_000
"""Size of the shuffle buffer, which tf.data holds in memory."""


def make_dataset(prepared: PreparedInput) -> Any:
    widths = sorted({max(shape) for shape in prepared.shapes})
    options = tf.data.Options()
    options.threading.private_threadpool_size = len(usable_processors())
    return (
        tf.data.TFRecordDataset(prepared.tfrecord, buffer_size=1 << 20)
        .repeat()
        .shuffle(SHUFFLED, seed=0)
        .map(_parse, num_parallel_calls=tf.data.AUTOTUNE)
        .bucket_by_sequence_length(
            lambda pair: tf.maximum(pair["source_len"], pair["target_len"]),
            bucket_boundaries=[width + 1 for width in widths],
            bucket_batch_sizes=[BATCH_SIZE] * (len(widths) + 1),
            pad_to_bucket_boundary=True,
        )
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def _parse(record: Any) -> dict[str, Any]:
    ids = tf.io.decode_raw(record, tf.int32)
    end = 1 + ids[0]
    return {
        "source_ids": ids[1:end],
        "source_len": ids[0],
        "target_ids": ids[end:],
        "target_len": tf.size(ids) - end,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    dataset = make_dataset(PreparedInput.read(arguments.work))
    batches: Iterator[Batch] = dataset.as_numpy_iterator()
    results = time_batches(batches, arguments.seconds)
    line = {**results, "threads": len(usable_processors()), "peak_rss_mb": peak_rss_mb()}
    print(json.dumps(line))
