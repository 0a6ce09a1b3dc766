"""Buckets: the few shapes that batches have.

Every shape costs one compilation, and every position of padding costs time. Buckets are nested
rectangles (S_0, T_0) <= (S_1, T_1) <= ...: a pair belongs to the first one that holds both its
source and its target. The rectangles with the least padding are found exactly, by dynamic
programming.
"""

import dataclasses
import math
from itertools import pairwise

import numpy as np

from seq2seq_jax.utils.errors import UserError

MAX_BUCKETS = 8
MIN_SAVING = 0.02  # share of the positions that one more bucket must save
MAX_GRID = 32  # widths that are tried on each side


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Nested shapes of batches, from the smallest to the largest.

    Attributes:
      shapes: (source width, target width) of each bucket; neither decreases.
      rows: The number of rows of a batch, by bucket.

    Example:
      >>> buckets = Buckets(shapes=((5, 6), (10, 12)), rows=(32, 32))
      >>> buckets.assign(np.array([3, 3]), np.array([4, 9])).tolist()
      [0, 1]
    """

    shapes: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.shapes):
            raise ValueError(f"{len(self.shapes)} buckets have {len(self.rows)} numbers of rows")
        for (s, t), (wider_s, wider_t) in pairwise(self.shapes):
            if wider_s < s or wider_t < t:
                raise ValueError(f"buckets are not nested: {self.shapes}")

    def __len__(self) -> int:
        return len(self.shapes)

    def assign(self, source_lengths: np.ndarray, target_lengths: np.ndarray) -> np.ndarray:
        """Find the first bucket that holds each pair.

        Args:
          source_lengths: [N], special tokens included.
          target_lengths: [N], likewise.

        Returns:
          [N] indices into `shapes`.

        Raises:
          ValueError: A pair fits into no bucket.
        """
        sources, targets = np.array(self.shapes).T
        index = np.maximum(
            np.searchsorted(sources, source_lengths), np.searchsorted(targets, target_lengths)
        )
        if index.size and index.max() >= len(self):
            raise ValueError(f"a pair is larger than the largest bucket, {self.shapes[-1]}")
        return index

    def covering(self, source_length: int, target_length: int) -> "Buckets":
        """Add a bucket if none of these holds a pair of the given lengths.

        Args:
          source_length: Length of the longest source.
          target_length: Length of the longest target.

        Returns:
          These buckets, or these and a larger one with as many rows as the last.
        """
        s, t = self.shapes[-1]
        if source_length <= s and target_length <= t:
            return self
        larger = max(s, source_length), max(t, target_length)
        return Buckets((*self.shapes, larger), (*self.rows, self.rows[-1]))


@dataclasses.dataclass(frozen=True)
class BatchRows:
    """The rule for the number of rows of a batch.

    Attributes:
      batch_size: The number of rows, if `batch_tokens` is 0.
      batch_tokens: If positive, a batch has as many rows as fit into this many positions on its
        wider side; a multiple of 8 where that is possible.
      multiple_of: The number of rows that `batch_tokens` allows is rounded down to a multiple of
        this, but never to 0.
    """

    batch_size: int = 1
    batch_tokens: int = 0
    multiple_of: int = 1

    def num_rows(self, source_width: np.ndarray, target_width: np.ndarray) -> np.ndarray:
        """Return the number of rows of batches of the given widths.

        Args:
          source_width: [P].
          target_width: [P].

        Returns:
          [P].
        """
        if not self.batch_tokens:
            return np.full_like(source_width, self.batch_size)
        rows: np.ndarray = self.batch_tokens // np.maximum(source_width, target_width)
        coarse = math.lcm(8, self.multiple_of)
        fine = np.maximum(rows // self.multiple_of, 1) * self.multiple_of
        return np.where(rows >= coarse, rows // coarse * coarse, fine)


ONE_ROW = BatchRows()


def make_buckets(
    boundaries: str,
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    rows: BatchRows = ONE_ROW,
) -> Buckets:
    """Return buckets with given source widths, or choose them from the data.

    Args:
      boundaries: Source widths, END included, such as "10,20,30,40"; the target widths are those
        that need the fewest positions. Longer sources get one more bucket; widths beyond the
        longest source are ignored. Or source and target widths, such as "10x12,20x24"; pairs that
        fit into none get one more bucket. Empty: as `choose_buckets` does.
      source_lengths: [N], special tokens included; N > 0.
      target_lengths: [N], likewise.
      rows: The rule for the number of rows of a batch.

    Returns:
      Buckets that hold all pairs.

    Raises:
      UserError: The boundaries are not increasing positive numbers.
    """
    if not boundaries:
        return choose_buckets(source_lengths, target_lengths, rows)
    shapes = parse_boundaries(boundaries)
    longest = int(source_lengths.max())
    if given := [(s, t) for s, t in shapes if t is not None]:
        counts = rows.num_rows(*np.array(given).T)
        return Buckets(tuple(given), tuple(map(int, counts))).covering(
            longest, int(target_lengths.max())
        )
    widths = [width for width, _ in shapes]
    widths = [width for width in widths if width < longest] + [longest]
    grid = _Grid(np.array(widths), _widths(target_lengths), source_lengths, target_lengths)
    plan = _Plan(grid, rows)
    for width in widths:
        plan.extend(only_source_width=width)
    return plan.buckets(len(widths))


def choose_buckets(
    source_lengths: np.ndarray, target_lengths: np.ndarray, rows: BatchRows = ONE_ROW
) -> Buckets:
    """Choose the buckets that need the fewest positions for these pairs.

    Positions are counted in whole batches, with the padding rows of each bucket's last batch. A
    bucket is added as long as it saves 2 % of the positions; there are at most 8.

    Args:
      source_lengths: [N], special tokens included; N > 0.
      target_lengths: [N], likewise.
      rows: The rule for the number of rows of a batch.

    Returns:
      Buckets that hold all pairs.

    Example:
      >>> lengths = np.array([4, 4, 4, 20])
      >>> choose_buckets(lengths, lengths).shapes
      ((4, 4), (20, 20))
    """
    grid = _Grid(_widths(source_lengths), _widths(target_lengths), source_lengths, target_lengths)
    plan = _Plan(grid, rows)
    plan.extend()
    while len(plan.totals) < MAX_BUCKETS:
        plan.extend()
        before, after = plan.totals[-2:]
        if before - after < MIN_SAVING * before:
            return plan.buckets(len(plan.totals) - 1)
    return plan.buckets(len(plan.totals))


def parse_boundaries(boundaries: str) -> list[tuple[int, int | None]]:
    """Parse a list of widths.

    Args:
      boundaries: Source widths, or source and target widths with an x between them, separated by
        commas.

    Returns:
      The source width and the target width, or None for it, of each bucket.

    Raises:
      UserError: At `buckets`, if they are not positive and increasing.

    Example:
      >>> parse_boundaries("10,20"), parse_boundaries("10x12,20x24")
      ([(10, None), (20, None)], [(10, 12), (20, 24)])
    """
    try:
        shapes = [[int(width) for width in part.split("x")] for part in boundaries.split(",")]
        if {len(shape) for shape in shapes} not in ({1}, {2}) or min(map(min, shapes)) < 1:
            raise ValueError
        for smaller, larger in pairwise(shapes):
            if smaller == larger or any(b < a for a, b in zip(smaller, larger, strict=True)):
                raise ValueError
        return [(shape[0], shape[1] if len(shape) == 2 else None) for shape in shapes]
    except ValueError:
        raise UserError(
            "buckets",
            "must be increasing source lengths such as 10,20,30,40, or source and target lengths"
            f" such as 10x12,20x24; got {boundaries!r}",
        ) from None


class _Grid:
    """All P candidate rectangles, and the number of pairs that each one holds."""

    def __init__(
        self,
        source_widths: np.ndarray,
        target_widths: np.ndarray,
        source_lengths: np.ndarray,
        target_lengths: np.ndarray,
    ) -> None:
        a = np.searchsorted(source_widths, source_lengths)
        b = np.searchsorted(target_widths, target_lengths)
        shape = len(source_widths), len(target_widths)
        cells = np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)
        self.held = cells.cumsum(0).cumsum(1).ravel()  # [P], pairs that fit into it
        self.sources = np.repeat(source_widths, shape[1])  # [P]
        self.targets = np.tile(target_widths, shape[0])  # [P]


class _Plan:
    """The dynamic program: the fewest positions with exactly k buckets, k = 1, 2, ...

    With k buckets of which p is the largest, best_k[p] = min over q inside p of
    best_{k-1}[q] + positions(p, q), where positions(p, q) are the positions of the pairs that p
    holds and q does not.
    """

    def __init__(self, grid: _Grid, rows: BatchRows) -> None:
        self._grid = grid
        self._rows = rows.num_rows(grid.sources, grid.targets)  # [P]
        inside = (grid.sources[None] <= grid.sources[:, None]) & (
            grid.targets[None] <= grid.targets[:, None]
        )
        taken = _whole_batches(grid.held[:, None] - grid.held[None], self._rows[:, None])
        width = (grid.sources + grid.targets)[:, None]
        self._positions = np.where(inside, width * taken, np.inf)  # [P, P], positions(p, q)
        self._first = (width[:, 0] * _whole_batches(grid.held, self._rows)).astype(float)
        self._best: list[np.ndarray] = []  # [P] each
        self._inner: list[np.ndarray] = []  # [P] each, the best q for p
        self.totals: list[float] = []

    def extend(self, only_source_width: int | None = None) -> None:
        """Add one bucket, of the given source width if there is one."""
        if self._best:
            candidates = self._best[-1][None] + self._positions
            inner = candidates.argmin(1)
            best = np.take_along_axis(candidates, inner[:, None], 1)[:, 0]
        else:
            inner = np.full(len(self._first), -1)
            best = self._first.copy()
        if only_source_width is not None:
            best[self._grid.sources != only_source_width] = np.inf
        self._best.append(best)
        self._inner.append(inner)
        self.totals.append(float(best[-1]))  # the last rectangle holds everything

    def buckets(self, count: int) -> Buckets:
        """Return the best `count` buckets that hold all pairs, without those that hold none."""
        point, chosen = len(self._first) - 1, []
        for inner in reversed(self._inner[:count]):
            within = int(inner[point])
            if self._grid.held[point] > (self._grid.held[within] if within >= 0 else 0):
                chosen.append(point)
            point = within
        chosen.reverse()
        return Buckets(
            tuple((int(self._grid.sources[p]), int(self._grid.targets[p])) for p in chosen),
            tuple(int(self._rows[p]) for p in chosen),
        )


def _whole_batches(pairs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.asarray(-(-pairs // rows) * rows)


def _widths(lengths: np.ndarray) -> np.ndarray:
    """Return the candidate widths, always with the longest length.

    These are all lengths that occur or, if there are too many, quantiles of the lengths together
    with evenly spaced ones.
    """
    occurring = np.unique(lengths)
    if len(occurring) <= MAX_GRID:
        return occurring
    fractions = np.linspace(0, 1, MAX_GRID // 2)
    dense = np.quantile(lengths, fractions, method="higher")
    even = occurring[np.ceil(fractions * (len(occurring) - 1)).astype(int)]
    return np.union1d(dense, even).astype(occurring.dtype)
