"""The picture of a learning rate."""

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.config.defaults import DECAY_TYPES
from seq2seq_jax.reports.schedule_plot import plot_schedule


@pytest.mark.parametrize("decay", ["", *DECAY_TYPES])
def test_every_schedule_can_be_drawn(decay, tmp_path):
    config = resolve(default_config("AttentionSeq2Seq"), [("optimizer.lr_decay_type", decay)])
    path = plot_schedule(config, tmp_path / "deep" / "rate.png")

    assert path.read_bytes().startswith(b"\x89PNG")
