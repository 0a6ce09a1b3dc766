import io
import logging
import re
import sys
import time

import pytest
from rich.console import Console

from seq2seq_jax.utils import logging as our_logging
from seq2seq_jax.utils.logging import announce_jax, join_fields, slow_work, wrap_words


def test_work_is_announced_only_if_it_is_slow(caplog):
    caplog.set_level("INFO")
    with slow_work("Reading the data", seconds=10):
        pass
    assert caplog.messages == []

    deadline = time.monotonic() + 10
    with slow_work("Reading the data", seconds=0.01):
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)
    assert caplog.messages == ["Reading the data"]


def test_work_that_fails_is_not_announced_later(caplog):
    caplog.set_level("INFO")
    with pytest.raises(ValueError, match="x"), slow_work("Reading the data", seconds=0.05):
        raise ValueError("x")
    time.sleep(0.1)
    assert caplog.messages == []


def test_the_import_of_jax_is_announced_once(monkeypatch, capsys):
    # Without the module, as in a fresh process; a stand-in is found after the announcement.
    monkeypatch.delitem(sys.modules, "jax")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    announce_jax()
    announce_jax()
    finder = sys.meta_path[0]
    assert finder.find_spec("numpy", None) is None
    assert capsys.readouterr().err == ""
    assert finder.find_spec("jax", None) is None
    assert capsys.readouterr().err == "Importing JAX\n"
    assert finder not in sys.meta_path
    assert type(finder) not in map(type, sys.meta_path)


def test_fields_are_never_cut():
    fields = [f"name{i} {10**i}" for i in range(12)]
    lines = join_fields(fields, width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert " | ".join(line.removeprefix("  | ") for line in lines) == " | ".join(fields)


@pytest.mark.parametrize("width", [20, 33, 80])
def test_a_terminal_shows_whole_numbers(width, monkeypatch):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=width, soft_wrap=True, highlight=False)
    monkeypatch.setattr(our_logging, "console", console)
    numbers = [str(12_345_678 + i) for i in range(30)]
    record = logging.LogRecord("x", logging.WARNING, "", 0, " ".join(numbers), None, None)
    our_logging._ConsoleHandler().emit(record)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert re.findall(r"\d+", shown.getvalue()) == numbers


def test_short_lines_and_long_words_stay_as_they_are():
    table = "  source   10   20\n  target    5    6"
    assert wrap_words(table, 40) == table
    path = "/a/path/that/is/longer/than/the/terminal"
    assert path in wrap_words(f"written to {path}", 20)
