from pathlib import Path

import pytest

from seq2seq_jax.sweeps.definition import load_sweep
from seq2seq_jax.sweeps.trials import grid_trainings
from tests.sweeps.toy_sweeps import sweep_file

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_a_grid_combines_all_levels_and_seeds(tmp_path):
    text = (
        "factors={'embedding.dim': [8, 16], 'cell': {"
        " 'GRU': {'encoder.params.rnn_cell.cell_class': 'GRUCell'}, 'LSTM': {}}},"
        " seeds=[0, 7], overrides={'batch_size': 4}"
    )
    trainings = grid_trainings(sweep_file(tmp_path, text, [("train_steps", "5")]))

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


def test_trials_that_differ_only_in_inference_share_a_training(tmp_path):
    text = (
        "factors={'embedding.dim': [8, 16], 'inference.beam_search.beam_width': [1, 5]}, seeds=[0]"
    )
    first, second = grid_trainings(sweep_file(tmp_path, text))

    assert (first.name, second.name) == ("dim=8_seed=0", "dim=16_seed=0")
    assert first.config.inference.beam_search.beam_width == 0  # The value of the base.
    assert [t.name for t in first.trials] == [
        "dim=8_beam_width=1_seed=0",
        "dim=8_beam_width=5_seed=0",
    ]
    assert [t.config.inference.beam_search.beam_width for t in first.trials] == [1, 5]


SHARED_TASKS = ("inflection2022", "sigmorphon2021_g2p")  # They have other arguments.


@pytest.mark.parametrize("argument", ["", ":paper"])
@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(EXPERIMENTS.glob("*/sweep.py"))
        if path.parent.name not in SHARED_TASKS
    ],
    ids=lambda path: path.parent.name,
)
def test_every_experiment_is_a_sweep_at_both_scales(path, argument):
    file = load_sweep(f"{path}{argument}")
    assert file.name == path.parent.name + argument.replace(":", "_")
    assert grid_trainings(file)
