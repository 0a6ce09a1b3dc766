"""A table that answers known sources, and a list of the only outputs that a search may find."""

import logging
import math

import pytest

from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

SOURCES = ["a b c", "", "f", "e e", "b"]
OUTPUTS = ["a b", "a b c", "f f", "c", "d e f a b"]


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    tiny_run(directory / "one", {10: 6})
    return directory / "one"


@pytest.fixture(scope="module")
def predictor(run_path):
    return Predictor.from_workdir(str(run_path))


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "lexicon.tsv"
    path.write_text("f\tc c\nb\ta d\nb\tc d\nb\ta d\nz z\tf\n")
    return str(path)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "outputs.txt"
    path.write_text("\n".join([*OUTPUTS, "", OUTPUTS[0]]) + "\n")
    return str(path)


def texts(predictions):
    return [prediction.text for prediction in predictions]


def test_the_lexicon_answers_the_sources_that_it_has_and_the_model_the_others(predictor, lexicon):
    found = predictor.with_search_options(lexicon=lexicon).predict(SOURCES)
    alone = texts(predictor.predict(SOURCES))
    assert texts(found) == [*alone[:2], "c c", alone[3], "a d"]
    assert [one.origin for one in found] == ["model", "model", "lexicon", "model", "lexicon"]
    assert (found[2].tokens, found[2].log_prob, found[2].finished) == (["c", "c"], 0, True)
    assert [one.origin for one in predictor.predict(SOURCES)] == [None] * 5


def test_the_model_is_not_called_for_known_sources_only(predictor, lexicon):
    known = predictor.with_search_options(lexicon=lexicon).predict(["f", " b "])
    assert texts(known) == ["c c", "a d"]


def test_n_best_has_the_entries_of_the_lexicon_in_their_order(predictor, lexicon):
    beam = predictor.with_search_options(lexicon=lexicon, beam_width=3, n_best=3)
    found = beam.predict(SOURCES, return_beam_trace=True)
    assert [one.text for one in found[4].n_best] == ["a d", "c d"]
    assert len(found[0].n_best) == 3
    assert (found[4].beam_trace, found[4].attention) == (None, None)
    one = beam.with_search_options(n_best=1).predict(["b"])[0]
    assert [each.text for each in one.n_best] == ["a d"]


def test_entries_of_the_lexicon_satisfy_the_constraints_or_the_model_answers(
    predictor, lexicon, outputs
):
    both = predictor.with_search_options(lexicon=lexicon)
    found = both.predict(["f", "b", "b"], prefixes=["a", "c", "a"])
    assert [one.origin for one in found] == ["model", "lexicon", "lexicon"]
    assert found[1].text == "c d"
    found = both.predict(["f", "b"], allowed_tokens=[["c"], ["a"]])
    assert [one.origin for one in found] == ["lexicon", "model"]
    found = both.with_search_options(allowed_outputs=outputs).predict(["f", "b"])
    assert [one.origin for one in found] == ["model", "model"]
    assert set(texts(found)) <= set(OUTPUTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n", r"lexicon.tsv:1: has 1 column; a line must be a source, a tab and an output"),
        ("a\tb\nb\tc\td\n", r"lexicon.tsv:2: has 3 columns; a line must"),
        ("a\tb\n\tc\n", r"lexicon.tsv:2: the source is empty; write one, or remove the line"),
        ("a\t \n", r"lexicon.tsv:1: the output is empty"),
        ("", "lexicon.tsv: has no lines"),
    ],
)
def test_a_wrong_lexicon_is_an_error_that_names_the_line(predictor, tmp_path, content, message):
    (tmp_path / "lexicon.tsv").write_text(content)
    with pytest.raises(UserError, match=message):
        predictor.with_search_options(lexicon=str(tmp_path / "lexicon.tsv"))


def test_all_searches_find_only_allowed_outputs(predictor, outputs):
    for options in (
        {},
        {"beam_width": 2, "n_best": 2},
        {"beam_width": 4, "n_best": 4, "diversity_groups": 2, "diversity_strength": 0.5},
        {"sampling": True, "n_best": 4},
    ):
        some = predictor.with_search_options(allowed_outputs=outputs, **options)
        for source, prediction in zip(SOURCES, some.predict(SOURCES), strict=True):
            assert {one.text for one in prediction.n_best} <= set(OUTPUTS)
            assert bool(prediction.n_best) == bool(source)
            assert all(one.finished for one in prediction.n_best)


def test_a_wide_beam_ranks_the_allowed_outputs_as_score_does(predictor, outputs):
    every = predictor.with_search_options(allowed_outputs=outputs, beam_width=8, n_best=8)
    (found,) = every.predict(["a b c"])
    scores = predictor.score(["a b c"] * len(OUTPUTS), OUTPUTS)
    best_first = sorted(scores, key=lambda score: -score.log_prob)
    assert [one.text for one in found.n_best] == [score.target for score in best_first]
    for one, score in zip(found.n_best, best_first, strict=True):
        assert math.isclose(one.log_prob, score.log_prob, rel_tol=1e-4)


def test_other_search_options_do_not_read_the_files_again(predictor, lexicon, tmp_path):
    path = tmp_path / "list"
    path.write_text("a b\n")
    some = predictor.with_search_options(allowed_outputs=str(path), lexicon=lexicon)
    path.unlink()
    wider = some.with_search_options(beam_width=2, n_best=2)
    assert wider.allowed_outputs is some.allowed_outputs
    assert texts(wider.predict(["a"])) == ["a b"]
    with pytest.raises(UserError, match="list"):
        some.with_search_options(max_decode_length=5)


def test_a_prefix_that_no_allowed_output_has_is_an_error(predictor, outputs):
    some = predictor.with_search_options(allowed_outputs=outputs)
    assert some.predict(["a"], prefixes=["a b c"])[0].text == "a b c"
    with pytest.raises(UserError, match=r"prefixes\[0\]: no output of inference.allowed_outputs"):
        some.predict(["a"], prefixes=["b"])
    with pytest.raises(
        UserError, match=r"allowed_tokens: cannot be combined with inference.allowed"
    ):
        some.predict(["a"], allowed_tokens=[["a"]])


def test_outputs_that_the_search_cannot_find_are_reported(predictor, tmp_path, caplog):
    (tmp_path / "list").write_text("a x\nb\ny\na a\na b c d e f\n")
    caplog.set_level(logging.WARNING)
    some = predictor.with_search_options(
        allowed_outputs=str(tmp_path / "list"), no_repeat_ngram_size=1
    )
    assert texts(some.predict(["a", "f"])) == ["b", "b"]
    assert caplog.messages == [
        "2 of 5 outputs are left out, because a token is not in the target vocabulary;"
        f" the first is {tmp_path}/list:1 with 'x'",
        "1 of 5 outputs is left out, because inference.no_repeat_ngram_size=1 forbids it;"
        f" the first is {tmp_path}/list:4",
        "1 of 5 outputs is left out, because inference.max_decode_length=6 allows 5 tokens and the"
        f" end; the first is {tmp_path}/list:5 with 6",
    ]


@pytest.mark.parametrize("content", ["", "\n\n", "x y\nz\n"])
def test_a_list_without_a_usable_output_is_an_error(predictor, tmp_path, content):
    (tmp_path / "list").write_text(content)
    with pytest.raises(UserError, match="list: has no output that the search can find"):
        predictor.with_search_options(allowed_outputs=str(tmp_path / "list"))
