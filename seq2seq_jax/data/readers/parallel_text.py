"""Parallel text: line i of one file is the source of line i of another file."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any, NamedTuple

from seq2seq_jax.data.languages import tag_source
from seq2seq_jax.data.readers.cmudict import cmudict, dictionary_file
from seq2seq_jax.data.readers.input_pipeline import Example, TextExample, TextPair
from seq2seq_jax.data.readers.language_files import language_files
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
        languages: str = "",
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
          languages: Languages of the files, or those that {language} in a file name stands for;
            empty: {language} stands for all that exist.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: Files are missing, or their numbers differ.
        """
        self._builtin, self._split = builtin, split
        files = {
            "source_files": source_files,
            "target_files": target_files,
            "features_files": features_files,
        }
        sources, targets, features = named = [
            language_files(names, languages, key, name) for name, names in files.items()
        ]
        _check_files(sources, targets, features, builtin, languages, key)
        self._source_files, self._target_files, self._features_files = (
            [file for file, _ in each] for each in named
        )
        self._languages = [language for _, language in named[0]]
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
        sources, targets, features = [
            language_files(params[name], params["languages"], key, name)
            for name in ("source_files", "target_files", "features_files")
        ]
        _check_files(sources, targets, features, params["builtin"], params["languages"], key)
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
        for _, pairs in self.pairs_of_files():
            yield from pairs

    def pairs_of_files(self) -> Iterator[tuple[tuple[str, str], Iterator[Example]]]:
        """Yield the names of each file of sources and its file of targets, and their pairs."""
        if not self._source_files:
            pairs = BUILTIN_CORPORA[self._builtin].pairs(self._split)
            yield (self._builtin, self._builtin), map(TextPair._make, pairs)
        sides = [self._source_files, self._target_files]
        sides += [self._features_files] if self._features_files else []
        for files, language in zip(zip(*sides, strict=True), self._languages, strict=True):
            yield (files[0], files[1]), self._pairs(files, language)

    def _pairs(self, files: Sequence[str], language: str) -> Iterator[Example]:
        make = TextExample._make if self._features_files else TextPair._make
        for source, *others in _aligned_lines(files):
            yield make([tag_source(source, language), *others])

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the bytes of the files."""
        if self._source_files:
            files = self._source_files + self._target_files
            parts = [file_digest(file) for file in files]
            if self._features_files:
                parts += ["features", *map(file_digest, self._features_files)]
            parts += filter(None, self._languages)
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
    sources: list[tuple[str, str]],
    targets: list[tuple[str, str]],
    features: list[tuple[str, str]],
    builtin: str,
    languages: str,
    key: str,
) -> None:
    """Check that the files of all sides, each with its language, belong together."""
    if len(sources) != len(targets):
        name, files = ("target_files", targets) if sources else ("source_files", sources)
        other, others = ("source_files", sources) if sources else ("target_files", targets)
        what = f"must be as many as {other}, which are {len(others)}; got {len(files)}"
        raise UserError(f"{key}.{name}", what)
    if features and len(features) != len(sources):
        what = f"must be as many as source_files, which are {len(sources)}; got {len(features)}"
        raise UserError(f"{key}.features_files", what)
    for name, others in (("target_files", targets), ("features_files", features)):
        for (file, language), (other, of_other) in zip(sources, others, strict=False):
            if language != of_other:
                what = f"must have the languages of source_files in the same order; {other} is of"
                what += f" {of_other or 'none'}, {file} of {language or 'none'}"
                raise UserError(f"{key}.{name}", what)
    if not sources and languages:
        what = f"is {languages}, but a built-in corpus has no languages; use source_files"
        raise UserError(f"{key}.languages", what)
    if not sources and not builtin:
        corpora = ", ".join(BUILTIN_CORPORA)
        what = f"is empty; use source_files and target_files, or builtin, one of: {corpora}"
        raise UserError(f"{key}.source_files", what)
