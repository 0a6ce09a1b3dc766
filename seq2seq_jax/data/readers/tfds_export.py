"""Export of parallel text as a dataset of tensorflow-datasets, with random access.

The files are array_record. Each example has the texts `source` and `target`, which the dataset
declares as its input and output. `tfds.data_source(name, split, data_dir=...)` and
`TFDSInputPipeline` read it; TensorFlow is needed neither to write nor to read it.

The usual builder of tensorflow-datasets keeps a split in memory, and needs TensorFlow for more than
1 GB. Its SequentialWriter, which is used here, keeps only the buffer of a shard, and preserves the
order of the pairs.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType

from seq2seq_jax.data.readers.input_pipeline import Example, TextExample, TextPair, to_example
from seq2seq_jax.data.readers.tfds_prepared import import_tfds
from seq2seq_jax.utils.atomic_io import atomic_directory
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import write_error
from seq2seq_jax.utils.logging import progress_count


def export_tfds(
    splits: Mapping[str, Iterable[Example]],
    name: str,
    data_dir: str | os.PathLike[str],
    *,
    version: str = "1.0.0",
    description: str = "",
) -> Path:
    """Write a dataset atomically: it is either complete or not there.

    Args:
      splits: The pairs of each split, by its name, which can be read several times. If they have
        features, the examples have a feature of this name too.
      name: The name of the dataset: lower-case letters, digits and underscores.
      data_dir: The directory of datasets.
      version: The version of the dataset, three numbers.
      description: A text for the users of the dataset.

    Returns:
      The directory data_dir/name/version.

    Raises:
      UserError: The dataset exists or cannot be written, a name or the version is invalid, or a
        split has no pairs.
    """
    _check_names(name, version, splits)
    directory = Path(data_dir).expanduser() / name / version
    tfds = import_tfds(str(directory))
    try:
        if directory.exists():
            raise FileExistsError
        with atomic_directory(directory) as partial:
            fields = _fields(splits.values())
            info = _info(tfds, name, version, description, partial, fields)
            _write(tfds, splits, info, fields)
    except FileExistsError as error:
        what = "exists; use another name or version, or remove it"
        raise UserError(str(directory), what) from error
    except OSError as error:
        raise write_error(directory, error) from error
    return directory


_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}")
_CHUNK = 1000  # pairs; the writer updates the description of the dataset after each chunk
_SHARD = 200_000  # pairs, about 40 MB of sentences


def _check_names(name: str, version: str, splits: Iterable[str]) -> None:
    for each in (name, *splits):
        if not _NAME.fullmatch(each):
            rule = "names of datasets and splits must be lower-case letters, digits and underscores"
            raise UserError(each or "name", f"{rule}; got {each!r}")
    if not _VERSION.fullmatch(version):
        raise UserError(name, f"the version must be three numbers such as 1.0.0; got {version!r}")


def _fields(splits: Iterable[Iterable[Example]]) -> Sequence[str]:
    """Return the names of the fields that the examples have."""
    width = max((len(next(iter(pairs), ())) for pairs in splits), default=0)
    return TextExample._fields[: max(width, len(TextPair._fields))]


def _info(
    tfds: ModuleType,
    name: str,
    version: str,
    description: str,
    directory: Path,
    fields: Sequence[str],
) -> object:
    identity = tfds.core.DatasetIdentity(
        name=name, version=tfds.core.Version(version), data_dir=str(directory), module_name=__name__
    )
    text = tfds.features.Text
    info: object = tfds.core.DatasetInfo(
        builder=identity,
        description=description,
        features=tfds.features.FeaturesDict({field: text() for field in fields}),
        supervised_keys=("source", "target"),
    )
    return info


def _write(
    tfds: ModuleType,
    splits: Mapping[str, Iterable[Example]],
    info: object,
    fields: Sequence[str],
) -> None:
    writer = tfds.core.SequentialWriter(info, _SHARD, file_format="array_record")
    writer.initialize_splits(list(splits))
    for split, pairs in splits.items():
        written = 0
        with progress_count(f"Writing {split}") as show:
            for some in _batched(pairs):
                examples = [dict(zip(fields, example, strict=False)) for example in some]
                writer.add_examples({split: examples})
                written += len(some)
                show(written)
        if not written:
            raise UserError(split, "has no pairs; a split needs at least one")
        writer.close_splits([split])


def _batched(pairs: Iterable[Example]) -> Iterator[list[TextExample]]:
    remaining = map(to_example, pairs)
    while some := list(islice(remaining, _CHUNK)):
        yield some
