"""The tokenized-corpus cache: text that was read and tokenized once, in memory-mapped files.

A corpus of millions of pairs is too large for Python's strings, and tokenizing it takes minutes.
So each corpus is read once: every distinct token gets a number in the order of its first
appearance, and the corpus becomes flat arrays on disk,

    source.ids, source.offsets, target.ids, target.offsets    see `ragged.Ragged`
    source.tokens, target.tokens                              distinct tokens, a JSON string a line
    source.counts, target.counts                              how often each occurs
    features.*                                                likewise, if the pairs have features
    summary.json                                              what was read, and the CRC-32C of
                                                              each file; written last

They do not depend on the vocabulary, its size, or the length to which rows are truncated; those
are applied when batches are made. Tokenizing keeps the distinct tokens in memory, and nothing else
that grows with the corpus.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.features import FeatureCounts
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.readers.input_pipeline import Example, to_example
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.utils.atomic_io import atomic_directory
from seq2seq_jax.utils.cache_dir import CACHE_REMEDY
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import crc32c_of, read_json_object, seal, verify_seal
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)

_FORMAT = 1
CHUNK = 1 << 20
"""The number of ids that are counted and written together."""


class TokenizedSide(NamedTuple):
    """All sources, or all targets.

    Attributes:
      rows: N rows of token numbers, without special tokens.
      counts: [number of distinct tokens], int64: how often each occurs.
      tokens_file: The file of the distinct tokens.
    """

    rows: Ragged
    counts: np.ndarray
    tokens_file: Path

    def tokens(self) -> Iterator[str]:
        """Yield the distinct tokens in the order of their numbers."""
        with open(self.tokens_file, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


class TokenizedText(NamedTuple):
    """N pairs in which neither side is empty.

    Attributes:
      source: The sources.
      target: The targets.
      read: The number of pairs that were read.
      dropped: How many of them were left out, by reason.
      digest: Identifies the text and the way it was tokenized.
      features: The features of the pairs; None: they have none, or the model does not read them.
      feature_counts: What was odd about the features.
    """

    source: TokenizedSide
    target: TokenizedSide
    read: int
    dropped: dict[str, int]
    digest: str
    features: TokenizedSide | None = None
    feature_counts: FeatureCounts = FeatureCounts()

    def __len__(self) -> int:
        return len(self.source.rows)


def tokenize_pairs(
    pairs: Iterable[Example], tokenizers: Tokenizers, content_digest: str, cache: Path
) -> TokenizedText:
    """Tokenize pairs of texts, or load them from the cache if that was done before.

    The files of the cache are verified, which reads them once (7 GB/s if they are in memory). If
    one is damaged, a warning is logged and the text is tokenized again.

    Args:
      pairs: Read only if the cache does not hold them.
      tokenizers: Split the texts into tokens.
      content_digest: Identifies the pairs.
      cache: The directory of the cache. Each tokenized corpus is in a subdirectory named by its
        digest. A process that is killed leaves no such subdirectory, and two processes that
        tokenize the same corpus at once do not disturb each other.

    Returns:
      The tokenized text, whose arrays are mapped into memory.
    """
    digest = _digest(content_digest, tokenizers)
    directory = cache / digest
    if directory.exists():
        try:
            return _load(directory)
        except (UserError, OSError) as error:
            _log.warning("tokenizing the text again, because the cache is damaged: %s", error)
            _remove(directory)
    # Another process may be faster; the content is the same.
    with suppress(FileExistsError), atomic_directory(directory, CACHE_REMEDY) as partial:
        _write(pairs, tokenizers, partial, digest)
    return _load(directory)


def _load(directory: Path) -> TokenizedText:
    """Map the files of a directory into memory, after verifying them.

    Raises:
      UserError: A file differs from what was written, or belongs to another text.
    """
    file, digest = directory / "summary.json", directory.name
    summary = read_json_object(file)
    verify_seal(summary, str(file))
    if summary["digest"] != digest:
        raise UserError(str(file), "belongs to another text")
    for name, expected in summary["crc32c"].items():
        if crc32c_of(directory / name) != expected:
            raise UserError(str(directory / name), "differs from what was written")
    return TokenizedText(
        _read_side(directory, "source"),
        _read_side(directory, "target"),
        summary["read"],
        summary["dropped"],
        digest,
        _read_side(directory, "features") if "features" in summary else None,
        FeatureCounts(*summary.get("features", ())),
    )


def _digest(content_digest: str, tokenizers: Tokenizers) -> str:
    used = (tokenizer for tokenizer in tokenizers if tokenizer is not None)
    parts = [_FORMAT, content_digest, *(tokenizer.digest() for tokenizer in used)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _remove(directory: Path) -> None:
    """Remove a directory, which disappears at once; another process may do the same."""
    doomed = directory.with_name(f".{directory.name}.{os.getpid()}.damaged")
    with suppress(FileNotFoundError):
        directory.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _write(pairs: Iterable[Example], tokenizers: Tokenizers, directory: Path, digest: str) -> None:
    started, read = time.monotonic(), 0
    dropped = {"empty source": 0, "empty target": 0}
    split_source, split_target = tokenizers.source.split, tokenizers.target.split
    feature_counts = FeatureCounts()
    with ExitStack() as stack:
        sources, targets = (
            stack.enter_context(_SideWriter(directory, side)) for side in ("source", "target")
        )
        if tokenizers.features:
            features = stack.enter_context(_SideWriter(directory, "features"))
        show = stack.enter_context(progress_count("Tokenizing pairs"))
        for source, target, feature_text, *_ in map(to_example, pairs):
            read += 1
            if read % 10_000 == 0:
                show(read)
            source_tokens, target_tokens = split_source(source), split_target(target)
            if not source_tokens:
                dropped["empty source"] += 1
            elif not target_tokens:
                dropped["empty target"] += 1
            else:
                sources.append(source_tokens)
                targets.append(target_tokens)
                if tokenizers.features:
                    bundle = tokenizers.features.parse(feature_text)
                    features.append(list(bundle.symbols))
                    feature_counts = feature_counts.add(bundle)
    seconds = time.monotonic() - started
    if seconds > 1:
        _log.info("Tokenized %s pairs in %.0f s", f"{read:,}", seconds)
    sums = {path.name: crc32c_of(path) for path in sorted(directory.iterdir())}
    summary = {"read": read, "dropped": dropped, "digest": digest, "crc32c": sums}
    if tokenizers.features:
        summary["features"] = feature_counts
    (directory / "summary.json").write_text(json.dumps(seal(summary)))


class _SideWriter:
    """Writes the files of one side, row after row."""

    def __init__(self, directory: Path, side: str) -> None:
        self._directory, self._side = directory, side
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__  # a new token gets the next number
        self._counts = np.zeros(0, np.int64)
        self._ids, self._offsets = array("I"), array("q", [0])
        self._written = 0

    def __enter__(self) -> "_SideWriter":
        self._ids_file = open(self._path("ids"), "wb")
        self._offsets_file = open(self._path("offsets"), "wb")
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        with self._ids_file, self._offsets_file:
            if failure is None:
                self._flush()
                self._counts.tofile(self._path("counts"))
                lines = (json.dumps(token) + "\n" for token in self._numbers)
                self._path("tokens").write_text("".join(lines), encoding="utf-8")

    def append(self, tokens: list[str]) -> None:
        numbers = self._numbers
        self._ids.fromlist([numbers[token] for token in tokens])
        self._offsets.append(self._written + len(self._ids))
        if len(self._ids) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        counts = np.bincount(np.frombuffer(self._ids, np.uint32), minlength=len(self._numbers))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._written += len(self._ids)
        self._ids.tofile(self._ids_file)
        self._offsets.tofile(self._offsets_file)
        self._ids, self._offsets = array("I"), array("q")

    def _path(self, name: str) -> Path:
        return self._directory / f"{self._side}.{name}"


def _read_side(directory: Path, side: str) -> TokenizedSide:
    ids, offsets, counts = (
        _map_array(directory / f"{side}.{name}", dtype)
        for name, dtype in (("ids", np.uint32), ("offsets", np.int64), ("counts", np.int64))
    )
    return TokenizedSide(Ragged(ids, offsets), counts, directory / f"{side}.tokens")


def _map_array(path: Path, dtype: type[np.generic]) -> np.ndarray:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, mode="r"))
