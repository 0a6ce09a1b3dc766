import math

import pytest

from seq2seq_jax.reports.learning_curve import (
    plot_learning_curve,
    plot_learning_curves,
    smooth,
    sparkline,
    write_learning_curves,
)
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.utils.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_learning_curve_of_a_run_is_a_png(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    for step in range(1, 4):
        writer.write_scalars(step, {"train/loss": 3.0 / step, "train/learning_rate": 1e-3})
    writer.write_scalars(3, {"dev/log_perplexity": 1.0, "dev/bleu": 20.0})
    writer.write_texts(3, {"dev/bleu_signature": "nrefs:1"})
    path = plot_learning_curve(tmp_path)
    assert path == tmp_path / "learning_curve.png"
    assert path.read_bytes().startswith(PNG)


def test_a_run_without_dev_metrics_has_a_learning_curve(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    writer.write_scalars(1, {"train/loss": float("nan")})
    path = plot_learning_curve(tmp_path, tmp_path / "plots" / "curve.png")
    assert path.read_bytes().startswith(PNG)


def test_a_run_without_metrics_is_reported_in_one_line(tmp_path):
    with pytest.raises(UserError, match="no losses or dev metrics logged yet"):
        plot_learning_curve(tmp_path)


@pytest.fixture
def runs(tmp_path):
    """Two workdirs of the same name in different folders."""
    workdirs = []
    for folder, loss in (("small", 3.0), ("large", math.nan)):
        workdirs.append(tmp_path / folder / "g2p")
        writer = MetricWriter(workdirs[-1], 0)
        writer.write_scalars(10, {"train/loss": loss, "train/learning_rate": 1e-3})
        writer.write_scalars(10, {"dev/log_perplexity": 1.0, "dev/bleu": 20.0})
    return workdirs


def test_several_runs_are_drawn_in_one_plot(runs, tmp_path):
    path = plot_learning_curves(runs, tmp_path / "plots" / "curves.svg")
    text = path.read_text(encoding="utf-8")
    assert "small/g2p" in text
    assert "large/g2p, dev" in text


def test_a_page_has_all_metrics_of_all_runs(runs, tmp_path, data_of):
    data = data_of(write_learning_curves(runs, tmp_path / "curves.html"))
    assert [run["name"] for run in data["runs"]] == ["small/g2p", "large/g2p"]
    assert [run["curves"]["train/loss"] for run in data["runs"]] == [[[10], [3]], [[10], [None]]]
    panels = [names for _, names in data["panels"]]
    assert panels == [["train/loss", "dev/log_perplexity"], ["dev/bleu"]]
    assert [names for _, names in data["more"]] == [["train/learning_rate"]]


def test_the_run_without_metrics_is_named_among_several(runs, tmp_path):
    with pytest.raises(UserError, match=r"nothing/metrics\.jsonl: no losses"):
        plot_learning_curves([*runs, tmp_path / "nothing"], tmp_path / "curves.png")


def test_smoothing_is_an_exponential_moving_average():
    assert smooth([2.0, 2.0, 2.0], 0.9) == pytest.approx([2, 2, 2])
    assert smooth([0.0, 3.0], 0.5) == pytest.approx([0, 2])
    assert smooth([1.0, 5.0], 0.0) == [1, 5]
    assert smooth([math.nan, 4.0, math.nan], 0.5)[1:] == pytest.approx([4, 4])


def test_a_sparkline_spans_lowest_to_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_sparkline_averages_values_beyond_its_width():
    assert sparkline([0, 0, 7, 7, 3, 4], width=3) == "▁█▅"
    assert len(sparkline(list(range(1000)))) == 40


def test_a_sparkline_leaves_non_finite_values_blank():
    assert sparkline([0.0, float("nan"), 1.0]) == "▁ █"
    assert sparkline([float("nan")]) == " "


def test_a_sparkline_of_equal_values_is_flat():
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""
