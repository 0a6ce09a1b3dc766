import pytest

from seq2seq_jax.evaluation.metrics import ErrorRateMetricSpec, text_metrics
from seq2seq_jax.reports.error_report import error_report, terminal_summary, write_error_report


def measure(hypotheses, references):
    return text_metrics([ErrorRateMetricSpec()], hypotheses, references)


@pytest.fixture(scope="module")
def report():
    """Four sentences: right; one substitution; one deletion; one insertion of two tokens."""
    sources = ["a", "a b", "a b", "a b c d"]
    hypotheses = ["x", "x z", "y", "x y x y y y"]
    references = [["x"], ["x y"], ["x y z w", "x y"], ["x y x y"]]
    return error_report(
        [source.split() for source in sources],
        [hypothesis.split() for hypothesis in hypotheses],
        [[reference.split() for reference in several] for several in references],
        measure,
        scores=[-0.1, -0.2, -0.3, -0.4],
    )


def test_errors_are_counted_against_the_nearest_reference(report):
    assert report.substitutions == {("y", "z"): 1}
    assert report.deletions == {"x": 1}
    assert report.insertions == {"y": 2}
    assert report.reference_tokens == {"x": 5, "y": 4}


def test_the_worst_sentences_come_first_and_longer_ones_break_ties(report):
    assert [(s.error_rate, s.errors) for s in report.sentences] == [
        (50, 2),
        (50, 1),
        (50, 1),
        (0, 0),
    ]
    assert report.sentences[0].score == -0.4


def test_metrics_are_computed_by_length(report):
    assert [(b.shortest, b.longest, b.sentences) for b in report.buckets] == [
        (1, 1, 1),
        (2, 2, 2),
        (4, 4, 1),
    ]
    assert [b.metrics["token_error_rate"] for b in report.buckets] == [0, 50, 50]
    assert [b.length_ratio for b in report.buckets] == [1, 0.75, 1.5]


def test_many_lengths_share_few_buckets_without_losing_a_sentence():
    lengths = [*range(1, 60), 500]
    texts = [["w"] * length for length in lengths]
    buckets = error_report(texts, texts, [[t] for t in texts], measure, max_buckets=5).buckets
    assert len(buckets) == 5
    assert sum(bucket.sentences for bucket in buckets) == len(lengths)
    assert (buckets[0].shortest, buckets[-1].longest) == (1, 500)


def test_the_summary_has_totals_lengths_and_the_most_frequent_errors(report):
    lines = terminal_summary(report).splitlines()
    assert lines[0] == "4 sentences, 3 with errors: 1 substitutions, 2 insertions, 1 deletions"
    assert lines[4].split() == ["2", "2", "0.75", "50.00", "100.00"]
    assert "substituted: y → z 1" in lines
    assert "inserted: y 2" in lines


def test_the_page_has_alignments_and_confusions(report, tmp_path, data_of):
    data = data_of(write_error_report(report, tmp_path / "errors.html"))
    alignment = data["worst"][0]["edits"]
    assert [r for r, _ in alignment if r] == ["x", "y", "x", "y"]
    assert [h for _, h in alignment if h] == ["x", "y", "x", "y", "y", "y"]
    assert len(data["worst"]) == 3, "what is right is no error"
    tokens = [*data["matrix"]["tokens"], None]
    cells = {(tokens[row], tokens[column]): n for row, column, n in data["matrix"]["counts"]}
    assert cells == {("y", "z"): 1, ("x", None): 1, (None, "y"): 2}


def test_a_large_vocabulary_has_no_confusion_matrix(tmp_path, data_of):
    words = [[f"w{i}"] for i in range(200)]
    report = error_report(words, words[::-1], [[word] for word in words], measure)
    data = data_of(write_error_report(report, tmp_path / "errors.html"))
    assert data["matrix"] is None
    assert len(data["substitutions"]) == 30


def test_an_empty_hypothesis_has_only_deletions():
    report = error_report([["a"]], [[]], [[["x", "y"]]], measure)
    assert report.deletions == {"x": 1, "y": 1}
    assert report.sentences[0].error_rate == 100


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in number"):
        error_report([["a"]], [["x"], ["y"]], [[["x"]]], measure)
