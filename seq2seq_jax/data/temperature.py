"""Temperature sampling: epochs that draw more evenly from groups of different sizes.

Of N examples, n_g belong to group g, for example to a language. With temperature T its share of an
epoch is

  p_g = n_g ** (1 / T) / sum_h n_h ** (1 / T)

as in multilingual translation (Arivazhagan et al. 2019, arXiv:1907.05019): T = 1 keeps the sizes,
and a large T makes all groups equal. Each epoch has about N examples.
"""

import numpy as np


class TemperatureSampler:
    """Chooses the examples of each epoch, which depend only on the seed and the epoch.

    The examples of a group take turns: after any number of epochs, no example of a group and bucket
    was drawn more than once oftener than another one. Every epoch has the same number of examples
    in every bucket, and so the same number of batches.
    """

    def __init__(
        self, groups: np.ndarray, assigned: np.ndarray, *, temperature: float, seed: int
    ) -> None:
        """Divide the examples.

        Args:
          groups: [N], the group of each example.
          assigned: [N], the bucket of each example.
          temperature: T, at least 1.
          seed: Seed of the order in which examples take turns.
        """
        _, self._groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        shares = sizes ** (1 / temperature)
        # How many times an epoch holds each example of a group, on average.
        self._repeats = len(groups) * shares / shares.sum() / sizes
        random = np.random.PCG64(np.random.SeedSequence([seed, len(groups)]))
        turn = np.argsort(random.random_raw(len(groups)), kind="stable")
        strata = np.unique(np.stack([self._groups, assigned]), axis=1, return_inverse=True)[1]
        strata = strata.reshape(-1)[turn]
        order = turn[np.argsort(strata, kind="stable")]
        self._strata = np.split(order, np.cumsum(np.bincount(strata))[:-1])

    def examples(self, epoch: int) -> np.ndarray:
        """Return the indices of the examples of an epoch, sorted; some occur several times.

        Args:
          epoch: The number of the epoch, from 0.
        """
        chosen = []
        for members in self._strata:
            count = max(1, round(len(members) * self._repeats[self._groups[members[0]]]))
            chosen.append(members[(epoch * count + np.arange(count)) % len(members)])
        return np.sort(np.concatenate(chosen))
