"""Parallel text: line i of the one file is the translation of line i of the other."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Annotated, NamedTuple

from seq2seq_jax.data.readers.cmudict import cmudict, dictionary_file
from seq2seq_jax.data.readers.input_pipeline import TextPair, split_file_names
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest, read_lines
from seq2seq_jax.data.readers.toy import toy_copy, toy_reverse
from seq2seq_jax.schema.keys import FILES, one_of
from seq2seq_jax.utils.errors import UserError

SPLITS = ("train", "dev", "test")


class BuiltinCorpus(NamedTuple):
    """A corpus that needs no files.

    Attributes:
      pairs: Yields the (source, target) texts of a split.
      source_delimiter: Separates the tokens of its sources; empty: characters are tokens.
      target_delimiter: Separates the tokens of its targets.
    """

    pairs: Callable[[str], Iterator[tuple[str, str]]]
    source_delimiter: str
    target_delimiter: str


BUILTIN_CORPORA = {
    "toy_copy": BuiltinCorpus(toy_copy, " ", " "),
    "toy_reverse": BuiltinCorpus(toy_reverse, " ", " "),
    "cmudict": BuiltinCorpus(cmudict, "", " "),
}


class ParallelTextInputPipeline:
    """Pairs of lines of files, or a built-in corpus if no files are given."""

    def __init__(
        self,
        source_files: Annotated[
            str, FILES, "Source texts, plain or .gz, with one sentence a line."
        ] = "",
        target_files: Annotated[
            str, FILES, "Target texts; line i is the target of line i of the sources."
        ] = "",
        builtin: Annotated[
            str, one_of("", *BUILTIN_CORPORA), "Built-in corpus, used if no files are given."
        ] = "",
        split: Annotated[str, one_of(*SPLITS), "Split of the built-in corpus."] = "train",
        *,
        key: str,
    ):
        """Check that the files can be read.

        Args:
          source_files: File names separated by commas, each plain or .gz.
          target_files: As many target files; the first belongs to the first source file, and so
            on.
          builtin: A name from `BUILTIN_CORPORA`, used if no files are given.
          split: Split of the built-in corpus: "train", "dev" or "test".
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: Files are missing, or their numbers differ.
        """
        self._builtin, self._split = builtin, split
        self._source_files = split_file_names(source_files)
        self._target_files = split_file_names(target_files)
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
            yield from map(TextPair._make, BUILTIN_CORPORA[self._builtin].pairs(self._split))
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
            f"no files; name them, or use {key}.builtin ({', '.join(BUILTIN_CORPORA)})",
        )
    if name not in BUILTIN_CORPORA:
        raise UserError(
            f"{key}.builtin", f"no built-in corpus {name!r}; there are {', '.join(BUILTIN_CORPORA)}"
        )
    if split not in SPLITS:
        raise UserError(f"{key}.split", f"no split {split!r}; there are {', '.join(SPLITS)}")
