"""Fresh virtual environments with some packages of this one, and the wheel of the project.

Nothing is downloaded: the packages are links to those that are installed here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
SOURCES = ("seq2seq_jax", "configs", "setup.py", "setup.cfg", "pyproject.toml", "LICENSE")


def skip_without_setuptools():
    if Version(version("setuptools")) < Version("77"):
        pytest.skip("setuptools is older than 77 (extra test)")


def build_wheel(directory: Path) -> Path:
    """Builds the wheel from a copy of the sources, with the setuptools of this environment."""
    skip_without_setuptools()
    copy = directory / "sources"
    copy.mkdir()
    for name in (*SOURCES, "README.md"):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / name, ignore=ignored)
        else:
            shutil.copy(source, copy / name)
    build = f"from setuptools import build_meta; print(build_meta.build_wheel({str(directory)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=True
    )
    return directory / done.stdout.splitlines()[-1]


def requirements(name: str, extras: frozenset[str] = frozenset()) -> Iterator[Distribution]:
    """Yields the installed packages that a package requires with these extras, and itself."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        if (item := waiting.pop()) in seen:
            continue
        seen.add(item)
        found = distribution(item[0])
        if not item[1]:
            yield found
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": item[1]}):
                waiting += [(needed.name.lower(), extra) for extra in ("", *needed.extras)]


class FreshEnvironment:
    """A virtual environment in a directory, with links to packages that are installed here."""

    def __init__(self, directory: Path, packages: Iterator[Distribution]) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
        self.bin = directory / "bin"
        (self.packages,) = directory.glob("lib/python*/site-packages")
        for package in packages:
            self.link(package)

    def link(self, package: Distribution) -> None:
        """Links the modules and the metadata of a package."""
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            target = self.packages / name
            if not target.exists() and not name.endswith(".pth"):
                target.symlink_to(Path(str(package.locate_file(name))))

    def install(self, wheel: Path) -> None:
        """Installs a wheel with pip, without its dependencies."""
        options = ["--no-index", "--no-deps", "--ignore-installed", "--quiet"]
        options.append("--disable-pip-version-check")
        python = str(self.bin / "python")
        pip = [sys.executable, "-m", "pip", "--python", python]
        command = [*pip, "install", *options, str(wheel)]
        subprocess.run(command, check=True, env=_without_pythonpath(), cwd=self.packages)

    def run(self, *words: object, cwd: Path, **kwargs: object) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment, without PYTHONPATH."""
        return subprocess.run(
            [str(self.bin / str(words[0])), *map(str, words[1:])],
            cwd=cwd,
            env=_without_pythonpath(),
            capture_output=True,
            text=True,
            timeout=600,
            **kwargs,
        )


def _without_pythonpath() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
