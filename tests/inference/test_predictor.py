"""A model with random parameters: what it says makes no sense, and always the same."""

import logging

import jax
import numpy as np
import pytest

from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.inference.predictor import EMPTY, LoadedModel, Predictor, padded_length
from seq2seq_jax.models.build import build_model
from seq2seq_jax.workdir import Vocabularies
from tests.tiny_models import VOCABULARY, model_params, tiny_config

WORDS = DelimiterTokenizer(" ")
SOURCES = ["a b c", "", "f", "e e e e e e e", "b", "unheard of", "c d"]


def predictor_of(seed=6, source_tokenizer=WORDS, target_tokenizer=WORDS, **overrides):
    config = tiny_config(
        encoder__class="UnidirectionalRNNEncoder",
        inference__max_decode_length=6,
        inference__batch_size=3,
        source__max_seq_len=8,
        **overrides,
    )
    model = build_model(config, VOCABULARY.size, VOCABULARY.size)
    params = model_params(model, seed)
    # Larger, so that sentences are about something; some are found only by a beam.
    params = jax.tree.map(lambda leaf: 2 * leaf, params)
    params["decoder"]["project_logits"]["bias"][VOCABULARY.sequence_start_id] = -100
    tokenizers = Tokenizers(source_tokenizer, target_tokenizer)
    vocabularies = Vocabularies(VOCABULARY, VOCABULARY)
    return Predictor(LoadedModel(model, params, tokenizers, vocabularies, step=0), config)


@pytest.fixture(scope="module")
def predictor():
    return predictor_of()


@pytest.fixture(scope="module")
def predictions(predictor):
    return predictor.predict(SOURCES)


def test_there_is_a_prediction_for_each_source(predictions):
    assert len(predictions) == len(SOURCES)
    assert len({prediction.text for prediction in predictions}) > 3
    for prediction in predictions:
        assert prediction.text == " ".join(prediction.tokens)
        assert len(prediction.tokens) <= 6
        assert "SEQUENCE_END" not in prediction.tokens
        assert prediction.score == prediction.log_prob <= 0


def test_an_empty_source_gives_an_empty_prediction(predictor, predictions):
    assert predictions[1] == EMPTY
    assert predictor.predict([""]) == [EMPTY]
    assert predictor.predict(["   "]) == [EMPTY]
    assert predictor.predict([]) == []


def test_predictions_do_not_depend_on_order_or_company(predictor, predictions):
    backwards = predictor.predict(SOURCES[::-1])[::-1]
    alone = [predictor.predict([source])[0] for source in SOURCES]
    for others in (backwards, alone):
        assert [other.tokens for other in others] == [p.tokens for p in predictions]
        np.testing.assert_allclose(
            [other.log_prob for other in others], [p.log_prob for p in predictions], atol=1e-4
        )


def test_words_that_are_not_in_the_vocabulary_are_unknown(predictor):
    unheard, unknown = predictor.predict(["unheard of", "UNK UNK"])
    assert unheard.tokens == unknown.tokens


def test_a_source_that_is_too_long_is_cut_with_a_warning(predictor, caplog):
    logger = logging.getLogger("seq2seq_jax")
    logger.addHandler(caplog.handler)
    try:
        cut, same = predictor.predict(["a b c d e f a b c d", "a b c d e f a b"])
    finally:
        logger.removeHandler(caplog.handler)
    assert cut.tokens == same.tokens
    assert "2 of 2 sources cut to source.max_seq_len=8 tokens" in caplog.text


def test_a_beam_is_at_least_as_likely_as_the_greedy_way(predictions):
    beams = predictor_of(inference__beam_search__beam_width=4).predict(SOURCES)
    for beam, greedy in zip(beams, predictions, strict=True):
        assert beam.log_prob >= greedy.log_prob - 1e-4
    assert any(
        beam.tokens != greedy.tokens for beam, greedy in zip(beams, predictions, strict=True)
    )


def test_characters_go_in_and_come_out_without_a_delimiter(predictor, predictions):
    by_character = predictor_of(
        source_tokenizer=DelimiterTokenizer("", lowercase=True),
        target_tokenizer=DelimiterTokenizer(""),
    )
    (prediction,) = by_character.predict(["ABC"])
    assert prediction.tokens == predictions[0].tokens
    assert prediction.text == "".join(prediction.tokens)


def test_sources_are_padded_to_few_widths():
    assert [padded_length(n) for n in (1, 8, 9, 64, 65, 96, 97)] == [8, 8, 16, 64, 96, 96, 128]
