"""Text that was read and split once, kept in files that are mapped into memory.

A corpus of millions of pairs is too large for Python's strings, and splitting it takes minutes. So
each corpus is read once: every distinct token gets a number in the order of its first appearance,
and the corpus becomes four flat arrays on disk,

    source.ids, source.offsets, target.ids, target.offsets    see `ragged.Ragged`
    source.tokens, target.tokens                              distinct tokens, a JSON string a line
    source.counts, target.counts                              how often each occurs
    summary.json                                              what was read, written last

which are the same whatever the vocabulary, its size or the lengths are cut to: those are chosen
when batches are made. Preparing holds the distinct tokens in memory, and nothing else that grows.
"""

import hashlib
import json
import logging
import os
import shutil
import socket
import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)

_FORMAT = 1
_CHUNK = 1 << 20  # ids that are counted and written at once


class PreparedSide(NamedTuple):
    """All sources, or all targets.

    Attributes:
      words: N rows of numbers of tokens, without special tokens.
      counts: [number of distinct tokens], int64: how often each occurs.
      tokens_file: the distinct tokens.
    """

    words: Ragged
    counts: np.ndarray
    tokens_file: Path

    def tokens(self) -> Iterator[str]:
        """The distinct tokens by their numbers."""
        with open(self.tokens_file, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


class PreparedText(NamedTuple):
    """N pairs, neither side empty.

    Attributes:
      read: pairs that were read.
      dropped: of those how many were left out, by reason.
      digest: names the content: of what was read, and of how it was split.
    """

    source: PreparedSide
    target: PreparedSide
    read: int
    dropped: dict[str, int]
    digest: str

    def __len__(self) -> int:
        return len(self.source.words)


def prepare_text(
    pairs: Iterable[TextPair], tokenizers: Tokenizers, content_digest: str, cache: Path
) -> PreparedText:
    """Reads and splits the pairs, unless that was done before.

    Args:
      pairs: read only where nothing is found in the cache.
      content_digest: of the pairs.
      cache: the folder where prepared texts are kept, each in a folder named by its digest. A
        preparation that is killed leaves none; two at once do not harm each other.
    """
    digest = _digest(content_digest, tokenizers)
    folder = cache / digest
    if not folder.exists():
        _clear_abandoned(cache, digest)
        part = cache / f"{digest}.{socket.gethostname()}.{os.getpid()}.part"
        part.mkdir(parents=True, exist_ok=True)
        try:
            _write(pairs, tokenizers, part)
            try:
                part.rename(folder)
            except OSError:  # another process was quicker; the content is the same
                if not folder.exists():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    summary = json.loads((folder / "summary.json").read_text())
    return PreparedText(
        _read_side(folder, "source"),
        _read_side(folder, "target"),
        summary["read"],
        summary["dropped"],
        digest,
    )


def _digest(content_digest: str, tokenizers: Tokenizers) -> str:
    parts = [_FORMAT, content_digest, *(tokenizer.digest() for tokenizer in tokenizers)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _write(pairs: Iterable[TextPair], tokenizers: Tokenizers, folder: Path) -> None:
    started, read = time.monotonic(), 0
    dropped = {"empty source": 0, "empty target": 0}
    split_source, split_target = (tokenizer.split for tokenizer in tokenizers)
    with (
        _SideWriter(folder, "source") as sources,
        _SideWriter(folder, "target") as targets,
        progress_count("reading pairs") as show,
    ):
        for source, target in pairs:
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
    seconds = time.monotonic() - started
    if seconds > 1:
        _log.info("read and split %s pairs in %.0f s", f"{read:,}", seconds)
    (folder / "summary.json").write_text(json.dumps({"read": read, "dropped": dropped}))


class _SideWriter:
    """Writes the files of one side, row by row."""

    def __init__(self, folder: Path, side: str):
        self._folder, self._side = folder, side
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__  # a new token gets the next number
        self._counts = np.zeros(0, np.int64)
        self._ids, self._offsets = array("I"), array("q", [0])
        self._written = 0

    def __enter__(self) -> "_SideWriter":
        self._ids_file = self._open("ids")
        self._offsets_file = self._open("offsets")
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is None:
            self._flush()
            self._open_and_write("counts", self._counts.tobytes())
            lines = (json.dumps(token) + "\n" for token in self._numbers)
            with open(self._folder / f"{self._side}.tokens", "w", encoding="utf-8") as file:
                file.writelines(lines)
        self._ids_file.close()
        self._offsets_file.close()

    def append(self, tokens: list[str]) -> None:
        numbers = self._numbers
        self._ids.fromlist([numbers[token] for token in tokens])
        self._offsets.append(self._written + len(self._ids))
        if len(self._ids) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        counts = np.bincount(np.frombuffer(self._ids, np.uint32), minlength=len(self._numbers))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._written += len(self._ids)
        self._ids.tofile(self._ids_file)
        self._offsets.tofile(self._offsets_file)
        self._ids, self._offsets = array("I"), array("q")

    def _open(self, name: str) -> BinaryIO:
        return open(self._folder / f"{self._side}.{name}", "wb")

    def _open_and_write(self, name: str, data: bytes) -> None:
        with self._open(name) as file:
            file.write(data)


def _read_side(folder: Path, side: str) -> PreparedSide:
    words = Ragged(
        _mapped(folder / f"{side}.ids", np.uint32), _mapped(folder / f"{side}.offsets", np.int64)
    )
    return PreparedSide(
        words, _mapped(folder / f"{side}.counts", np.int64), folder / f"{side}.tokens"
    )


def _mapped(path: Path, dtype: type) -> np.ndarray:
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, mode="r"))


def _clear_abandoned(cache: Path, digest: str) -> None:
    """Removes what preparations of the same text left that were killed on this machine."""
    for part in cache.glob(f"{digest}.{socket.gethostname()}.*.part"):
        try:
            os.kill(int(part.suffixes[-2][1:]), 0)  # asks whether the process lives
        except ProcessLookupError:
            shutil.rmtree(part, ignore_errors=True)
        except PermissionError:  # it lives, and is another user's
            pass
