"""Parallel text: line i of one file is the source of line i of another file."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any, NamedTuple

from seq2seq_jax.data.readers.cmudict import cmudict, dictionary_file
from seq2seq_jax.data.readers.input_pipeline import Example, TextExample, TextPair, split_file_names
from seq2seq_jax.data.readers.text_lines import check_readable, file_digest, read_lines
from seq2seq_jax.data.readers.toy import toy_copy, toy_reverse
from seq2seq_jax.schema.rules import FILES, one_of
from seq2seq_jax.utils.errors import UserError, quantity

SPLITS = ("train", "dev", "test")


class BuiltinCorpus(NamedTuple):
    """A corpus that is part of the program or of a Python package.

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

    modality = "text"

    def __init__(
        self,
        source_files: Annotated[str, FILES] = "",
        target_files: Annotated[str, FILES] = "",
        builtin: Annotated[str, one_of("", *BUILTIN_CORPORA)] = "",
        split: Annotated[str, one_of(*SPLITS)] = "train",
        features_files: Annotated[str, FILES] = "",
        *,
        key: str,
    ) -> None:
        """Check that the files can be read.

        Args:
          source_files: Source texts, plain or .gz, one per line.
          target_files: Target texts, aligned by line.
          builtin: Built-in corpus, used if no files are given.
          split: Split of the built-in corpus.
          features_files: Features of each pair, aligned by line; empty: none.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: Files are missing, or their numbers differ.
        """
        self._builtin, self._split = builtin, split
        self._source_files = split_file_names(source_files)
        self._target_files = split_file_names(target_files)
        self._features_files = split_file_names(features_files)
        _check_files(self._source_files, self._target_files, builtin, key, self._features_files)
        for file in self._source_files + self._target_files + self._features_files:
            check_readable(file)

    @staticmethod
    def check_parameters(params: Mapping[str, Any], key: str) -> None:
        """Check that parameters fit together, without reading any file.

        Args:
          params: The parameters of the constructor and the common ones.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: There is nothing to read, or the delimiters are not those of the built-in
            corpus.
        """
        sources = split_file_names(params["source_files"])
        targets, features = (
            split_file_names(params[name]) for name in ("target_files", "features_files")
        )
        _check_files(sources, targets, params["builtin"], key, features)
        if sources:
            return
        corpus = BUILTIN_CORPORA[params["builtin"]]
        for name in ("source_delimiter", "target_delimiter"):
            given, needed = params[name], getattr(corpus, name)
            if given != needed:
                what = f'must be "{needed}" for {params["builtin"]}; got "{given}"'
                raise UserError(f"{key}.{name}", what)

    def __iter__(self) -> Iterator[Example]:
        """Yield the pairs, which have features if there are files of them.

        Raises:
          UserError: A line is not UTF-8, or the files that belong together have different numbers
            of lines.
        """
        if not self._source_files:
            yield from map(TextPair._make, BUILTIN_CORPORA[self._builtin].pairs(self._split))
        sides = [self._source_files, self._target_files]
        if self._features_files:
            for files in zip(*sides, self._features_files, strict=True):
                yield from map(TextExample._make, _aligned_lines(files))
        else:
            for files in zip(*sides, strict=True):
                yield from map(TextPair._make, _aligned_lines(files))

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the bytes of the files."""
        if self._source_files:
            files = self._source_files + self._target_files
            parts = [file_digest(file) for file in files]
            if self._features_files:
                parts += ["features", *map(file_digest, self._features_files)]
        else:
            parts = [self._builtin, self._split]
            if self._builtin == "cmudict":
                parts.append(file_digest(dictionary_file()))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _aligned_lines(files: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield line i of all files together."""
    readers = [read_lines(file) for file in files]
    for number, lines in enumerate(zip_longest(*readers)):
        if None in lines:
            counts = [
                number + (line is not None) + sum(1 for _ in reader)
                for line, reader in zip(lines, readers, strict=True)
            ]
            other = next(i for i, count in enumerate(counts) if count != counts[0])
            raise UserError(
                files[0],
                f"has {quantity(counts[0], 'line')}, but {files[other]} has {counts[other]}; "
                f"line i of {'both' if len(files) == 2 else 'all'} files must belong together",
            )
        yield lines


def _check_files(
    sources: list[str], targets: list[str], builtin: str, key: str, features: list[str]
) -> None:
    if len(sources) != len(targets):
        name, files = ("target_files", targets) if sources else ("source_files", sources)
        other, others = ("source_files", sources) if sources else ("target_files", targets)
        what = f"must be as many as {other}, which are {len(others)}; got {len(files)}"
        raise UserError(f"{key}.{name}", what)
    if features and len(features) != len(sources):
        what = f"must be as many as source_files, which are {len(sources)}; got {len(features)}"
        raise UserError(f"{key}.features_files", what)
    if not sources and not builtin:
        corpora = ", ".join(BUILTIN_CORPORA)
        what = f"is empty; use source_files and target_files, or builtin, one of: {corpora}"
        raise UserError(f"{key}.source_files", what)
