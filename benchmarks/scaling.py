"""The work of each device in data-parallel training, as read from the compiled training step.

Simulated devices share the same processors, so their speed has no meaning. But the program of each
device shows how many operations it has, and how often it waits for the others.
"""

import math
import re
from typing import Any, NamedTuple

import jax

from benchmarks.cases import CASES, LEARNING_RATE, make_batches, our_ids
from benchmarks.training import make_model
from seq2seq_jax.devices import parallel as devices
from seq2seq_jax.models.build import init_params
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state, make_train_step

COUNTS = (1, 2, 4, 8)
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")


class Program(NamedTuple):
    """The compiled training step of one device.

    Attributes:
      devices: The number of devices.
      rows: The rows of the batch on each device.
      gflop: 1e9 operations of the program; a loop over time counts once.
      collectives: The number of collective operations.
      in_loops: The number of those in loops over time, which run for every token.
      exchanged_mb: The MB that they exchange in a step, without those in loops.
    """

    devices: int
    rows: int
    gflop: float
    collectives: int
    in_loops: int
    exchanged_mb: float


def simulate_devices() -> None:
    """Simulate the devices on the CPU; call this before JAX initializes its devices."""
    jax.config.update("jax_num_cpu_devices", max(COUNTS))


def compile_for(name: str, count: int) -> Program:
    """Compile the training step of a case for a number of devices.

    Args:
      name: The name of the case.
      count: The number of devices.
    """
    case = CASES[name]
    all_devices, available = devices.Devices("jit"), devices.available
    batch = make_batches(case, our_ids(case))[0]
    model = make_model(case)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=LEARNING_RATE))
    devices.available = lambda: jax.devices()[:count]
    try:
        step: Any = all_devices.compile_step(make_train_step(model, optimizer))
        state = all_devices.replicate(create_train_state(init_params(model, seed=0), optimizer))
        compiled = step.lower(state, all_devices.shard_batch(batch)).compile()
    finally:
        devices.available = available
    found = collectives(compiled.as_text())
    return Program(
        devices=count,
        rows=case.batch_size // count,
        gflop=compiled.cost_analysis()["flops"] / 1e9,
        collectives=len(found),
        in_loops=sum(is_in_loop for _, is_in_loop in found),
        exchanged_mb=sum(size for size, is_in_loop in found if not is_in_loop) / 1e6,
    )


def collectives(program: str) -> list[tuple[int, bool]]:
    """Find the collective operations of an optimized HLO program.

    Args:
      program: The text of the program.

    Returns:
      For each operation, the bytes that each device receives, and whether it is in a loop.
    """
    parts = {}
    for part in program.split("\n\n"):
        if header := re.match(r"\s*(?:ENTRY )?%([\w.-]+) \(", part):
            parts[header[1]] = part
    in_loops: set[str] = set()
    called = set(re.findall(r"body=%([\w.-]+)", program))
    while called:  # Bodies of loops, and all that they call.
        in_loops |= called
        names = (re.findall(r"%([\w.-]+)", parts[name]) for name in called)
        called = {name for found in names for name in found if name in parts} - in_loops
    exchange = rf"= (.*?) (?:{'|'.join(COLLECTIVES)})(?:-start)?\("
    return [
        (sum(_bytes(*array) for array in _ARRAY.findall(shapes)), name in in_loops)
        for name, part in parts.items()
        for shapes in re.findall(exchange, part)
    ]


def to_markdown(programs: list[Program]) -> str:
    """Return the table as Markdown.

    Args:
      programs: One program for each number of devices.
    """
    text = [
        "| devices | rows per device | GFLOP per device | collectives per step | per token | MB |",
        "|---|---|---|---|---|---|",
    ]
    for program in programs:
        text.append(
            f"| {program.devices} | {program.rows} | {program.gflop:.2f}"
            f" | {program.collectives - program.in_loops} | {program.in_loops}"
            f" | {program.exchanged_mb:.2f} |"
        )
    return "\n".join(text)


_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_BYTES = {"f32": 4, "s32": 4, "u32": 4, "pred": 1, "bf16": 2, "f64": 8}


def _bytes(kind: str, shape: str) -> int:
    return _BYTES[kind] * math.prod(int(width) for width in shape.split(",") if width)
