"""Models and searches as one function, held against teacher forcing."""

import jax
import numpy as np
import pytest

from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import (
    SearchConfig,
    choose_top_k,
    make_inference_config,
    make_search_config,
)
from tests.tiny_models import VOCABULARY, model_params, tiny_config, tiny_model

START, END = VOCABULARY.sequence_start_id, VOCABULARY.sequence_end_id
MAX_LENGTH = 6
SOURCE_IDS = np.array([[0, 1, 2, END], [3, END, 0, 0], [0, 0, 0, 0], [4, 4, 5, END]])
SOURCE_LEN = np.array([4, 2, 0, 4])
SEEDS = per_example_seeds(0, "abcd")

SEARCHES = {
    "greedy": {},
    "penalties": {
        "beam_width": 3,
        "n_best": 3,
        "length_penalty_weight": 0.6,
        "coverage_penalty_weight": 0.4,
    },
    "groups": {"beam_width": 4, "diversity_groups": 2, "diversity_strength": 0.5},
    "samples": {"sampling": True, "n_best": 3, "temperature": 1.5, "top_p": 0.95},
    "constraints": {
        "beam_width": 3,
        "n_best": 3,
        "min_length": 2,
        "forbid_unk": True,
        "no_repeat_ngram_size": 1,
    },
}


@pytest.fixture(scope="module")
def members():
    """Two models of different architectures that choose varied words."""
    models = [tiny_model(attention__class="AttentionLayerDot"), tiny_model("BasicSeq2Seq")]
    params = [jax.tree.map(lambda p: 1.5 * p, model_params(m, 6 + i)) for i, m in enumerate(models)]
    for own in params:
        own["decoder"]["project_logits"]["bias"][START] = -100
    return models, params


@pytest.fixture(scope="module", params=SEARCHES)
def decoded(request, members):
    """A search's options, its function, and its result with all that can be asked for."""
    options = SEARCHES[request.param] | {"max_length": MAX_LENGTH, "return_attention": True}
    if "beam_width" in options:
        options["return_beam_trace"] = True
    decode = make_decode(members[0][0], VOCABULARY, SearchConfig(**options))
    extra = {"seeds": SEEDS} if "sampling" in options else {}
    result = jax.device_get(decode(members[1][0], SOURCE_IDS, SOURCE_LEN, **extra))
    return options, decode, result


@pytest.fixture(scope="module")
def score(members):
    return make_score(members[0][0], return_attention=True)


def targets_of(result, slot):
    """What a search found, as targets: those that did not end have no end here either."""
    lengths, finished = result.lengths[:, slot], result.finished[:, slot]
    ids = np.full((len(lengths), MAX_LENGTH + 1), START)
    ids[:, 1:] = result.ids[:, slot]
    target_len = 1 + lengths + finished
    return ids, np.where(SOURCE_LEN > 0, target_len, 0)


def test_log_probabilities_and_attention_equal_teacher_forcing(decoded, score, members):
    _, _, result = decoded
    for slot in range(result.ids.shape[1]):
        scores = score(members[1][0], SOURCE_IDS, SOURCE_LEN, *targets_of(result, slot))
        real = (SOURCE_LEN > 0) & np.isfinite(result.log_probs[:, slot])
        assert real.sum() == 3
        np.testing.assert_allclose(
            result.log_probs[real, slot], scores.log_probs[real], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(result.attention[real, slot], scores.attention[real], atol=1e-5)
        steps = (result.lengths + result.finished)[real, slot]
        np.testing.assert_allclose(result.attention[real, slot].sum((1, 2)), steps, rtol=1e-5)


def test_hypotheses_are_sorted_by_score(decoded):
    _, _, result = decoded
    assert (np.diff(result.scores[SOURCE_LEN > 0]) <= 0).all()


def test_scores_equal_the_formula(decoded):
    options, _, result = decoded
    real = SOURCE_LEN > 0
    penalty = ((5 + result.lengths[real]) / 6) ** options.get("length_penalty_weight", 0)
    expected = result.log_probs[real] / penalty
    for row, source in enumerate(np.flatnonzero(real)):
        seen = result.attention[source, :, :, : SOURCE_LEN[source]].sum(1)
        covered = np.log(np.minimum(seen, 1)).sum(-1)
        expected[row] += options.get("coverage_penalty_weight", 0) * covered
    np.testing.assert_allclose(result.scores[real], expected, rtol=1e-4)


@pytest.mark.parametrize("decoded", ["constraints"], indirect=True)
def test_outputs_satisfy_the_constraints(decoded):
    _, _, result = decoded
    for source in np.flatnonzero(SOURCE_LEN):
        for ids, length in zip(result.ids[source], result.lengths[source], strict=True):
            words = ids[:length].tolist()
            assert length >= 2
            assert VOCABULARY.unk_id not in words
            assert len(set(words)) == length


def test_a_row_that_pads_the_batch_is_empty(decoded):
    _, _, result = decoded
    assert not result.lengths[2].any()
    assert result.log_probs[2, 0] == 0


def test_results_do_not_depend_on_order_or_rest_of_the_batch_or_padding(decoded, members):
    options, decode, result = decoded
    order = np.array([3, 0, 2, 2])
    sources = SOURCE_IDS[order]
    if "coverage_penalty_weight" in options:  # elsewhere it would be compiled for little
        sources = np.pad(sources, [(0, 0), (0, 3)])
    extra = {"seeds": SEEDS[order]} if "sampling" in options else {}
    other = decode(members[1][0], sources, SOURCE_LEN[order], **extra)
    for row, source in enumerate(order[:2]):
        np.testing.assert_array_equal(other.ids[row], result.ids[source])
        np.testing.assert_allclose(other.scores[row], result.scores[source], atol=1e-4)


@pytest.mark.parametrize("decoded", ["penalties", "groups", "constraints"], indirect=True)
def test_the_beam_trace_leads_to_the_result(decoded):
    _, _, result = decoded
    trace = result.beam_trace
    for source in np.flatnonzero(SOURCE_LEN):
        steps = trace.steps[source]
        for hypothesis in range(result.ids.shape[1]):
            index = trace.beam_indices[source, hypothesis]
            assert trace.scores[steps - 1, source, index] == result.scores[source, hypothesis]
            tokens, log_probs = [], []
            for t in reversed(range(steps)):
                tokens.append(trace.tokens[t, source, index])
                log_probs.append(trace.log_probs[t, source, index])
                index = trace.backpointers[t, source, index]
            assert log_probs[0] == result.log_probs[source, hypothesis]
            assert (np.diff(log_probs[::-1]) <= 0).all()
            expected = result.ids[source, hypothesis, :steps]
            np.testing.assert_array_equal(tokens[::-1], expected)


@pytest.mark.parametrize("decoded", ["greedy", "penalties"], indirect=True)
def test_reference_kernels_find_the_same_hypotheses(decoded, members):
    options, _, result = decoded
    decode = make_decode(members[0][0], VOCABULARY, SearchConfig(**options), kernels="reference")
    reference = decode(members[1][0], SOURCE_IDS, SOURCE_LEN)
    np.testing.assert_array_equal(reference.ids, result.ids)
    np.testing.assert_allclose(reference.scores, result.scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(reference.attention, result.attention, atol=1e-5)


def test_outputs_satisfy_per_example_constraints(members):
    search = SearchConfig(beam_width=2, n_best=2, max_length=MAX_LENGTH)
    decode = make_decode(members[0][0], VOCABULARY, search)
    allowed = np.zeros((4, VOCABULARY.size), bool)
    for row, tokens in enumerate([[0, 1, 2], [3], [0], [4, 5]]):
        allowed[row, tokens] = True
    result = decode(
        members[1][0],
        SOURCE_IDS,
        SOURCE_LEN,
        prefix_ids=np.array([[5, 5], [0, 0], [0, 0], [4, 0]]),
        prefix_len=np.array([2, 0, 0, 1]),
        allowed=allowed,
    )
    for row, prefix in ((0, [5, 5]), (1, []), (3, [4])):
        for ids, length in zip(result.ids[row], result.lengths[row], strict=True):
            assert ids[: len(prefix)].tolist() == prefix
            assert allowed[row, ids[len(prefix) : length]].all()


def test_log_probabilities_of_an_ensemble_equal_its_scores(members):
    (models, params), mean = members, "linear"
    search = SearchConfig(
        beam_width=2,
        n_best=2,
        max_length=MAX_LENGTH,
        ensemble_mean=mean,
        return_attention=True,
    )
    decode = make_decode(models, VOCABULARY, search)
    result = jax.device_get(decode(params, SOURCE_IDS, SOURCE_LEN))
    joint = make_score(models, ensemble_mean=mean, return_attention=True)
    scores = joint(params, SOURCE_IDS, SOURCE_LEN, *targets_of(result, 0))
    real = SOURCE_LEN > 0
    np.testing.assert_allclose(result.log_probs[real, 0], scores.log_probs[real], rtol=1e-4)
    np.testing.assert_allclose(result.attention[real, 0], scores.attention[real], atol=1e-5)


def test_what_was_not_requested_is_not_in_the_loop(members):
    model, params = members[0][0], members[1][0]

    def traced(**options):
        search = SearchConfig(beam_width=3, max_length=7, **options)
        decode = make_decode(model, VOCABULARY, search)
        return str(jax.make_jaxpr(decode)(params, SOURCE_IDS, SOURCE_LEN))

    attention, trace, prefix = "f32[7,4,3,4]", "f32[7,4,3]", "i32[4,3,7]"
    plain = traced(forbid_unk=True)
    assert attention not in plain
    assert attention in traced(return_attention=True)
    loop = plain[plain.index("while") : plain.index("in", plain.index("while"))]
    assert trace not in loop and prefix not in loop


def test_sampling_needs_seeds(members):
    decode = make_decode(members[0][0], VOCABULARY, SearchConfig(sampling=True))
    with pytest.raises(ValueError, match="a seed for each source"):
        decode(members[1][0], SOURCE_IDS, SOURCE_LEN)


def search_config_of(**overrides):
    return make_search_config(make_inference_config(tiny_config(**overrides).inference))


def test_the_search_config_is_derived_from_the_keys():
    assert search_config_of() == SearchConfig()
    assert search_config_of(
        inference__n_best=4,
        inference__sampling__enable="true",
        inference__sampling__top_p=0.9,
        inference__forbid_unk="true",
    ) == SearchConfig(n_best=4, sampling=True, top_p=0.9, forbid_unk=True)
    assert search_config_of(
        inference__n_best=2,
        inference__beam_search__beam_width=4,
        inference__beam_search__coverage_penalty_weight=0.2,
        inference__beam_search__choose_successors_fn=f"{__name__}.{worst_first.__name__}",
    ) == SearchConfig(
        n_best=2, beam_width=4, coverage_penalty_weight=0.2, choose_successors=worst_first
    )


def worst_first(scores):
    """A custom choose_successors_fn."""
    return choose_top_k(-scores)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_width": 3, "n_best": 3},
        {"beam_width": 40, "n_best": 40, "max_length": 2},
        {"no_repeat_ngram_size": 1},
        {"sampling": True, "n_best": 20, "temperature": 5.0},
        {"beam_width": 4, "n_best": 4, "diversity_groups": 2, "diversity_strength": 0.5},
    ],
    ids=str,
)
def test_the_start_token_is_never_an_output(members, options):
    (model, _), (params, _) = members
    biased = jax.tree.map(np.array, params)
    biased["decoder"]["project_logits"]["bias"][START] = 5
    decode = make_decode(model, VOCABULARY, SearchConfig(**{"max_length": MAX_LENGTH} | options))
    extra = {"seeds": SEEDS} if "sampling" in options else {}
    allowed = np.ones((len(SOURCE_LEN), VOCABULARY.size), bool)
    result = jax.device_get(decode(biased, SOURCE_IDS, SOURCE_LEN, allowed=allowed, **extra))
    real = np.arange(result.ids.shape[-1]) < result.lengths[..., None]
    assert real.any()
    assert START not in result.ids[real]
    assert (result.log_probs[SOURCE_LEN > 0][:, 0] < -1).all()  # not renormalized
