"""References to checkpoints of runs: `RUN`, `RUN:best`, `RUN:latest` and `RUN:STEP`."""

import os
import re
from typing import NamedTuple

from seq2seq_jax.storage.checkpoints import Checkpoints


class RunReference(NamedTuple):
    """A checkpoint of a run.

    Attributes:
      path: The workdir of the run.
      choice: `best`, `latest` or the number of a step.
    """

    path: str
    choice: str

    def step(self, checkpoints: Checkpoints) -> int | None:
        """Return the step of the checkpoint; None stands for the latest undamaged one.

        Args:
          checkpoints: The checkpoints of the run.

        Raises:
          UserError: The metrics of a checkpoint are damaged, so that the best one is not known.
        """
        if self.choice == "best":
            return checkpoints.best_step()
        return None if self.choice == "latest" else int(self.choice)


def parse_run_reference(text: str) -> RunReference:
    """Split a reference into the workdir and the choice of a checkpoint.

    Args:
      text: The reference; `~` is expanded. What follows the last colon belongs to the path if a
        file of that name exists, or if it is no choice.

    Returns:
      The reference; the choice is `best` if there is none.

    Example:
      >>> parse_run_reference("runs/general:latest")
      RunReference(path='runs/general', choice='latest')
      >>> parse_run_reference("runs/general")
      RunReference(path='runs/general', choice='best')
    """
    text = os.path.expanduser(text)
    path, colon, choice = text.rpartition(":")
    if colon and not os.path.exists(text) and re.fullmatch(r"best|latest|\d{1,10}", choice):
        return RunReference(path, choice)
    return RunReference(text, "best")
