"""Arrays in a `.npz` file that plain numpy reads, without pickle; written one after the other."""

import os
import zipfile
from pathlib import Path

import numpy as np

from seq2seq_jax.utils.errors import UserError

__all__ = ["ArrayFile"]


class ArrayFile:
    """What `numpy.savez` writes, but only one array has to be in memory.

    The file has its name when it is closed; until then it is `NAME.partial`.
    """

    def __init__(self, path: str | os.PathLike):
        """Raises UserError if the file cannot be made; its folder is."""
        self.path = Path(path)
        self._partial = Path(f"{path}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._zip = zipfile.ZipFile(self._partial, "w")
        except OSError as error:
            raise UserError(str(path), f"cannot be written ({error.strerror or error})") from error

    def add(self, name: str, array: np.ndarray) -> None:
        """Appends one array under a name that was not used before."""
        entry = zipfile.ZipInfo(f"{name}.npy")  # with a fixed date: the same bytes each time
        with self._zip.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)

    def close(self) -> None:
        self._zip.close()
        os.replace(self._partial, self.path)
