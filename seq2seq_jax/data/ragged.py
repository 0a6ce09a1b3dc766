"""Rows of unequal length, end to end in one flat array."""

import dataclasses
from array import array
from collections.abc import Iterable
from typing import Protocol

import numpy as np


class Rows(Protocol):
    """Rows of ids, however they are kept: `Ragged` here, `Sentences` in `corpus`."""

    @property
    def lengths(self) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """N rows of ids: row i is `ids[offsets[i]:offsets[i + 1]]`.

    Attributes:
      ids: [sum of the lengths], int32.
      offsets: [N + 1], int64, from 0.
    """

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_rows(cls, rows: Iterable[list[int]]) -> "Ragged":
        """Packs rows one by one; they need not exist all at once."""
        builder = RaggedBuilder()
        for row in rows:
            builder.append(row)
        return builder.build()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """[N], int64."""
        return np.diff(self.offsets)

    def padded(
        self, rows: np.ndarray, width: int, num_rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copies rows into a matrix, padded with id 0.

        Args:
          rows: [R] indices, none longer than `width`.
          width: columns of the matrix.
          num_rows: rows of the matrix (R if not given); those behind R stay empty.

        Returns:
          ids [num_rows, width] int32 and lengths [num_rows] int32.
        """
        count = len(rows) if num_rows is None else num_rows
        ids, lengths = np.zeros((count, width), np.int32), np.zeros(count, np.int32)
        starts = self.offsets[rows]
        lengths[: len(rows)] = self.offsets[rows + 1] - starts
        columns = np.arange(width)
        inside = columns < lengths[: len(rows), None]
        # Slots behind a row's end would read the next rows (or clip at the array's end): where
        # `inside` is false, what is read there is not taken.
        if self.ids.size:
            read = self.ids.take(starts[:, None] + columns, mode="clip")
            np.copyto(ids[: len(rows)], read, where=inside)
        return ids, lengths


class RaggedBuilder:
    """Collects rows into a `Ragged`, four bytes an id."""

    def __init__(self) -> None:
        self._ids = array("i")
        self._offsets = array("q", [0])

    def append(self, row: list[int]) -> None:
        self._ids.fromlist(row)
        self._offsets.append(len(self._ids))

    def build(self) -> Ragged:
        return Ragged(np.array(self._ids, np.int32), np.array(self._offsets, np.int64))
