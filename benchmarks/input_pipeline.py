"""Batches from prepared data: tokens per second of this package, grain and tf.data.

`measure_input` runs all three on one prepared corpus, each in its own process. As a program, this
module measures this package: `python -m benchmarks.input_pipeline WORK.json --seconds 10`.
"""

import argparse
import json
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interleaved import Competitor
from benchmarks.prepared_input import BATCH_SIZE, PreparedInput, time_batches
from benchmarks.timing import peak_rss_mb
from benchmarks.work import run_json, say, usable_processors
from seq2seq_jax.data.batches import TrainBatches
from seq2seq_jax.data.buckets import BatchRows, Buckets, choose_buckets
from seq2seq_jax.data.corpus import Corpus, make_corpus
from seq2seq_jax.data.ragged import Rows
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.data.readers.tfrecord import masked_crc32c
from seq2seq_jax.data.tokenized_cache import tokenize_pairs
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import vocabulary_from_counts
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.cache_dir import cache_dir

NAME = "seq2seq_jax"


def measure_input(
    work: Path, competitors: Sequence[Competitor], threads: int, seconds: float, rounds: int
) -> Iterator[dict[str, Any]]:
    """Yield a line for each competitor and round.

    Args:
      work: The file of `prepare_input`.
      competitors: The programs to run.
      threads: The number of processors for each.
      seconds: The seconds for each.
      rounds: The number of rounds.
    """
    pairs = PreparedInput.read(work).pairs
    for number in range(1, rounds + 1):
        for one in competitors:
            command = [one.python, "-W", "ignore", "-m", one.module, str(work)]
            line = run_json([*command, "--seconds", str(seconds)], threads, one.paths)
            described = {"peer": one.name, "case": f"{pairs:,} pairs", "mode": "input"}
            yield {**described, "threads": threads, **line, "round": number}


def our_process() -> Competitor:
    """Return the program that measures this package."""
    return Competitor(NAME, sys.executable, "benchmarks.input_pipeline")


def prepare_input(files: Sequence[str], vocab_size: int = 50_000, max_len: int = 80) -> Path:
    """Prepare two parallel files, or a generated corpus, once in the cache directory.

    Args:
      files: The two files, or none.
      vocab_size: The size of each vocabulary.
      max_len: The length to which sentences are truncated.

    Returns:
      The file of the `PreparedInput`.
    """
    source, target = files or _generated_corpus(cache_dir("benchmarks"))
    corpus = _corpus((source, target), vocab_size, max_len)
    folder = cache_dir("benchmarks") / f"records_{corpus.digest}"
    folder.mkdir(parents=True, exist_ok=True)
    array_record, tfrecord = folder / "pairs.array_record", folder / "pairs.tfrecord"
    if not tfrecord.exists():
        say(f"Writing {len(corpus):,} pairs as TFRecord")
        _write_tfrecord(tfrecord, _records(corpus))
    if not array_record.exists():
        say(f"Writing {len(corpus):,} pairs as array_record")
        _write_array_record(array_record, _records(corpus))
    buckets = _buckets(corpus)
    path = folder / "work.json"
    PreparedInput(
        pairs=len(corpus),
        shapes=list(buckets.shapes),
        files=(os.path.abspath(source), os.path.abspath(target)),
        vocab_size=vocab_size,
        max_len=max_len,
        array_record=str(array_record) if array_record.exists() else "",
        tfrecord=str(tfrecord),
    ).write(path)
    return path


def our_batches(prepared: PreparedInput) -> TrainBatches:
    """Return the training batches of this package.

    Args:
      prepared: The prepared corpus.
    """
    corpus = _corpus(prepared.files, prepared.vocab_size, prepared.max_len)
    buckets = Buckets(
        tuple((s, t) for s, t in prepared.shapes), (BATCH_SIZE,) * len(prepared.shapes)
    )
    return TrainBatches(corpus, buckets, seed=0)


def _corpus(files: Sequence[str], vocab_size: int, max_len: int) -> Corpus:
    pairs = ParallelTextInputPipeline(*files, key="--data")
    words = DelimiterTokenizer(" ")
    tokenizers = Tokenizers(words, words)
    text = tokenize_pairs(pairs, tokenizers, pairs.content_digest(), cache_dir("prepared"))
    source, target = (
        vocabulary_from_counts(zip(side.tokens(), side.counts.tolist(), strict=True), 0, vocab_size)
        for side in (text.source, text.target)
    )
    return make_corpus(text, source, target, source_max_len=max_len, target_max_len=max_len)


def _buckets(corpus: Corpus) -> Buckets:
    lengths = corpus.source.lengths, corpus.target.lengths
    return choose_buckets(*lengths, BatchRows(BATCH_SIZE))


def _records(corpus: Corpus, chunk: int = 10_000) -> Iterator[bytes]:
    for start in range(0, len(corpus), chunk):
        numbers = np.arange(start, min(start + chunk, len(corpus)))
        for source, target in zip(
            _rows(corpus.source, numbers), _rows(corpus.target, numbers), strict=True
        ):
            yield np.concatenate([[len(source)], source, target]).astype("<i4").tobytes()


def _write_tfrecord(path: Path, records: Iterator[bytes]) -> None:
    with atomic_replace(path) as partial, partial.open("wb") as file:
        for data in records:
            for part in (struct.pack("<Q", len(data)), data):
                file.write(part + struct.pack("<I", masked_crc32c(part)))


def _rows(side: Rows, numbers: np.ndarray) -> Iterator[np.ndarray]:
    ids, lengths = side.padded(numbers, int(side.lengths[numbers].max()))
    return (row[:length] for row, length in zip(ids, lengths, strict=True))


def _write_array_record(path: Path, records: Iterator[bytes]) -> None:
    try:
        from array_record.python.array_record_module import ArrayRecordWriter
    except ImportError:
        say("grain is skipped: array_record is missing (extra records)")
        return
    part = path.with_suffix(".part")
    writer = ArrayRecordWriter(str(part), "group_size:1")  # As grain recommends for random access.
    for record in records:
        writer.write(record)
    writer.close()
    part.rename(path)


def _generated_corpus(
    folder: Path, pairs: int = 1_000_000, words: int = 400_000
) -> tuple[str, str]:
    """Generate lengths from Poisson distributions with means 24 and 23, words by Zipf's law."""
    files = folder / f"source_{pairs}.txt", folder / f"target_{pairs}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (file, mean) in enumerate(zip(files, (24, 23), strict=True)):
        if file.exists():
            continue
        say(f"Writing {file}, {pairs:,} lines")
        generator = np.random.default_rng(seed)
        part = file.with_suffix(".part")
        with open(part, "w", encoding="utf-8") as lines:
            for _ in range(pairs // 10_000):
                lengths = np.clip(generator.poisson(mean, 10_000), 1, 80)
                drawn = (generator.pareto(0.9, lengths.sum()) * 20).astype(np.int64)
                for sentence in np.split(np.minimum(drawn, words - 1), lengths.cumsum()[:-1]):
                    lines.write(" ".join(f"w{word:x}" for word in sentence) + "\n")
        part.rename(file)
    return str(files[0]), str(files[1])


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    results = time_batches(our_batches(PreparedInput.read(arguments.work)), arguments.seconds)
    threads = len(usable_processors())
    print(json.dumps({**results, "threads": threads, "peak_rss_mb": peak_rss_mb()}))


if __name__ == "__main__":
    _main()
