"""Whole models of every make-up: what may not matter does not, and training is stepping."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.tiny_models import VOCABULARY, model_params, pair_batch, tiny_config, tiny_model

from seq2seq_jax.errors import UserError
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.models.losses import loss_sums
from seq2seq_jax.models.seq2seq import reverse_sequences

ENCODERS = (
    "UnidirectionalRNNEncoder",
    "BidirectionalRNNEncoder",
    "StackBidirectionalRNNEncoder",
)
BRIDGES = ("ZeroBridge", "PassThroughBridge", "InitialStateBridge")
ATTENTIONS = ("", "AttentionLayerBahdanau", "AttentionLayerDot")
LENGTHS = [(5, 4), (2, 6), (4, 2)]


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


@pytest.fixture(
    scope="module",
    params=itertools.product(ENCODERS, BRIDGES, ATTENTIONS),
    ids=lambda parts: "-".join(part or "no attention" for part in parts),
)
def make_up(request):
    return made_of(*request.param)


def teacher_forced(make_up, batch, rows=slice(None), width=None):
    """Logits [B, T, V] and attention [B, T, S] of some rows, padded to another width."""
    model, params = make_up
    source_ids, target_ids = (batch[f"{side}_ids"][rows] for side in ("source", "target"))
    if width:
        source_ids, target_ids = (
            np.pad(ids[:, :width], ((0, 0), (0, max(width - ids.shape[1], 0))), constant_values=1)
            for ids in (source_ids, target_ids)
        )
    # Op by op: these tests see many models and shapes, and each once.
    with jax.disable_jit():
        output = model.apply(
            {"params": params}, source_ids, batch["source_len"][rows], target_ids[:, :-1]
        )
    return np.asarray(output.logits), np.asarray(output.attention_scores)


def test_batch_mates_and_padding_do_not_matter(make_up):
    batch = pair_batch(LENGTHS)
    logits, attention = teacher_forced(make_up, batch)
    alone, its_attention = teacher_forced(make_up, batch, rows=slice(1, 2))
    np.testing.assert_allclose(logits[1:2], alone, atol=1e-5)
    np.testing.assert_allclose(attention[1:2], its_attention, atol=1e-6)

    wider, wider_attention = teacher_forced(make_up, batch, width=9)
    np.testing.assert_allclose(wider[:, :5], logits, atol=1e-5)
    if attention.shape[-1]:
        np.testing.assert_allclose(wider_attention[:, :5, :5], attention, atol=1e-6)
        assert not wider_attention[:, :, 5:].any()


def test_the_teacher_forced_scan_is_stepping(make_up):
    model, params = make_up
    batch = pair_batch(LENGTHS)
    logits, attention = teacher_forced(make_up, batch)
    variables = {"params": params}
    with jax.disable_jit():
        memory, state = model.apply(
            variables, batch["source_ids"], batch["source_len"], method="start"
        )
        for t in range(logits.shape[1]):
            log_probs, state, weights = model.apply(
                variables,
                batch["target_ids"][:, t],
                state,
                memory,
                batch["source_len"],
                method="step",
            )
            np.testing.assert_allclose(log_probs, jax.nn.log_softmax(logits[:, t]), atol=1e-5)
            np.testing.assert_allclose(weights, attention[:, t], atol=1e-6)


def test_attention_is_over_the_source_in_the_order_given():
    kind = (ENCODERS[0], BRIDGES[0], ATTENTIONS[1])
    straight, params = made_of(*kind, source__reverse=False)
    reversing, _ = made_of(*kind, source__reverse=True)
    batch = pair_batch(LENGTHS)
    turned = {**batch, "source_ids": reverse_sequences(batch["source_ids"], batch["source_len"])}

    logits, attention = teacher_forced((reversing, params), batch)
    of_turned, turned_attention = teacher_forced((straight, params), turned)
    np.testing.assert_allclose(logits, of_turned, atol=1e-6)
    for row, turned_row, length in zip(
        attention, turned_attention, batch["source_len"], strict=True
    ):
        np.testing.assert_allclose(row[:, :length], turned_row[:, :length][:, ::-1], atol=1e-6)
        assert not row[:, length:].any()


def test_sequences_are_turned_round_within_their_length():
    rows = jnp.array([[1, 2, 3, 0], [4, 5, 0, 0], [6, 0, 0, 0], [7, 8, 9, 1]])
    turned = reverse_sequences(rows, jnp.array([3, 2, 0, 4]))
    assert turned.tolist() == [[3, 2, 1, 0], [5, 4, 0, 0], [6, 0, 0, 0], [1, 9, 8, 7]]


def test_a_decoder_sees_what_it_attended_to_one_step_before():
    """The context of a step goes into the next input; the first is zero."""
    model, params = made_of(ENCODERS[0], BRIDGES[0], ATTENTIONS[2])
    batch = pair_batch(LENGTHS)
    variables = {"params": params}
    memory, state = model.apply(variables, batch["source_ids"], batch["source_len"], method="start")
    assert not state[1].any()
    tokens = batch["target_ids"][:, 0]
    _, (_, context), weights = model.apply(
        variables, tokens, state, memory, batch["source_len"], method="step"
    )
    # Weights are over the source as given, values over the source as read: turned round.
    weights = reverse_sequences(weights[:, None], batch["source_len"])[:, 0]
    np.testing.assert_allclose(
        context, np.einsum("bs,bsh->bh", weights, memory.values), rtol=1e-5, atol=1e-6
    )


def test_training_drops_anew_at_every_step_of_the_decoder():
    model, params = made_of(
        ENCODERS[0], BRIDGES[0], "", decoder__params__rnn_cell__dropout_output_keep_prob=0.5
    )
    cell = params["decoder"]["stack"]["cell_0"]
    cell["recurrent"]["kernel"] = np.zeros_like(cell["recurrent"]["kernel"])
    cell["input"]["bias"][4:8] = 100  # the new memory is 1 and, at these gates, all there is
    cell["input"]["bias"][8:12] = -100
    source, inputs = np.ones((1, 3), np.int32), np.ones((1, 12), np.int32)

    def logits(train):
        rngs = {"dropout": jax.random.key(0)} if train else {}
        output = model.apply(
            {"params": params}, source, np.array([3]), inputs, train=train, rngs=rngs
        )
        return {tuple(step) for step in np.round(output.logits[0], 4)}

    assert len(logits(train=False)) == 1
    assert len(logits(train=True)) > 4


def test_gradients_are_those_of_finite_differences():
    """Along random directions, in double precision, for every part at once."""
    with jax.enable_x64(True):
        model = tiny_model(
            encoder__params__rnn_cell__cell_class="LSTMCell",
            encoder__params__rnn_cell__cell_params__use_peepholes="true",
            encoder__params__rnn_cell__num_layers=2,
            encoder__params__rnn_cell__residual_connections="true",
            decoder__params__rnn_cell__cell_class="GRUCell",
            bridge__class="InitialStateBridge",
        )
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model_params(model))
        batch = pair_batch([(3, 3), (1, 4), (0, 0)])

        @jax.jit
        def loss_of(params):
            loss, tokens = loss_sums(model, params, batch)
            return loss / tokens

        gradient = jax.grad(loss_of)(params)
        random = np.random.default_rng(1)
        for _ in range(3):
            direction = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), params)
            ahead, behind = (
                loss_of(jax.tree.map(lambda p, d, e=e: p + e * d, params, direction))
                for e in (1e-5, -1e-5)
            )
            slope = sum(
                float(jnp.vdot(g, d))
                for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
            )
            np.testing.assert_allclose(slope, float(ahead - behind) / 2e-5, rtol=1e-6)


def test_every_parameter_has_a_gradient():
    model, params = made_of(ENCODERS[2], BRIDGES[2], ATTENTIONS[1])
    batch = pair_batch([(5, 5), (4, 6)], seed=3)
    gradient = jax.grad(lambda params: loss_sums(model, params, batch)[0])(params)
    still = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
        if not leaf.any()
    ]
    assert still == []


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
    params, again, other = (init_params(model, seed) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, params, again)
    table = params["source_embedding"]["embedding"]
    assert table.shape == (VOCABULARY.size, 30)
    assert 0.038 < np.abs(table).max() <= 0.04
    assert not np.array_equal(table, other["source_embedding"]["embedding"])
    logits = params["decoder"]["project_logits"]
    assert not logits["bias"].any()
    bound = np.sqrt(6 / sum(logits["kernel"].shape))  # Glorot's
    assert 0.8 * bound < np.abs(logits["kernel"]).max() <= bound
