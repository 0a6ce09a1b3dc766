"""The description of a workdir, as text."""

from pathlib import Path

from flax.traverse_util import unflatten_dict

from seq2seq_jax.reports.learning_curve import terminal_curves
from seq2seq_jax.reports.model_analysis import model_analysis
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.workdir import Workdir


def describe_workdir(path: str | Path) -> str:
    """Describe a run: its step, its parameters by module, and its metrics.

    The last line is `digest: ` with a SHA-256 over all parameters and the optimizer's state.

    Args:
      path: The workdir.

    Raises:
      UserError: There is no trained model.
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
        model_analysis(unflatten_dict(params, sep=".")),  # type: ignore[no-untyped-call, unused-ignore]
        "",
        terminal_curves(workdir.path),
        f"digest: {digest({name: array for name, array in arrays.items() if name != 'step'})}",
    ]
    return "\n".join(lines)
