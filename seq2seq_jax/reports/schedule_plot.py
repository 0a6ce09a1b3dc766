"""The plot of a learning rate over the steps of a training."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from seq2seq_jax.reports.figures import new_figure, save_figure


def plot_schedule(
    schedule: Callable[[jax.Array], jax.Array], train_steps: int, title: str, path: str | Path
) -> Path:
    """Plot the learning rate of each update of a training.

    Args:
      schedule: Maps a step to the learning rate.
      train_steps: The last step of the plot.
      title: The title of the plot.
      path: The PNG or SVG file; its directory is created.

    Returns:
      The path of the file.
    """
    steps = np.unique(np.linspace(0, train_steps, 2001).astype(np.int32))
    learning_rates = np.asarray(jax.vmap(schedule)(jnp.asarray(steps)))

    figure = new_figure(7, 3)
    axis = figure.subplots()
    axis.plot(steps, learning_rates)
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
    axis.set_title(title)
    axis.grid(alpha=0.3)
    return save_figure(figure, path)
