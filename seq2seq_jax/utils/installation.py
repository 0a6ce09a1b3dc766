"""How this package was installed: its versions, and the command that adds an extra."""

import json
import platform
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REPOSITORY = "https://github.com/OWNER/seq2seq-jax"
"""The address of the repository. OWNER is a placeholder until `make address` replaces it."""

PUBLISHED = "/OWNER/" not in REPOSITORY

_NAME = "seq2seq-jax"


def install_command(*extras: str) -> str:
    """Return the pip command that adds optional dependencies to this installation.

    pip records where it installed a package from: a wheel, a checkout, a git address or a package
    index. The command installs the extras from the same place.

    Args:
      extras: Names of extras, as in `images`.

    Example:
      >>> install_command("tfds", "tf").startswith("pip install ")
      True
    """
    names = ",".join(extras)
    origin = _origin()
    if origin is None:  # It was installed from a package index.
        return f"pip install '{_NAME}[{names}]'"
    scheme, _, path, *_ = urlsplit(origin["url"])
    if scheme == "file" and "dir_info" in origin:
        editable = "--editable " if origin["dir_info"].get("editable") else ""
        return f"pip install {editable}'{unquote(path)}[{names}]'"
    control = origin.get("vcs_info", {}).get("vcs")
    address = f"{control}+{origin['url']}" if control else origin["url"]
    return f"pip install '{_NAME}[{names}] @ {address}'"


def describe_versions() -> str:
    """Return the versions of the package, JAX, Flax, NumPy and Python as text in one line.

    No package is imported.

    Example:
      >>> describe_versions().startswith("seq2seq-jax ")
      True
    """
    from seq2seq_jax import __version__

    others = [f"{name} {_version(name)}" for name in ("jax", "flax", "numpy")]
    python = f"Python {platform.python_version()}"
    return f"{_NAME} {__version__} ({', '.join([*others, python])}, {platform.platform()})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _origin() -> dict[str, Any] | None:
    """Return where pip installed the package from; None: from an index, which is not recorded.

    A checkout that is used without an installation counts as a directory. See
    https://packaging.python.org/en/latest/specifications/direct-url/.
    """
    checkout = Path(__file__).parents[2]
    try:
        recorded = distribution(_NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        recorded = None
    if (checkout / "setup.cfg").is_file() and not _is_for(recorded, checkout):
        return {"url": checkout.as_uri(), "dir_info": {}}
    return json.loads(recorded) if recorded else None


def _is_for(recorded: str | None, checkout: Path) -> bool:
    """Return whether a record says that the package was installed from this checkout."""
    return recorded is not None and json.loads(recorded)["url"] == checkout.as_uri()
