"""The configuration: files, overrides, classes and rules. No class of a model is imported here.

`load_config` runs a config file, `split_overrides` takes the overrides off a command line,
`resolve` makes a complete and valid configuration of both, and `write_config` stores it. The
parameters of the built-in classes are read from `schema.json`, which `config.collect` writes.
"""

from seq2seq_jax.config.classes import import_dotted, resolve_class
from seq2seq_jax.config.files import (
    call_python_file,
    config_name,
    load_config,
    read_config,
    write_config,
)
from seq2seq_jax.config.overrides import split_overrides
from seq2seq_jax.config.resolution import default_config, explain, resolve, restore
from seq2seq_jax.config.resuming import (
    CHANGEABLE,
    RESUMABLE,
    changed_values,
    check_changes,
    diff_configs,
    flatten_config,
    is_changeable,
)
from seq2seq_jax.config.tf_seq2seq import read_tf_config
from seq2seq_jax.config.trust import Trust, trusted_names
from seq2seq_jax.config.validation import check_training

__all__ = [
    "CHANGEABLE",
    "RESUMABLE",
    "Trust",
    "call_python_file",
    "changed_values",
    "check_changes",
    "check_training",
    "config_name",
    "default_config",
    "diff_configs",
    "explain",
    "flatten_config",
    "import_dotted",
    "is_changeable",
    "load_config",
    "read_config",
    "read_tf_config",
    "resolve",
    "resolve_class",
    "restore",
    "split_overrides",
    "trusted_names",
    "write_config",
]
