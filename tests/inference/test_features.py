"""Predictors of models that read features."""

import numpy as np
import pytest

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY
from tests.tiny_workdir import tiny_run

FEATURES = Vocabulary(["V", "PST", "NOM", "NOM(1)", "NOM(PL)"])
VOCABULARIES = Vocabularies(VOCABULARY, VOCABULARY, FEATURES)
TEXTS = ["a b c", "a b c", "a b c", "", "f e"]
BUNDLES = ["V;PST", "V", "NOM(1,PL);V", "V", ""]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")

    def make(name: str, seed: int, **options) -> None:
        tiny_run(directory / name, {1: seed}, vocabularies=VOCABULARIES, **options)

    make("source", 6, features__combine="source")
    make("other", 7, features__combine="source")
    make("decoder", 8, features__combine="decoder")
    tiny_run(directory / "plain", {1: 6})
    return directory


@pytest.fixture(scope="module")
def predictor(runs):
    return Predictor.from_workdir(str(runs / "source"), beam_width=3, n_best=2)


@pytest.fixture(scope="module")
def predictions(predictor):
    return predictor.predict(TEXTS, features=BUNDLES, return_attention=True)


def contents(prediction):
    return [(one.text, round(one.log_prob, 3)) for one in prediction.n_best]


def test_the_features_of_a_text_decide_its_prediction(predictions):
    first, second, third, empty, _ = map(contents, predictions)
    assert first != second != third != first
    assert empty == []


def test_a_prediction_knows_its_features_and_the_columns_of_its_attention(predictions):
    first, _, nested, empty, missing = predictions
    assert [p.features for p in predictions] == BUNDLES
    assert first.attended_tokens == ["a", "b", "c", "SEQUENCE_END", "[PST]", "[V]"]
    assert nested.attended_tokens[4:] == ["[NOM]", "[NOM(1)]", "[NOM(PL)]", "[V]"]
    assert missing.attended_tokens == missing.source_tokens
    assert empty.attended_tokens == []
    for prediction in (first, nested, missing):
        for one in prediction.n_best:
            assert one.attention.shape[1] == len(prediction.attended_tokens)
            np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-4)


def test_the_order_repetition_and_form_of_features_do_not_matter(predictor, predictions):
    bundles = ["PST; V;V", {"V"}, ["V", "NOM(PL,1)"], None, []]
    again = predictor.predict(TEXTS, features=bundles)
    assert list(map(contents, again)) == list(map(contents, predictions))


def test_a_prediction_does_not_depend_on_the_features_of_other_texts(predictor, predictions):
    alone = [
        predictor.predict([text], features=[bundle])[0]
        for text, bundle in zip(TEXTS[:3], BUNDLES[:3], strict=True)
    ]
    assert list(map(contents, alone)) == list(map(contents, predictions[:3]))


def test_the_score_of_an_output_is_that_of_the_search(predictor, predictions):
    first, _, nested, _, _ = predictions
    pairs = [(p, one) for p in (first, nested) for one in p.n_best if one.finished]
    assert pairs
    scores = predictor.score(
        [p.source for p, _ in pairs],
        [one.text for _, one in pairs],
        features=[p.features for p, _ in pairs],
        return_attention=True,
    )
    for (prediction, one), score in zip(pairs, scores, strict=True):
        assert score.log_prob == pytest.approx(one.log_prob, abs=1e-3)
        assert score.features == prediction.features
        assert score.attention.shape == one.attention.shape


def test_unknown_and_odd_features_are_reported_once_and_count_as_unk(predictor, caplog):
    odd = predictor.predict(["a"] * 4, features=["FUT", "DU;FUT", "", "V;V;NOM(1"])
    assert "not in the vocabulary count as UNK: FUT (2 times), DU, NOM(1" in caplog.text
    assert "1 of 4 sources have no features" in caplog.text
    assert "1 of 4 sources repeat a feature" in caplog.text
    assert "1 of 4 sources have features with unbalanced brackets" in caplog.text
    caplog.clear()
    again = predictor.predict(["a"] * 2, features=["FUT", "FUTURE"])
    assert "count as UNK: FUTURE" in caplog.text and "FUT," not in caplog.text
    assert contents(again[0]) == contents(odd[0]) == contents(again[1])


def test_features_are_needed_by_models_that_read_them_and_by_no_others(runs, predictor):
    with pytest.raises(ValueError, match=r"the model reads features; use features=\[\.\.\.\]"):
        predictor.predict(["a"])
    with pytest.raises(ValueError, match="features must have an item for each text; got 1 for 2"):
        predictor.score(["a", "b"], ["c", "d"], features=["V"])
    with pytest.raises(TypeError, match="features must be a list with an item for each text"):
        predictor.predict(["a"], features="V;PST")
    with pytest.raises(TypeError, match=r"features\[0\] must hold texts only; item 1 is 3"):
        predictor.predict(["a"], features=[["V", 3]])
    plain = Predictor.from_workdir(str(runs / "plain"))
    assert predictor.has_features and not plain.has_features
    with pytest.raises(ValueError, match="features are given, but the model reads none"):
        plain.predict(["a"], features=["V"])


def test_an_ensemble_reads_features_in_all_its_members(runs):
    alone = Predictor.from_workdir(str(runs / "source"))
    pair = Predictor.from_workdir(
        str(runs / "source"), ensemble=f"{runs / 'other'},{runs / 'decoder'}"
    )
    first, second = pair.predict(TEXTS[:2], features=BUNDLES[:2], return_attention=True)
    assert contents(first) != contents(second)
    assert contents(first) != contents(alone.predict(TEXTS[:1], features=BUNDLES[:1])[0])
    assert first.attention.shape[1] == len(first.attended_tokens) == 6
    scores = pair.score(["a b c"], [first.text], features=["V;PST"])
    if first.finished:
        assert scores[0].log_prob == pytest.approx(first.log_prob, abs=1e-3)


def test_members_of_an_ensemble_have_the_same_features(runs):
    with pytest.raises(UserError, match="have different features vocabularies"):
        Predictor.from_workdir(str(runs / "source"), ensemble=str(runs / "plain"))


def test_sampling_draws_anew_for_other_features(runs):
    sampler = Predictor.from_workdir(str(runs / "decoder"), sampling=True, n_best=3)
    first, same, other = sampler.predict(["a b"] * 3, features=["V", "V", "PST"])
    assert contents(first) == contents(same) != contents(other)


def test_a_lexicon_has_a_column_of_features(runs, tmp_path):
    path = tmp_path / "lexicon.tsv"
    path.write_text("a b c\td e\tPST;V\n")
    known = Predictor.from_workdir(str(runs / "source"), lexicon=str(path))
    first, second = known.predict(TEXTS[:2], features=BUNDLES[:2])
    assert (first.text, first.origin, second.origin) == ("d e", "lexicon", "model")
    path.write_text("a b c\td e\n")
    with pytest.raises(UserError, match=r"lexicon.tsv:1: has 2 columns; .* and a tab and features"):
        Predictor.from_workdir(str(runs / "source"), lexicon=str(path))


def test_a_damaged_vocabulary_of_features_is_noticed(tmp_path):
    tiny_run(tmp_path / "run", {1: 6}, vocabularies=VOCABULARIES, features__combine="source")
    file = tmp_path / "run" / "vocab.features.txt"
    assert file.read_text().split() == list(FEATURES.tokens)
    file.write_text("PST\nV\nNOM\nNOM(1)\nNOM(PL)\n")
    with pytest.raises(UserError, match=r"vocab\.features\.txt: differs from the file with which"):
        Predictor.from_workdir(str(tmp_path / "run"))
    file.unlink()
    with pytest.raises(UserError, match=r"vocab\.features\.txt: is missing"):
        Predictor.from_workdir(str(tmp_path / "run"))
