"""A configuration that remembers which of its keys were written, as opposed to filled in."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from ml_collections import ConfigDict


class WrittenConfig(ConfigDict):  # type: ignore[misc]
    """A ConfigDict that records assignments to it and to its groups.

    A plain ConfigDict, or a group that was assigned as a whole, counts as written in all its keys.

    Example:
      >>> config = WrittenConfig.of({"seed": 0, "optimizer": {"learning_rate": 1e-4}})
      >>> config.optimizer.learning_rate = 1e-4
      >>> written_keys(config)
      {'optimizer.learning_rate'}
    """

    def __init__(
        self,
        initial_dictionary: Mapping[str, object] | None = None,
        type_safe: bool = True,
        **options: object,
    ) -> None:
        """Create a configuration whose keys all count as written.

        Args:
          initial_dictionary: The keys and values.
          type_safe: Whether later values must have the types of the former ones.
          **options: Further arguments of ConfigDict.
        """
        object.__setattr__(self, "_written", set())
        super().__init__(initial_dictionary, type_safe, **options)

    @classmethod
    def of(
        cls,
        values: Mapping[str, object],
        is_written: Callable[[str], bool] = lambda key: False,
        type_safe: bool = True,
    ) -> "WrittenConfig":
        """Create a configuration in which only some keys count as written.

        Args:
          values: The keys and values; a mapping becomes a group.
          is_written: Tells for the dotted key of a leaf whether it counts as written.
          type_safe: As for ConfigDict.

        Returns:
          The configuration; its groups record assignments too.
        """

        def group(values: Mapping[str, object], where: str) -> "WrittenConfig":
            config = cls(type_safe=type_safe)
            for name, value in values.items():
                key = f"{where}{name}"
                config[name] = group(value, f"{key}.") if isinstance(value, Mapping) else value
                if isinstance(value, Mapping) or not is_written(key):
                    config._written.discard(name)
            return config

        return group(values, "")

    def __setitem__(self, key: str, value: object) -> None:
        """Set a value and record the key as written."""
        super().__setitem__(key, value)
        self._written.add(key)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the values and the record."""
        super().__setstate__(state)
        object.__setattr__(self, "_written", set(state["_written"]))

    def __eq__(self, other: object) -> bool:
        """Compare the values; the record does not count."""
        return isinstance(other, ConfigDict) and ConfigDict.__eq__(_plain(self), _plain(other))

    def __ne__(self, other: object) -> bool:
        """Compare the values; the record does not count."""
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def copy_and_resolve_references(self, visit_map: dict[int, object] | None = None) -> Self:
        """Copy the configuration with its record."""
        copied: Self = super().copy_and_resolve_references(visit_map)
        object.__setattr__(copied, "_written", set(self._written))
        return copied

    def is_recorded(self, name: str) -> bool:
        """Return whether `name`, which is no dotted key, was assigned."""
        return name in self._written


def written_keys(config: ConfigDict) -> set[str]:
    """Return the dotted keys of all leaves that were written.

    Args:
      config: A configuration. An empty group that was assigned is a leaf.
    """
    return set(_written_leaves(config, "", whole=False))


def _written_leaves(config: ConfigDict, where: str, whole: bool) -> Iterator[str]:
    recorded = config if isinstance(config, WrittenConfig) and not whole else None
    for name, value in config.items():
        is_written = recorded is None or recorded.is_recorded(name)
        if isinstance(value, ConfigDict) and len(value):
            yield from _written_leaves(value, f"{where}{name}.", is_written)
        elif is_written:
            yield f"{where}{name}"


def _plain(config: ConfigDict) -> ConfigDict:
    return ConfigDict(config.to_dict(), type_safe=config.is_type_safe)
