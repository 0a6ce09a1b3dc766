"""The keys `tracking.*`: where a run is recorded in addition to its workdir."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.schema.rules import one_of


@dataclass(frozen=True)
class TrackingConfig:
    """Where a run is recorded in addition to `metrics.jsonl` and TensorBoard.

    Attributes:
      backend: wandb or mlflow, which need the extra of that name; empty: none.
      project: The project of Weights & Biases, or the experiment of MLflow.
      name: The name of the run; empty: that of its workdir.
      group: The group of the run; empty: the name of the sweep, if a sweep trains it.
      uri: The store of MLflow, as sqlite:///runs/mlflow.db; empty: MLFLOW_TRACKING_URI or, without
        it, sqlite:///mlflow.db.
      offline: Weights & Biases writes to the workdir only; wandb sync uploads it later.
    """

    backend: Annotated[str, one_of("", "wandb", "mlflow")] = ""
    project: str = "seq2seq_jax"
    name: str = ""
    group: str = ""
    uri: str = ""
    offline: bool = False
