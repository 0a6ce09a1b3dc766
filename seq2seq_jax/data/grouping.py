"""Groupings of the sources of a dev set, such as by language, for results of each group."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

MACRO = "macro"
"""Takes the place of a group in the names of macro averages: `language/macro/bleu`."""


class Grouping(NamedTuple):
    """Which groups each of M sources belongs to.

    Attributes:
      name: What the groups are: "language".
      groups: [M], the names of the groups of each source: none, one or several.
      macro_average: Whether the mean of the groups' results is a result as well, in which each
        group counts equally.
    """

    name: str
    groups: Sequence[Collection[str]]
    macro_average: bool = False

    def members(self) -> dict[str, list[int]]:
        """Return the indices of the sources of each group, in the order of first appearance.

        Example:
          >>> Grouping("feature", [("PL", "NOM"), ("SG", "NOM"), ()]).members()
          {'PL': [0], 'NOM': [0, 1], 'SG': [1]}
        """
        members: dict[str, list[int]] = {}
        for index, names in enumerate(self.groups):
            for name in names:
                members.setdefault(name, []).append(index)
        return members
