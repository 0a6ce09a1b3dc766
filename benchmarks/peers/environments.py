"""The environments of the other toolkits, each in its own directory: DIRECTORY/NAME.

All use a CPU build of PyTorch. Dependencies are listed explicitly where a toolkit's own ones
conflict with it.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.work import say

DIRECTORY = ".peers"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_TORCH = "torch==2.13.0+cpu"


class Peer(NamedTuple):
    """A toolkit.

    Attributes:
      module: The main program in this package.
      steps: The arguments of consecutive `pip install` commands.
    """

    module: str
    steps: tuple[tuple[str, ...], ...]


TOOLKITS = {
    "torch_reference": Peer("torch_reference", ((_TORCH, "numpy"),)),
    "opennmt": Peer(
        "opennmt",
        (
            (_TORCH, "numpy"),
            ("pyonmttok==1.37.1", "ctranslate2==4.8.5", "ConfigArgParse==1.9.0"),
            ("spacy", "fasttext-wheel", "rapidfuzz", "sacrebleu", "tensorboard"),
            ("waitress", "flask", "pyahocorasick", "regex"),
            ("--no-deps", "OpenNMT-py==3.5.1"),
        ),
    ),
    "joeynmt": Peer("joeynmt", ((_TORCH, "numpy"), ("joeynmt==2.3.0", "importlib_metadata"))),
    "fairseq": Peer(
        "fairseq",
        (
            (_TORCH, "numpy"),
            ("hydra-core", "omegaconf", "sacrebleu", "bitarray", "cffi", "cython", "regex"),
            ("tqdm", "scikit-learn", "setuptools", "wheel"),
            # The original no longer builds; this package is the same with fixes.
            ("--no-deps", "--no-build-isolation", "fairseq-fixed==0.12.3.1"),
        ),
    ),
}
INPUTS = {
    "grain": Peer("grain_input", (("grain==0.2.18", "array_record", "numpy"),)),
    "tf_data": Peer("tf_data_input", (("tensorflow-cpu==2.21.0", "numpy"),)),
}
IMAGE_NETWORKS = {"keras": Peer("keras_inception", (("tensorflow-cpu==2.21.0", "keras", "numpy"),))}
PEERS = TOOLKITS | INPUTS | IMAGE_NETWORKS


def find_python(folder: str | Path, name: str) -> Path | None:
    """Return the interpreter of an environment; None if it does not exist.

    Args:
      folder: The directory of the environments.
      name: The name of the toolkit.
    """
    home = Path(folder) / name
    return home / "bin" / "python" if (home / _COMPLETE).exists() else None


def create_environments(
    names: Sequence[str], folder: str | Path, torch_index: str = TORCH_INDEX
) -> None:
    """Create the environments that are missing, and report each failure in a line.

    Args:
      names: The names of toolkits.
      folder: The directory of the environments.
      torch_index: The index of CPU builds of PyTorch; empty for pip's own.
    """
    for name in names:
        home = Path(folder) / name
        if find_python(folder, name):
            continue
        shutil.rmtree(home, ignore_errors=True)
        say(f"{name}: creating {home}")
        failure = _run([sys.executable, "-m", "venv", str(home)])
        for step in PEERS[name].steps:
            if not failure:
                index = ["--extra-index-url", torch_index] if torch_index and _TORCH in step else []
                pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
                failure = _run([*pip, *index, *step])
        if failure:
            shutil.rmtree(home, ignore_errors=True)
            say(f"{name}: skipped, because the installation failed: {failure}")
        else:
            (home / _COMPLETE).touch()


_COMPLETE = ".complete"


def _run(command: Sequence[str]) -> str:
    """Return the last line on standard error of a command that failed; empty if it succeeded."""
    # With this variable fairseq does not build its compiled parts, which are not used here.
    done = subprocess.run(
        ["env", "READTHEDOCS=1", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return (lines or [f"exit status {done.returncode}"])[-1] if done.returncode else ""
