import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.models.features import join_rows
from seq2seq_jax.models.losses import training_loss_sums
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.ensembles import mean_attention
from seq2seq_jax.search.search_config import SearchConfig
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, model_params, pair_batch, tiny_model, with_features

PAIRS = pair_batch([(4, 3), (3, 5), (0, 0), (5, 4)], width=6)
BATCH = with_features(PAIRS, [2, 3, 0, 0], width=4)
OTHER = with_features(PAIRS, [2, 3, 0, 2], width=4, seed=1)

CASES = {
    "attention, source": ("AttentionSeq2Seq", {"combine": "source"}),
    "attention, attention": ("AttentionSeq2Seq", {"combine": "attention"}),
    "attention, linear": (
        "AttentionSeq2Seq",
        {"combine": "attention", "encoder__class": "LinearEncoder"},
    ),
    "attention, rnn": (
        "AttentionSeq2Seq",
        {
            "combine": "attention",
            "encoder__class": "BidirectionalRNNEncoder",
            "encoder__params__rnn_cell__cell_params__num_units": 2,
        },
    ),
    "attention, decoder": ("AttentionSeq2Seq", {"combine": "decoder"}),
    "basic, source": ("BasicSeq2Seq", {"combine": "source"}),
    "basic, decoder": (
        "BasicSeq2Seq",
        {"combine": "decoder", "encoder__class": "LinearEncoder", "encoder__params__num_units": 3},
    ),
}


@functools.cache
def case(name: str):
    kind, features = CASES[name]
    model = tiny_model(kind, **{f"features__{key}": value for key, value in features.items()})
    return model, model_params(model)


@functools.cache
def compiled(name: str):
    model, params = case(name)
    apply = jax.jit(model.apply)

    def outputs(batch):
        inputs = (*model.encoder_inputs(batch), batch["target_ids"][:, :-1])
        return apply({"params": params}, *inputs)

    return outputs


@pytest.mark.parametrize("name", CASES)
def test_other_features_change_the_output_and_nothing_else_does(name):
    outputs = compiled(name)
    first, other = outputs(BATCH).logits, outputs(OTHER).logits
    assert np.isfinite(first).all()
    for row in (0, 1, 3):
        assert not np.allclose(first[row], other[row], atol=1e-3)
    padded = BATCH["features_ids"].copy()
    padded[np.arange(4) >= BATCH["features_len"][:, None]] = 5
    again = outputs({**BATCH, "features_ids": padded}).logits
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("attention")])
def test_attention_to_features_follows_that_to_the_source(name):
    scores = np.asarray(compiled(name)(BATCH).attention_scores)
    attends = case(name)[0].attends_features
    assert attends == ("decoder" not in name)
    columns = BATCH["source_len"] + (BATCH["features_len"] if attends else 0)
    assert scores.shape[-1] == 6 + 4 * attends
    for row in (0, 1, 3):
        np.testing.assert_allclose(scores[row].sum(-1), 1, rtol=1e-5)
        assert (scores[row, :, columns[row] :] == 0).all()
        assert (scores[row, :, : columns[row]] > 0).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("beam_width", [1, 3])
def test_both_kernels_search_alike_and_as_under_teacher_forcing(name, beam_width):
    model, params = case(name)
    config = SearchConfig(beam_width=beam_width, max_length=4, return_attention=model.has_attention)
    source = model.encoder_inputs(BATCH)
    results = [
        make_decode(model, VOCABULARY, config, kernels=kernels)(params, *source)
        for kernels in ("fast", "reference")
    ]
    fast, reference = results
    np.testing.assert_array_equal(fast.ids, reference.ids)
    np.testing.assert_allclose(fast.log_probs, reference.log_probs, rtol=2e-4, atol=1e-4)
    if fast.attention is not None:
        np.testing.assert_allclose(fast.attention, reference.attention, atol=1e-4)
    start = np.full((4, 1), VOCABULARY.sequence_start_id)
    forced = np.concatenate([start, fast.ids[:, 0]], axis=1)
    logits = jax.jit(model.apply)({"params": params}, *source, forced[:, :-1]).logits
    each = np.take_along_axis(jax.nn.log_softmax(logits), forced[:, 1:, None], axis=-1)[..., 0]
    for row in (0, 1, 3):
        steps = int(fast.lengths[row, 0] + fast.finished[row, 0])
        np.testing.assert_allclose(each[row, :steps].sum(), fast.log_probs[row, 0], rtol=1e-3)


@pytest.mark.parametrize("name", ["attention, source", "attention, rnn", "basic, decoder"])
def test_all_parameters_of_the_features_are_trained(name):
    model, params = case(name)

    def loss(params):
        return training_loss_sums(model, params, BATCH, jax.random.key(0))[0]

    gradients = jax.jit(jax.grad(loss))(params)
    read = np.unique(BATCH["features_ids"][:2, :2])
    table = np.asarray(gradients["features"]["embedding"]["embedding"])
    assert (np.abs(table[read]).max(axis=1) > 0).all()
    unused = set(range(VOCABULARY.unk_id)) - set(BATCH["features_ids"].ravel().tolist())
    assert all((table[i] == 0).all() for i in unused)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    own = {name: tree for name, tree in gradients.items() if name.startswith("features")}
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(own))


def test_features_are_replaced_by_unk_in_training_only():
    combine = {"features__combine": "source", "features__unk_probability": 0.9999}
    model = tiny_model(**combine)
    params = model_params(model)
    unknown = np.full_like(BATCH["features_ids"], VOCABULARY.unk_id)

    def logits(batch, train):
        inputs = (*model.encoder_inputs(batch), batch["target_ids"][:, :-1])
        rngs = {"dropout": jax.random.key(0)}
        return model.apply({"params": params}, *inputs, train=train, rngs=rngs).logits

    expected = logits({**BATCH, "features_ids": unknown}, False)
    np.testing.assert_allclose(logits(BATCH, True), expected, rtol=1e-6)
    assert not np.allclose(logits(BATCH, False), expected, atol=1e-3)


def test_the_parameters_of_a_model_without_features_are_unchanged():
    plain, reading = tiny_model(), tiny_model(features__combine="attention")
    assert jax.tree.structure(model_params(plain)) != jax.tree.structure(model_params(reading))
    ids = np.zeros((1, 2), np.int32)
    first = plain.init(jax.random.key(0), *plain.dummy_inputs(), ids)["params"]
    second = reading.init(jax.random.key(0), *reading.dummy_inputs(), ids)["params"]
    shared = {name: tree for name, tree in second.items() if name in first}
    jax.tree.map(np.testing.assert_array_equal, first, shared)


def test_a_model_that_reads_features_refuses_a_source_without_any():
    model = tiny_model(features__combine="source")
    with pytest.raises(TypeError, match="the model reads features"):
        model.init(jax.random.key(0), PAIRS["source_ids"], PAIRS["source_len"], PAIRS["target_ids"])


def test_features_need_attention_to_be_attended():
    with pytest.raises(UserError, match=r"features\.combine: is attention, but BasicSeq2Seq has"):
        tiny_model("BasicSeq2Seq", features__combine="attention")


def test_members_of_an_ensemble_may_attend_to_features_or_not():
    with_columns, without = jnp.array([[[0.5, 0.25, 0.25]]]), jnp.array([[[0.5, 0.5]]])
    mean = mean_attention([with_columns, without])
    np.testing.assert_allclose(mean, [[[0.5, 0.375, 0.125]]])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4))
def test_joined_rows_have_all_padding_at_their_ends(lengths):
    lengths += [(0, 0)] * (4 - len(lengths))
    first_len, second_len = np.array(lengths).T
    first = jnp.arange(1.0, 13).reshape(4, 3, 1)
    second = jnp.arange(101.0, 109).reshape(4, 2, 1)
    joined = join_rows(first, jnp.array(first_len), second, jnp.array(second_len))[..., 0]
    for row, (n, m) in enumerate(lengths):
        expected = [*first[row, :n, 0].tolist(), *second[row, :m, 0].tolist()]
        assert joined[row].tolist() == expected + [0] * (5 - n - m)
