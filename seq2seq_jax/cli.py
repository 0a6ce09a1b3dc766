"""The command line: `seq2seq-jax COMMAND`, and `main.py --mode=COMMAND` as its short form.

Neither this module nor a module of a command imports JAX when it is imported, so that `--help` and
a wrong flag are answered at once.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, Protocol, cast

from seq2seq_jax.config.overrides import Overrides, split_overrides
from seq2seq_jax.devices.memory import tune_malloc
from seq2seq_jax.schema.names import did_you_mean
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_system_error
from seq2seq_jax.utils.installation import describe_versions
from seq2seq_jax.utils.streams import OutputClosedError, flush_output, set_up_streams

COMMANDS = {
    "configs": "seq2seq_jax.commands.configuration.configs",
    "init": "seq2seq_jax.commands.configuration.init",
    "config": "seq2seq_jax.commands.configuration.config",
    "prepare": "seq2seq_jax.commands.data.prepare",
    "train": "seq2seq_jax.commands.train",
    "eval": "seq2seq_jax.commands.evaluate",
    "infer": "seq2seq_jax.commands.infer",
    "score": "seq2seq_jax.commands.score",
    "serve": "seq2seq_jax.commands.serve",
    "inspect": "seq2seq_jax.commands.inspect_run",
    "sweep": "seq2seq_jax.commands.sweep",
    "report": "seq2seq_jax.commands.report",
    "curves": "seq2seq_jax.commands.curves",
    "errors": "seq2seq_jax.commands.errors",
    "attention": "seq2seq_jax.commands.attention",
    "beam-tree": "seq2seq_jax.commands.beam_tree",
    "plot-schedule": "seq2seq_jax.commands.plot_schedule",
    "export": "seq2seq_jax.commands.export",
    "import-tf": "seq2seq_jax.commands.import_tf",
    "pack": "seq2seq_jax.commands.sharing.pack",
    "export-weights": "seq2seq_jax.commands.sharing.export_weights",
    "import-weights": "seq2seq_jax.commands.sharing.import_weights",
    "vocab": "seq2seq_jax.commands.data.vocab",
    "stats": "seq2seq_jax.commands.data.stats",
    "augment": "seq2seq_jax.commands.data.augment",
    "toy": "seq2seq_jax.commands.data.toy",
    "export-tfds": "seq2seq_jax.commands.data.export_tfds",
    "fetch-weights": "seq2seq_jax.captioning.fetch_weights",
}
"""The module of each command, which is imported when it is needed."""

PROGRAM = "seq2seq-jax"

_CONFIG_HELP = """\
keys of the configuration:
  --config.KEY=VALUE sets a key, as in --config.optimizer.learning_rate=1e-3.
  --config.help lists all keys with their values, rules and meanings;
  --config.encoder.help lists those below encoder."""


class Command(Protocol):
    """What a module of a command defines.

    Attributes:
      HELP: One sentence that says what the command does, in the imperative.
      EXAMPLES: Two command lines, without the program's name.
    """

    HELP: str
    EXAMPLES: tuple[str, str]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments to its parser."""

    def run(self, arguments: argparse.Namespace, overrides: Overrides) -> None:
        """Run the command. The overrides are the `--config.KEY=VALUE` flags."""


def run() -> NoReturn:
    """Run the console script `seq2seq-jax`."""
    tune_malloc()
    set_up_streams()
    sys.exit(main(sys.argv[1:]))


def run_main_py() -> NoReturn:
    """Run main.py, where `--mode=COMMAND` names the command; without it, main.py trains."""
    tune_malloc()
    set_up_streams()
    mode = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    mode.add_argument("--mode")
    found, rest = mode.parse_known_args()
    for flags in (["--help", "-h"], ["--version", "-V"]):
        if found.mode is None and not set(flags).isdisjoint(rest):
            sys.exit(main(flags[:1]))
    sys.exit(main([found.mode or "train", *rest]))


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
      argv: The command line without the program's name.

    Returns:
      The exit status: 0, 2 for an error that the user can correct, or 130 after an interrupt.
    """
    # Imported here, so that an import of this module stays fast.
    from seq2seq_jax.config.key_listing import KeyListing

    try:
        try:
            arguments, overrides = parse_arguments(argv)
            _set_up()
            arguments.run(arguments, overrides)
        except KeyListing as listing:
            print(listing)
        finally:
            flush_output()  # What cannot be written is an error, and not a message at the exit.
    except KeyboardInterrupt:
        return 130
    except OutputClosedError:
        return 0
    except Exception as error:
        explained = error if isinstance(error, UserError) else explain_system_error(error)
        if explained is None:
            raise
        print(f"error: {explained}", file=sys.stderr)
        return 2
    return 0


def parse_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, Overrides]:
    """Parse a command line.

    Args:
      argv: The command line without the program's name. `--help` and `--version` print and exit.

    Returns:
      The command's arguments, where `run` is the function that runs it, and the overrides of the
      configuration as pairs (dotted key, text).

    Raises:
      UserError: The command or a flag is unknown, or a value is missing or wrong.
    """
    overrides, rest = split_overrides(argv)
    if rest[:1] in (["--version"], ["-V"]):
        print(describe_versions())
        raise SystemExit(0)
    if not rest or rest[0].startswith("-"):
        _program_parser().parse_args([word for word in rest if word in ("-h", "--help")])
        first = f"before {rest[0]}" if rest else f"as in `{PROGRAM} train`"
        what = f"name a command {first}; `{PROGRAM} --help` lists the commands"
        raise UserError("command line", what)
    name, *words = rest
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or ";"
        what = f"unknown command {name}{hint} `{PROGRAM} --help` lists the commands"
        raise UserError("command line", what)
    command = load_command(name)
    parser = make_parser(name, command)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        raise _unknown_argument(unknown[0], parser, not hasattr(command, "refuse_overrides"))
    arguments.run = command.run
    return arguments, overrides


def load_command(name: str) -> Command:
    """Import the module of a command.

    Args:
      name: A key of `COMMANDS`.
    """
    return cast(Command, importlib.import_module(COMMANDS[name]))


def make_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """Make the parser of one command.

    Args:
      name: The command's name.
      command: Its module.
    """
    parser = _Parser(
        prog=f"{PROGRAM} {name}",
        description=command.HELP,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    introduction = ""
    options = {option for action in parser._actions for option in action.option_strings}
    if options & {"--config", "--workdir"} and not hasattr(command, "refuse_overrides"):
        introduction = f"{_CONFIG_HELP}\n\n"
    examples = "\n".join(f"  {PROGRAM} {line}" for line in command.EXAMPLES)
    parser.epilog = f"{introduction}examples:\n{examples}"
    return parser


class _HelpFormatter(argparse.HelpFormatter):
    """Keeps the lines of the epilog, which ends with the examples, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "examples:\n" in text:
            return text
        return super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Reports an error as a UserError, in one line, as all of our errors."""

    def error(self, message: str) -> NoReturn:
        raise UserError("command line", message)


def _program_parser() -> argparse.ArgumentParser:
    lines = ["commands:"]
    for name in COMMANDS:
        lines.append(f"  {name:<15}{load_command(name).HELP}")
    lines += [
        "",
        f"`{PROGRAM} COMMAND --help` explains a command; `{PROGRAM} --version` prints versions.",
        "--config.KEY=VALUE sets any key of the",
        "configuration, as in --config.optimizer.learning_rate=1e-3.",
        "",
        "On Linux the program restarts its interpreter once, with settings of the memory allocator",
        "that speed up training. The environment variable SEQ2SEQ_JAX_NO_RESTART=1 prevents it.",
    ]
    return _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} COMMAND ... | main.py --mode=COMMAND ...  (main.py alone trains)",
        description="Train, evaluate and use sequence-to-sequence models.",
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _unknown_argument(
    argument: str, parser: argparse.ArgumentParser, takes_keys: bool
) -> UserError:
    """Return the error for an argument that a command does not take; it may take keys."""
    flag, equals, value = argument.partition("=")
    if not flag.startswith("-"):
        return UserError("command line", f"unexpected argument {argument}")
    flags = [option for action in parser._actions for option in action.option_strings]
    if takes_keys and (key := _configuration_key(flag)):
        remedy = f"--config.{key}{equals}{value}"
        if flag.strip("-") == "model_params":
            remedy = "--config.model=CLASS, and --config.KEY=VALUE for each parameter"
        return UserError(flag, f"unknown flag; use {remedy}")
    return UserError(flag, f"unknown flag{_near(flag, flags)}; see {parser.prog} --help")


def _near(flag: str, flags: Sequence[str]) -> str:
    by_name = {name.strip("-"): name for name in flags}
    hint = did_you_mean(flag.strip("-").replace("_", "-"), by_name)
    return hint.replace("did you mean ", "did you mean --")


def _configuration_key(flag: str) -> str | None:
    """Return the key of the configuration that a flag such as `--train_steps` means, if any."""
    from seq2seq_jax.config import default_config

    keys = list(_dotted_keys(default_config("AttentionSeq2Seq").to_dict()))
    name = flag.strip("-").replace("-", "_")
    for wanted in (name, name.partition(".")[2], name.removesuffix("_params")):
        ends = [key for key in keys if wanted and f".{key}".endswith(f".{wanted}")]
        if ends:
            return wanted if wanted in ends else ends[0]
    return None


def _dotted_keys(group: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in group.items():
        if isinstance(value, dict):
            yield from _dotted_keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _set_up() -> None:
    from seq2seq_jax.utils.cache_dir import enable_compilation_cache
    from seq2seq_jax.utils.logging import announce_jax, set_up_logging

    # XLA logs "Very slow compile?" as an error, in several lines. Errors also raise exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    announce_jax()
    sys.path.insert(0, os.getcwd())  # Users' own classes are found in the working directory.
    set_up_logging()
    enable_compilation_cache()
