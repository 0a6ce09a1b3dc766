"""A run packed into one archive: what inference and transfer need, with digests of all files.

The archive is a .zip file without compression. It holds the configuration, the vocabularies and
subword models, one checkpoint, the metrics, a model card (`README.md`), and `MANIFEST.json`, which
has the SHA-256 of every other file. Packing the same run twice gives the same bytes.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.run_reference import RunReference
from seq2seq_jax.utils.archives import check_unpacked_size, one_line_errors
from seq2seq_jax.utils.atomic_io import atomic_directory, atomic_replace
from seq2seq_jax.utils.cache_dir import CACHE_REMEDY, cache_dir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import read_json_object, seal, sha256_of, verify_seal

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from seq2seq_jax.storage.workdir import Workdir

_MANIFEST, _CARD = "MANIFEST.json", "README.md"
_FILES = (
    *("config.json", "history.json", "metrics.jsonl", "encoder.npz"),
    *(f"vocab.{side}.txt" for side in ("source", "target")),
    *(f"subwords.{side}.{kind}" for side in ("source", "target") for kind in ("codes", "model")),
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # The first time that a .zip file can hold.


def pack_workdir(
    workdir: "Workdir",
    config: "ConfigDict",
    output: Path,
    *,
    checkpoint: str = "best",
    card: str = "",
    with_optimizer: bool = False,
) -> str:
    """Write the archive of a run.

    Args:
      workdir: The workdir of the run.
      config: Its resolved configuration.
      output: The archive, whose name ends in .zip.
      checkpoint: `best`, `latest` or the number of a step.
      card: The model card, as Markdown; empty: none.
      with_optimizer: Whether to keep the optimizer's state, so that `initialize_from` can take it.

    Returns:
      The SHA-256 of the archive.

    Raises:
      UserError: There is no such checkpoint, a file is missing or damaged, or the archive cannot
        be written.
    """
    if output.suffix != ".zip":
        raise UserError(str(output), "a packed workdir ends in .zip; use NAME.zip")
    checkpoints = workdir.checkpoints(config)
    step, arrays, data = checkpoints.read(RunReference("", checkpoint).step(checkpoints))
    workdir.verify(step)
    entry = checkpoints.entry(step)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name in _FILES:
            if (workdir.path / name).exists():
                shutil.copyfile(workdir.path / name, root / name)
        if card:
            (root / _CARD).write_text(card, encoding="utf-8")
        target = root / "checkpoints"
        if with_optimizer:
            shutil.copytree(workdir.checkpoints_dir / str(step), target / str(step))
        else:
            kept = {k: v for k, v in arrays.items() if not k.startswith("opt_state.")}
            files = Checkpoints(target, describe_run=lambda: dict(entry.get("run", {})))
            files.save(step, kept, data, entry["metrics"])
        names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        manifest = seal({"step": step, "files": {name: sha256_of(root / name) for name in names}})
        (root / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        with atomic_replace(output) as partial, zipfile.ZipFile(partial, "w") as archive:
            for name in [_MANIFEST, *names]:
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), (root / name).read_bytes())
    return sha256_of(output)


def unpack_workdir(file: Path) -> Path:
    """Unpack an archive into the user's cache, unless that was done before.

    Args:
      file: What `pack_workdir` wrote.

    Returns:
      The directory, a workdir.

    Raises:
      UserError: The file is no such archive, is damaged, or unpacks to too much.
    """
    where = str(file)
    with one_line_errors(where, "is no packed workdir"):
        directory = cache_dir("packed") / sha256_of(file)[:32]
        if not (directory / _MANIFEST).exists():
            with zipfile.ZipFile(file) as archive:
                check_unpacked_size(archive, file)
                names = archive.namelist()
                with (
                    suppress(FileExistsError),  # Another process may be faster.
                    atomic_directory(directory, CACHE_REMEDY) as partial,
                ):
                    for name in names:
                        _extract(archive, name, partial)
                    _check(partial, names, where)
        _check(directory, None, where)
    return directory


def _extract(archive: zipfile.ZipFile, name: str, directory: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or name.endswith("/"):
        raise ValueError(f"it holds a file {name!r}")
    target = directory / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as member, target.open("xb") as copy:
        shutil.copyfileobj(member, copy)


def _check(directory: Path, names: list[str] | None, where: str) -> None:
    """Compare the files with the manifest; `names` are those of the archive, if it was read."""
    if not (directory / _MANIFEST).exists():
        raise UserError(
            where, f"is no packed workdir (it has no {_MANIFEST}); use the command pack"
        )
    manifest: Mapping[str, Any] = read_json_object(directory / _MANIFEST)
    verify_seal(manifest, where)
    expected = dict(manifest["files"])
    if names is not None and sorted(names) != sorted([*expected, _MANIFEST]):
        raise ValueError(f"its files are not those of its {_MANIFEST}")
    for name, digest in expected.items():
        if sha256_of(directory / name) != digest:
            raise ValueError(f"{name} differs from its {_MANIFEST}")
