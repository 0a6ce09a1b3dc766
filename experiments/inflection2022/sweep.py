"""All languages with data of a size: `sweep.py:small`, or some of them: `sweep.py:small,tur`.

The folder that INFLECTION2022 names (data/inflection2022, if it is not set) has
LANGUAGE_small.train, LANGUAGE_large.train and LANGUAGE.dev, plain or .gz.
"""

import os
from pathlib import Path

from seq2seq_jax.sweeps import Sweep
from seq2seq_jax.utils.errors import UserError

BASELINE_DEV = {"small": 42.59, "large": 60.04}
"""Size -> accuracy of the neural baseline on all items of all dev sets, in percent (Kodner et al.
2022, SIGMORPHON-UniMorph 2022 shared task 0: generalization and typologically diverse
morphological inflection)."""


def get_sweep(selection: str = "small") -> Sweep:
    size, names = select(selection)
    return Sweep(
        config=f"config.py:{size}",
        factors={
            "language": {
                name: {
                    "input_pipeline_train.params.files": str(data_file(f"{name}_{size}.train")),
                    "input_pipeline_dev.params.files": str(data_file(f"{name}.dev")),
                }
                for name in names
            }
        },
    )


def select(selection: str) -> tuple[str, list[str]]:
    """Return a size of training data and languages that have it.

    Args:
      selection: `small` or `large`, and optionally names of languages, with commas between them.

    Raises:
      UserError: There is no such size, or a language has no file of this size.
    """
    size, *names = selection.split(",")
    if size not in BASELINE_DEV:
        raise UserError(selection, "must begin with small or large, as in small,tur,kor")
    files = _folder().glob(f"*_{size}.train*")
    known = sorted({file.name.partition(f"_{size}.train")[0] for file in files})
    if not known or not set(names) <= set(known):
        what = f"has files of this size for these languages: {', '.join(known) or 'none'}"
        raise UserError(str(_folder()), f"{what}; set INFLECTION2022 to the folder of the data")
    return size, names or known


def data_file(name: str) -> Path:
    """Return a file of the data, plain or compressed.

    Args:
      name: Its name without .gz.
    """
    packed = _folder() / f"{name}.gz"
    return packed if packed.exists() else _folder() / name


def _folder() -> Path:
    return Path(os.environ.get("INFLECTION2022", "data/inflection2022"))
