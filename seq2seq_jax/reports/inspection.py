"""What is in a workdir, as text."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from seq2seq_jax.checkpoints import digest
from seq2seq_jax.reports.learning_curve import terminal_curves
from seq2seq_jax.workdir import Workdir


def describe_workdir(path: str | Path) -> str:
    """The last step, the parameters by module, the metrics so far, and, on a line of its own,
    `digest: ` with a SHA-256 over all parameters and the optimizer's state.

    Raises:
      UserError: nothing was trained there.
    """
    workdir = Workdir(path)
    config = workdir.config()
    checkpoints = workdir.checkpoints(config)
    step, arrays, _ = checkpoints.read()
    params = {
        name.removeprefix("params."): array
        for name, array in arrays.items()
        if name.startswith("params.")
    }
    lines = [
        f"model: {config.model}",
        f"step: {step} of {config.train_steps}",
        f"checkpoints: {', '.join(map(str, checkpoints.all_steps()))}",
        f"best checkpoint: {checkpoints.best_step()}",
        "",
        *_parameter_table(params),
        "",
        terminal_curves(workdir.path),
        f"digest: {digest({name: array for name, array in arrays.items() if name != 'step'})}",
    ]
    return "\n".join(lines)


def _parameter_table(params: dict[str, np.ndarray]) -> list[str]:
    """Parameters by module: a line each, and their sum."""
    counts: dict[str, int] = defaultdict(int)
    shapes: dict[str, list[str]] = defaultdict(list)
    for name, array in params.items():
        module, _, leaf = name.rpartition(".")
        counts[module] += array.size
        shapes[module].append(f"{leaf} {'x'.join(map(str, array.shape))}")
    width = max(map(len, counts))
    table = [
        f"{module:<{width}}  {counts[module]:>12,}  {', '.join(shapes[module])}"
        for module in sorted(counts)
    ]
    return [*table, f"{'all parameters':<{width}}  {sum(counts.values()):>12,}"]
