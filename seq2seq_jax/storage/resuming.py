"""The check that a run resumes with the configuration that it was started with."""

from collections.abc import Collection

from ml_collections import ConfigDict

from seq2seq_jax.config import (
    changed_values,
    check_changes,
    diff_configs,
    resolve,
    trusted_names,
)
from seq2seq_jax.storage.workdir import Workdir


def check_same_configuration(
    workdir: Workdir, config: ConfigDict, allow_changes: Collection[str] = ()
) -> dict[str, list[object]]:
    """Check that a run is resumed with the configuration that it was started with.

    Keys that did not exist when the run was started count as having their defaults.

    Args:
      workdir: The run's directory, which may not exist yet.
      config: A resolved configuration.
      allow_changes: Keys that may change, with all keys below them.

    Returns:
      The allowed changes: dotted key -> old and new value.

    Raises:
      UserError: Keys that matter to training differ from the workdir's configuration.
    """
    stored, different = config, list[str]()
    if workdir.config_file.exists():
        trust = workdir.trust is True or trusted_names(config)
        stored = resolve(Workdir(workdir.path, trust).config())
        different = diff_configs(stored, config)
    check_changes(different, allow_changes, str(workdir.config_file), str(workdir.path))
    return changed_values(stored, config, different)
