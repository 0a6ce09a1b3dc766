"""The reference of all commands, written from their argument parsers.

python -m seq2seq_jax.commands.reference > docs/commands.md
"""

import argparse
import importlib
from collections.abc import Iterator

from seq2seq_jax.cli import COMMANDS

_INTRODUCTION = """\
# Commands

Written by `python -m seq2seq_jax.commands.reference > docs/commands.md`.

`seq2seq-jax COMMAND`, `python -m seq2seq_jax COMMAND` and `python main.py --mode=COMMAND` are the
same; `main.py` without a mode trains. Each command takes `--help`. Those that read a configuration
take `--config.KEY=VALUE` for any key of it: [configuration](configuration.md). Results go to
standard output, log and progress to standard error. The exit status is 0, or 2 with one line
`error: WHERE: WHAT`: [troubleshooting](troubleshooting.md).
"""


def commands_reference() -> str:
    """The whole page, as Markdown."""
    lines = [_INTRODUCTION, "| command | what it does |", "|---|---|"]
    modules = {
        name: importlib.import_module(f"seq2seq_jax.commands.{file}")
        for name, file in COMMANDS.items()
    }
    lines += [f"| [`{name}`](#{name}) | {_cell(module.HELP)} |" for name, module in modules.items()]
    for name, module in modules.items():
        parser = argparse.ArgumentParser(add_help=False)
        module.add_arguments(parser)
        rows = [*_rows(parser)]
        table = ["| | |", "|---|---|", *rows] if rows else ["No arguments."]
        what = module.HELP[0].upper() + module.HELP[1:]
        lines += ["", f"## {name}", "", f"{_cell(what)}.", "", *table]
    return "\n".join(lines) + "\n"


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        shown = str(action.metavar or action.dest.upper())
        if action.choices and action.metavar is None:
            shown = "{" + ",".join(map(str, action.choices)) + "}"
        flags = ", ".join(action.option_strings)
        takes_value = action.nargs != 0
        name = " ".join(filter(None, (flags, shown if takes_value or not flags else "")))
        needed = "Needed. " if action.required and flags else ""
        meaning = (action.help or "") % {**vars(action), "prog": "seq2seq-jax"}
        name = name.replace("|", "\\|")
        yield f"| `{name}` | {needed}{_cell(meaning)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(commands_reference(), end="")
