"""Whole models of every make-up: what may not matter does not, and training is stepping."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.models.losses import loss_sums, training_loss_sums
from seq2seq_jax.models.seq2seq import reverse_sequences
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, model_params, pair_batch, tiny_config, tiny_model

ENCODERS = (
    "UnidirectionalRNNEncoder",
    "BidirectionalRNNEncoder",
    "StackBidirectionalRNNEncoder",
)
BRIDGES = ("ZeroBridge", "PassThroughBridge", "InitialStateBridge")
ATTENTIONS = ("", "AttentionLayerBahdanau", "AttentionLayerDot")
# A Latin square: every two of the parts meet in one of the nine.
MAKE_UPS = [
    (ENCODERS[i], BRIDGES[j], ATTENTIONS[(i + j) % 3])
    for i, j in itertools.product(range(3), range(3))
]
BATCH = pair_batch([(5, 5), (2, 4), (4, 2)])


@functools.cache
def made_of(encoder, bridge, attention, **overrides):
    """A model and random parameters for it; the decoder has a layer for each direction."""
    if attention:
        overrides |= {"attention__class": attention}
    model = tiny_model(
        "AttentionSeq2Seq" if attention else "BasicSeq2Seq",
        encoder__class=encoder,
        bridge__class=bridge,
        decoder__params__rnn_cell__num_layers=1 if encoder == ENCODERS[0] else 2,
        **overrides,
    )
    return model, model_params(model)


def teacher_forced(model, params, batch):
    """Logits [B, T, V] and attention [B, T, S]."""
    output = jax.jit(model.apply)(
        {"params": params}, batch["source_ids"], batch["source_len"], batch["target_ids"][:, :-1]
    )
    return np.asarray(output.logits), np.asarray(output.attention_scores)


@pytest.fixture(
    scope="module",
    params=MAKE_UPS,
    ids=lambda parts: "-".join(part or "no attention" for part in parts),
)
def make_up(request):
    """A model, its parameters, and what it gives for the second of three rows, padded to 7."""
    model, params = made_of(*request.param)
    padded = {
        name: np.pad(array, ((0, 0), (0, 7 - array.shape[1])), constant_values=1)
        if array.ndim == 2
        else array
        for name, array in BATCH.items()
    }
    logits, attention = teacher_forced(model, params, padded)
    return model, params, logits[1, :3], attention[1, :3]


# One row without padding. Op by op, for it is short, and seen by each model but once.
ALONE = {
    name: array[1:2, : BATCH[name[:6] + "_len"][1]] if array.ndim == 2 else array[1:2]
    for name, array in BATCH.items()
}


def test_neither_batch_mates_nor_padding_matter(make_up):
    model, params, logits, attention = make_up
    with jax.disable_jit():
        alone = model.apply(
            {"params": params},
            ALONE["source_ids"],
            ALONE["source_len"],
            ALONE["target_ids"][:, :-1],
        )
    np.testing.assert_allclose(alone.logits[0], logits, atol=1e-5)
    if attention.size:
        np.testing.assert_allclose(alone.attention_scores[0], attention[:, :2], atol=1e-6)
        assert not attention[:, 2:].any()


def test_the_teacher_forced_scan_is_stepping(make_up):
    model, params, logits, attention = make_up
    source_len, variables = ALONE["source_len"], {"params": params}
    with jax.disable_jit():
        memory, state = model.apply(
            variables, ALONE["source_ids"], source_len, method="encode_and_init"
        )
        for t, tokens in enumerate(ALONE["target_ids"][:, :-1].T):
            step_logits, state, weights = model.apply(
                variables, tokens, state, memory, source_len, method="step"
            )
            np.testing.assert_allclose(step_logits[0], logits[t], atol=1e-5)
            np.testing.assert_allclose(weights[0], attention[t, : weights.shape[1]], atol=1e-6)


def test_attention_is_over_the_source_in_the_order_given():
    kind = (ENCODERS[0], BRIDGES[0], ATTENTIONS[1])
    straight, params = made_of(*kind, source__reverse=False)
    reversing, _ = made_of(*kind, source__reverse=True)
    lengths = BATCH["source_len"]
    turned = {**BATCH, "source_ids": np.asarray(reverse_sequences(BATCH["source_ids"], lengths))}

    logits, attention = teacher_forced(reversing, params, BATCH)
    of_turned, turned_attention = teacher_forced(straight, params, turned)
    np.testing.assert_allclose(logits, of_turned, atol=1e-6)
    for row, turned_row, length in zip(attention, turned_attention, lengths, strict=True):
        np.testing.assert_allclose(row[:, :length], turned_row[:, :length][:, ::-1], atol=1e-6)
        assert not row[:, length:].any()


def test_sequences_are_turned_round_within_their_length():
    rows = jnp.array([[1, 2, 3, 0], [4, 5, 0, 0], [6, 0, 0, 0], [7, 8, 9, 1]])
    turned = reverse_sequences(rows, jnp.array([3, 2, 0, 4]))
    assert turned.tolist() == [[3, 2, 1, 0], [5, 4, 0, 0], [6, 0, 0, 0], [1, 9, 8, 7]]


def test_a_decoder_is_fed_what_it_attended_to():
    """The context of a step goes into the next input; the first is zero."""
    model, params = made_of(ENCODERS[0], BRIDGES[0], ATTENTIONS[1])
    variables, lengths = {"params": params}, ALONE["source_len"]
    with jax.disable_jit():
        memory, state = model.apply(
            variables, ALONE["source_ids"], lengths, method="encode_and_init"
        )
        assert not state[1].any()
        _, (_, context), weights = model.apply(
            variables, ALONE["target_ids"][:, 0], state, memory, lengths, method="step"
        )
    # Weights are over the source as given, values over the source as read: reversed.
    np.testing.assert_allclose(context, weights[:, ::-1] @ memory.values[0], rtol=1e-5, atol=1e-6)


def test_training_drops_anew_at_every_step_of_the_decoder():
    model, params = made_of(
        ENCODERS[0], BRIDGES[0], "", decoder__params__rnn_cell__dropout_output_keep_prob=0.5
    )
    cell = params["decoder"]["stack"]["cell_0"]
    cell["recurrent"]["kernel"] = np.zeros_like(cell["recurrent"]["kernel"])
    cell["input"]["bias"][:] = [100] * 8 + [-100] * 4 + [100] * 4  # the output is always tanh(1)
    source, inputs = np.ones((1, 3), np.int32), np.ones((1, 12), np.int32)

    @jax.jit
    def logits(dropout_key):
        rngs = {"dropout": dropout_key}
        return model.apply(
            {"params": params}, source, np.array([3]), inputs, train=True, rngs=rngs
        ).logits[0]

    masks = {tuple(step) for step in np.asarray(logits(jax.random.key(0))).round(4)}
    assert 4 < len(masks) <= 2**4


def test_gradients_are_those_of_finite_differences():
    """Along random directions, in double precision, and none is zero."""
    with jax.enable_x64(True):
        model = tiny_model(
            encoder__class="UnidirectionalRNNEncoder",
            encoder__params__rnn_cell__cell_class="LSTMCell",
            encoder__params__rnn_cell__cell_params__use_peepholes="true",
            encoder__params__rnn_cell__num_layers=2,
            encoder__params__rnn_cell__residual_connections="true",
            decoder__params__rnn_cell__cell_class="GRUCell",
            bridge__class="InitialStateBridge",
        )
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model_params(model))
        batch = pair_batch([(4, 3), (1, 4), (0, 0)])

        @jax.jit
        @jax.value_and_grad
        def loss_and_gradient(params):
            loss, tokens = loss_sums(model, params, batch)
            return loss / tokens

        _, gradient = loss_and_gradient(params)
        random = np.random.default_rng(1)
        for _ in range(3):
            direction = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), params)
            ahead, behind = (
                loss_and_gradient(jax.tree.map(lambda p, d, e=e: p + e * d, params, direction))[0]
                for e in (1e-5, -1e-5)
            )
            slope = sum(jax.tree.leaves(jax.tree.map(np.vdot, gradient, direction)))
            np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-6)
        assert all(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_remat_takes_less_memory_and_gives_the_same_gradient():
    batch = pair_batch([(60, 60), (20, 40)])
    gradients, memory = [], []
    for remat in ("false", "true"):
        model = tiny_model(remat=remat)

        def loss(params, model=model):
            return training_loss_sums(model, params, batch, jax.random.key(0))[0]

        compiled = jax.jit(jax.grad(loss)).lower(model_params(model)).compile()
        gradients.append(compiled(model_params(model)))
        memory.append(compiled.memory_analysis().temp_size_in_bytes)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4), *gradients)
    assert memory[1] < 0.7 * memory[0]


def test_a_shared_embedding_is_one_table():
    shared = tiny_model(embedding__share="true")
    params = model_params(shared)
    assert "source_embedding" in params
    assert "target_embedding" not in params


def test_a_shared_embedding_needs_vocabularies_of_one_size():
    with pytest.raises(UserError) as error:
        build_model(tiny_config(embedding__share="true"), 9, 12)
    assert error.value.where == "embedding.share"
    assert "the source has 9 and the target 12 tokens" in error.value.what


def test_initial_values_come_from_the_seed_and_are_of_the_right_size():
    model = tiny_model(embedding__dim=30)
    params, other = (init_params(model, seed) for seed in (0, 1))
    table = params["source_embedding"]["embedding"]
    assert table.shape == (VOCABULARY.size, 30)
    assert 0.038 < np.abs(table).max() <= 0.04
    assert not np.array_equal(table, other["source_embedding"]["embedding"])
    logits = params["decoder"]["project_logits"]
    assert not logits["bias"].any()
    bound = np.sqrt(6 / sum(logits["kernel"].shape))  # Glorot's
    assert 0.8 * bound < np.abs(logits["kernel"]).max() <= bound
