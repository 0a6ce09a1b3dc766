"""The plot of a learning rate."""

import jax.numpy as jnp

from seq2seq_jax.reports.schedule_plot import plot_schedule


def test_a_schedule_is_plotted_into_a_new_directory(tmp_path):
    path = plot_schedule(
        lambda step: 0.5 ** (step / 10) + 0 * jnp.asarray(step),
        100,
        "half every ten steps",
        tmp_path / "deep" / "schedule.png",
    )

    assert path.read_bytes().startswith(b"\x89PNG")
