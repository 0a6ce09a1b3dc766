"""Trained weights that others publish, each fetched from where it is published."""

import base64
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from experiments.emoji.npm_package import fetch_npm_package
from seq2seq_jax.utils.errors import UserError


class Source(NamedTuple):
    """Where weights are published.

    Attributes:
      location: a URL, or a package of npm and its version.
      checksum: as published: `ALGORITHM:HEX`, where HEX may be the beginning of it, or npm's.
      fetch: downloads into a folder; returns the file that `read_inception_weights` takes.
    """

    location: str
    checksum: str
    fetch: Callable[["Source", Path], Path]


def fetch_weights(name: str, folder: str | os.PathLike) -> Path:
    """Downloads the weights of that name of `SOURCES`, if the folder has them not yet.

    Returns:
      The file for `read_inception_weights`.

    Raises:
      UserError: no such name, no network, or what came is not what was published.
    """
    if name not in SOURCES:
        raise UserError("SOURCE", f"must be one of {', '.join(SOURCES)}; got {name}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    source = SOURCES[name]
    return source.fetch(source, folder)


def _fetch_file(source: Source, folder: Path) -> Path:
    path = folder / source.location.rsplit("/", 1)[1]
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch) / path.name
        try:
            with urllib.request.urlopen(source.location) as response, part.open("wb") as file:
                shutil.copyfileobj(response, file)
        except OSError as error:
            raise UserError(source.location, f"cannot be fetched: {error}") from error
        _check(part, source)
        os.replace(part, path)
    return path


def _fetch_nsfwjs(source: Source, folder: Path) -> Path:
    """Its files are JavaScript around a layers model of TensorFlow.js: unpacked to a plain one."""
    path = folder / source.location.replace("@", "-") / "model.json"
    if not path.exists():
        package, version = source.location.split("@")
        archive = fetch_npm_package(package, version, source.checksum)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            model = Path(scratch) / "model"
            model.mkdir()
            unpack_nsfwjs(archive, model)
            os.replace(model, path.parent)
    return path


def unpack_nsfwjs(archive: Path, folder: Path) -> None:
    """Writes the InceptionV3 of the npm package nsfwjs as `model.json` and its files of numbers.

    Its `userDefinedMetadata` says that nsfwjs feeds it images of "unit" scaling.
    """
    with tarfile.open(archive) as package:

        def text(name: str) -> str:
            file = package.extractfile(f"package/dist/models/inception_v3/{name}.min.js")
            assert file is not None  # extractfile raises KeyError for what is not there
            return file.read().decode()

        script = text("model")
        manifest = _javascript_value(script, "weightsManifest:")
        for group in manifest:
            for name in group["paths"]:
                (encoded,) = re.findall(r'exports="([A-Za-z0-9+/=]+)"', text(name))
                (folder / name).write_bytes(base64.b64decode(encoded))
    model = {
        "format": "layers-model",
        "userDefinedMetadata": {"scaling": "unit"},
        "weightsManifest": manifest,
    }
    (folder / "model.json").write_text(json.dumps(model))


def _check(path: Path, source: Source) -> None:
    algorithm, expected = source.checksum.split(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if not digest.startswith(expected):
        raise UserError(
            source.location,
            f"is not what was published: its {algorithm} is {digest}, not {expected}; a new try"
            " would do if the download was broken",
        )


def _javascript_value(script: str, after: str) -> Any:
    """The array or object literal behind these characters of a minified script.

    Names stand there without quotes, numbers without their leading zero, and `!0` is true.
    """
    start = script.index(after) + len(after)
    tokens = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$]*(?=:)|![01]|(?<![\w.])\.\d|[\[\]{}]')
    parts, position, depth = [], start, 0
    for token in tokens.finditer(script, start):
        text = token[0]
        parts.append(script[position : token.start()])
        position = token.end()
        if text[0] in "[{":
            depth += 1
        elif text[0] in "]}":
            depth -= 1
        elif text[0] == "!":
            text = "true" if text == "!0" else "false"
        elif text[0] == ".":
            text = f"0{text}"
        elif text[0] != '"':
            text = f'"{text}"'
        parts.append(text)
        if depth == 0:
            break
    return json.loads("".join(parts))


SOURCES = {
    "keras": Source(
        "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:bcbd6486424b2319ff4ef7d526e38f63",
        _fetch_file,
    ),
    "torchvision": Source(
        "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        "sha256:0cc3c7bd",
        _fetch_file,
    ),
    "nsfwjs": Source(
        "nsfwjs@4.4.0",
        "sha512-krC1fgeTLXtZwgdpKJ0jm7hqv0gTSRQQRL+FhOaxaJ9Wj92t42BO3csO2odwgTAgZgf2RvkwPtp0R8Aa7dc"
        "+MA==",
        _fetch_nsfwjs,
    ),
}
