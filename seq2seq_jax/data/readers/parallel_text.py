"""Parallel text: line i of the one file is the translation of line i of the other."""

import hashlib
import os
from collections.abc import Iterator
from itertools import zip_longest

from seq2seq_jax.data.readers.cmudict import cmudict, dictionary_file
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest, read_lines
from seq2seq_jax.data.readers.text_pair import TextPair
from seq2seq_jax.data.readers.toy import toy_copy, toy_reverse
from seq2seq_jax.utils.errors import UserError

SPLITS = ("train", "dev", "test")
BUILTINS = {"toy_copy": toy_copy, "toy_reverse": toy_reverse, "cmudict": cmudict}


class ParallelTextInputPipeline:
    """Pairs of lines of files, or of a built-in corpus where no files are given."""

    def __init__(
        self,
        source_files: str,
        target_files: str,
        builtin: str = "",
        split: str = "train",
        *,
        key: str,
    ):
        """
        Args:
          source_files, target_files: names separated by commas, each plain or .gz; the first
            source file goes with the first target file, and so on.
          builtin, split: the built-in corpus and its part, where no files are given.
          key: where these parameters stand in the configuration, for error messages.

        Raises:
          UserError: files are missing, or their numbers differ.
        """
        self._builtin, self._split = builtin, split
        self._source_files = file_names(source_files)
        self._target_files = file_names(target_files)
        if not self._source_files and not self._target_files:
            _check_builtin(builtin, split, key)
        elif len(self._source_files) != len(self._target_files):
            raise UserError(
                f"{key}.source_files",
                f"{len(self._source_files)} source files but {len(self._target_files)} target"
                " files: every source file needs its target file",
            )
        for file in self._source_files + self._target_files:
            check_readable(file)

    def __iter__(self) -> Iterator[TextPair]:
        """Raises UserError at a line that is not UTF-8, and where a source file and its target file
        have unequal numbers of lines."""
        if not self._source_files:
            yield from map(TextPair._make, BUILTINS[self._builtin](self._split))
        for source_file, target_file in zip(self._source_files, self._target_files, strict=True):
            yield from _paired_lines(source_file, target_file)

    def content_digest(self) -> str:
        """Of the bytes of the files."""
        if self._source_files:
            files = self._source_files + self._target_files
            parts = [file_digest(file) for file in files]
        else:
            parts = [self._builtin, self._split]
            if self._builtin == "cmudict":
                parts.append(file_digest(dictionary_file()))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def file_names(names: str) -> list[str]:
    """The names in a list separated by commas, with `~` expanded."""
    return [os.path.expanduser(name.strip()) for name in names.split(",") if name.strip()]


def _paired_lines(source_file: str, target_file: str) -> Iterator[TextPair]:
    sources, targets = read_lines(source_file), read_lines(target_file)
    for number, (source, target) in enumerate(zip_longest(sources, targets)):
        if source is None or target is None:
            rest = targets if source is None else sources
            counts = [number, number + 1 + sum(1 for _ in rest)]
            in_source, in_target = counts if source is None else reversed(counts)
            raise UserError(
                source_file,
                f"{in_source} lines, but {target_file} has {in_target}: "
                "line i of the one must belong to line i of the other",
            )
        yield TextPair(source, target)


def _check_builtin(name: str, split: str, key: str) -> None:
    if not name:
        raise UserError(
            f"{key}.source_files",
            f"no files; name them, or a built-in corpus as {key}.builtin ({', '.join(BUILTINS)})",
        )
    if name not in BUILTINS:
        raise UserError(
            f"{key}.builtin", f"no built-in corpus {name!r}; there are {', '.join(BUILTINS)}"
        )
    if split not in SPLITS:
        raise UserError(f"{key}.split", f"no split {split!r}; there are {', '.join(SPLITS)}")
