import io
import sys

import pytest

from seq2seq_jax.cli import parse_arguments


@pytest.fixture
def command(capsys, monkeypatch):
    """Return a function that runs a command and returns its stdout and stderr."""

    def run(name: str, *argv: object, stdin: bytes = b"") -> tuple[str, str]:
        arguments, overrides = parse_arguments([name, *map(str, argv)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        arguments.run(arguments, overrides)
        return tuple(capsys.readouterr())

    return run
