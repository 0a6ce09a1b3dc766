"""Where tensorflow-datasets keeps what it has prepared: DATA_DIR/NAME[/CONFIG]/VERSION.

Found by its files alone. The library would import the code that prepared a dataset first, and with
that, often, TensorFlow.
"""

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

from seq2seq_jax.utils.errors import UserError


def prepared_folder(name: str, data_dir: str, key: str) -> Path:
    """The folder of a prepared dataset; of its latest version if none is asked for.

    Args:
      name: NAME, NAME/CONFIG or either with :VERSION behind it, in which * may stand for a number.
      data_dir: "" is tensorflow-datasets' own, as `data_root` says.
      key: where the name stands in the configuration, for error messages.

    Raises:
      UserError: it is not there; tells how to prepare it.
    """
    match = _NAME.fullmatch(name)
    if not match:
        rule = "wmt16_translate/de-en, or wmt16_translate/de-en:1.0.0"
        raise UserError(key, f"no dataset's name: {name!r}; as tensorflow-datasets has it, {rule}")
    dataset, wanted = match["dataset"], match["version"]
    root = data_root(data_dir)
    versions = _versions(root / dataset)
    if not versions:
        raise UserError(key, _missing(dataset, name, root))
    fitting = [version for version in versions if fnmatchcase(version, wanted or "*")]
    if not fitting:
        there = ", ".join(versions)
        raise UserError(key, f"{root / dataset} has no version {wanted}, but {there}")
    return root / dataset / fitting[-1]


def data_root(data_dir: str) -> Path:
    """`data_dir`; if that is empty, TFDS_DATA_DIR of the environment or ~/tensorflow_datasets."""
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(root).expanduser()


def import_tfds(key: str) -> ModuleType:
    """tensorflow-datasets, which takes half a second; it goes without TensorFlow.

    Raises:
      UserError: at `key`, if it is not installed.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        what = "needs tensorflow-datasets: pip install 'seq2seq-jax[tfds]'"
        raise UserError(key, what) from error
    return tensorflow_datasets


def preparation_command(name: str, data_dir: str | os.PathLike) -> str:
    """The shell command that downloads a dataset and prepares it as array_record.

    Most of those that are published are prepared by code that calls TensorFlow. The library's own
    command, `tfds build`, would need Apache Beam as well.
    """
    code = (
        f"import tensorflow_datasets as tfds; tfds.builder('{name}', data_dir='{data_dir}',"
        " file_format='array_record').download_and_prepare()"
    )
    return f"pip install 'seq2seq-jax[tfds,tf]' && python -c \"{code}\""


_NAME = re.compile(r"(?P<dataset>\w+(/[^/:]+)?)(:(?P<version>(\d+|\*)\.(\d+|\*)\.(\d+|\*)))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def _versions(folder: Path) -> list[str]:
    """The versions in a folder, the latest last. What a preparation that was killed leaves behind
    has another name."""
    found = [
        info.parent.name
        for info in folder.glob("*/dataset_info.json")
        if _VERSION.fullmatch(info.parent.name)
    ]
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


def _missing(dataset: str, name: str, root: Path) -> str:
    configs = sorted(path.name for path in (root / dataset).glob("*") if _versions(path))
    if configs and "/" not in dataset:
        there = ", ".join(configs)
        return f"{root / dataset} has the configurations {there}: name one, {dataset}/{configs[0]}"
    others = sorted(path.name for path in root.glob("*") if any(path.glob("**/dataset_info.json")))
    there = f" (there: {', '.join(others)})" if others else ""
    return (
        f"{name} is not prepared in {root}{there}, and nothing is downloaded unasked;"
        f" if tensorflow-datasets offers it: {preparation_command(name, root.absolute())}"
    )
