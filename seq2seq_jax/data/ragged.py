"""Rows of different lengths, concatenated in one flat array."""

import dataclasses
from array import array
from collections.abc import Iterable
from typing import Protocol

import numpy as np


class Rows(Protocol):
    """Rows of ids, however they are stored: `Ragged`, or `corpus.TokenRows`."""

    @property
    def lengths(self) -> np.ndarray:
        """[N], the length of each row."""
        ...

    def __len__(self) -> int: ...

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copy rows into a matrix, as `Ragged.padded` does."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """N rows of ids: row i is `ids[offsets[i]:offsets[i + 1]]`.

    Attributes:
      ids: [sum of the lengths], int32.
      offsets: [N + 1], int64, from 0.

    Example:
      >>> rows = Ragged.from_rows([[5, 6, 7], [8]])
      >>> rows.lengths.tolist()
      [3, 1]
      >>> ids, lengths = rows.padded(np.array([0, 1]), width=4)
      >>> ids.tolist()
      [[5, 6, 7, 0], [8, 0, 0, 0]]
    """

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_rows(cls, rows: Iterable[list[int]]) -> "Ragged":
        """Concatenate rows one by one, so that they need not exist all at once.

        Args:
          rows: Lists of ids.

        Returns:
          The same rows, with four bytes per id.
        """
        ids, offsets = array("i"), array("q", [0])
        for row in rows:
            ids.fromlist(row)
            offsets.append(len(ids))
        return cls(np.array(ids, np.int32), np.array(offsets, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """[N] int64, the length of each row."""
        return np.diff(self.offsets)

    def first_ids(self) -> np.ndarray:
        """Return [N] int32, the first id of each row; no row may be empty."""
        return np.asarray(self.ids[self.offsets[:-1]], np.int32)

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copy rows into a matrix and pad them with id 0.

        Args:
          rows: [R] indices of rows, none of them longer than `width`.
          width: The number of columns of the matrix.
          num_rows: The number of rows of the matrix; None: R. Rows beyond R have length 0.

        Returns:
          ids [num_rows, width] int32 and lengths [num_rows] int32.
        """
        count = len(rows) if num_rows is None else num_rows
        ids, lengths = np.zeros((count, width), np.int32), np.zeros(count, np.int32)
        starts = self.offsets[rows]
        lengths[: len(rows)] = self.offsets[rows + 1] - starts
        columns = np.arange(width)
        inside = columns < lengths[: len(rows), None]
        # Beyond the end of a row, `take` reads the next rows, or clips at the end of the array;
        # `inside` leaves these values out.
        if self.ids.size:
            read = self.ids.take(starts[:, None] + columns, mode="clip")
            np.copyto(ids[: len(rows)], read, where=inside)
        return ids, lengths
