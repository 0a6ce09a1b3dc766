"""What each device does when several train together, as read from the compiled train step.

Devices that are pretended share the same processors, so that their speed says nothing; but the
program of each tells how much work it has, and how often it waits for the others.
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
    """
    Attributes:
      devices: that run it at once.
      rows: of the batch that each of them works on.
      gflop: of each device's program; of a loop over time, those of one turn.
      collectives, in_loops: places where all devices exchange numbers; those that a loop over time
        comes to at every word.
      exchanged_mb: what they exchange in a step, loops apart.
    """

    devices: int
    rows: int
    gflop: float
    collectives: int
    in_loops: int
    exchanged_mb: float


def pretend_devices() -> None:
    """Makes the processors look like as many devices as are needed; before JAX has any."""
    jax.config.update("jax_num_cpu_devices", max(COUNTS))


def compile_for(name: str, count: int) -> Program:
    """The train step of a case, compiled for so many devices."""
    case = CASES[name]
    all_devices, available = devices.Devices("jit"), devices.available
    batch = make_batches(case, our_ids(case))[0]
    model = make_model(case)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=LEARNING_RATE))
    devices.available = lambda: jax.devices()[:count]
    try:
        step: Any = all_devices.compile_step(make_train_step(model, optimizer))
        state = all_devices.replicate(create_train_state(init_params(model, seed=0), optimizer))
        compiled = step.lower(state, all_devices.spread(batch)).compile()
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
    """Of an optimised HLO program, of each exchange between devices: the bytes that each device
    gets, and whether it is in a loop."""
    parts = {}
    for part in program.split("\n\n"):
        if header := re.match(r"\s*(?:ENTRY )?%([\w.-]+) \(", part):
            parts[header[1]] = part
    in_loops: set[str] = set()
    called = set(re.findall(r"body=%([\w.-]+)", program))
    while called:  # bodies, and all that they call
        in_loops |= called
        names = (re.findall(r"%([\w.-]+)", parts[name]) for name in called)
        called = {name for found in names for name in found if name in parts} - in_loops
    exchange = rf"= (.*?) (?:{'|'.join(COLLECTIVES)})(?:-start)?\("
    return [
        (sum(_bytes(*array) for array in _ARRAY.findall(shapes)), name in in_loops)
        for name, part in parts.items()
        for shapes in re.findall(exchange, part)
    ]


def table(programs: list[Program]) -> str:
    """Markdown."""
    text = [
        "| devices | rows of each | GFLOP of each program | exchanges a step | a word | MB |",
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
