import argparse
import importlib
import io
import sys

import pytest

from seq2seq_jax.config import split_overrides


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs a command in this process; returns what it wrote on stdout and on stderr."""

    def run(name: str, *argv: object, stdin: bytes = b"") -> tuple[str, str]:
        module = importlib.import_module(f"seq2seq_jax.commands.{name}")
        parser = argparse.ArgumentParser(allow_abbrev=False)
        module.add_arguments(parser)
        overrides, rest = split_overrides([str(argument) for argument in argv])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        module.run(parser.parse_args(rest), overrides)
        return tuple(capsys.readouterr())

    return run
