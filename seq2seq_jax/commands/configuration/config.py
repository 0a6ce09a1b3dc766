"""The command `config`."""

import argparse

from seq2seq_jax.commands.run_arguments import add_workdir, open_workdir, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.config.recipes import NO_CONFIG
from seq2seq_jax.utils.errors import UserError

HELP = "Print a complete configuration with the meaning of each key."
EXAMPLES = (
    "config --config=g2p",
    "config --config=nmt:large --config.batch_size=64 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="A recipe or a Python file, as for train.",
    )
    add_workdir(parser)
    parser.add_argument("--json", action="store_true", help="Print JSON, without the meanings.")


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Print the resolved configuration as YAML with comments, or as JSON.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a configuration key is wrong.
    """
    import json

    from seq2seq_jax.config import explain, load_config, resolve

    if arguments.config:
        config = load_config(arguments.config, trust_of(arguments, overrides))
    elif arguments.workdir:
        config = open_workdir(arguments, overrides).config()
    else:
        raise UserError("--config", NO_CONFIG)
    if arguments.json:
        print(json.dumps(resolve(config, overrides).to_dict(), indent=2, ensure_ascii=False))
    else:
        print(explain(config, overrides))
