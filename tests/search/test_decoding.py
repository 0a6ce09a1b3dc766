"""Models and searches as one function, held against teacher forcing."""

import jax
import numpy as np
import pytest

from seq2seq_jax.inference.scoring import make_score
from seq2seq_jax.search.beam_step import choose_top_k
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.sampling import per_example_seeds
from seq2seq_jax.search.search_config import SearchOptions, search_options
from tests.tiny_models import VOCABULARY, model_params, tiny_config, tiny_model

START, END = VOCABULARY.sequence_start_id, VOCABULARY.sequence_end_id
MAX_LENGTH = 6
SOURCE_IDS = np.array([[0, 1, 2, END], [3, END, 0, 0], [0, 0, 0, 0], [4, 4, 5, END]])
SOURCE_LEN = np.array([4, 2, 0, 4])
SEEDS = per_example_seeds(0, range(4))

SEARCHES = {
    "greedy": {},
    "penalties": {
        "beam_width": 3,
        "n_best": 3,
        "length_penalty_weight": 0.6,
        "coverage_penalty_weight": 0.4,
    },
    "groups": {"beam_width": 4, "diversity_groups": 2, "diversity_strength": 0.5},
    "samples": {"sampling": True, "num_samples": 3, "temperature": 1.5, "top_p": 0.95},
    "rules": {
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
        options["return_history"] = True
    decode = make_decode(members[0][0], VOCABULARY, **options)
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


def test_log_probabilities_and_attention_are_those_of_teacher_forcing(decoded, score, members):
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


def test_hypotheses_are_the_best_first(decoded):
    _, _, result = decoded
    assert (np.diff(result.scores[SOURCE_LEN > 0]) <= 0).all()


def test_scores_are_as_by_hand(decoded):
    options, _, result = decoded
    real = SOURCE_LEN > 0
    penalty = ((5 + result.lengths[real]) / 6) ** options.get("length_penalty_weight", 0)
    expected = result.log_probs[real] / penalty
    for row, source in enumerate(np.flatnonzero(real)):
        seen = result.attention[source, :, :, : SOURCE_LEN[source]].sum(1)
        covered = np.log(np.minimum(seen, 1)).sum(-1)
        expected[row] += options.get("coverage_penalty_weight", 0) * covered
    np.testing.assert_allclose(result.scores[real], expected, rtol=1e-4)


@pytest.mark.parametrize("decoded", ["rules"], indirect=True)
def test_rules_are_kept(decoded):
    _, _, result = decoded
    for source in np.flatnonzero(SOURCE_LEN):
        for ids, length in zip(result.ids[source], result.lengths[source], strict=True):
            words = ids[:length].tolist()
            assert length >= 2
            assert VOCABULARY.unk_id not in words
            assert len(set(words)) == length


def test_a_row_that_fills_the_batch_is_empty(decoded):
    _, _, result = decoded
    assert not result.lengths[2].any()
    assert result.log_probs[2, 0] == 0


def test_results_do_not_depend_on_order_or_company_or_padding(decoded, members):
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


@pytest.mark.parametrize("decoded", ["penalties", "groups", "rules"], indirect=True)
def test_the_history_leads_to_the_result(decoded):
    _, _, result = decoded
    history = result.history
    for source in np.flatnonzero(SOURCE_LEN):
        steps = history.steps[source]
        for hypothesis, slot in enumerate(history.slots[source]):
            assert history.scores[steps - 1, source, slot] == result.scores[source, hypothesis]
            words, log_probs = [], []
            for t in reversed(range(steps)):
                words.append(history.words[t, source, slot])
                log_probs.append(history.log_probs[t, source, slot])
                slot = history.parents[t, source, slot]
            assert log_probs[0] == result.log_probs[source, hypothesis]
            assert (np.diff(log_probs[::-1]) <= 0).all()
            expected = result.ids[source, hypothesis, :steps]
            np.testing.assert_array_equal(words[::-1], expected)


def test_a_sentences_own_prefix_and_words_are_kept(members):
    decode = make_decode(members[0][0], VOCABULARY, beam_width=2, n_best=2, max_length=MAX_LENGTH)
    allowed = np.array([[0, 1, 2], [3, -1, -1], [0, -1, -1], [4, 5, -1]])
    result = decode(
        members[1][0],
        SOURCE_IDS,
        SOURCE_LEN,
        prefix_ids=np.array([[5, 5], [0, 0], [0, 0], [4, 0]]),
        prefix_len=np.array([2, 0, 0, 1]),
        allowed=allowed,
    )
    mask = np.zeros((4, VOCABULARY.size), bool)
    for row, words in enumerate(allowed):
        mask[row, words[words >= 0]] = True
    for row, prefix in ((0, [5, 5]), (1, []), (3, [4])):
        for ids, length in zip(result.ids[row], result.lengths[row], strict=True):
            assert ids[: len(prefix)].tolist() == prefix
            assert mask[row, ids[len(prefix) : length]].all()


def test_an_ensemble_finds_what_its_members_score_together(members):
    (models, params), mean = members, "linear"
    options = {"beam_width": 2, "n_best": 2, "max_length": MAX_LENGTH, "return_attention": True}
    decode = make_decode(models, VOCABULARY, ensemble_mean=mean, **options)
    result = jax.device_get(decode(params, SOURCE_IDS, SOURCE_LEN))
    joint = make_score(models, ensemble_mean=mean, return_attention=True)
    scores = joint(params, SOURCE_IDS, SOURCE_LEN, *targets_of(result, 0))
    real = SOURCE_LEN > 0
    np.testing.assert_allclose(result.log_probs[real, 0], scores.log_probs[real], rtol=1e-4)
    np.testing.assert_allclose(result.attention[real, 0], scores.attention[real], atol=1e-5)


def test_what_is_not_asked_for_is_not_kept(members):
    model, params = members[0][0], members[1][0]

    def traced(**options):
        decode = make_decode(model, VOCABULARY, beam_width=3, max_length=7, **options)
        return str(jax.make_jaxpr(decode)(params, SOURCE_IDS, SOURCE_LEN))

    attention, history, words = "f32[7,4,3,4]", "f32[7,4,3]", "i32[4,3,7]"
    plain = traced(forbid_unk=True)
    assert attention not in plain
    assert attention in traced(return_attention=True)
    loop = plain[plain.index("while") : plain.index("in", plain.index("while"))]
    assert history not in loop and words not in loop


def test_sampling_needs_seeds(members):
    decode = make_decode(members[0][0], VOCABULARY, sampling=True)
    with pytest.raises(ValueError, match="a seed for each sentence"):
        decode(members[1][0], SOURCE_IDS, SOURCE_LEN)


def test_options_come_from_the_configuration():
    plain = search_options(tiny_config().inference)
    assert plain.pop("ensemble_mean") == "log"
    assert SearchOptions(**plain) == SearchOptions()
    drawn = search_options(
        tiny_config(
            inference__n_best=4,
            inference__sampling__enable="true",
            inference__sampling__top_p=0.9,
            inference__forbid_unk="true",
        ).inference
    )
    assert (drawn["sampling"], drawn["num_samples"], drawn["top_p"]) == (True, 4, 0.9)
    beam = search_options(
        tiny_config(
            inference__n_best=2,
            inference__beam_search__beam_width=4,
            inference__beam_search__coverage_penalty_weight=0.2,
            inference__beam_search__choose_successors_fn=f"{__name__}.{worst_first.__name__}",
        ).inference
    )
    assert (beam["beam_width"], beam["n_best"], beam["coverage_penalty_weight"]) == (4, 2, 0.2)
    assert beam["choose_successors"] is worst_first


def worst_first(scores):
    """A rule of one's own."""
    return choose_top_k(-scores)
