"""The command line: `seq2seq-jax COMMAND`, and `main.py --mode=COMMAND`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from seq2seq_jax.devices.malloc_tuning import tune_malloc
from seq2seq_jax.utils.errors import UserError

# Command -> its file in seq2seq_jax/commands.
COMMANDS = {
    "prepare": "prepare",
    "train": "train",
    "eval": "evaluate",
    "infer": "infer",
    "score": "score",
    "inspect": "inspect_run",
    "sweep": "sweep",
    "report": "report",
    "curves": "curves",
    "errors": "errors",
    "attention": "attention",
    "beam-tree": "beam_tree",
    "plot-schedule": "plot_schedule",
    "import-tf": "import_tf",
    "vocab": "vocab",
    "stats": "stats",
    "toy": "toy",
    "export-tfds": "export_tfds",
    "fetch-weights": "fetch_weights",
}


def run(*command: str) -> NoReturn:
    """The console script; `command` comes before what is on the command line."""
    tune_malloc()
    sys.exit(main([*command, *sys.argv[1:]]))


def run_main_py() -> NoReturn:
    """main.py: the same with `--mode=MODE` (train, if it is not given) in the command's place."""
    tune_malloc()
    flag = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flag.add_argument("--mode")
    found, rest = flag.parse_known_args()
    asks_for_help = found.mode is None and not {"-h", "--help"}.isdisjoint(rest)
    sys.exit(main(["--help"] if asks_for_help else [found.mode or "train", *rest]))


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns the exit status: 0, or 2 for an error of the user's."""
    # Imported here and below so that `--help` and a misspelt flag are answered at once.
    from seq2seq_jax.config.overrides import split_overrides

    try:
        overrides, rest = split_overrides(list(argv))
        arguments = _parser().parse_args(rest)
        _set_up()
        arguments.command(arguments, overrides)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError("command line", message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seq2seq-jax",
        description="Trains, evaluates and uses sequence-to-sequence models."
        " main.py takes the command as --mode=COMMAND; without one it trains.",
        epilog="Any key of the configuration can be set: --config.optimizer.learning_rate=1e-3",
        allow_abbrev=False,
    )
    # Not `required`: the error should name the commands, which argparse does not.
    parser.set_defaults(command=_no_command)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(f"seq2seq_jax.commands.{module_name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=parser.epilog,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return parser


def _no_command(arguments: argparse.Namespace, overrides: list) -> NoReturn:
    raise UserError("command line", f"which command? {', '.join(COMMANDS)}")


def _set_up() -> None:
    from seq2seq_jax.utils.cache_dir import enable_compilation_cache
    from seq2seq_jax.utils.logging import set_up_logging

    sys.path.insert(0, os.getcwd())  # where a user's own classes are found
    set_up_logging()
    enable_compilation_cache()
