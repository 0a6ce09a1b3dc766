"""Pairs of texts from a dataset of HuggingFace: from disk, from its cache, or from the hub."""

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.schema.names import format_choices
from seq2seq_jax.schema.rules import COLUMN, NON_EMPTY
from seq2seq_jax.utils.archives import one_line
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command


class HuggingFaceInputPipeline:
    """Pairs of texts from two columns of a dataset of the library `datasets`.

    A nested column has a dotted name, as in translation.de. Line feeds become spaces, because texts
    are lines. Rows in which a column is empty or missing count as dropped pairs.
    """

    modality = "text"

    def __init__(
        self,
        name: str = "",
        path: str = "",
        subset: str = "",
        split: Annotated[str, NON_EMPTY] = "train",
        source_column: Annotated[str, COLUMN] = "source",
        target_column: Annotated[str, COLUMN] = "target",
        streaming: bool = False,
        *,
        key: str,
    ) -> None:
        """Open the dataset and find the columns.

        Args:
          name: A dataset of the hub or of its cache, as wmt/wmt16. It is downloaded if necessary,
            unless HF_DATASETS_OFFLINE is 1.
          path: A directory that save_to_disk wrote, instead of a name.
          subset: The configuration of the dataset, as de-en; empty: its default.
          split: The split, or a part of one, as train[:1%].
          source_column: Column of the sources.
          target_column: Column of the targets.
          streaming: Read the rows while they are downloaded, instead of downloading first.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: The library is not installed, or there is no such dataset, split or column.
        """
        params = {"name": name, "path": path, "streaming": streaming, "subset": subset}
        self.check_parameters(params, key)
        if importlib.util.find_spec("datasets") is None:
            what = f"needs the package datasets; use {install_command('datasets')}"
            raise UserError(key.removesuffix(".params") + ".class", what)
        self._where = path or name
        self._streaming = streaming
        self._columns = (source_column, target_column)
        self._data = _from_disk(path, split, key) if path else _load(params, split, key)
        self._check_columns(key)

    @staticmethod
    def check_parameters(params: Mapping[str, Any], key: str) -> None:
        """Check that there is a name or a path, without opening anything.

        Args:
          params: The parameters of the constructor.
          key: The dotted key of these parameters, for error messages.

        Raises:
          UserError: There is neither or both, or a dataset on disk is to be streamed.
        """
        name, path = params["name"], params["path"]
        if not name and not path:
            raise UserError(f"{key}.name", "is empty; use the name of a dataset, or path=DIR")
        if name and path:
            raise UserError(f"{key}.path", f"is {path}, but name is {name}; use only one of them")
        for other in ("streaming", "subset"):
            if path and params[other]:
                what = f"is {str(params[other]).lower()}, but path names a dataset on disk"
                raise UserError(f"{key}.{other}", f"{what}, which needs none; leave it out")

    def __iter__(self) -> Iterator[TextPair]:
        """Yield the pairs.

        Raises:
          UserError: A row cannot be read, or a column is no text.
        """
        rows = iter(self._data)
        number = 0
        while True:
            number += 1
            where = f"{self._where} row {number}"
            try:
                row = next(rows)
            except StopIteration:
                return
            except Exception as error:  # Arrow and networks fail in many ways.
                raise UserError(where, f"cannot be read ({one_line(error)})") from error
            yield TextPair(*(_text(row, column, where) for column in self._columns))

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the rows and the columns.

        The rows of a stream are known only when they are read.
        """
        digest = hashlib.sha256(repr(self._columns).encode())
        if self._streaming:
            for pair in self:
                digest.update(repr(tuple(pair)).encode())
        else:
            digest.update(self._data._fingerprint.encode())
        return digest.hexdigest()

    def _check_columns(self, key: str) -> None:
        features = self._data.features
        if features is None:  # A stream that does not declare them.
            return
        valid = sorted(_text_columns(features))
        for parameter, column in zip(
            ("source_column", "target_column"), self._columns, strict=True
        ):
            if column not in valid:
                what = f"{self._where} has no text column {column!r}"
                raise UserError(
                    f"{key}.{parameter}", f"{what}; use one of: {format_choices(valid)}"
                )


def _from_disk(path: str, split: str, key: str) -> Any:
    import datasets

    directory = Path(path).expanduser()
    if not directory.is_dir():
        raise UserError(f"{key}.path", f"{path} is no directory; use one that save_to_disk wrote")
    try:
        found = datasets.load_from_disk(str(directory))
    except Exception as error:
        what = f"{path} is no dataset that save_to_disk wrote ({one_line(error)})"
        raise UserError(f"{key}.path", f"{what}; use its directory") from error
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            what = f"{path} has no split {split!r}; use one of: {format_choices(found)}"
            raise UserError(f"{key}.split", what)
        return found[split]
    if split != "train":
        raise UserError(f"{key}.split", f"is {split}, but {path} has no splits; leave it out")
    return found


def _load(params: Mapping[str, Any], split: str, key: str) -> Any:
    import datasets

    name = params["name"]
    try:
        return datasets.load_dataset(
            name, params["subset"] or None, split=split, streaming=params["streaming"]
        )
    except Exception as error:
        what = f"{name} cannot be loaded ({one_line(error)})"
        remedy = "check the name, the subset and the split, or use path for a dataset on disk"
        raise UserError(f"{key}.name", f"{what}; {remedy}") from error


def _text_columns(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, feature in features.items():
        if getattr(feature, "dtype", "") in ("string", "large_string"):
            yield f"{prefix}{name}"
        elif isinstance(feature, Mapping):
            yield from _text_columns(feature, f"{prefix}{name}.")
        elif isinstance(getattr(feature, "languages", None), list | tuple):  # Translation
            yield from (f"{prefix}{name}.{language}" for language in feature.languages)


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    value: Any = row
    for part in column.split(".") if column not in row else [column]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(
            where, f"{column} is no text but {type(value).__name__}; use another column"
        )
    return " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
