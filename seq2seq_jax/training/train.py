"""The function that trains a model in a workdir."""

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import check_training, trusted_names
from seq2seq_jax.devices.distributed import prepare_together
from seq2seq_jax.devices.memory import explain_out_of_memory
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.trainer import Trainer
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_lock import file_lock


def train(config: ConfigDict, workdir: str | Path, *, allow_changes: Collection[str] = ()) -> bool:
    """Train up to `config.train_steps`, from the last checkpoint in the workdir if there is one.

    Training for N steps and training that is killed and resumed any number of times give the same
    parameters bit for bit (on the CPU), the same order of the data and the same metrics.

    Args:
      config: A resolved configuration.
      workdir: The run's directory; it is created if necessary.
      allow_changes: Dotted keys that may change when the run resumes, with all keys below them,
        such as "optimizer.learning_rate"; the history of the workdir records the changes.

    Returns:
      Whether training is finished; False if a signal interrupted it after a last checkpoint.

    Raises:
      UserError: The configuration, the data or the workdir is not usable, or another process trains
        there; this is raised before anything is compiled or written. Also raised later, if the loss
        is no longer finite, memory runs out, or a file cannot be written.
    """
    check_training(config)
    if Path(workdir).is_file():
        what = (
            "a file is where a directory must be; use a new directory, and initialize_from to start"
        )
        raise UserError(str(workdir), f"{what} from a packed workdir")
    run = Workdir(workdir, trusted_names(config))
    is_main = Devices().is_main
    with explain_out_of_memory(), ExitStack() as locks, prepare_together() as barrier:

        def lock() -> None:
            locks.enter_context(file_lock(run.lock_file, "another training"))

        # A new workdir is locked later, because it is created when everything is checked.
        is_locked = is_main and run.lock_file.exists()
        if is_locked:
            lock()

        def when_prepared() -> None:
            if is_main and not is_locked:
                lock()
            barrier.wait()

        config = problem_of(config).complete_config(config, run)
        return Trainer(config, run, when_prepared, allow_changes).fit()
