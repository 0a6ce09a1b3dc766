"""The learning rate over the steps of a configuration, as a picture."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.training.optimizers import build_optimizer


def plot_schedule(config: ConfigDict, path: str | Path) -> Path:
    """Draws the rate of each update, from the first to the last of `train_steps`, to a PNG.

    Args:
      config: resolved.
    """
    # Slow to import, and needed here alone. Without pyplot no display is looked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    schedule, _ = build_optimizer(config.optimizer)
    steps = np.unique(np.linspace(0, config.train_steps, 2001).astype(np.int32))
    rates = np.asarray(jax.vmap(schedule)(jnp.asarray(steps)))

    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.plot(steps, rates)
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
    axis.set_title(config.optimizer.lr_decay_type or "constant")
    axis.grid(alpha=0.3)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path
