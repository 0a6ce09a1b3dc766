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
      order: The names of groups in the order of their results; others follow.
    """

    name: str
    groups: Sequence[Collection[str]]
    macro_average: bool = False
    order: Sequence[str] = ()

    def members(self) -> dict[str, list[int]]:
        """Return the indices of the sources of each group, in `order` or that of first appearance.

        Example:
          >>> Grouping("feature", [("PL", "NOM"), ("SG", "NOM"), ()]).members()
          {'PL': [0], 'NOM': [0, 1], 'SG': [1]}
        """
        members: dict[str, list[int]] = {}
        for index, names in enumerate(self.groups):
            for name in names:
                members.setdefault(name, []).append(index)
        ordered = [name for name in self.order if name in members]
        return {name: members[name] for name in dict.fromkeys([*ordered, *members])}
