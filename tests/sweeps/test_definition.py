"""Invalid sweep files are reported in one line, before anything runs."""

import pytest

from seq2seq_jax.sweeps.trials import grid_trainings, preflight_trainings
from seq2seq_jax.utils.errors import UserError
from tests.sweeps.toy_sweeps import sweep_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors={'embeding.dim': [1]}", "trial dim=1: embeding.dim: .*did you mean embedding"),
        ("factors={'embedding.dim': [1, 0]}", "trial dim=0: embedding.dim: must be .* 1 to 16384"),
        ("factors={'embedding.dim': [8, 8]}", "factor embedding.dim: a value is repeated"),
        ("factors={'embedding.dim': []}", "factor embedding.dim: has no levels"),
        ("factors={'embedding.dim': 8}", "factor embedding.dim: must be a list of values"),
        (
            "factors={'d': {'a': {'batch_size': 8}, 'b': {}}}",
            "trials d=a_seed=0 and d=b_seed=0 are",
        ),
        ("factors={'d': {'a': 8}}", r"factor d: its levels must be NAME: \{key: value\}; got 'a'"),
        ("factors={'seed': [1, 2]}", "factor seed sets seed; use seeds="),
        (
            "factors={'embedding.dim': [8], 'e': {'a': {'embedding.dim': 9}}}",
            "factors embedding.dim and e both set embedding.dim",
        ),
        ("factors={'embedding.dim': Range(8, 64)}", "factor embedding.dim is a Range, .*--search"),
        ("factors={'embedding.dim': Range(64, 8)}", "a Range needs numbers, low < high"),
        ("seeds=[]", "seeds must be one or more different whole numbers"),
        ("seeds=[1, 1]", "seeds must be one or more different whole numbers"),
        ("published={'GRU': '21.78'}", "published has GRU, which is not a level of a factor"),
    ],
)
def test_an_invalid_sweep_is_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        grid_trainings(sweep_file(tmp_path, text))
    assert "sweep.py: " in str(error.value) and "\n" not in str(error.value)


def test_the_command_line_cannot_set_a_varied_key(tmp_path):
    with pytest.raises(UserError, match=r"^embedding.dim: .*the factor embedding.dim sets it"):
        sweep_file(tmp_path, "factors={'embedding.dim': [8]}", [("embedding.dim", "9")])
    with pytest.raises(UserError, match=r"^seed: cannot be set for all trials: seeds sets it"):
        sweep_file(tmp_path, "", [("seed", "9")])


def test_both_ends_of_a_range_are_checked_before_a_search(tmp_path):
    file = sweep_file(tmp_path, "factors={'embedding.dim': Range(0, 8)}")
    with pytest.raises(UserError, match=r"embedding.dim: must be .* 1 to 16384"):
        preflight_trainings(file)
