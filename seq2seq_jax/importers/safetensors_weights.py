"""Parameters as safetensors, with the files that belong to them, as model hubs store models.

A directory holds

  model.safetensors  the parameters that inference uses, float32, under their names in the model
                     with dots: `decoder.mix.kernel`; non-trainable variables are in encoder.npz
  config.json        the resolved configuration
  vocab.*, subwords.*, encoder.npz
                     as in a workdir
  README.md          the model card
  SHA256SUMS         checksums of all these files; `sha256sum -c SHA256SUMS` checks them
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config import Trust, resolve, write_config
from seq2seq_jax.inference.loading import load_model
from seq2seq_jax.models.build import build_model, variable_shapes
from seq2seq_jax.storage.arrays import into_template, named_arrays
from seq2seq_jax.storage.workdir import Workdir, stored_files
from seq2seq_jax.utils.archives import one_line_errors
from seq2seq_jax.utils.atomic_io import atomic_directory
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command
from seq2seq_jax.utils.integrity import sha256_of

_log = logging.getLogger(__name__)
_WEIGHTS, _SUMS = "model.safetensors", "SHA256SUMS"


def export_weights(workdir: Workdir, config: ConfigDict, output: Path, card: str = "") -> int:
    """Write the parameters that inference uses, and what belongs to them, into a new directory.

    Args:
      workdir: The workdir of a trained model.
      config: Its resolved configuration; `inference.checkpoint` selects the checkpoint.
      output: The directory, which must not exist.
      card: The model card, as Markdown; empty: none.

    Returns:
      The number of parameters.

    Raises:
      UserError: There is no trained model, the directory exists, or safetensors is not installed.
    """
    save = _safetensors(str(output)).save_file
    if output.exists():
        raise UserError(str(output), "exists; use another --output")
    loaded = load_model(workdir, config)
    # safetensors writes the memory of an array as it is, so that a transposed one would be wrong.
    params = {k: np.ascontiguousarray(v) for k, v in named_arrays(loaded.params).items()}
    with atomic_directory(output) as partial:
        metadata = {"format": "np", "step": str(loaded.steps[0]), "model": str(config.model)}
        save(params, partial / _WEIGHTS, metadata=metadata)
        write_config(config, partial / "config.json")
        for name in stored_files():
            if (workdir.path / name).exists():
                shutil.copyfile(workdir.path / name, partial / name)
        if card:
            (partial / "README.md").write_text(card, encoding="utf-8")
        (partial / _SUMS).write_text("".join(_sums(partial)), encoding="utf-8")
    return sum(array.size for array in params.values())


def import_weights(source: Path, path: str, trust: Trust = False) -> None:
    """Write a workdir whose checkpoint at step 0 has the parameters of an exported directory.

    The model can be used and evaluated, and `initialize_from` can start from it.

    Args:
      source: The directory that `export_weights` wrote.
      path: The workdir, which must not contain a run.
      trust: Which custom classes its configuration may name.

    Raises:
      UserError: A file is missing or damaged, or does not fit the configuration. Then nothing is
        written.
    """
    workdir = Workdir(path)
    if workdir.config_file.exists():
        raise UserError(path, "contains a run; use another --workdir")
    sums = source / _SUMS
    if sums.exists():
        for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
            digest, _, name = line.partition("  ")
            file = source / Path(name).name
            if not file.is_file() or sha256_of(file) != digest:
                what = f"is missing or differs from {sums}; use an intact copy"
                raise UserError(str(file), what)
    exported = Workdir(source, trust)
    config = resolve(exported.config())
    params = read_weights(source / _WEIGHTS, config, exported)
    workdir.path.mkdir(parents=True, exist_ok=True)
    for name in stored_files():
        if (source / name).exists():
            shutil.copyfile(source / name, workdir.path / name)
    workdir.checkpoints(config).save(0, {"params": params}, {})
    write_config(config, workdir.config_file)
    _log.info("Imported %s into %s", source, path)


def read_weights(file: Path, config: ConfigDict, workdir: Workdir) -> PyTree:
    """Read the parameters of a model from a file of safetensors.

    Args:
      file: The file.
      config: The resolved configuration of the model.
      workdir: The directory with its vocabularies.

    Returns:
      The parameters, nested by module.

    Raises:
      UserError: The file cannot be read, or does not fit the model.
    """
    load = _safetensors(str(file)).load_file
    with one_line_errors(str(file), "is no usable file of safetensors"):
        arrays: Mapping[str, np.ndarray] = load(file)
    vocabularies = workdir.read_vocabularies()
    model = build_model(config, *vocabularies.sizes)
    return into_template(variable_shapes(model)["params"], arrays, str(file))


def _safetensors(where: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        what = f"needs the package safetensors; use {install_command('share')}"
        raise UserError(where, what) from error
    return safetensors.numpy


def _sums(directory: Path) -> Iterator[str]:
    for file in sorted(directory.iterdir()):
        yield f"{sha256_of(file)}  {file.name}\n"
