"""Arrays in a `.npz` file that plain numpy reads without pickle, written one after the other."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors


class ArrayFile:
    """A file like that of `numpy.savez`, for which only one array has to be in memory.

    The file gets its name when it is closed; until then it is `NAME.partial`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Create the file, and its directory.

        Args:
          path: The file.

        Raises:
          UserError: The file cannot be created.
        """
        self.path = Path(path)
        self._partial = Path(f"{path}.partial")
        self._has_failed = False
        with explain_write_errors(path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._zip = zipfile.ZipFile(self._partial, "w")

    def add(self, name: str, array: np.ndarray) -> None:
        """Append an array.

        Args:
          name: A name that was not used before.
          array: The array.

        Raises:
          UserError: The file cannot be written; what was written of it is removed.
        """
        entry = zipfile.ZipInfo(f"{name}.npy")  # Its date is fixed, so that the bytes are too.
        with self._removed_on_failure(), self._zip.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)

    def close(self) -> None:
        """Finish the file and give it its name, unless writing it has failed.

        Raises:
          UserError: The file cannot be written; what was written of it is removed.
        """
        if self._has_failed:
            return
        with self._removed_on_failure():
            self._zip.close()
            os.replace(self._partial, self.path)

    @contextmanager
    def _removed_on_failure(self) -> Iterator[None]:
        try:
            with explain_write_errors(self.path):
                yield
        except UserError:
            self._has_failed = True
            with suppress(OSError):  # Otherwise it closes itself when the program ends.
                self._zip.close()
            self._partial.unlink(missing_ok=True)
            raise
