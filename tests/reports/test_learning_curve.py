import pytest

from seq2seq_jax.errors import UserError
from seq2seq_jax.reports.learning_curve import plot_learning_curve, sparkline
from seq2seq_jax.training.metric_writers import MetricWriter

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_curve_of_a_run_is_a_png(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    for step in range(1, 4):
        writer.write_scalars(step, {"train/loss": 3.0 / step, "train/learning_rate": 1e-3})
    writer.write_scalars(3, {"dev/log_perplexity": 1.0, "dev/bleu": 20.0})
    writer.write_texts(3, {"dev/bleu_signature": "nrefs:1"})
    writer.close()
    path = plot_learning_curve(tmp_path)
    assert path == tmp_path / "learning_curve.png"
    assert path.read_bytes().startswith(PNG)


def test_a_run_without_dev_metrics_has_a_curve_too(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    writer.write_scalars(1, {"train/loss": float("nan")})
    writer.close()
    path = plot_learning_curve(tmp_path, tmp_path / "plots" / "curve.png")
    assert path.read_bytes().startswith(PNG)


def test_a_run_that_has_logged_nothing_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match="no losses or dev metrics logged yet"):
        plot_learning_curve(tmp_path)


def test_a_sparkline_goes_from_lowest_to_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_sparkline_averages_what_does_not_fit():
    assert sparkline([0, 0, 7, 7, 3, 4], width=3) == "▁█▅"
    assert len(sparkline(list(range(1000)))) == 40


def test_a_sparkline_leaves_out_what_is_not_finite():
    assert sparkline([0.0, float("nan"), 1.0]) == "▁ █"
    assert sparkline([float("nan")]) == " "


def test_a_sparkline_of_equal_values_is_flat():
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""
