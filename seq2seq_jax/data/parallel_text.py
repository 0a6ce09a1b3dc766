"""Parallel text: pairs of a source and a target, as lists of tokens."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from seq2seq_jax.data.cmudict import cmudict
from seq2seq_jax.data.text_lines import check_readable, read_lines
from seq2seq_jax.data.toy import toy_copy, toy_reverse
from seq2seq_jax.errors import UserError

SPLITS = ("train", "dev", "test")


class Pair(NamedTuple):
    """One example: source tokens and target tokens, without special tokens."""

    source: list[str]
    target: list[str]


class Builtin(NamedTuple):
    """A built-in corpus: its lines by split, and the delimiters that its tokens need."""

    lines: Callable[[str], Iterator[tuple[str, str]]]
    source_delimiter: str
    target_delimiter: str


BUILTINS = {
    "toy_copy": Builtin(toy_copy, " ", " "),
    "toy_reverse": Builtin(toy_reverse, " ", " "),
    "cmudict": Builtin(cmudict, "", " "),
}


def read_pairs(
    params: Mapping[str, Any],
    *,
    lowercase: bool = False,
    key: str = "input_pipeline_train.params",
) -> Iterator[Pair]:
    """Reads pairs one by one; call it again for another pass.

    Args:
      params: `source_files`, `target_files` (separated by commas, each plain or .gz; the first
        source file goes with the first target file, and so on), `source_delimiter`,
        `target_delimiter` ("" separates characters), and `builtin`, `split`: the built-in
        corpus to read where no files are given.
      lowercase: lower-case the sources.
      key: where params stand in the configuration, for error messages.

    Raises:
      UserError: at the call, if files are missing or their numbers differ; during the reading,
        if a line is not UTF-8 or a source and its target file have unequal numbers of lines.
    """
    delimiters = params["source_delimiter"], params["target_delimiter"]
    source_files, target_files = _files(params["source_files"]), _files(params["target_files"])
    if not source_files and not target_files:
        lines = _builtin_lines(params["builtin"], params["split"], delimiters, key)
    else:
        if len(source_files) != len(target_files):
            raise UserError(
                f"{key}.source_files",
                f"{len(source_files)} source files but {len(target_files)} target files: "
                "every source file needs its target file",
            )
        for file in source_files + target_files:
            check_readable(file)
        lines = _file_lines(source_files, target_files)
    return _split_lines(lines, *delimiters, lowercase)


def split_text(line: str, delimiter: str, *, lowercase: bool = False) -> list[str]:
    """Tokens of a line; the delimiter "" separates its Unicode characters.

    Delimiters at the ends or in a row make no empty tokens.
    """
    if lowercase:
        line = line.lower()
    if not delimiter:
        return list(line)
    return [token for token in line.split(delimiter) if token]


def join_tokens(tokens: Iterable[str], delimiter: str) -> str:
    """The text of tokens, as `split_text` would take it apart."""
    return delimiter.join(tokens)


def _split_lines(
    lines: Iterator[tuple[str, str]],
    source_delimiter: str,
    target_delimiter: str,
    lowercase: bool,
) -> Iterator[Pair]:
    for source, target in lines:
        yield Pair(
            split_text(source, source_delimiter, lowercase=lowercase),
            split_text(target, target_delimiter),
        )


def _file_lines(source_files: list[str], target_files: list[str]) -> Iterator[tuple[str, str]]:
    for source_file, target_file in zip(source_files, target_files, strict=True):
        yield from _paired_lines(source_file, target_file)


def _paired_lines(source_file: str, target_file: str) -> Iterator[tuple[str, str]]:
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
        yield source, target


def _builtin_lines(
    name: str, split: str, delimiters: tuple[str, str], key: str
) -> Iterator[tuple[str, str]]:
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
    builtin = BUILTINS[name]
    for side, given, needed in zip(("source", "target"), delimiters, builtin[1:], strict=True):
        if given != needed:
            raise UserError(
                f"{key}.{side}_delimiter", f"{name} needs {needed!r} here, not {given!r}"
            )
    return builtin.lines(split)


def _files(names: str) -> list[str]:
    return [os.path.expanduser(name.strip()) for name in names.split(",") if name.strip()]
