"""Overrides on the command line, such as `--config.optimizer.learning_rate=1e-3`."""

import ast
from collections.abc import Sequence

from seq2seq_jax.schema.keys import REQUIRED, UNSET, Key
from seq2seq_jax.utils.errors import UserError

Overrides = Sequence[tuple[str, str]]
"""(dotted key, text) pairs."""

HELP = "help"
"""The last part of an override that asks for a list of keys: `--config.encoder.help`."""

_PREFIX = "--config."
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def split_overrides(argv: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Separate the overrides of the configuration from the rest of a command line.

    Args:
      argv: Arguments, without the program's name. `--config.KEY=VALUE` and `--config.KEY VALUE` are
        overrides. Everything else, `--config=FILE` too, is left as it is.

    Returns:
      The overrides as pairs (dotted key, text) in their order, and the other arguments.

    Raises:
      UserError: An override has no value.

    Example:
      >>> split_overrides(["--config=configs/g2p.py", "--config.batch_size=64"])
      ([('batch_size', '64')], ['--config=configs/g2p.py'])
    """
    overrides, rest = [], []
    arguments = iter(argv)
    for argument in arguments:
        if not argument.startswith(_PREFIX):
            rest.append(argument)
            continue
        key, equals, text = argument.removeprefix(_PREFIX).partition("=")
        if key.split(".")[-1] == HELP:
            text = HELP
        elif not equals:
            following = next(arguments, "--")
            if following.startswith("--"):
                raise UserError(key, f"has no value; write {_PREFIX}{key}=VALUE")
            text = following
        overrides.append((key, text))
    return overrides, rest


def parse(key: Key, text: str) -> object:
    """Convert the text of an override to a value of the key's type.

    Args:
      key: The declaration of the key.
      text: The text.

    Returns:
      The value; the text itself, if it is none of that type.
    """
    if key.default is UNSET or key.default is REQUIRED:
        return _literal(text)
    kind = type(key.default)
    if kind is bool:
        return _TRUTH.get(text.lower(), text)
    if kind in (int, float):
        for number in (int, float):  # int first: a float holds only 53 bits of a seed.
            try:
                return number(text)
            except ValueError:
                continue
    return text


def _literal(text: str) -> object:
    if text.lower() in ("true", "false"):
        return _TRUTH[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
