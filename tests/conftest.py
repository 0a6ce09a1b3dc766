"""Settings of JAX for all tests, made before anything imports it."""

import atexit
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

os.environ["JAX_PLATFORMS"] = "cpu"
# Compiling is what costs here: what was compiled once is read from disk in the next run, and in
# the processes that tests start.
_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache / "seq2seq_jax" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Pretended devices that wait for each other on a busy machine are not taken for stuck: XLA would
# end the process after 40 seconds.
_patience = "--xla_cpu_collective_call_terminate_timeout_seconds=600"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_patience}".strip()
# All else that is kept for later is not to outlive the tests.
os.environ["SEQ2SEQ_JAX_CACHE"] = tempfile.mkdtemp(prefix="seq2seq_jax_tests_")
atexit.register(shutil.rmtree, os.environ["SEQ2SEQ_JAX_CACHE"], ignore_errors=True)

from jaxtyping import install_import_hook  # noqa: E402

import tests.type_checking  # noqa: E402, F401

# The shapes of the arrays of public functions are checked.
install_import_hook(
    ["seq2seq_jax.models", "seq2seq_jax.ops", "seq2seq_jax.search"],
    "tests.type_checking.check_types",
)

import jax  # noqa: E402

# Eight pretended devices in this process, so that data parallelism is tested on any machine.
jax.config.update("jax_num_cpu_devices", 8)

from seq2seq_jax.config.ineffective import warn_once  # noqa: E402
from seq2seq_jax.devices import parallel as devices  # noqa: E402


@pytest.fixture(autouse=True)
def use_devices(monkeypatch):
    """One device is used, unless a test calls this with another number."""

    def use(count: int) -> None:
        monkeypatch.setattr(devices, "available", lambda: jax.devices()[:count])

    use(1)
    return use


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """The command line makes itself at home in the process: undone after each test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    warn_once.cache_clear()
    logger = logging.getLogger("seq2seq_jax")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


def pytest_addoption(parser):
    own = Path(__file__).parent / "golden"
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=own,
        metavar="DIR",
        help="arrays of google/seq2seq for test_golden.py to compare with; default: tests/golden",
    )


def pytest_terminal_summary(terminalreporter):
    """How many golden files were compared, and the largest difference, for each comparison."""
    largest = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "golden":
                comparison, difference = value
                largest.setdefault(comparison, []).append(difference)
    if largest:
        terminalreporter.section("golden files compared, largest difference")
        for comparison, differences in sorted(largest.items()):
            count = len(differences)
            terminalreporter.line(f"{comparison:25} {count:4} {max(differences):9.1e}")


@pytest.fixture
def data_of():
    """Reads the data of an HTML page of `reports.html_page` from its file."""

    def read(path):
        page = path.read_text(encoding="utf-8")
        (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
        return json.loads(text)

    return read
