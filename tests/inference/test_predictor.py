"""A model with random parameters: what it says makes no sense, and always the same."""

import logging
import math
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.inference.loading import LoadedModel
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.models.build import build_model
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, model_params, tiny_config

SOURCES = ["a b c", "", "f", "e e e e e e e", "b", "unheard of", "c d"]


def loaded_model(seed=6, **overrides):
    overrides = {
        "encoder__class": "UnidirectionalRNNEncoder",
        "inference__max_decode_length": 6,
        "inference__batch_size": 3,
        "source__max_seq_len": 8,
    } | overrides
    config = tiny_config(**overrides)
    model = build_model(config, VOCABULARY.size, VOCABULARY.size)
    params = model_params(model, seed)
    # Larger, so that sentences are about something; some are found only by a beam.
    params = jax.tree.map(lambda leaf: 2 * leaf, params)
    params["decoder"]["project_logits"]["bias"][VOCABULARY.sequence_start_id] = -100
    loaded = LoadedModel(
        model,
        params,
        Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" ")),
        Vocabularies(VOCABULARY, VOCABULARY),
        steps=[0],
        non_trainable={},
    )
    return loaded, config


def predictor_of(**kwargs):
    loaded, config = loaded_model(**kwargs)
    return Predictor([loaded], config)


@pytest.fixture(scope="module")
def predictor():
    return predictor_of()


@pytest.fixture(scope="module")
def predictions(predictor):
    return predictor.predict(SOURCES)


@pytest.fixture(scope="module")
def beam(predictor):
    return predictor.with_search_options(beam_width=4, n_best=3, length_penalty_weight=0.7)


@pytest.fixture(scope="module")
def beams(beam):
    return beam.predict(SOURCES, return_attention=True, return_beam_trace=True)


def contents(prediction):
    return [(one.text, round(one.log_prob, 3)) for one in prediction.n_best]


def test_there_is_a_prediction_for_each_source(predictions):
    assert [prediction.source for prediction in predictions] == SOURCES
    assert len({prediction.text for prediction in predictions}) > 3
    for prediction in predictions:
        assert prediction.text == " ".join(prediction.tokens)
        assert len(prediction.tokens) == prediction.length <= 6
        assert "SEQUENCE_END" not in prediction.tokens
        assert prediction.score == prediction.log_prob <= 0
        assert prediction.attention is prediction.beam_trace is None


@pytest.mark.parametrize("texts", [[""], ["   "], []])
def test_an_empty_source_gives_an_empty_prediction(predictor, texts):
    found = predictor.predict(texts)
    assert [prediction.source for prediction in found] == texts
    for prediction in found:
        assert (prediction.n_best, prediction.text, prediction.tokens) == ([], "", [])
        assert (prediction.log_prob, prediction.score, prediction.length) == (0, 0, 0)


def test_predictions_do_not_depend_on_order_or_rest_of_the_batch(predictor, predictions):
    backwards = predictor.predict(SOURCES[::-1])[::-1]
    alone = [predictor.predict([source])[0] for source in SOURCES]
    for others in (backwards, alone):
        assert list(map(contents, others)) == list(map(contents, predictions))


def test_samples_depend_only_on_their_text_and_the_seed(predictor):
    drawing = predictor.with_search_options(sampling=True, n_best=3, temperature=1.5)
    found = drawing.predict(SOURCES)
    backwards = drawing.predict(SOURCES[::-1])[::-1]
    assert list(map(contents, backwards)) == list(map(contents, found))
    assert len(found[0].n_best) == 3
    assert found[0].score == max(one.score for one in found[0].n_best)
    others = predictor.with_search_options(sampling=True, n_best=3, temperature=1.5, seed=1)
    assert list(map(contents, others.predict(SOURCES))) != list(map(contents, found))


def test_any_number_of_threads_may_predict_at_once(predictions):
    predictor = predictor_of()  # has compiled nothing yet
    asked = [SOURCES[i:] + SOURCES[:i] for i in range(len(SOURCES))] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(predictor.predict, asked))
    expected = dict(zip(SOURCES, map(contents, predictions), strict=True))
    for texts, found in zip(asked, answers, strict=True):
        assert list(map(contents, found)) == [expected[text] for text in texts]


def test_all_devices_are_used_and_predict_the_same(use_devices, predictions):
    use_devices(8)
    predictor = predictor_of()
    assert list(map(contents, predictor.predict(SOURCES))) == list(map(contents, predictions))
    assert contents(predictor.predict(SOURCES[:1])[0]) == contents(predictions[0])
    leaf = jax.tree.leaves(predictor.params)[0]
    assert len(leaf.sharding.device_set) == predictor.batch_size == 8


def test_each_shape_is_compiled_once(caplog):
    predictor = predictor_of()
    with jax.log_compiles(), caplog.at_level(logging.WARNING, "jax"):
        predictor.warm_up()
        compiled = [r for r in caplog.messages if r.startswith("Compiling jit(decode)")]
        assert len(compiled) == 2  # one row and a full batch, of width 8
        caplog.clear()
        predictor.predict(SOURCES)
        predictor.predict(SOURCES[:1])
        assert not any("Compiling jit(decode)" in message for message in caplog.messages)


def test_tokens_outside_the_vocabulary_are_unk(predictor):
    unheard, unknown = predictor.predict(["unheard of", "UNK UNK"])
    assert unheard.tokens == unknown.tokens
    assert unheard.source_tokens == ["unheard", "of", "SEQUENCE_END"]


def test_a_source_that_is_too_long_is_truncated_with_a_warning(predictor, caplog):
    logger = logging.getLogger("seq2seq_jax")
    logger.addHandler(caplog.handler)
    try:
        cut, same = predictor.predict(["a b c d e f a b c d", "a b c d e f a b"])
    finally:
        logger.removeHandler(caplog.handler)
    assert cut.tokens == same.tokens
    assert cut.source_tokens == ["a", "b", "c", "d", "e", "f", "a", "b"]
    assert "2 of 2 sources truncated to source.max_seq_len=8 tokens" in caplog.text


def test_n_best_are_ranked_by_their_length_normalized_scores(beams):
    for prediction in beams:
        assert len(prediction.n_best) == (3 if prediction.source else 0)
        scores = [one.score for one in prediction.n_best]
        assert scores == sorted(scores, reverse=True)
        assert len({one.text for one in prediction.n_best}) == len(scores)
        for one in prediction.n_best:
            penalty = ((5 + one.length) / 6) ** 0.7
            assert math.isclose(one.score, one.log_prob / penalty, rel_tol=1e-5)


def test_fewer_hypotheses_than_n_best_are_returned_if_there_are_no_more(predictor):
    few = predictor.with_search_options(max_decode_length=1, beam_width=40, n_best=40)
    (found,) = few.predict(["a"])
    assert len(found.n_best) == VOCABULARY.size - 1  # all but SEQUENCE_START
    assert math.isclose(sum(math.exp(one.log_prob) for one in found.n_best), 1, rel_tol=1e-4)


def test_attention_has_a_row_for_each_token_and_a_column_for_each_source_token(beams):
    for prediction in beams:
        for one in prediction.n_best:
            rows, columns = one.attention.shape
            assert columns == len(prediction.source_tokens)
            assert rows == min(one.length + 1, 6)
            np.testing.assert_allclose(one.attention.sum(axis=1), 1, atol=1e-5)


def test_the_beam_trace_leads_to_the_hypotheses(beams):
    for prediction in beams:
        if not prediction.source:
            assert prediction.beam_trace is None
            continue
        trace = prediction.beam_trace
        for one, index in zip(prediction.n_best, trace.beam_indices, strict=False):
            ids = []
            for step_ids, parents in zip(trace.tokens[::-1], trace.backpointers[::-1], strict=True):
                ids.append(step_ids[index])
                index = parents[index]
            tokens = VOCABULARY.decode(ids[::-1])
            assert tokens[: one.length] == one.tokens
            assert set(tokens[one.length :]) <= {"SEQUENCE_END"}


def test_the_beam_trace_of_greedy_search_has_one_beam(predictor, predictions):
    found = predictor.predict(SOURCES, return_beam_trace=True)
    assert list(map(contents, found)) == list(map(contents, predictions))
    assert found[0].beam_trace.tokens.shape[1] == 1


def test_an_output_begins_with_its_prefix_and_uses_only_its_allowed_tokens(predictor):
    prefixes = ["f f", None, "a", "", "", "", ""]
    allowed = [None, None, None, {"b"}, ["a", "c"], None, []]
    free = predictor.predict(SOURCES)
    found = predictor.predict(SOURCES, prefixes=prefixes, allowed_tokens=allowed)
    assert found[0].tokens[:2] == ["f", "f"]
    assert found[2].tokens[0] == "a"
    assert set(found[3].tokens) <= {"b"}
    assert set(found[4].tokens) <= {"a", "c"}
    assert contents(found[5]) == contents(free[5])
    assert found[6].tokens == []


def test_targets_are_scored_as_in_the_search(predictor, predictions):
    finished = [p for p in predictions if 0 < p.length < 6]
    found = predictor.score(
        [p.source for p in finished], [p.text for p in finished], return_attention=True
    )
    for score, prediction in zip(found, finished, strict=True):
        assert (score.source, score.target) == (prediction.source, prediction.text)
        assert score.tokens == [*prediction.tokens, "SEQUENCE_END"]
        assert len(score.token_log_probs) == len(score.tokens)
        assert math.isclose(score.log_prob, prediction.log_prob, rel_tol=1e-4)
        assert score.attention.shape == (len(score.tokens), len(score.source_tokens))
        np.testing.assert_allclose(score.attention.sum(axis=1), 1, atol=1e-5)


def test_empty_and_long_targets_can_be_scored(predictor):
    empty, long = predictor.score(["a", ""], ["", "a " * 20])
    assert empty.tokens == ["SEQUENCE_END"]
    assert empty.attention is None
    assert len(long.token_log_probs) == 21
    assert (long.token_log_probs < 0).all()


def test_several_models_form_an_ensemble(predictions):
    (one, config), (other, _) = loaded_model(), loaded_model(seed=9, model="BasicSeq2Seq")
    together = Predictor([one, other], config).predict(SOURCES, return_attention=True)
    assert together[0].attention.shape[1] == 4
    for found, alone in zip(together, predictions, strict=True):
        if found.text == alone.text and found.text:
            assert found.log_prob != alone.log_prob


def test_tokens_are_characters_without_a_delimiter(predictions):
    loaded, config = loaded_model()
    tokenizers = Tokenizers(DelimiterTokenizer("", lowercase=True), DelimiterTokenizer(""))
    by_character = Predictor([loaded._replace(tokenizers=tokenizers)], config)
    (prediction,) = by_character.predict(["ABC"])
    assert prediction.tokens == predictions[0].tokens
    assert prediction.text == "".join(prediction.tokens)


def test_a_wrong_option_is_an_error_of_one_line(predictor):
    with pytest.raises(UserError, match=r"^inference\.beam_widht: unknown key .* did you mean"):
        predictor.with_search_options(beam_widht=3)
    with pytest.raises(UserError, match=r"^inference\.n_best: must be 1 in greedy search; got 3"):
        predictor.with_search_options(n_best=3)


def test_wrong_calls_name_the_argument_and_the_remedy(predictor):
    with pytest.raises(TypeError, match=r"texts must be a list .*; got a str\. Use \[x\]"):
        predictor.predict("a b c")
    with pytest.raises(TypeError, match="targets must hold texts only; item 1 is nan, a float"):
        predictor.score(["a", "b"], ["a", math.nan])
    with pytest.raises(UserError, match=r"^prefixes\[1\]: the token 'nope' is not in the target"):
        predictor.predict(["a", "b"], prefixes=["a", "nope"])
    with pytest.raises(UserError, match=r"^allowed_tokens\[0\]: the token 'nope' is not in"):
        predictor.predict(["a"], allowed_tokens=[["a", "nope"]])
    with pytest.raises(ValueError, match="prefixes must have an item for each text"):
        predictor.predict(["a", "b"], prefixes=["c"])
    with pytest.raises(ValueError, match="sampling has no beam"):
        predictor.with_search_options(sampling=True).predict(["a"], return_beam_trace=True)
    with pytest.raises(ValueError, match="needs a model with attention; BasicSeq2Seq has none"):
        predictor_of(model="BasicSeq2Seq").predict(["a"], return_attention=True)


def test_an_input_that_is_mostly_out_of_vocabulary_is_reported_once(caplog):
    predictor = predictor_of()
    predictor.predict(["a b c d e x"])
    assert not caplog.records
    predictor.predict(["A B", "C d"])
    predictor.predict(["X Y"])
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning == (
        "75.00% of the source tokens of the input are out of vocabulary. Likely reason: the"
        " vocabulary is lower-case."
    )
    caplog.clear()
    predictor.score(["a"], ["X Y"])
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.startswith("100.00% of the target tokens of the input are out of vocabulary")


def test_texts_come_in_any_ordered_collection(predictor, predictions):
    for texts in (iter(SOURCES), tuple(SOURCES), np.array(SOURCES)):
        found = predictor.predict(texts)
        assert [one.source for one in found] == SOURCES
        assert list(map(contents, found)) == list(map(contents, predictions))


def test_a_hypothesis_states_whether_it_is_finished(predictor, beams):
    assert predictor.predict([""])[0].finished
    seen = set()
    for prediction in beams:
        for one in prediction.n_best:
            seen.add(one.finished)
            if one.finished:
                assert len(one.attention) == one.length + 1
            else:
                assert len(one.attention) == one.length == 6
    (cut,) = predictor.with_search_options(max_decode_length=1).predict(["a"])
    assert cut.finished == (cut.length == 0)
    assert seen == {True, False}


def test_the_texts_of_n_best_differ_although_segmentations_do_not(predictor):
    class Pieces:
        def split(self, text):
            return text.split()

        def join(self, tokens):
            return "".join(tokens).replace("b", "a").replace("c", "a")

    merging = predictor.with_search_options()
    merging.tokenizers = Tokenizers(DelimiterTokenizer(" "), Pieces())
    merging = merging.with_search_options(beam_width=8, n_best=3)
    for prediction in merging.predict(SOURCES):
        texts = [one.text for one in prediction.n_best]
        assert len(set(texts)) == len(texts)
        scores = [one.score for one in prediction.n_best]
        assert scores == sorted(scores, reverse=True)
    full = [len(p.n_best) for p in merging.predict(SOURCES) if p.source]
    assert max(full) == 3
