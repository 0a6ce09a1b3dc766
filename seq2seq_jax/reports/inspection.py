"""The description of a workdir, as text."""

from flax.traverse_util import unflatten_dict

from seq2seq_jax.reports.learning_curve import terminal_curves
from seq2seq_jax.reports.model_analysis import model_analysis
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import SEAL


def describe_workdir(workdir: Workdir) -> str:
    """Describe a run: its step, its parameters by module, and its metrics.

    The last line is `digest: ` with a SHA-256 over all parameters and the optimizer's state.

    Args:
      workdir: The workdir.

    Raises:
      UserError: There is no trained model.
    """
    config = workdir.config()
    checkpoints = workdir.checkpoints(config)
    step, arrays, _ = checkpoints.read()
    written_by = checkpoints.entry(step)[SEAL]
    versions = ", ".join(f"{name} {version}" for name, version in written_by["versions"].items())
    params = {
        name.removeprefix("params."): array
        for name, array in arrays.items()
        if name.startswith("params.")
    }
    lines = [
        f"model: {config.model}",
        f"step: {step} of {config.train_steps}",
        f"checkpoints: {', '.join(map(str, checkpoints.all_steps()))}",
        f"best checkpoint: {_best(checkpoints)}",
        f"written by: format {written_by['format']}, {versions}",
        "",
        model_analysis(unflatten_dict(params, sep=".")),  # type: ignore[no-untyped-call, unused-ignore]
        "",
        terminal_curves(workdir.path),
        f"digest: {digest({name: array for name, array in arrays.items() if name != 'step'})}",
    ]
    return "\n".join(lines)


def _best(checkpoints: Checkpoints) -> str:
    try:
        return str(checkpoints.best_step())
    except UserError as error:
        return f"not known ({error})"
