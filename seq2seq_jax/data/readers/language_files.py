"""Files of a multilingual corpus: which language each of them is in."""

import glob
import os
import re

from seq2seq_jax.data.languages import check_language
from seq2seq_jax.data.readers.input_pipeline import split_file_names
from seq2seq_jax.schema.rules import LANGUAGE_PLACEHOLDER, split_names
from seq2seq_jax.utils.errors import UserError


def language_files(files: str, languages: str, key: str, name: str) -> list[tuple[str, str]]:
    """Return the files of a list, each with its language.

    Args:
      files: Names as for `split_file_names`. A name with `{language}` stands for the file of each
        language or, without `languages`, for all files that exist; then the names of the files tell
        their languages.
      languages: The languages, separated by commas: one for each file, or those that `{language}`
        stands for. Empty: only names of files tell languages.
      key: The dotted key of the pipeline's parameters, for errors.
      name: The parameter that has the files, for errors.

    Returns:
      The files in their order, each with its language, which is empty if nothing tells it.

    Raises:
      UserError: No file matches, the numbers of files and languages differ, or a text cannot be the
        name of a language.
    """
    names = [check_language(language, f"{key}.languages") for language in split_names(languages)]
    patterns = split_names(files)
    if not any(LANGUAGE_PLACEHOLDER in pattern for pattern in patterns):
        found = split_file_names(files)
        if names and found and len(names) != len(found):
            what = f"must name the language of each of the {len(found)} files; got {len(names)}"
            raise UserError(f"{key}.languages", f"{what}; use a list such as dut,dut,ice")
        return list(zip(found, names or [""] * len(found), strict=True)) if found else []
    if len(set(names)) < len(names):
        raise UserError(f"{key}.languages", f"has a language twice: {languages}; remove one")
    pairs: list[tuple[str, str]] = []
    for pattern in patterns:
        if LANGUAGE_PLACEHOLDER not in pattern:
            what = f"has names with {LANGUAGE_PLACEHOLDER} and others, such as {pattern}"
            raise UserError(f"{key}.{name}", f"{what}; use it in all names, or in none")
        pairs += _named_files(pattern, names) if names else _files_of_any_language(pattern, key)
    return pairs


def _named_files(pattern: str, languages: list[str]) -> list[tuple[str, str]]:
    return [
        (file, language)
        for language in languages
        for file in _expand(pattern.replace(LANGUAGE_PLACEHOLDER, glob.escape(language)))
    ]


def _files_of_any_language(pattern: str, key: str) -> list[tuple[str, str]]:
    expression = _to_expression(os.path.expanduser(pattern))
    found = []
    for file in _expand(pattern.replace(LANGUAGE_PLACEHOLDER, "*")):
        if match := re.fullmatch(expression, file):
            found.append((file, check_language(match["language"], f"{key}.languages")))
    if not found:
        raise UserError(pattern, "matches no file; use the name of a file or another pattern")
    return found


_WILDCARDS = {"**/": "(?:.+/)?", "**": ".+", "*": "[^/]*", "?": "[^/]"}


def _expand(name: str) -> list[str]:
    return split_file_names(name.replace(",", "\\,"))


def _to_expression(pattern: str) -> str:
    """Return the regular expression of a name with wildcards and `{language}`."""
    escaped = re.escape(pattern).replace(re.escape(LANGUAGE_PLACEHOLDER), LANGUAGE_PLACEHOLDER)
    for wildcard, expression in _WILDCARDS.items():
        escaped = escaped.replace(re.escape(wildcard), expression)
    first, *others = escaped.split(LANGUAGE_PLACEHOLDER)
    return f"{first}(?P<language>[^/]+)" + "(?P=language)".join(others)
