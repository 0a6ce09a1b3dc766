"""Settings of JAX for all tests, made before anything imports it."""

import os
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
# Eight pretended devices, so that data parallelism is tested on any machine.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
).strip()
# Compiling is what costs here: what was compiled once is read from disk in the next run, and in
# the processes that tests start.
_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache / "seq2seq_jax" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def pytest_addoption(parser):
    own = Path(__file__).parent / "golden"
    parser.addoption("--golden-dir", type=Path, default=own, metavar="DIR")
