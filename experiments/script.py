"""How the scripts of the demos are run: errors in one line, as those of the command line."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import set_up_logging


def run_script(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]
) -> NoReturn:
    """Parse the command line, run a script, and exit.

    Args:
      parser: The parser of the script's arguments.
      run: The script. A UserError of it is one line on standard error and exit status 2.
    """
    arguments = parser.parse_args()
    set_up_logging()
    try:
        run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
