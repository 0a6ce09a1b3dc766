"""Mixtures of corpora: how often an epoch contains the examples of each corpus."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.report import report_line
from seq2seq_jax.utils.errors import UserError


class Stage(NamedTuple):
    """Weights from an epoch on.

    Attributes:
      epoch: The first epoch, from 0.
      weights: A weight for each corpus.
    """

    epoch: int
    weights: tuple[float, ...]


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Return the stages of the key `corpora.weights`.

    Args:
      text: A value that fulfils the rule of the key.

    Example:
      >>> parse_stages("1,3;5:0,1")
      (Stage(epoch=0, weights=(1.0, 3.0)), Stage(epoch=5, weights=(0.0, 1.0)))
    """
    stages = []
    for part in text.split(";"):
        epoch, _, weights = part.rpartition(":")
        stages.append(Stage(int(epoch or 0), tuple(map(float, weights.split(",")))))
    return tuple(stages)


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Corpora, one after the other in a list of examples, and their weights by epoch.

    Attributes:
      names: The names of the corpora.
      sizes: Their numbers of examples.
      stages: Their weights, in ascending order of epochs, the first from epoch 0.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        """Check that there is a weight for each corpus, and an example in each stage."""
        epochs = [stage.epoch for stage in self.stages]
        if epochs != sorted(set(epochs)) or epochs[0] != 0:
            what = f"has epochs {', '.join(map(str, epochs))}; use ascending ones, the first from 0"
            raise UserError("corpora.weights", what)
        for stage in self.stages:
            if len(stage.weights) != len(self.names):
                what = f"has {len(stage.weights)} weights, but there are {len(self.names)} files"
                raise UserError("corpora.weights", f"{what}; use one for each")
            if not sum(self.counts(stage.epoch)):
                what = f"leaves no example in epoch {stage.epoch}; use larger weights"
                raise UserError("corpora.weights", what)

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Return the weights of an epoch, which counts from 0."""
        return [stage for stage in self.stages if stage.epoch <= epoch][-1].weights

    def counts(self, epoch: int) -> list[int]:
        """Return the number of examples that each corpus contributes to an epoch."""
        return [
            math.floor(weight) * size + round((weight - math.floor(weight)) * size)
            for weight, size in zip(self.weights(epoch), self.sizes, strict=True)
        ]

    def examples(self, epoch: int, seed: int) -> np.ndarray:
        """Return the indices of the examples of an epoch, in ascending order.

        Args:
          epoch: The epoch, from 0.
          seed: Chooses the examples of fractions, together with the epoch.
        """
        parts, start = [], 0
        for corpus, (count, size) in enumerate(zip(self.counts(epoch), self.sizes, strict=True)):
            whole, rest = divmod(count, size) if size else (0, 0)
            order = np.arange(size)
            if rest:
                random = np.random.PCG64(np.random.SeedSequence([seed, epoch, 1 + corpus]))
                order = np.argsort(random.random_raw(size), kind="stable")
            chosen = np.concatenate([np.tile(np.arange(size), whole), order[:rest]])
            parts.append(start + np.sort(chosen))
            start += size
        return np.concatenate(parts)

    def count_by_corpus(self, examples: Sequence[np.ndarray]) -> list[int]:
        """Return how many examples belong to each corpus.

        Args:
          examples: Indices of examples, of several batches.
        """
        starts = np.cumsum([0, *self.sizes])
        indices = np.concatenate([np.zeros(0, int), *examples])
        return [
            int(np.count_nonzero((indices >= low) & (indices < high)))
            for low, high in itertools.pairwise(starts)
        ]

    def report(self) -> str:
        """Return lines that say what each corpus contributes to the epochs of each stage."""
        lines = []
        for stage in self.stages:
            counts = self.counts(stage.epoch)
            head = f"from epoch {stage.epoch}" if stage.epoch else "examples in an epoch"
            lines.append(report_line("Corpora", head))
            for i, name in enumerate(self.names):
                share = counts[i] / sum(counts)
                what = (
                    f"{counts[i]:,} of {self.sizes[i]:,} (weight {stage.weights[i]:g}), {share:.1%}"
                )
                lines.append(report_line(f"  {name}", what))
        return "\n".join(lines)


def format_contributions(names: Sequence[str], counts: Sequence[int]) -> str:
    """Return what each corpus contributed: "a.tsv 120 (60.0%), b.tsv 80 (40.0%)".

    Args:
      names: The names of the corpora.
      counts: The number of examples that were used of each.
    """
    total = max(1, sum(counts))
    parts = zip(names, counts, strict=True)
    return ", ".join(f"{name} {count:,} ({count / total:.1%})" for name, count in parts)
