from pathlib import Path

import pytest

from seq2seq_jax.sweeps.definition import load_sweep
from seq2seq_jax.sweeps.trials import grid
from tests.sweeps.toy_sweeps import sweep_file

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_every_level_meets_every_other_with_every_seed(tmp_path):
    text = (
        "factors={'embedding.dim': [8, 16], 'cell': {"
        " 'GRU': {'encoder.params.rnn_cell.cell_class': 'GRUCell'}, 'LSTM': {}}},"
        " seeds=[0, 7], overrides={'batch_size': 4}"
    )
    trainings = grid(sweep_file(tmp_path, text, [("train_steps", "5")]))

    assert [training.name for training in trainings] == [
        f"dim={dim}_cell={cell}_seed={seed}"
        for seed in (0, 7)
        for dim in (8, 16)
        for cell in ("GRU", "LSTM")
    ]
    config = trainings[4].config
    assert (config.embedding.dim, config.seed, config.batch_size, config.train_steps) == (
        8,
        7,
        4,
        5,
    )
    assert config.encoder.params.rnn_cell.cell_class == "GRUCell"
    assert trainings[4].trials[0].levels == {"embedding.dim": 8, "cell": "GRU"}


def test_trials_that_only_search_otherwise_share_a_training(tmp_path):
    text = (
        "factors={'embedding.dim': [8, 16], 'inference.beam_search.beam_width': [1, 5]}, seeds=[0]"
    )
    first, second = grid(sweep_file(tmp_path, text))

    assert (first.name, second.name) == ("dim=8_seed=0", "dim=16_seed=0")
    assert first.config.inference.beam_search.beam_width == 0  # as the base says
    assert [t.name for t in first.trials] == [
        "dim=8_beam_width=1_seed=0",
        "dim=8_beam_width=5_seed=0",
    ]
    assert [t.config.inference.beam_search.beam_width for t in first.trials] == [1, 5]


@pytest.mark.parametrize(
    "path", sorted(EXPERIMENTS.glob("*/*.py")), ids=lambda p: str(p.parts[-2:])
)
def test_every_experiment_of_ours_is_a_sweep(path):
    assert grid(load_sweep(str(path)))
