"""What tensorflow-datasets knows of a data set that it has prepared, without TensorFlow."""

from typing import Any

from seq2seq_jax.data.readers.tfds_folder import import_tfds, preparation_command, prepared_folder
from seq2seq_jax.utils.errors import UserError


def dataset_info(name: str, data_dir: str, key: str) -> Any:
    """Its `tfds.core.DatasetInfo`.

    Args:
      name, data_dir: as of `tfds_folder.prepared_folder`.
      key: where the name stands in the configuration, for error messages.

    Raises:
      UserError: it is not prepared there, is damaged, or is neither array_record nor TFRecord.
    """
    folder = prepared_folder(name, data_dir, key)
    tfds = import_tfds(key)
    try:
        info = tfds.builder_from_directory(str(folder)).info
    except Exception as error:  # the library says in many ways that its files are damaged
        what = f"no dataset as tensorflow-datasets prepares it ({_first_line(error)})"
        raise UserError(str(folder), what) from error
    if info.file_format and info.file_format.value not in _READABLE:
        raise UserError(
            str(folder),
            f"its files are {info.file_format.value}, and {' and '.join(_READABLE)} can be read;"
            f" prepare it in another data_dir: {preparation_command(name, 'ANOTHER')}",
        )
    return info


def split_files(info: Any, split: str, key: str) -> list[Any]:
    """Which records of which files are the split's, as tensorflow-datasets' file instructions."""
    try:
        files = info.splits[split].file_instructions
    except Exception as error:
        there = f"there are {', '.join(info.splits)}, and slices such as train[:1%]"
        reason = _first_line(error)
        reason = "" if "Unknown split" in reason else f" ({reason})"
        raise UserError(key, f"no split {split!r} in {info.name}{reason}; {there}") from error
    if sum(file.take for file in files) <= 0 or any(file.take < 0 for file in files):
        sizes = ", ".join(f"{name} {part.num_examples:,}" for name, part in info.splits.items())
        raise UserError(key, f"{split!r} holds no example; {info.name} has {sizes}")
    return files


_READABLE = ("array_record", "tfrecord")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
