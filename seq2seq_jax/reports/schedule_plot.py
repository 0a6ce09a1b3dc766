"""The learning rate over the steps of a configuration, as a picture."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.training.optimizers import OptimizerConfig
from seq2seq_jax.training.schedules import make_schedule


def plot_schedule(config: ConfigDict, path: str | Path) -> Path:
    """Draws the rate of each update, from the first to the last of `train_steps`, to a PNG.

    Args:
      config: resolved.
    """
    schedule = make_schedule(OptimizerConfig.from_config(config.optimizer))
    steps = np.unique(np.linspace(0, config.train_steps, 2001).astype(np.int32))
    rates = np.asarray(jax.vmap(schedule)(jnp.asarray(steps)))

    figure = new_figure(7, 3)
    axis = figure.subplots()
    axis.plot(steps, rates)
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
    axis.set_title(config.optimizer.lr_decay_type or "constant")
    axis.grid(alpha=0.3)
    return save_figure(figure, path)
