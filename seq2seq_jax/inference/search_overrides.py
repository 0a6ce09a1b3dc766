"""Keys of `inference` by their last names, as keywords in Python."""

from collections.abc import Mapping

from ml_collections import ConfigDict

from seq2seq_jax.schema.names import describe_unknown
from seq2seq_jax.utils.errors import UserError


def override_search(config: ConfigDict, options: Mapping[str, object]) -> ConfigDict:
    """Copy a configuration and set keys of `inference` in it.

    Args:
      config: A complete configuration.
      options: Values by the last names of the keys: `{"beam_width": 5}` sets
        `inference.beam_search.beam_width`; `sampling` is `inference.sampling.enable`.

    Returns:
      The copy, which is still to be resolved.

    Raises:
      UserError: There is no such key.
    """
    copied = config.copy_and_resolve_references()
    groups = _group_by_key(copied.inference)
    for name, value in options.items():
        if name not in groups:
            raise UserError(f"inference.{name}", describe_unknown("key", name, groups))
        with groups[name].ignore_type():  # `resolve` checks types, and names the key.
            groups[name]["enable" if name == "sampling" else name] = value
    return copied


def _group_by_key(inference: ConfigDict) -> dict[str, ConfigDict]:
    """Return the group to which each key belongs."""
    groups: dict[str, ConfigDict] = {}
    for name, value in inference.items():
        if isinstance(value, ConfigDict):
            groups |= {key: value for key in value if key != "enable"}
        else:
            groups[name] = inference
    return groups | {"sampling": inference["sampling"]}
