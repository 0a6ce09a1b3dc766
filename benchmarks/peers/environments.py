"""Environments for what is compared with, each in a folder of its own: FOLDER/NAME.

All use a build of PyTorch for the CPU. What a toolkit asks for is given by hand where its own
wishes do not go together with that.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.work import say

FOLDER = ".peers"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_TORCH = "torch==2.13.0+cpu"


class Peer(NamedTuple):
    """
    Attributes:
      module: in this package, which makes the measurements.
      steps: arguments of one `pip install` after the other.
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
            # The original does not build any more; this is the same, mended.
            ("--no-deps", "--no-build-isolation", "fairseq-fixed==0.12.3.1"),
        ),
    ),
}
INPUTS = {
    "grain": Peer("grain_input", (("grain==0.2.18", "array_record", "numpy"),)),
    "tf_data": Peer("tf_data_input", (("tensorflow-cpu==2.21.0", "numpy"),)),
}
PICTURES = {"keras": Peer("keras_inception", (("tensorflow-cpu==2.21.0", "keras", "numpy"),))}
PEERS = TOOLKITS | INPUTS | PICTURES


def python_of(folder: str | Path, name: str) -> Path | None:
    """The interpreter of an environment that was made; None if it was not."""
    home = Path(folder) / name
    return home / "bin" / "python" if (home / _MADE).exists() else None


def make_environments(
    names: Sequence[str], folder: str | Path, torch_index: str = TORCH_INDEX
) -> None:
    """Makes those that are missing. One that cannot be made is reported in a line.

    Args:
      torch_index: where builds of PyTorch for the CPU are found; "": where pip looks anyway.
    """
    for name in names:
        home = Path(folder) / name
        if python_of(folder, name):
            continue
        shutil.rmtree(home, ignore_errors=True)
        say(f"{name}: making {home}")
        complaint = _run([sys.executable, "-m", "venv", str(home)])
        for step in PEERS[name].steps:
            if not complaint:
                index = ["--extra-index-url", torch_index] if torch_index and _TORCH in step else []
                pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
                complaint = _run([*pip, *index, *step])
        if complaint:
            shutil.rmtree(home, ignore_errors=True)
            say(f"{name}: left out, for it cannot be installed: {complaint}")
        else:
            (home / _MADE).touch()


_MADE = ".made"


def _run(command: Sequence[str]) -> str:
    """The last complaint of a command that failed; nothing if it did not."""
    # fairseq asks for this before it leaves its compiled parts alone, which are not used here.
    done = subprocess.run(
        ["env", "READTHEDOCS=1", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return (lines or [f"exit status {done.returncode}"])[-1] if done.returncode else ""
