import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.bridges import InitialStateBridge, PassThroughBridge, ZeroBridge
from seq2seq_jax.models.cells import LSTMState
from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import random_params, tiny_model

B = 2
RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def lstm(width):
    return LSTMState(c=normal(B, width), h=normal(B, width))


def encoded(final_state):
    outputs = normal(B, 3, 4)
    return EncoderOutput(outputs, final_state, outputs, np.array([3, 1]))


def zeros_like(state):
    return jax.tree.map(jnp.zeros_like, state)


def test_a_zero_bridge_starts_from_zeros():
    initial = ZeroBridge().apply({}, encoded((lstm(4),)), zeros_like((lstm(3),)))
    assert [part.shape for part in jax.tree.leaves(initial)] == [(B, 3), (B, 3)]
    assert not any(part.any() for part in jax.tree.leaves(initial))


def test_a_pass_through_bridge_hands_the_state_over():
    state = (lstm(4), lstm(4))
    initial = PassThroughBridge().apply({}, encoded(state), zeros_like(state))
    jax.tree.map(np.testing.assert_array_equal, initial, state)


def test_both_directions_of_one_layer_fill_a_decoder_of_two():
    forward, backward = lstm(4), lstm(4)
    initial = PassThroughBridge().apply(
        {}, encoded(((forward,), (backward,))), zeros_like((lstm(4), lstm(4)))
    )
    jax.tree.map(np.testing.assert_array_equal, initial, (forward, backward))


@pytest.mark.parametrize(
    ("has", "needs", "named"),
    [
        ((lstm(4),), (lstm(3),), "ends with (c 4, h 4) and the decoder starts with (c 3, h 3);"),
        (
            ((lstm(4),), (lstm(4),)),
            (lstm(4),),
            "ends with ((c 4, h 4), (c 4, h 4)) and the decoder starts with (c 4, h 4);",
        ),
        ((lstm(4),), (normal(B, 4),), "ends with (c 4, h 4) and the decoder starts with 4;"),
    ],
    ids=["widths", "directions", "cells"],
)
def test_a_pass_through_bridge_names_both_states_if_they_differ(has, needs, named):
    with pytest.raises(UserError) as error:
        PassThroughBridge().apply({}, encoded(has), needs)
    assert error.value.where == "bridge.class"
    assert named in error.value.what
    assert "InitialStateBridge" in error.value.what


def test_states_that_do_not_fit_are_told_when_the_model_is_built():
    with pytest.raises(UserError, match=r"^bridge.class: PassThroughBridge needs equal states"):
        tiny_model(bridge__class="PassThroughBridge")


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_an_initial_state_bridge_is_one_dense_layer_between_joined_states(activation):
    has, needs = ((lstm(2),), (lstm(3),)), (lstm(4), normal(B, 5))
    bridge = InitialStateBridge(activation_fn=activation)
    params = random_params(bridge, encoded(has), needs)
    initial = bridge.apply({"params": params}, encoded(has), zeros_like(needs))

    (forward,), (backward,) = has
    joined = np.concatenate([forward.c, forward.h, backward.c, backward.h], axis=-1)
    expected = joined @ params["dense"]["kernel"] + params["dense"]["bias"]
    expected = np.tanh(expected) if activation == "tanh" else expected
    first, second = initial
    for part, columns in (
        (first.c, slice(0, 4)),
        (first.h, slice(4, 8)),
        (second, slice(8, 13)),
    ):
        np.testing.assert_allclose(part, expected[:, columns], rtol=1e-5, atol=1e-5)


def test_an_initial_state_bridge_asks_for_one_vector_a_sentence():
    bridge = InitialStateBridge(bridge_input="outputs")
    with pytest.raises(UserError, match=r"^bridge.params.bridge_input: .*'outputs' is 3 x 4;"):
        bridge.init(jax.random.key(0), encoded((lstm(4),)), (lstm(4),))


def test_an_initial_state_bridge_names_the_fields_that_it_could_read():
    bridge = InitialStateBridge(bridge_input="output")
    with pytest.raises(UserError, match=r"^bridge.params.bridge_input: no field output .*outputs"):
        bridge.init(jax.random.key(0), encoded((lstm(4),)), zeros_like((lstm(3),)))
