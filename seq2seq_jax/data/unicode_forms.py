"""The Unicode normalization forms of files, for reports: a file in another form is other text."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from seq2seq_jax.data.languages import split_tag
from seq2seq_jax.data.readers.input_pipeline import Example

MAX_PAIRS = 100_000
"""The number of pairs of each file that are looked at; of a pipeline without files, a tenth."""

_SIDES = ("source", "target")


class TextForm:
    """The normalization form of texts, counted one by one.

    Example:
      >>> form = TextForm()
      >>> form.add("caf\u00e9")
      >>> str(form)
      'NFC'
      >>> form.add("cafe\u0301")
      >>> str(form)
      'mixed (1 of 2 texts is not NFC)'
    """

    def __init__(self) -> None:
        """Start without texts."""
        self._texts = self._not_nfc = self._not_nfd = 0

    def add(self, text: str) -> None:
        """Count a text.

        Args:
          text: The text.
        """
        self._texts += 1
        if not text.isascii():
            self._not_nfc += not unicodedata.is_normalized("NFC", text)
            self._not_nfd += not unicodedata.is_normalized("NFD", text)

    @property
    def name(self) -> str:
        """NFC, NFD, or mixed; empty if the texts have no character that tells."""
        if self._not_nfc and self._not_nfd:
            return "mixed"
        if self._not_nfc:
            return "NFD"
        return "NFC" if self._not_nfd else ""

    def __str__(self) -> str:
        if self.name == "mixed":
            verb = "is" if self._not_nfc == 1 else "are"
            return f"mixed ({self._not_nfc:,} of {self._texts:,} texts {verb} not NFC)"
        return self.name or "the same in NFC and NFD"


class FileForm(NamedTuple):
    """The form of one side of one file.

    Attributes:
      file: The name of the file.
      side: "source" or "target".
      form: Its form.
    """

    file: str
    side: str
    form: TextForm


class FormCounter:
    """Pairs that can be read only once, and their forms when they have been read."""

    def __init__(self, pairs: Iterator[Example], name: str) -> None:
        """Wrap an iterator.

        Args:
          pairs: The pairs.
          name: What they are read from.
        """
        self._pairs = pairs
        self.forms = [FileForm(name, side, TextForm()) for side in _SIDES]

    def __iter__(self) -> Iterator[Example]:
        """Yield the pairs, and count their forms."""
        for pair in self._pairs:
            for text, counted in zip(pair, self.forms, strict=False):
                counted.form.add(text)
            yield pair


def file_forms(pipeline: Iterable[Example], name: str) -> list[FileForm]:
    """Find the forms of the files of an input pipeline, from the first texts of each.

    Args:
      pipeline: The pipeline.
      name: Stands for the name of the file if the pipeline does not know its files.

    Returns:
      The form of each side of each file.

    Raises:
      UserError: A file cannot be read.
    """
    files: Iterable[tuple[tuple[str, str], Iterator[Example]]]
    if hasattr(pipeline, "pairs_of_files"):
        files, limit = pipeline.pairs_of_files(), MAX_PAIRS
    else:
        files, limit = [((name, name), iter(pipeline))], MAX_PAIRS // 10
    found = []
    for names, pairs in files:
        forms = TextForm(), TextForm()
        for source, target, *_ in islice(pairs, limit):
            forms[0].add(split_tag(source)[1])
            forms[1].add(target)
        found += [FileForm(*each) for each in zip(names, _SIDES, forms, strict=True)]
    return found


def format_forms(forms: Sequence[FileForm]) -> list[str]:
    """Return a line for each file.

    Args:
      forms: The forms.

    Example:
      >>> forms = [FileForm("a.tsv", side, TextForm()) for side in ("source", "target")]
      >>> format_forms(forms)
      ['a.tsv: sources and targets the same in NFC and NFD']
    """
    by_file: dict[str, dict[str, dict[str, None]]] = {}
    for file, side, form in forms:
        by_file.setdefault(file, {}).setdefault(str(form), {})[f"{side}s"] = None
    return [
        f"{file}: " + ", ".join(f"{' and '.join(sides)} {form}" for form, sides in found.items())
        for file, found in by_file.items()
    ]


def form_warnings(
    train: Sequence[FileForm], dev: Sequence[FileForm], normalized: Sequence[str] = ()
) -> list[str]:
    """Describe where the files of the dev set are in other forms than those of the training set.

    Args:
      train: The forms of the training set.
      dev: The forms of the dev set.
      normalized: The sides whose texts the model normalizes, for which forms do not matter.

    Returns:
      A sentence for each side that differs.
    """
    warnings = []
    for side in _SIDES:
        if side in normalized:
            continue
        names = [
            {one.form.name: one.file for one in forms if one.side == side and one.form.name}
            for forms in (train, dev)
        ]
        if not all(names) or names[0].keys() == names[1].keys():
            continue
        shown = (", ".join(f"{form} ({file})" for form, file in each.items()) for each in names)
        warnings.append(
            f"the {side}s of the training set are in the Unicode normalization form {next(shown)},"
            f" those of the dev set in {next(shown)}; use --config.{side}.normalization=NFC"
        )
    return warnings
