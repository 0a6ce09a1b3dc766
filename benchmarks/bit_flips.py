"""Random bit flips in the files of runs and of the cache: each is noticed or changes nothing.

One process makes two small runs with random parameters, one with BPE and one with SentencePiece.
Then it flips one bit of one file at a time, loads the run as `infer` and as resumed training do,
and compares everything that was loaded: configuration, chosen checkpoint, parameters, vocabularies,
tokenizers, encoder weights and prepared text. Any difference without a message counts as silent.

    python -m benchmarks.bit_flips --flips 10000

The program ends with status 1 if a flip was silent or led to a traceback.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config import default_config, resolve, write_config
from seq2seq_jax.data.tokenized_cache import TokenizedText
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.loading import read_model_files
from seq2seq_jax.models.build import build_model, variable_shapes
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.problems.text_data import tokenize_pipeline
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.metrics_log import MetricWriter, read_metrics
from seq2seq_jax.storage.resuming import check_same_configuration
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError

OUTCOMES = ("noticed", "rebuilt", "same", "silent", "traceback")
"""Noticed: an error in one line, or a warning. Rebuilt: a cache was made again, with a warning."""

KINDS = {
    "configuration": "config.json",
    "vocabularies": "vocab.*",
    "BPE codes": "subwords.*.codes",
    "SentencePiece models": "subwords.*.model",
    "encoder weights": "encoder.npz",
    "checkpoint metadata": "checkpoints/*/checkpoint.json",
    "checkpoint checksums": "checkpoints/*/SHA256SUMS",
    "checkpoint arrays": "checkpoints/*/state/**/*",
    "metrics (a log)": "metrics.jsonl",
    "TensorBoard events (never read)": "events.*",
    "prepared text (cache)": "cache/prepared/*/*",
}
"""Kind of file -> pattern of its files in a workdir."""


class Loaded(NamedTuple):
    """What was loaded from a run, each part as a digest or as text."""

    config: str
    steps: str
    params: str
    vocabularies: str
    tokenizers: str
    encoder: str
    resumed: str
    text: str


def make_run(path: Path, kind: str, seed: int = 0) -> Workdir:
    """Write a run with random parameters, three checkpoints and all other files.

    Args:
      path: The workdir; the data are written next to it.
      kind: The kind of subwords.
      seed: Seed of the parameters.

    Returns:
      The workdir.
    """
    config = _make_config(path, kind)
    _use_cache_in(path)
    workdir = Workdir(path)
    data = problem_of(config).prepare_training(config, workdir, Devices())
    write_config(config, workdir.config_file)
    workdir.write_tokenizers(data.tokenizers)
    workdir.write_vocabularies(data.vocabularies)
    workdir.write_non_trainable({"frozen": {"kernel": np.arange(32.0)}})
    model = build_model(config, data.vocabularies.source.size, data.vocabularies.target.size)
    draw = np.random.default_rng(seed)
    writer = MetricWriter(path, 0)
    for step, perplexity in ((10, 2.0), (20, 3.5), (30, 3.0)):
        params = jax.tree.map(
            lambda leaf: draw.normal(size=leaf.shape).astype(np.float32),
            variable_shapes(model)["params"],
        )
        metrics = {"log_perplexity": perplexity}
        writer.write_scalars(step, {"dev/log_perplexity": perplexity})
        workdir.checkpoints(config).save(step, {"params": params}, {"position": step}, metrics)
    return workdir


def load(workdir: Workdir) -> Loaded:
    """Load a run as `infer` does, and as training does when it resumes.

    Args:
      workdir: The workdir of the run.

    Raises:
      UserError: A file is damaged.
    """
    _use_cache_in(workdir.path)
    config = resolve(workdir.config())
    files = read_model_files(workdir, config)
    check_same_configuration(workdir, config)
    workdir.verify()
    resumed, arrays, data = workdir.checkpoints(config).read()
    encoder = workdir.non_trainable({"frozen": {"kernel": np.zeros(32)}})
    keys = ("input_pipeline_train", "input_pipeline_dev")
    texts = [tokenize_pipeline(config, key, files.tokenizers) for key in keys]
    read_metrics(workdir.path)
    return Loaded(
        _hash(json.dumps(config.to_dict(), sort_keys=True)),
        str(list(files.arrays)),
        _hash(*(digest(dict(one)) for one in files.arrays.values())),
        _hash(*(repr(each and each.tokens) for each in files.vocabularies)),
        _hash(*(str(each and each.digest()) for each in files.tokenizers)),
        digest(encoder),
        f"{resumed} {digest(arrays)} {json.dumps(data, sort_keys=True)}",
        _hash(*map(_hash_text, texts)),
    )


def flip_bits(workdirs: Sequence[Workdir], flips: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Flip one random bit at a time, load the run, and restore the file.

    Each kind of file gets an equal number of flips, and each byte of a kind is equally likely.

    Args:
      workdirs: The runs.
      flips: The number of flips.
      seed: Seed of the choice.

    Returns:
      Kind of file -> outcome -> number of flips. Flips that are silent or lead to a traceback are
      printed on stderr.
    """
    choice = random.Random(seed)
    warnings = _Warnings()
    before = {workdir.path: load(workdir) for workdir in workdirs}
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for number in range(flips):
        kind, pattern = list(KINDS.items())[number % len(KINDS)]
        found = [(run, file) for run in workdirs for file in _files(run.path, pattern)]
        sizes = [file.stat().st_size for _, file in found]
        ((run, file),) = choice.choices(found, sizes)
        content = file.read_bytes()
        flipped = bytearray(content)
        position, bit = choice.randrange(len(content)), choice.randrange(8)
        flipped[position] ^= 1 << bit
        file.write_bytes(flipped)
        warnings.texts.clear()
        outcome = _outcome(run, before[run.path], warnings.texts)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        counts[kind][outcome] += 1
        if outcome in ("silent", "traceback"):
            print(f"{outcome}: bit {bit} of byte {position} of {file}", file=sys.stderr)
    return counts


def to_markdown(counts: Mapping[str, Counter[str]]) -> str:
    """Return the table of the outcomes.

    Args:
      counts: What `flip_bits` returned.
    """
    total: Counter[str] = sum(counts.values(), Counter())
    rows = [("file", "flips", *OUTCOMES), ("---",) * (2 + len(OUTCOMES))]
    for kind, found in [*counts.items(), ("total", total)]:
        rows.append((kind, f"{found.total():,}", *(f"{found[name]:,}" for name in OUTCOMES)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> int:
    """Make the runs, flip bits, and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger("seq2seq_jax").propagate = False  # The warnings are only counted.
    with tempfile.TemporaryDirectory() as directory:
        runs = [make_run(Path(directory, kind), kind) for kind in ("bpe", "sentencepiece")]
        counts = flip_bits(runs, arguments.flips, arguments.seed)
    print(to_markdown(counts), end="")
    return int(any(found["silent"] + found["traceback"] for found in counts.values()))


def _use_cache_in(path: Path) -> None:
    os.environ["SEQ2SEQ_JAX_CACHE"] = str(path / "cache")


def _make_config(path: Path, kind: str) -> ConfigDict:
    draw = random.Random(0)
    for part, count in (("train", 60), ("dev", 20)):
        for side in ("source", "target"):
            lines = (" ".join(draw.choices("abcdef", k=draw.randint(1, 8))) for _ in range(count))
            path.mkdir(parents=True, exist_ok=True)
            path.parent.joinpath(f"{part}.{side}").write_text("".join(f"{x}\n" for x in lines))
    config = default_config("AttentionSeq2Seq")
    for part in ("train", "dev"):
        config[f"input_pipeline_{part}"].params = {
            f"{side}_files": str(path.parent / f"{part}.{side}") for side in ("source", "target")
        }
    units = {
        "embedding.dim": "3",
        "encoder.params.rnn_cell.cell_params.num_units": "4",
        "decoder.params.rnn_cell.cell_params.num_units": "4",
        "attention.params.num_units": "5",
        "inference.max_decode_length": "6",
        "subwords.kind": kind,
        "subwords.size": "12",
    }
    return resolve(config, list(units.items()))


def _outcome(workdir: Workdir, before: Loaded, warnings: Sequence[str]) -> str:
    try:
        loaded = load(workdir)
    except UserError as error:
        return "traceback" if "\n" in str(error) else "noticed"
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return "traceback"
    if warnings:
        is_cache = any("cache is damaged" in text for text in warnings)
        if is_cache and loaded != before:
            return "silent"  # It was not rebuilt correctly.
        return "rebuilt" if is_cache else "noticed"
    return "same" if loaded == before else "silent"


def _files(path: Path, pattern: str) -> list[Path]:
    return [file for file in sorted(path.glob(pattern)) if file.is_file() and file.stat().st_size]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _hash_text(text: TokenizedText) -> str:
    arrays = [
        array for side in text[:2] for array in (side.rows.ids, side.rows.offsets, side.counts)
    ]
    tokens = [*text.source.tokens(), *text.target.tokens()]
    return _hash(repr([array.tolist() for array in arrays]), repr(tokens), repr(text[2:]))


class _Warnings(logging.Handler):
    """Collects the warnings of the package."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        logging.getLogger("seq2seq_jax").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


if __name__ == "__main__":
    sys.exit(main())
