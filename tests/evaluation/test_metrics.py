import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.evaluation.metrics import (
    AccuracyMetricSpec,
    BleuMetricSpec,
    ChrfMetricSpec,
    EditDistanceMetricSpec,
    ErrorRateMetricSpec,
    LogPerplexityMetricSpec,
    RougeMetricSpec,
    TerMetricSpec,
    lower_is_better,
    text_metrics,
)


def words(*texts):
    return [text.split() for text in texts]


def single(*texts):
    return [[text.split()] for text in texts]


@pytest.mark.parametrize("count", [1, 3, 7, 10, 13])
def test_a_perfect_output_has_100_percent_exactly(count):
    text = " ".join(f"w{i}" for i in range(count + 4))
    hypotheses, references = words(*[text] * count), single(*[text] * count)
    for metric in (BleuMetricSpec(), ChrfMetricSpec(), RougeMetricSpec(), AccuracyMetricSpec()):
        results = metric(hypotheses, references)
        assert {v for v in results.values() if not isinstance(v, str)} == {100.0}


def test_bleu_follows_the_formula_of_papineni_et_al():
    # Matches of 1 to 4 words: 5 of 6, 4 of 5, 3 of 4, 2 of 3; both have six words: no brevity.
    results = BleuMetricSpec()(words("a b c d e x"), single("a b c d e f"))
    assert results["bleu"] == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)


def test_bleu_has_a_brevity_penalty():
    results = BleuMetricSpec()(words("a b c d"), single("a b c d e f g h"))
    assert results["bleu"] == pytest.approx(100 * math.exp(1 - 8 / 4))


def test_bleu_does_not_tokenize_and_its_signature_says_so():
    results = BleuMetricSpec()(words("It 's , a-b . c"), single("it 's , a-b . c"))
    assert results["bleu"] == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)
    signature = results["bleu_signature"]
    assert "tok:none" in signature and "nrefs:1" in signature and "case:mixed" in signature


def test_sentences_can_have_different_numbers_of_references():
    references = [words("a b c d", "e f g h"), words("i j k l")]
    results = BleuMetricSpec()(words("e f g h", "i j k l"), references)
    assert results["bleu"] == pytest.approx(100)
    assert "nrefs:var" in results["bleu_signature"]


@pytest.mark.parametrize(
    ("rouge_type", "expected"),
    [
        ("rouge_1/p_score", 100 * 3 / 4),
        ("rouge_1/r_score", 100 * 3 / 6),
        ("rouge_1/f_score", 100 * 2 * 0.75 * 0.5 / 1.25),
        ("rouge_2/p_score", 100 * 1 / 3),
        ("rouge_l/r_score", 100 * 2 / 6),
    ],
)
def test_rouge_equals_values_computed_by_hand(rouge_type, expected):
    # Shared: the, ., 笑 (counted once); pairs: "the .".
    results = RougeMetricSpec(rouge_type=rouge_type)(words("笑 the . x"), single("the . 笑 a b c"))
    assert results == {rouge_type: pytest.approx(expected)}


def test_bleu_of_a_lower_order_counts_only_short_n_grams():
    hypotheses, references = words("a b c d e x"), single("a b c d e f")
    assert BleuMetricSpec(max_ngram_order=1)(hypotheses, references)["bleu_1"] == pytest.approx(
        100 * 5 / 6
    )
    assert BleuMetricSpec(max_ngram_order=2)(hypotheses, references)["bleu_2"] == pytest.approx(
        100 * (5 / 6 * 4 / 5) ** 0.5
    )


def test_chrf_gives_partial_credit_and_uses_the_nearest_reference():
    spec = ChrfMetricSpec()
    score = {
        text: spec(words(text), [words("smiling face", "a face")])["chrf"]
        for text in ("smiling face", "smiling faces", "a cat", "xyz")
    }
    assert score["smiling face"] == pytest.approx(100)
    assert 80 < score["smiling faces"] < 100
    assert 0 < score["a cat"] < 50
    assert score["xyz"] == 0
    # One character against one: the F-score is that of single characters, precision 1 / 2 and
    # recall 1, with recall counted twice.
    assert spec(words("ab"), single("a"))["chrf"] == pytest.approx(100 * 5 * 0.5 / (4 * 0.5 + 1))
    assert "nc:6" in spec(words("ab"), single("a"))["chrf_signature"]


def test_rouge_is_the_mean_over_sentences_of_the_best_reference():
    references = [words("x", "a b"), words("y")]
    results = RougeMetricSpec(rouge_type="rouge_1/f_score")(words("a b", "z"), references)
    assert results == {"rouge_1/f_score": pytest.approx(50)}


def test_accuracy_counts_correct_positions_and_correct_sentences():
    results = AccuracyMetricSpec()(words("a b c", "a b", "d"), single("a b c", "a x c", "d e"))
    assert results == {
        "token_accuracy": pytest.approx(100 * (3 + 1 + 1) / (3 + 3 + 2)),
        "sequence_accuracy": pytest.approx(100 / 3),
    }


def test_error_rates_count_edits_against_the_nearest_reference():
    references = [words("a b c d"), words("k l", "x y z"), words("p q")]
    results = ErrorRateMetricSpec()(words("a c d e", "x y", "p q"), references)
    assert results == {
        "token_error_rate": pytest.approx(100 * (2 + 1 + 0) / (4 + 3 + 2)),
        "sequence_error_rate": pytest.approx(100 * 2 / 3),
    }


def test_the_longest_of_equally_near_references_counts():
    results = ErrorRateMetricSpec()(words("a b"), [words("a", "a b c")])
    assert results["token_error_rate"] == pytest.approx(100 / 3)


def test_an_empty_hypothesis_has_the_worst_score_of_every_metric():
    results = text_metrics(
        [BleuMetricSpec(), RougeMetricSpec(), AccuracyMetricSpec(), ErrorRateMetricSpec()],
        [[]],
        single("a b"),
    )
    del results["bleu_signature"]
    assert results == {
        "bleu": 0,
        "rouge_1/f_score": 0,
        "token_accuracy": 0,
        "sequence_accuracy": 0,
        "token_error_rate": 100,
        "sequence_error_rate": 100,
    }


def test_text_is_joined_and_post_processed_before_it_is_compared():
    def merge(text):
        return text.replace("@@ ", "")

    hypotheses, references = words("new@@ er w@@ ord"), single("newer word")
    spec = ErrorRateMetricSpec(postproc_fn=merge)
    assert spec(hypotheses, references)["token_error_rate"] == 0
    spec = ErrorRateMetricSpec(separator="|", postproc_fn=lambda text: text.replace("|", " - "))
    assert spec(words("a b"), single("a b"))["sequence_error_rate"] == 0
    assert ErrorRateMetricSpec()(hypotheses, references)["sequence_error_rate"] == 100


def test_characters_with_an_empty_separator_are_counted_individually():
    results = ErrorRateMetricSpec(separator="")([list("abc")], [[list("abd")]])
    assert results["token_error_rate"] == pytest.approx(100 / 3)


def test_log_perplexity_is_the_loss_divided_by_the_number_of_tokens():
    results = LogPerplexityMetricSpec()(6.0, 4)
    assert results == {"log_perplexity": 1.5, "perplexity": pytest.approx(math.exp(1.5))}
    assert math.isfinite(LogPerplexityMetricSpec()(1e9, 1)["perplexity"])


def test_text_metrics_returns_all_results_and_skips_log_perplexity():
    def user_metric(hypotheses, references):
        return {"length": float(len(hypotheses[0]))}

    specs = [LogPerplexityMetricSpec(), AccuracyMetricSpec(), user_metric]
    results = text_metrics(specs, words("a b"), single("a b"))
    assert results == {"token_accuracy": 100, "sequence_accuracy": 100, "length": 2}


def test_a_hypothesis_without_a_reference_is_an_error():
    for hypotheses, references in (([], []), (words("a"), []), (words("a"), [[]])):
        with pytest.raises(ValueError, match="every hypothesis needs a reference"):
            text_metrics([AccuracyMetricSpec()], hypotheses, references)


def test_lower_values_are_better_for_perplexities_and_error_rates_only():
    lower = ["log_perplexity", "perplexity", "token_error_rate", "sequence_error_rate"]
    assert all(map(lower_is_better, lower))
    assert not any(map(lower_is_better, ["bleu", "rouge_1/f_score", "sequence_accuracy"]))


@pytest.mark.parametrize(
    "metric",
    [
        BleuMetricSpec(),
        BleuMetricSpec(max_ngram_order=2),
        ChrfMetricSpec(),
        RougeMetricSpec(rouge_type="rouge_l/p_score"),
        AccuracyMetricSpec(),
        ErrorRateMetricSpec(),
    ],
)
def test_a_metric_states_the_names_of_its_results(metric):
    results = metric(words("a b"), single("a c"))
    assert metric.result_names == tuple(k for k, v in results.items() if not isinstance(v, str))


sentences = st.lists(st.sampled_from("abc"), min_size=3, max_size=3)


@given(sentences, st.lists(sentences, min_size=1, max_size=3))
def test_the_error_rate_is_that_of_the_nearest_reference(hypothesis, several):
    def rate(references):
        return ErrorRateMetricSpec()([hypothesis], [references])["token_error_rate"]

    assert rate(several) == min(rate([reference]) for reference in several)
    assert rate([*several, hypothesis]) == 0


def test_chrf_with_words_is_another_metric_than_chrf():
    hypotheses, references = words("the cat sat"), single("the cats sat")
    plain = ChrfMetricSpec()(hypotheses, references)
    with_words = ChrfMetricSpec(word_order=2)(hypotheses, references)
    assert ChrfMetricSpec(word_order=2).result_names == ("chrf++",)
    assert 0 < with_words["chrf++"] < plain["chrf"] < 100
    assert "nw:2" in with_words["chrf++_signature"] and "nw:0" in plain["chrf_signature"]


def test_ter_counts_a_shift_of_a_phrase_as_one_edit():
    results = TerMetricSpec()(words("c d a b", "A"), single("a b c d", "a"))
    assert results["ter"] == pytest.approx(100 * 2 / 5)  # one shift, one substitution by case
    assert "case:mixed" in results["ter_signature"]


def test_ter_has_one_reference_for_one_sentence_and_two_for_another():
    results = TerMetricSpec()(words("a b", "c"), [words("a x", "a b"), words("c")])
    assert results["ter"] == 0


def test_the_edit_distance_is_the_mean_number_of_edits_to_the_nearest_reference():
    references = [words("k a t", "c a t s"), words("d o g")]
    results = EditDistanceMetricSpec()(words("c a t", "d o g s s"), references)
    assert results == {"edit_distance": 1.5}


def test_lower_is_better_for_errors_and_distances():
    for name in ("ter", "edit_distance", "language/macro/token_error_rate", "perplexity"):
        assert lower_is_better(name)
    assert not lower_is_better("chrf++")
