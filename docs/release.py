"""The last steps before a release: the address of the repository, and what would be published.

    python -m docs.release address https://github.com/NAME/seq2seq-jax
    python -m docs.release check

`make address` and `make release` run them. Nothing is published.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from seq2seq_jax import __version__
from seq2seq_jax.utils.installation import PUBLISHED, REPOSITORY

ROOT = Path(__file__).resolve().parents[1]
HOST = "https://github.com/"


def write_address(address: str, files: list[Path]) -> list[Path]:
    """Replace the address of the repository in files.

    Colab opens notebooks from GitHub only. With another host, its links stay as they are.

    Args:
      address: The new address, with or without `.git`.
      files: Files that may contain the old address.

    Returns:
      The files that were changed.

    Raises:
      ValueError: It is not an address that starts with https://.
    """
    address = address.rstrip("/").removesuffix(".git")
    if not address.startswith("https://") or address.count("/") < 4:
        raise ValueError(f"must be an address such as {HOST}NAME/seq2seq-jax; got {address!r}")
    changed = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        new = text.replace(REPOSITORY, address)
        if address.startswith(HOST) and REPOSITORY.startswith(HOST):
            new = new.replace(_colab(REPOSITORY), _colab(address))
        if new != text:
            file.write_text(new, encoding="utf-8")
            changed.append(file)
    return changed


def find_obstacles() -> Iterator[str]:
    """Yield what must be done before the version can be published."""
    if not PUBLISHED:
        yield f"{REPOSITORY} is a placeholder; use make address ADDRESS={HOST}NAME/seq2seq-jax"
    if f"## {__version__}\n" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md has no section ## {__version__}"
    if f"version: {__version__}\n" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8"):
        yield f"CITATION.cff has another version than {__version__}"
    if _git("status", "--porcelain"):
        yield "the checkout has changes that are not committed"


def tracked_files() -> list[Path]:
    """Return the files of the repository that contain its address."""
    return [ROOT / name for name in _git("grep", "-lI", REPOSITORY.removeprefix(HOST)).splitlines()]


def _colab(address: str) -> str:
    return f"https://colab.research.google.com/github/{address.removeprefix(HOST)}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def _check() -> None:
    for wheel in sorted((ROOT / "dist").glob("*.whl")):
        content = wheel.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        print(f"{wheel.relative_to(ROOT)}  {len(content) / 1000:.0f} kB  sha256 {digest}")
    print(f"tag v{__version__} at commit {_git('rev-parse', '--short', 'HEAD').strip()}")
    for obstacle in find_obstacles():
        print(f"Before publishing: {obstacle}")
    print(
        "Nothing was published. To publish: python -m twine upload dist/*, then git tag"
        f" v{__version__} and git push --tags"
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["check"]:
            _check()
        case ["address", new]:
            try:
                print(*write_address(new, tracked_files()), sep="\n")
            except ValueError as error:
                sys.exit(f"error: ADDRESS: {error}")
        case _:
            sys.exit(f"error: ADDRESS: is missing; use make address ADDRESS={HOST}NAME/seq2seq-jax")
