"""The command `serve`."""

import argparse
import contextlib
import logging
import re
import sys
from pathlib import Path

from seq2seq_jax.commands.run_arguments import add_trust, trust_of
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.serving.settings import (
    API_KEY_VARIABLE,
    add_settings,
    read_api_key,
    read_settings,
)
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)

HELP = "Serve models over HTTP, with a page on which people try them."
EXAMPLES = (
    "serve --workdir=runs/g2p",
    "serve --workdir=en=runs/g2p --workdir=de=runs/german --port=8080",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    parser.add_argument(
        "--workdir",
        metavar="[NAME=]DIR",
        action="append",
        help="The directory of a run, and the name of its model; the default name is that of the"
        " directory. Repeat the flag to serve several models.",
    )
    add_trust(parser)
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="The address to listen at. The default, 127.0.0.1, is reached from this machine only;"
        " 0.0.0.0 is all addresses.",
    )
    parser.add_argument(
        "--port", metavar="N", default="8000", help="The port. The default is 8000; 0: a free one."
    )
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="Refuse clients that do not send the key in this file. The variable"
        f" {API_KEY_VARIABLE} can hold the key instead.",
    )
    parser.add_argument(
        "--log-format",
        metavar="FORMAT",
        choices=("json", "text"),
        help="The format of the log: json or text. The default is text at a terminal, and json"
        " otherwise.",
    )
    add_settings(parser)


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Load the models and serve them until SIGTERM or SIGINT.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line, which hold for all models.

    Raises:
      UserError: An argument or a configuration key is wrong, or the address cannot be used.
    """
    named, port = named_workdirs(arguments.workdir or []), _parse_port(arguments.port)
    settings, api_key = read_settings(arguments), read_api_key(arguments.api_key_file)
    try:
        from seq2seq_jax.serving.server import bind, serve
    except ImportError as error:
        from seq2seq_jax.utils.installation import install_command

        what = f"{error.name} is not installed; use {install_command('serve')}"
        raise UserError("serve", what) from error
    from seq2seq_jax.serving.logs import set_up_service_log
    from seq2seq_jax.storage.workdir import Workdir

    address = bind(arguments.host, port)
    with contextlib.closing(address.socket):
        models, trust = {}, trust_of(arguments, overrides)
        for name, directory in named.items():
            workdir = Workdir(directory, trust)
            models[name] = problem_of(workdir.config()).served_model(overrides, workdir)
        form = arguments.log_format or ("text" if sys.stderr.isatty() else "json")
        set_up_service_log(as_json=form == "json", with_texts=settings.log_texts)
        if not address.is_local and api_key is None:
            what = "%s is reached from other machines without an API key; --api-key-file sets one"
            _log.warning(what, arguments.host)
        serve(models, address, settings, api_key)


def named_workdirs(given: list[str]) -> dict[str, str]:
    """Return the directories of the models by their names.

    Args:
      given: The values of `--workdir`.

    Raises:
      UserError: There is none, or two have the same name.

    Example:
      >>> named_workdirs(["runs/g2p", "de=runs/german"])
      {'g2p': 'runs/g2p', 'de': 'runs/german'}
    """
    if not given:
        raise UserError("--workdir", "name the run; use --workdir=runs/NAME")
    named: dict[str, str] = {}
    for value in given:
        found = re.fullmatch(r"([\w.-]+)=(.+)", value)
        directory = found[2] if found else value
        name = found[1] if found else Path(directory).resolve().name
        if name in named:
            what = f"two models have the name {name}; use --workdir=NAME=DIR for one of them"
            raise UserError("--workdir", what)
        named[name] = directory
    return named


def _parse_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise UserError("--port", f"must be a whole number, 0 to 65535; got {text}")
    return int(text)
