"""What a sweep file must not say, and how it is told: one line, before anything runs."""

import pytest

from seq2seq_jax.sweeps.trials import corners, grid
from seq2seq_jax.utils.errors import UserError
from tests.sweeps.toy_sweeps import sweep_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors={'embeding.dim': [1]}", "trial dim=1: embeding.dim: .*did you mean embedding"),
        ("factors={'embedding.dim': [1, 0]}", "trial dim=0: embedding.dim: must be .*at least 1"),
        ("factors={'embedding.dim': [8, 8]}", "factor embedding.dim: a value comes twice"),
        ("factors={'embedding.dim': []}", "factor embedding.dim: has no levels"),
        ("factors={'embedding.dim': 8}", "factor embedding.dim: must be a list of values"),
        (
            "factors={'d': {'a': {'batch_size': 8}, 'b': {}}}",
            "trials d=a_seed=0 and d=b_seed=0 are",
        ),
        ("factors={'d': {'a': 8}}", r"factor d: its levels must be NAME: \{key: value\}; got 'a'"),
        ("factors={'seed': [1, 2]}", "factor seed sets seed; give seeds="),
        (
            "factors={'embedding.dim': [8], 'e': {'a': {'embedding.dim': 9}}}",
            "factors embedding.dim and e both set embedding.dim",
        ),
        ("factors={'embedding.dim': Range(8, 64)}", "factor embedding.dim is a Range, .*--search"),
        ("factors={'embedding.dim': Range(64, 8)}", "a Range needs numbers, low < high"),
        ("seeds=[]", "seeds must be different whole numbers"),
        ("seeds=[1, 1]", "seeds must be different whole numbers"),
        ("published={'GRU': '21.78'}", "published has GRU, which is no level of any factor"),
    ],
)
def test_what_makes_no_sweep_is_said_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        grid(sweep_file(tmp_path, text))
    assert "sweep.py: " in str(error.value) and "\n" not in str(error.value)


def test_the_command_line_cannot_set_what_is_varied(tmp_path):
    with pytest.raises(UserError, match=r"^embedding.dim: .*the factor embedding.dim says it"):
        sweep_file(tmp_path, "factors={'embedding.dim': [8]}", [("embedding.dim", "9")])
    with pytest.raises(UserError, match=r"^seed: cannot be set for all trials: seeds says it"):
        sweep_file(tmp_path, "", [("seed", "9")])


def test_a_range_is_looked_at_from_end_to_end(tmp_path):
    file = sweep_file(tmp_path, "factors={'embedding.dim': Range(0, 8)}")
    with pytest.raises(UserError, match=r"embedding.dim: must be .*at least 1"):
        corners(file)
