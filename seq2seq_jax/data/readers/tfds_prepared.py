"""Datasets that tensorflow-datasets has prepared in DATA_DIR/NAME[/CONFIG]/VERSION.

They are found by their files alone. The library itself would first import the code that prepared a
dataset and, with it, often TensorFlow.
"""

import importlib
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command


def load_dataset_info(name: str, data_dir: str, key: str) -> Any:
    """Load the description of a prepared dataset.

    Args:
      name: NAME, NAME/CONFIG, or either of them with :VERSION; a number of the version can be `*`.
        Without a version, the latest one is used.
      data_dir: As in `data_root`.
      key: The dotted key of the name, for error messages.

    Returns:
      A `tfds.core.DatasetInfo`.

    Raises:
      UserError: The dataset is not prepared there, is damaged, or is neither array_record nor
        TFRecord.
    """
    directory = _find_directory(name, data_dir, key)
    tfds = import_tfds(key)
    try:
        info = tfds.builder_from_directory(str(directory)).info
    except Exception as error:  # the library reports damaged files with many types of errors
        what = f"is not a dataset of tensorflow-datasets ({_first_line(error)})"
        raise UserError(str(directory), what) from error
    if info.file_format and info.file_format.value not in _READABLE:
        raise UserError(
            str(directory),
            f"has {info.file_format.value} files, but only {' and '.join(_READABLE)} can be read;"
            f" prepare it in another data_dir: {_preparation_command(name, 'ANOTHER')}",
        )
    return info


def split_file_instructions(info: Any, split: str, key: str) -> list[Any]:
    """Find the files and the ranges of records of a split.

    Args:
      info: As `load_dataset_info` returns it.
      split: A split, or a part of one, as tensorflow-datasets writes it: "train[:1%]".
      key: The dotted key of the split, for error messages.

    Returns:
      The file instructions of tensorflow-datasets, with `filename`, `skip` and `take`.

    Raises:
      UserError: There is no such split, or it has no examples.
    """
    try:
        files: list[Any] = info.splits[split].file_instructions
    except Exception as error:
        valid = f"valid: {', '.join(info.splits)}, and slices such as train[:1%]"
        reason = _first_line(error)
        reason = "" if "Unknown split" in reason else f" ({reason})"
        raise UserError(key, f"no split {split!r} in {info.name}{reason}; {valid}") from error
    if sum(file.take for file in files) <= 0 or any(file.take < 0 for file in files):
        sizes = ", ".join(f"{name} {part.num_examples:,}" for name, part in info.splits.items())
        raise UserError(key, f"{split!r} has no examples; {info.name} has {sizes}")
    return files


def data_root(data_dir: str) -> Path:
    """Return the directory of prepared datasets.

    Args:
      data_dir: The directory; empty: TFDS_DATA_DIR of the environment, or ~/tensorflow_datasets.

    Returns:
      The directory, with `~` expanded.
    """
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(root).expanduser()


def import_tfds(key: str) -> ModuleType:
    """Import tensorflow-datasets, which takes half a second and does not need TensorFlow.

    Args:
      key: The location for the error message.

    Returns:
      The library.

    Raises:
      UserError: It is not installed.
    """
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        what = f"needs tensorflow-datasets; use {install_command('tfds')}"
        raise UserError(key, what) from error


def _find_directory(name: str, data_dir: str, key: str) -> Path:
    match = _NAME.fullmatch(name)
    if not match:
        rule = "wmt16_translate/de-en or wmt16_translate/de-en:1.0.0"
        raise UserError(key, f"must be a name such as {rule}; got {name!r}")
    dataset, version = match["dataset"], match["version"]
    root = data_root(data_dir)
    versions = _versions(root / dataset)
    if not versions:
        raise UserError(key, _missing(dataset, name, root))
    matching = [found for found in versions if fnmatchcase(found, version or "*")]
    if not matching:
        valid = ", ".join(versions)
        raise UserError(key, f"{root / dataset} has no version {version}; valid: {valid}")
    return root / dataset / matching[-1]


def _preparation_command(name: str, data_dir: str | os.PathLike[str]) -> str:
    """Return the shell command that downloads a dataset and prepares it as array_record.

    The code that prepares published datasets usually calls TensorFlow. The command of the library,
    `tfds build`, would also need Apache Beam.
    """
    code = (
        f"import tensorflow_datasets as tfds; tfds.builder('{name}', data_dir='{data_dir}',"
        " file_format='array_record').download_and_prepare()"
    )
    return f'{install_command("tfds", "tf")} && python -c "{code}"'


_READABLE = ("array_record", "tfrecord")
_NAME = re.compile(r"(?P<dataset>\w+(/[^/:]+)?)(:(?P<version>(\d+|\*)\.(\d+|\*)\.(\d+|\*)))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def _versions(directory: Path) -> list[str]:
    """Return the versions in a directory, the latest last, without incomplete ones."""
    found = [
        info.parent.name
        for info in directory.glob("*/dataset_info.json")
        if _VERSION.fullmatch(info.parent.name)
    ]
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


def _missing(dataset: str, name: str, root: Path) -> str:
    configs = sorted(path.name for path in (root / dataset).glob("*") if _versions(path))
    if configs and "/" not in dataset:
        valid = ", ".join(configs)
        return f"{root / dataset} has the configurations {valid}; use {dataset}/{configs[0]}"
    others = sorted(path.name for path in root.glob("*") if any(path.glob("**/dataset_info.json")))
    present = f" (present: {', '.join(others)})" if others else ""
    return (
        f"{name} is not prepared in {root}{present}, and nothing is downloaded automatically;"
        f" to prepare a published dataset: {_preparation_command(name, root.absolute())}"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
