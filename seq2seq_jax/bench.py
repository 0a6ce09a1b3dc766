"""Speed and memory of training and of search, on three models of growing size.

    python -m seq2seq_jax.bench [--cases A,B,C] [--modes train,greedy,beam5] [--seconds 15]

One JSON line for each measurement on standard output; each is made in a process of its own, so that
its peak of memory is its own. On one core: `taskset -c 0 python -m seq2seq_jax.bench`.

Batches are padded to their longest pair and not sorted by length. When decoding, no hypothesis ends
before 50 words, so that every run does the same work. Nothing is read from the compilation cache
unless JAX_COMPILATION_CACHE_DIR is set: `warm_s` and `peak_rss_mb` hold the compiling.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from seq2seq_jax.allocator import keep_memory
from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.decoding import make_decode
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.devices import Devices
from seq2seq_jax.training.optimizers import make_optimizer
from seq2seq_jax.training.schedules import make_schedule
from seq2seq_jax.training.train_step import create_train_state, make_train_step


class Case(NamedTuple):
    """A bidirectional encoder, attention, and a decoder that is fed what it saw; `units` is the
    width of everything. Sentences have `shortest` to `longest` words."""

    cell: str
    attention: str
    units: int
    encoder_layers: int
    decoder_layers: int
    vocab_size: int
    shortest: int
    longest: int
    equal_lengths: bool
    batch_size: int
    batches: int


CASES = {
    "A": Case("GRUCell", "AttentionLayerDot", 128, 1, 1, 24, 5, 20, True, 32, 8),
    "B": Case("GRUCell", "AttentionLayerBahdanau", 256, 1, 2, 10004, 10, 40, False, 64, 2),
    "C": Case("LSTMCell", "AttentionLayerBahdanau", 512, 2, 4, 16004, 10, 40, False, 64, 1),
}
MODES = {"train": 0, "greedy": 1, "beam5": 5}
"""Width of the beam by name."""
DECODE_LENGTH = 50

Batch = dict[str, np.ndarray]


def main() -> int:
    """Measures what the command line asks for, one process each; 1 if any of them failed."""
    parser = argparse.ArgumentParser(prog="seq2seq_jax.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default=",".join(CASES), help="any of %(default)s")
    parser.add_argument("--modes", default=",".join(MODES), help="any of %(default)s")
    parser.add_argument("--seconds", type=float, default=15, help="for each (%(default)s)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, mode, batch_size = arguments.one.split(":")
        print(json.dumps(measure(name, CASES[name], mode, int(batch_size), arguments.seconds)))
        return 0
    cases, modes = arguments.cases.split(","), arguments.modes.split(",")
    for given, valid in ((cases, CASES), (modes, MODES)):
        for name in given:
            if name not in valid:
                parser.error(f"unknown {name!r}; valid: {', '.join(valid)}")
    failed = False
    for name in cases:
        for mode in modes:
            for batch_size in (CASES[name].batch_size,) if mode == "train" else (1, 32):
                one = f"{name}:{mode}:{batch_size}"
                command = [sys.executable, "-m", "seq2seq_jax.bench", "--one", one]
                command += ["--seconds", str(arguments.seconds)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
                error = {"peer": "seq2seq_jax", "one": one, "error": f"exit {done.returncode}"}
                print(done.stdout.strip() or json.dumps(error), flush=True)
                failed |= done.returncode != 0
    return int(failed)


def measure(name: str, case: Case, mode: str, batch_size: int, seconds: float) -> dict[str, Any]:
    """One line of results, measured in this process for about so many seconds."""
    model = make_model(case)
    params = init_params(model, seed=0)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    if mode == "train":
        results = measure_training(case, model, params, seconds)
    else:
        results = measure_decoding(case, model, params, MODES[mode], batch_size, seconds)
    peak_rss_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    gflops = matmul_gflops()
    step_s = results.pop("step_s_median")
    if mode == "train":
        results["utilisation"] = round(train_flops(case) / step_s / gflops / 1e9, 3)
    return {
        "peer": "seq2seq_jax",
        "case": name,
        "mode": mode,
        "feed": 1,
        "batch": batch_size,
        "threads": len(os.sched_getaffinity(0)),
        **results,
        "params": count,
        "matmul_gflops": round(gflops, 1),
        "peak_rss_mb": peak_rss_mb,
        "load1": round(os.getloadavg()[0], 2),
    }


def make_model(case: Case) -> nn.Module:
    """Built as from a config file: that of configs/nmt_small.py, _medium.py or _large.py."""
    config = default_config("AttentionSeq2Seq")
    # Nothing is read from it; a configuration without data is not valid.
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    config.source.reverse = False
    config.embedding.dim = case.units
    config.attention["class"] = case.attention
    config.attention.params = {"num_units": case.units}
    for part, layers in (("encoder", case.encoder_layers), ("decoder", case.decoder_layers)):
        cell = {
            "cell_class": case.cell,
            "cell_params": {"num_units": case.units},
            "dropout_input_keep_prob": 0.8,
            "num_layers": layers,
        }
        config[part].params = {"rnn_cell": cell}
    return build_model(resolve(config), case.vocab_size, case.vocab_size)


def measure_training(case: Case, model: nn.Module, params: Any, seconds: float) -> dict[str, Any]:
    """Target tokens a second, SEQUENCE_END counted, padding not."""
    optimizer = make_optimizer("Adam", {"eps": 8e-7}, make_schedule(1e-4))
    step = Devices().compile_step(make_train_step(model, optimizer, seed=0))
    batches = make_batches(case)
    state = create_train_state(params, optimizer)

    def one_pass() -> list[float]:
        nonlocal state
        metrics = []
        for batch in batches:
            state, step_metrics = step(state, batch)
            metrics.append(step_metrics)
        return [float(m["loss"] / m["target_tokens"]) for m in jax.device_get(metrics)]

    outputs, warm_s, wall, cpu = timed(one_pass, seconds)
    losses = [loss for output in outputs for loss in output]
    return {
        **rates("tok", sum(int((batch["target_len"] - 1).sum()) for batch in batches), wall, cpu),
        "step_cpu_ms": round(1e3 * min(cpu) / len(batches), 2),
        "step_s_median": statistics.median(wall) / len(batches),
        "warm_s": round(warm_s, 2),
        "loss_first": round(losses[0], 4),
        "loss_last": round(losses[-1], 4),
        "finite": bool(np.all(np.isfinite(losses))),
    }


def measure_decoding(
    case: Case, model: nn.Module, params: Any, beam_width: int, batch_size: int, seconds: float
) -> dict[str, Any]:
    """Sentences a second; for a batch of one it is the sentence of median length."""
    vocabulary = Vocabulary(map(str, range(case.vocab_size - 3)))
    decode = make_decode(model, vocabulary, beam_width=beam_width, max_length=DECODE_LENGTH)
    # Words alone are ever chosen: the logits of UNK, SEQUENCE_START and SEQUENCE_END are too low.
    bias = params["decoder"]["project_logits"]["bias"]
    params["decoder"]["project_logits"]["bias"] = bias.at[vocabulary.unk_id :].set(-1e9)
    batch = make_batches(case._replace(batch_size=32, batches=1), seed=7)[0]
    rows = slice(15, 16) if batch_size == 1 else slice(batch_size)
    lengths = batch["source_len"][rows]
    sources = batch["source_ids"][rows, : lengths.max()]
    outputs, warm_s, wall, cpu = timed(
        lambda: jax.device_get(decode(params, sources, lengths)), seconds
    )
    return {
        **rates("sent", batch_size, wall, cpu),
        "step_s_median": statistics.median(wall),
        "warm_s": round(warm_s, 2),
        "out_lens": np.unique(outputs[0].lengths[:, 0]).tolist(),
    }


def make_batches(case: Case, seed: int = 1234) -> list[Batch]:
    """The batches of a case, the same for the same seed; see `models.losses.Batch`.

    Words have the ids 0 to V - 5, the last three ids are special, and one is left over.
    """
    generator = np.random.default_rng(seed)
    count = case.batches * case.batch_size
    sources = targets = generator.integers(case.shortest, case.longest + 1, count)
    if not case.equal_lengths:
        noise = np.rint(generator.normal(0, 2, count)).astype(int)
        targets = np.clip(sources + noise, case.shortest, case.longest)
    pairs = [
        (
            generator.integers(case.vocab_size - 4, size=s),
            generator.integers(case.vocab_size - 4, size=t),
        )
        for s, t in zip(sources, targets, strict=True)
    ]
    return [
        _padded(sorted(pairs[i : i + case.batch_size], key=lambda pair: -len(pair[0])), case)
        for i in range(0, count, case.batch_size)
    ]


def train_flops(case: Case) -> float:
    """Floating-point operations of a training step's matrix products, the mean over the batches.

    Padded positions count, for they are computed. A multiplication with its addition is two; the
    way back costs twice the way forth.
    """
    units, gates = case.units, 3 if case.cell == "GRUCell" else 4
    memory = 2 * units  # the encoder's two directions
    source_token = 2 * memory * units  # attention's keys
    for layer in range(case.encoder_layers):
        # Both directions. Counted as if each layer saw both directions of the one below.
        source_token += 2 * 2 * gates * units * ((memory if layer else units) + units)
    target_token = 2 * (memory + units) * units + 2 * units * case.vocab_size  # mix, logits
    for layer in range(case.decoder_layers):
        target_token += 2 * gates * units * ((units if layer else units + memory) + units)
    if case.attention == "AttentionLayerBahdanau":
        target_token += 2 * units * units  # attention's query
    pair = 2 * units + 2 * memory  # score, weighted sum
    batches = make_batches(case)
    total = 0
    for batch in batches:
        rows, source_width = batch["source_ids"].shape
        target_width = batch["target_ids"].shape[1] - 1
        total += rows * source_width * source_token
        total += rows * target_width * (target_token + source_width * pair)
    return 3 * total / len(batches)


def matmul_gflops(size: int = 2048, seconds: float = 2) -> float:
    """The machine's limit: 1e9 operations a second in a product of two float32 matrices, the best
    of many, by JAX or by numpy's BLAS, whichever is faster."""
    a = np.random.default_rng(0).standard_normal((size, size), np.float32)
    on_device, product = jnp.asarray(a), jax.jit(jnp.matmul)
    ways: list[Callable[[], Any]] = [
        lambda: product(on_device, on_device).block_until_ready(),
        lambda: a @ a,
    ]
    return max(2 * size**3 / min(timed(way, seconds / 2, 1000)[2]) / 1e9 for way in ways)


def timed(
    run: Callable[[], Any], seconds: float, most: int = 10
) -> tuple[list[Any], float, list[float], list[float]]:
    """Runs once to warm up, then at least twice, until the seconds or the most runs are over.

    Returns:
      what the runs returned, the seconds of the first, and of each other one the seconds that
      passed and the CPU seconds that this process used.
    """
    started = time.perf_counter()
    outputs = [run()]
    warm_s = time.perf_counter() - started
    wall: list[float] = []
    cpu: list[float] = []
    started = time.perf_counter()
    while len(wall) < 2 or (time.perf_counter() - started < seconds and len(wall) < most):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        outputs.append(run())
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    return outputs, warm_s, wall, cpu


def rates(what: str, count: int, wall: list[float], cpu: list[float]) -> dict[str, float]:
    """`count` a second, and a CPU second: the best run and the median one."""
    return {
        f"{what}_s_best": round(count / min(wall), 3),
        f"{what}_s_median": round(count / statistics.median(wall), 3),
        f"{what}_cpus_best": round(count / min(cpu), 3),
        f"{what}_cpus_median": round(count / statistics.median(cpu), 3),
        "reps": len(wall),
    }


def _padded(pairs: list[tuple[np.ndarray, np.ndarray]], case: Case) -> Batch:
    """Targets get SEQUENCE_START and SEQUENCE_END, sources nothing."""
    start_id, end_id = case.vocab_size - 2, case.vocab_size - 1
    source_len = np.array([len(source) for source, _ in pairs], np.int32)
    target_len = np.array([len(target) + 2 for _, target in pairs], np.int32)
    source_ids = np.zeros((len(pairs), source_len.max()), np.int32)
    target_ids = np.zeros((len(pairs), target_len.max()), np.int32)
    for row, (source, target) in enumerate(pairs):
        source_ids[row, : len(source)] = source
        target_ids[row, : len(target) + 2] = [start_id, *target, end_id]
    return {
        "source_ids": source_ids,
        "source_len": source_len,
        "target_ids": target_ids,
        "target_len": target_len,
    }


if __name__ == "__main__":
    keep_memory()
    sys.exit(main())
