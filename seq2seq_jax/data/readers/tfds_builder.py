"""Parallel text as a dataset of tensorflow-datasets: prepared once, then read at random access.

The files are array_record, each text in the features `source` and `target`, which the dataset names
as its input and output. `tfds.data_source(name, split, data_dir=...)` reads it, and so does
`TFDSInputPipeline`; TensorFlow is needed neither to write nor to read it.

A builder of tensorflow-datasets' own kind holds a split in memory and needs TensorFlow beyond 1 GB.
Its SequentialWriter, used here, holds a shard's buffer and keeps the order of the pairs.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.readers.tfds_folder import import_tfds
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import progress_count


def prepare_tfds(
    splits: Mapping[str, Iterable[TextPair]],
    name: str,
    data_dir: str | os.PathLike,
    *,
    version: str = "1.0.0",
    description: str = "",
) -> Path:
    """Writes a dataset: all of it or, if this process dies, nothing that looks like one.

    Args:
      splits: the pairs of each split, by its name.
      name: of the dataset: lower-case letters, digits and underscores.
      data_dir: the folder of datasets that it becomes one of.
      description: what it is, for those who find it.

    Returns:
      The folder data_dir/name/version.

    Raises:
      UserError: it is there already, cannot be written, has such a name that tensorflow-datasets
        would not find it, or has a split without pairs.
    """
    _check_names(name, version, splits)
    folder = Path(data_dir).expanduser() / name / version
    if folder.exists():
        raise _there_already(folder)
    tfds = import_tfds(str(folder))
    # A folder whose name is no version is none to tensorflow-datasets.
    part = folder.parent / f"incomplete.{socket.gethostname()}.{os.getpid()}_{version}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(folder.parent)
        part.mkdir()
        try:
            _write(tfds, splits, _info(tfds, name, version, description, part))
            _take_place(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise UserError(str(folder), f"cannot be written ({error.strerror or error})") from error
    return folder


_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}")
_AT_ONCE = 1000  # pairs; the writer states anew what the dataset holds after each of these
_SHARD = 200_000  # pairs; about 40 MB of sentences


def _check_names(name: str, version: str, splits: Iterable[str]) -> None:
    for each in (name, *splits):
        if not _NAME.fullmatch(each):
            rule = "names of datasets and splits are lower-case letters, digits and underscores"
            raise UserError(each or "name", f"{rule}; got {each!r}")
    if not _VERSION.fullmatch(version):
        raise UserError(name, f"its version must be three numbers as in 1.0.0; got {version!r}")


def _info(tfds: Any, name: str, version: str, description: str, folder: Path) -> Any:
    identity = tfds.core.DatasetIdentity(
        name=name, version=tfds.core.Version(version), data_dir=str(folder), module_name=__name__
    )
    text = tfds.features.Text
    return tfds.core.DatasetInfo(
        builder=identity,
        description=description,
        features=tfds.features.FeaturesDict({"source": text(), "target": text()}),
        supervised_keys=("source", "target"),
    )


def _write(tfds: Any, splits: Mapping[str, Iterable[TextPair]], info: Any) -> None:
    writer = tfds.core.SequentialWriter(info, _SHARD, file_format="array_record")
    writer.initialize_splits(list(splits))
    for split, pairs in splits.items():
        written = 0
        with progress_count(f"writing {split}") as show:
            for some in _batched(pairs):
                writer.add_examples({split: [pair._asdict() for pair in some]})
                written += len(some)
                show(written)
        if not written:
            raise UserError(split, "has no pairs; a split needs at least one")
        writer.close_splits([split])


def _batched(pairs: Iterable[TextPair]) -> Iterator[list[TextPair]]:
    remaining = map(TextPair._make, pairs)
    while some := list(islice(remaining, _AT_ONCE)):
        yield some


def _take_place(part: Path, folder: Path) -> None:
    try:
        part.rename(folder)
    except OSError:
        if folder.exists():  # another process was quicker
            raise _there_already(folder) from None
        raise


def _there_already(folder: Path) -> UserError:
    return UserError(
        str(folder), "is there already; another name or version, or removing it, would do"
    )


def _clear_abandoned(folder: Path) -> None:
    """Removes what preparations left that were killed on this machine."""
    for part in folder.glob(f"incomplete.{socket.gethostname()}.*_*"):
        process = part.name.rpartition("_")[0].rpartition(".")[2]
        try:
            os.kill(int(process), 0)  # asks whether the process lives
        except ProcessLookupError:
            shutil.rmtree(part, ignore_errors=True)
        except (PermissionError, ValueError):  # another user's, or no such name
            pass
