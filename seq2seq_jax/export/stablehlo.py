"""Compiled programs in StableHLO: encoder and whole search, for CPU, CUDA and TPU.

Each program decodes batches of one shape: a number of rows and a source length. The weights are its
arguments, so that they are stored once for all programs.
"""

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict
from jax import export as jax_export
from jaxtyping import Array
from ml_collections import ConfigDict

from seq2seq_jax.export.exported_model import ExportedModel
from seq2seq_jax.export.numpy_package import PROGRAM, program_text
from seq2seq_jax.inference.predictor import needed_hypotheses
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import make_inference_config
from seq2seq_jax.search.types import SearchResult
from seq2seq_jax.storage.arrays import named_arrays
from seq2seq_jax.utils.atomic_io import atomic_directory
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

PLATFORMS = ("cpu", "cuda", "tpu")
LOADER = "seq2seq_stablehlo.py"

_README = """\
# {title}

Programs in StableHLO for {platforms}: encoder and whole search, one file per batch size and source
length. They need JAX and flatbuffers, and neither Flax nor seq2seq-jax:

```python
import sys; sys.path.append("{name}")
import seq2seq_stablehlo

model = seq2seq_stablehlo.load("{name}")
print(model.predict(["a source text"])[0].text)
```

They were written by jax {jax} and jaxlib {jaxlib}, with calling convention {convention}. JAX
promises that a jaxlib can read programs that a jaxlib of the six months before it wrote, and those
of the three weeks after it. For other versions, export the model again. A search option is part of
the programs: {search}.
"""


def check_installed() -> None:
    """Check that JAX can write programs.

    Raises:
      UserError: flatbuffers, which it needs for that, is not installed.
    """
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        what = f"stablehlo needs flatbuffers: {install_command('stablehlo')}"
        raise UserError("--format", what) from error


def default_lengths(max_seq_len: int) -> list[int]:
    """Return source lengths for programs: powers of two from 8, and the largest length.

    Args:
      max_seq_len: Number of tokens of the longest source.

    Example:
      >>> default_lengths(40)
      [8, 16, 32, 40]
    """
    lengths = [2**i for i in range(3, 20) if 2**i < max_seq_len]
    return [*lengths, max_seq_len]


def write_stablehlo(
    exported: ExportedModel, config: ConfigDict, path: Path, lengths: Sequence[int] = ()
) -> None:
    """Write the programs, the weights, and a loader, atomically.

    Args:
      exported: The model.
      config: The resolved configuration, with the search.
      path: The directory to create.
      lengths: The source lengths of the programs, up to the largest source; empty:
        `default_lengths`.

    Raises:
      UserError: The directory cannot be written.
    """
    lengths = lengths or default_lengths(config.source.max_seq_len)
    batch_sizes = sorted({1, config.inference.batch_size})
    programs = []
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    with atomic_directory(path) as directory:
        (directory / "programs").mkdir()
        convention = 0
        for rows in batch_sizes:
            for length in lengths:
                program = lower(exported, config, rows, length)
                convention = program.calling_convention_version
                file = f"programs/{rows}x{length}.stablehlo"
                (directory / file).write_bytes(program.serialize())
                programs.append({"batch": rows, "length": length, "file": file})
        description = {
            **exported.config,
            "programs": programs,
            "stablehlo": {
                "platforms": list(PLATFORMS),
                "calling_convention_version": convention,
                **versions,
            },
        }
        readme = _README.format(
            title=exported.title,
            name=path.name,
            platforms=", ".join(PLATFORMS),
            convention=convention,
            search=", ".join(f"{key}={value}" for key, value in exported.config["search"].items()),
            **versions,
        )
        (directory / "README.md").write_text(readme, encoding="utf-8")
        text = json.dumps(description, ensure_ascii=False, indent=1)
        (directory / "config.json").write_text(text, encoding="utf-8")
        (directory / "model.safetensors").write_bytes(exported.weights)
        for file in (PROGRAM, LOADER):
            (directory / file).write_text(program_text(file), encoding="utf-8")


def lower(
    exported: ExportedModel, config: ConfigDict, rows: int, length: int
) -> jax_export.Exported:
    """Lower encoder and search for one shape of batches.

    Args:
      exported: The model.
      config: The resolved configuration, with the search.
      rows: B.
      length: S.

    Returns:
      The program, a function of the weights by dotted names, source_ids [B, S] i32 and source_len
      [B] i32. It returns a dictionary with `ids`, `lengths`, `finished`, `log_probs` and `scores`
      of a `SearchResult`.
    """
    loaded = exported.loaded
    search = needed_hypotheses(make_inference_config(config.inference), loaded.tokenizers.target)
    decode = make_decode(loaded.model, loaded.vocabularies.target, search, kernels=config.kernels)

    def program(weights: dict[str, Array], source_ids: Array, source_len: Array) -> dict[str, Any]:
        result: SearchResult = decode(unflatten_dict(weights, sep="."), source_ids, source_len)
        names = ("ids", "lengths", "finished", "log_probs", "scores")
        return {name: getattr(result, name) for name in names}

    weights = {
        name: jax.ShapeDtypeStruct(np.shape(array), jnp.float32)
        for name, array in named_arrays(loaded.params).items()
    }
    return jax_export.export(jax.jit(program), platforms=PLATFORMS)(
        weights,
        jax.ShapeDtypeStruct((rows, length), jnp.int32),
        jax.ShapeDtypeStruct((rows,), jnp.int32),
    )
