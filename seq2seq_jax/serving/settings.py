"""The limits of a service, which its operator sets by flags."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from seq2seq_jax.config.overrides import parse
from seq2seq_jax.schema.keys import Key, check_value
from seq2seq_jax.schema.parameters import collect_parameters
from seq2seq_jax.schema.rules import at_least, between
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason

API_KEY_VARIABLE = "SEQ2SEQ_JAX_API_KEY"

OPTIONS = (
    "beam_width",
    "n_best",
    "length_penalty_weight",
    "coverage_penalty_weight",
    "min_decode_length",
    "forbid_unk",
    "no_repeat_ngram_size",
    "sampling",
    "temperature",
    "top_k",
    "top_p",
    "seed",
)
"""The search options that an operator can allow, by the last names of their keys."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """The limits of a service.

    Attributes:
      max_wait: Longest time in milliseconds for which a request waits for others to share a batch
        with. Requests that arrive while the model is busy share the next batch without waiting.
      max_queue: Number of inputs that may wait for the model; more are refused with status 429.
      max_inputs: Largest number of texts, pairs or images in a request.
      max_chars: Largest number of characters of a text.
      max_body: Largest size of the body of a request in bytes.
      max_connections: Number of open connections from which on requests are refused with 503.
      max_beam_width: Largest beam width, and number of answers to an input, of a request.
      options: The search options that requests may set, with commas between them. Each new
        combination is compiled, which takes seconds.
      timeout: Seconds after which a request that is not answered is given up with status 503.
      read_timeout: Seconds that a client may take to send a request.
      shutdown_timeout: Seconds that requests have to finish after SIGTERM.
      log_texts: Write the users' texts to the log.
    """

    max_wait: Annotated[float, between(0, 10_000)] = 0.0
    max_queue: Annotated[int, at_least(1)] = 512
    max_inputs: Annotated[int, between(1, 100_000)] = 64
    max_chars: Annotated[int, at_least(1)] = 2000
    max_body: Annotated[int, at_least(1)] = 8_000_000
    max_connections: Annotated[int, at_least(1)] = 1000
    max_beam_width: Annotated[int, between(1, 1000)] = 10
    options: str = "beam_width,n_best"
    timeout: Annotated[float, between(0.001, 86_400)] = 30.0
    read_timeout: Annotated[float, between(0.001, 86_400)] = 10.0
    shutdown_timeout: Annotated[int, between(1, 86_400)] = 30
    log_texts: bool = False

    @property
    def allowed_options(self) -> list[str]:
        """The names in `options`."""
        return [name.strip() for name in self.options.split(",") if name.strip()]


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of `ServiceSettings`.

    Args:
      parser: The parser of a command.
    """
    group = parser.add_argument_group("limits of the service")
    for name, key in _fields().items():
        flag, default = f"--{name.replace('_', '-')}", key.default
        if isinstance(default, bool):
            group.add_argument(flag, action="store_true", help=key.meaning)
        else:
            shown = f"{default:g}" if isinstance(default, float) else default
            meaning = f"{key.meaning} The default is {shown}."
            metavar = "NAMES" if isinstance(default, str) else "N"
            group.add_argument(flag, metavar=metavar, help=meaning)


def read_settings(arguments: argparse.Namespace) -> ServiceSettings:
    """Check the flags of `add_settings`.

    Args:
      arguments: The command's arguments.

    Raises:
      UserError: A value breaks its rule, or an option is unknown.
    """
    values = {}
    for name, key in _fields().items():
        given = getattr(arguments, name)
        if given is not None:
            value = parse(key, given) if isinstance(given, str) else given
            values[name] = check_value(f"--{name.replace('_', '-')}", key, value)
    settings = ServiceSettings(**values)  # type: ignore[arg-type]
    for name in settings.allowed_options:
        if name not in OPTIONS:
            raise UserError("--options", f"must be some of {', '.join(OPTIONS)}; got {name}")
    return settings


def read_api_key(path: str | None) -> str | None:
    """Read the API key from a file or from the environment, where other users cannot see it.

    Args:
      path: A file with the key alone; None: use the variable SEQ2SEQ_JAX_API_KEY, if it is set.

    Returns:
      The key; None: no key is needed.

    Raises:
      UserError: The file cannot be read, or the key is not 8 or more printable ASCII characters.
    """
    if path is None:
        where, key = API_KEY_VARIABLE, os.environ.get(API_KEY_VARIABLE)
        if key is None:
            return None
    else:
        where = path
        try:
            key = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
            raise UserError(path, f"the API key cannot be read ({what})") from error
    if len(key) < 8 or not (key.isascii() and key.isprintable()) or " " in key:
        what = "the API key must have at least 8 printable ASCII characters and no space"
        raise UserError(where, f"{what}; use a longer, random one")
    return key


def _fields() -> dict[str, Key]:
    return collect_parameters(ServiceSettings)
