"""Frozen parameters and learning rates by pattern."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.parameter_patterns import check_optimizer_patterns
from seq2seq_jax.training.update_rules import AdamW
from seq2seq_jax.utils.errors import UserError

PARAMS = {"encoder": {"kernel": jnp.ones(3)}, "decoder": {"kernel": jnp.ones(3)}}
GRADS = {"encoder": {"kernel": jnp.full(3, 100.0)}, "decoder": {"kernel": jnp.full(3, 0.5)}}


def config(**values):
    return OptimizerConfig(
        **{"name": AdamW, "params": {"weight_decay": 0.1}, "learning_rate": 0.01, **values}
    )


def updates_of(config, steps=1, params=PARAMS):
    """Return the updates of each step."""
    optimizer = make_optimizer(config)
    state, found = optimizer.init(params), []
    for _ in range(steps):
        updates, state = optimizer.update(
            jax.tree.map(lambda x: x, {name: GRADS[name] for name in params}), state, params
        )
        found.append(jax.tree.map(np.asarray, updates))
    return found


def test_frozen_parameters_have_neither_decay_nor_a_share_in_the_global_norm():
    (updates,) = updates_of(config(frozen="encoder/*"))
    (alone,) = updates_of(config(), params={"decoder": PARAMS["decoder"]})
    assert not updates["encoder"]["kernel"].any()
    np.testing.assert_array_equal(updates["decoder"]["kernel"], alone["decoder"]["kernel"])


def test_parameters_that_are_unfrozen_later_begin_like_a_new_optimizer():
    steps = updates_of(config(frozen="encoder/*:3", clip_gradients=0), steps=5)
    alone = updates_of(config(clip_gradients=0), steps=2, params={"encoder": PARAMS["encoder"]})
    assert not any(step["encoder"]["kernel"].any() for step in steps[:3])
    for step, expected in zip(steps[3:], alone, strict=True):
        np.testing.assert_array_equal(step["encoder"]["kernel"], expected["encoder"]["kernel"])


def test_parameters_that_are_unfrozen_later_follow_the_schedule_of_the_run():
    schedule = {"lr_decay_type": "exponential_decay", "lr_decay_steps": 1, "lr_decay_rate": 0.5}
    steps = updates_of(config(frozen="encoder/*:2", clip_gradients=0, **schedule), steps=3)
    (alone,) = updates_of(config(clip_gradients=0), params={"encoder": PARAMS["encoder"]})
    np.testing.assert_allclose(
        steps[2]["encoder"]["kernel"], 0.25 * alone["encoder"]["kernel"], rtol=1e-6
    )


def test_a_multiplier_scales_the_updates_that_its_pattern_matches():
    (updates,) = updates_of(config(lr_multipliers="encoder/*:0.5,*/kernel:0.1"))
    (plain,) = updates_of(config())
    for part, factor in (("encoder", 0.05), ("decoder", 0.1)):
        expected = factor * plain[part]["kernel"]
        np.testing.assert_allclose(updates[part]["kernel"], expected, rtol=1e-6)


def test_freezing_everything_is_refused():
    with pytest.raises(UserError, match=r"optimizer.frozen: matches all parameters"):
        check_optimizer_patterns({"frozen": "*", "lr_multipliers": ""}, PARAMS)
