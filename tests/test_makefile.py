"""The commands of `make`; nothing is executed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seq2seq_jax import cli

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def recipe(target):
    """Return the commands of a target and of all that it needs, even if it is up to date."""
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", target]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return process.stdout


def test_make_run_installs_only_what_it_needs_and_shows_progress():
    installs = [line for line in recipe("run").splitlines() if "pip install" in line]
    assert len(installs) == 1
    assert "'.[g2p]'" in installs[0] and "--quiet" not in installs[0]
    assert re.search(r"echo 'Installing .* GB on disk, about .* minute", recipe("run"))


def test_make_test_installs_everything_and_make_run_accepts_that():
    (install,) = [line for line in recipe("test").splitlines() if "pip install" in line]
    assert "test" in re.search(r"'\.\[(.*)\]'", install)[1].split(",")
    assert ".venv/.installed-run .venv/.installed" in recipe("test")


def test_make_run_ends_with_commands_that_exist():
    last = recipe("run").rpartition("Next:")[2]
    commands = re.findall(r"  seq2seq-jax ([^#'\n]+)", last)
    assert 2 <= len(commands) <= 5
    for command in commands:
        cli.parse_arguments(command.split())
    for page in re.findall(r"docs/\S+\.md", last):
        assert (ROOT / page).is_file()


def test_the_progress_of_an_installation_has_lines_that_fit_a_terminal():
    printed = [
        "Obtaining file:///x",
        "  Downloading jaxlib-0.10.2-cp311-manylinux_2_27_x86_64.whl (84.1 MB)",
        "Requirement already satisfied: numpy",
        "Installing collected packages: " + ", ".join(f"package{i}" for i in range(50)),
    ]
    (install,) = [line for line in recipe("run").splitlines() if "pip install" in line]
    shown = subprocess.run(
        ["bash", "-c", install.partition(" | ")[2]],
        input="\n".join(printed),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(shown) == 2
    assert max(map(len, shown)) < 80
