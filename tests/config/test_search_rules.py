"""Keys of `inference` that do not go together."""

import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config

BEAM = {"beam_search__beam_width": 4}
DRAW = {"sampling__enable": "true"}


def error(model="AttentionSeq2Seq", **keys):
    with pytest.raises(UserError) as caught:
        tiny_config(model, **{f"inference__{key}": value for key, value in keys.items()})
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("inference.")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"n_best": 3},
            "n_best: must be 1 in greedy search; got 3;"
            " use inference.beam_search.beam_width=3 or inference.sampling.enable=true",
        ),
        (
            BEAM | {"n_best": 5},
            "n_best: must be at most inference.beam_search.beam_width, which is 4; got 5",
        ),
        (
            BEAM | DRAW,
            "sampling.enable: is true, but inference.beam_search.beam_width is 4;"
            " leave one of them out",
        ),
        (
            {"allowed_outputs": "list", "allowed_tokens_file": "tokens"},
            "allowed_outputs: is given, but so is inference.allowed_tokens_file; set only one",
        ),
        (
            {"sampling__top_p": 0.5},
            "sampling.top_p: is 0.5, which needs inference.sampling.enable to be true",
        ),
        (
            BEAM | {"beam_search__diversity_groups": 3},
            "beam_search.diversity_groups: must divide inference.beam_search.beam_width,"
            " which is 4; got 3",
        ),
        (
            DRAW | {"beam_search__diversity_groups": 2},
            "beam_search.diversity_groups: must divide inference.beam_search.beam_width,"
            " which is 0; got 2",
        ),
        (
            BEAM | {"beam_search__diversity_strength": 0.5},
            "beam_search.diversity_strength: is 0.5, which needs diversity_groups above 1",
        ),
        (
            BEAM | {"beam_search__diversity_groups": 2},
            "beam_search.diversity_groups: is 2, which needs diversity_strength above 0:"
            " the groups would be equal",
        ),
        (
            BEAM | {"model": "BasicSeq2Seq", "beam_search__coverage_penalty_weight": 0.2},
            "beam_search.coverage_penalty_weight: is 0.2, which needs attention;"
            " model=AttentionSeq2Seq has it",
        ),
        (
            {"beam_search__coverage_penalty_weight": 0.2},
            "beam_search.coverage_penalty_weight: is 0.2, which needs a beam;"
            " set inference.beam_search.beam_width above 1",
        ),
        (
            {"min_decode_length": 9, "max_decode_length": 9},
            "min_decode_length: must be below inference.max_decode_length, which is 9; got 9",
        ),
        (
            {"ensemble_mean": "linear"},
            "ensemble_mean: is linear, which needs workdirs in inference.ensemble",
        ),
        (
            {"average_checkpoints": "last:3", "checkpoint": "latest"},
            "average_checkpoints: is last:3, but inference.checkpoint is latest; set only one",
        ),
        (
            {"average_checkpoints": "last:0"},
            "average_checkpoints: must be text, last:K or best:K for some K above 0, or empty;"
            ' got "last:0"',
        ),
        (
            {"beam_search__choose_successors_fn": "choose_best"},
            "beam_search.choose_successors_fn: must be text, choose_top_k, or the path of a custom"
            ' function; got "choose_best"',
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line(keys, message):
    keys = dict(keys)
    assert error(keys.pop("model", "AttentionSeq2Seq"), **keys) == message


def test_what_goes_together_is_accepted():
    beam = BEAM | {
        "n_best": 4,
        "beam_search__diversity_groups": 2,
        "beam_search__diversity_strength": 0.5,
        "beam_search__coverage_penalty_weight": 0.2,
        "average_checkpoints": "best:4",
        "ensemble": "a,b",
        "ensemble_mean": "linear",
    }
    for keys in (beam, DRAW | {"n_best": 9, "sampling__top_k": 5}):
        assert tiny_config(**{f"inference__{key}": value for key, value in keys.items()})
