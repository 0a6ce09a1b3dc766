"""Buckets: the few shapes that batches have.

Every shape costs one compilation, every padded slot costs time. Buckets are nested
rectangles (S_0, T_0) <= (S_1, T_1) <= ...: a pair goes into the first one that holds both its
source and its target. Which rectangles pad least is found exactly, by dynamic programming.
"""

import dataclasses
import math
from itertools import pairwise

import numpy as np

from seq2seq_jax.utils.errors import UserError

MAX_BUCKETS = 8
MIN_SAVING = 0.02  # one more bucket must save this share of the slots
MAX_GRID = 32  # widths tried on each side


@dataclasses.dataclass(frozen=True)
class Buckets:
    """
    Attributes:
      shapes: widths of source and target; neither shrinks from one bucket to the next.
      rows: of a batch of each bucket.
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
        """The first bucket that holds each pair.

        Args:
          source_lengths, target_lengths: [N], special tokens included.

        Returns:
          [N] indices into `shapes`.

        Raises:
          ValueError: a pair fits into none.
        """
        sources, targets = np.array(self.shapes).T
        index = np.maximum(
            np.searchsorted(sources, source_lengths), np.searchsorted(targets, target_lengths)
        )
        if index.size and index.max() >= len(self):
            raise ValueError(f"a pair is larger than the largest bucket, {self.shapes[-1]}")
        return index

    def covering(self, source_length: int, target_length: int) -> "Buckets":
        """These buckets and, if none holds such a pair, one more that does."""
        s, t = self.shapes[-1]
        if source_length <= s and target_length <= t:
            return self
        larger = max(s, source_length), max(t, target_length)
        return Buckets((*self.shapes, larger), (*self.rows, self.rows[-1]))


@dataclasses.dataclass(frozen=True)
class BatchRows:
    """How many rows a batch has: `sentences`; or, if `tokens` is above 0, as many as fit into so
    many slots on the wider side, in whole eights where that is possible."""

    sentences: int = 1
    tokens: int = 0
    unit: int = 1

    def of(self, source_width: np.ndarray, target_width: np.ndarray) -> np.ndarray:
        """Rows of batches of these widths; arrays of one shape."""
        if not self.tokens:
            return np.full_like(source_width, self.sentences)
        rows = self.tokens // np.maximum(source_width, target_width)
        coarse = math.lcm(8, self.unit)
        fine = np.maximum(rows // self.unit, 1) * self.unit
        return np.where(rows >= coarse, rows // coarse * coarse, fine)


ONE_ROW = BatchRows()


def make_buckets(
    boundaries: str,
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    *,
    batch_size: int,
    batch_tokens: int = 0,
    unit: int = 1,
) -> Buckets:
    """`buckets_from_boundaries`, or, if none are given, `choose_buckets`; the other arguments are
    those of `BatchRows`."""
    rows = BatchRows(batch_size, batch_tokens, unit)
    if boundaries:
        return buckets_from_boundaries(boundaries, source_lengths, target_lengths, rows)
    return choose_buckets(source_lengths, target_lengths, rows)


def choose_buckets(
    source_lengths: np.ndarray, target_lengths: np.ndarray, rows: BatchRows = ONE_ROW
) -> Buckets:
    """Chooses the buckets that need the fewest slots for these pairs.

    Slots are counted in whole batches, the unused rows of each bucket's last batch included.
    Buckets are added as long as one more saves 2 % of the slots; there are at most 8.

    Args:
      source_lengths, target_lengths: [N], special tokens included; N > 0.
      rows: of a batch.
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


def buckets_from_boundaries(
    boundaries: str,
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    rows: BatchRows = ONE_ROW,
) -> Buckets:
    """Buckets with given source widths; the target widths are those that need fewest slots.

    Args:
      boundaries: source widths, END included, as "10,20,30,40". Longer sources get one bucket
        more; widths beyond the longest source are not needed.
      source_lengths, target_lengths, rows: as for `choose_buckets`.

    Raises:
      UserError: boundaries are not increasing positive numbers.
    """
    widths = parse_boundaries(boundaries)
    longest = int(source_lengths.max())
    widths = [width for width in widths if width < longest] + [longest]
    grid = _Grid(np.array(widths), _widths(target_lengths), source_lengths, target_lengths)
    plan = _Plan(grid, rows)
    for width in widths:
        plan.extend(only_source_width=width)
    return plan.buckets(len(widths))


def parse_boundaries(boundaries: str) -> list[int]:
    """Reads "10,20,30,40"; UserError at `buckets` unless positive and increasing."""
    try:
        widths = [int(part) for part in boundaries.split(",")]
        if widths[0] < 1 or any(b <= a for a, b in pairwise(widths)):
            raise ValueError
    except ValueError:
        raise UserError(
            "buckets",
            f"{boundaries!r} is not a list of increasing source lengths such as 10,20,30,40",
        ) from None
    return widths


class _Grid:
    """All candidate rectangles (P of them) and how many pairs each one holds."""

    def __init__(
        self,
        source_widths: np.ndarray,
        target_widths: np.ndarray,
        source_lengths: np.ndarray,
        target_lengths: np.ndarray,
    ):
        a = np.searchsorted(source_widths, source_lengths)
        b = np.searchsorted(target_widths, target_lengths)
        shape = len(source_widths), len(target_widths)
        cells = np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)
        self.held = cells.cumsum(0).cumsum(1).ravel()  # [P], pairs that fit into a rectangle
        self.sources = np.repeat(source_widths, shape[1])  # [P]
        self.targets = np.tile(target_widths, shape[0])  # [P]


class _Plan:
    """The dynamic programme: the fewest slots with exactly k buckets, k = 1, 2, ...

    With k buckets of which p is the largest, best_k[p] = min over q inside p of
    best_{k-1}[q] + slots(p, q), where slots(p, q) are the slots of the pairs that p holds and q
    does not.
    """

    def __init__(self, grid: _Grid, rows: BatchRows):
        self._grid = grid
        self._rows = rows.of(grid.sources, grid.targets)  # [P], of a batch
        inside = (grid.sources[None] <= grid.sources[:, None]) & (
            grid.targets[None] <= grid.targets[:, None]
        )
        taken = _whole_batches(grid.held[:, None] - grid.held[None], self._rows[:, None])
        width = (grid.sources + grid.targets)[:, None]
        self._slots = np.where(inside, width * taken, np.inf)  # [P, P], of p beyond q
        self._first = (width[:, 0] * _whole_batches(grid.held, self._rows)).astype(float)
        self._best: list[np.ndarray] = []  # [P] each
        self._inner: list[np.ndarray] = []  # [P] each, the q that was best for p
        self.totals: list[float] = []

    def extend(self, only_source_width: int | None = None) -> None:
        """Adds one bucket, of the given source width if one is given."""
        if self._best:
            candidates = self._best[-1][None] + self._slots
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
        """The best `count` buckets that hold all pairs; ones that hold none are left out."""
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
    return -(-pairs // rows) * rows


def _widths(lengths: np.ndarray) -> np.ndarray:
    """Candidate widths: every length that occurs or, of many, some where pairs are dense and some
    evenly spread; the longest always."""
    occurring = np.unique(lengths)
    if len(occurring) <= MAX_GRID:
        return occurring
    shares = np.linspace(0, 1, MAX_GRID // 2)
    dense = np.quantile(lengths, shares, method="higher")
    spread = occurring[np.ceil(shares * (len(occurring) - 1)).astype(int)]
    return np.union1d(dense, spread).astype(occurring.dtype)
