"""The table and the plot of the lines that measurements print."""

import json

import pytest

from benchmarks.report import write_report
from seq2seq_jax.utils.errors import UserError

TRAIN = {"case": "B", "mode": "train", "batch": 64, "threads": 2}
LINES = [
    {**TRAIN, "peer": "seq2seq_jax", "tok_s_median": 2900, "utilisation": 0.5, "peak_rss_mb": 1500},
    {**TRAIN, "peer": "seq2seq_jax", "tok_s_median": 3000, "utilisation": 0.6, "peak_rss_mb": 1500},
    {**TRAIN, "peer": "seq2seq_jax", "tok_s_median": 9000, "utilisation": 0.7, "peak_rss_mb": 1500},
    {**TRAIN, "peer": "Slow 1.0", "tok_s_median": 700},
    {**TRAIN, "peer": "Slow 1.0", "tok_s_median": 1000, "threads": 1},
    {**TRAIN, "peer": "PyTorch by hand", "tok_s_median": 2000},
    {**TRAIN, "peer": "Broken 1.0", "error": "it is broken"},
    {
        "peer": "seq2seq_jax",
        "case": "nmt_small",
        "mode": "step",
        "batch": 32,
        "threads": 2,
        "step_s_median": 0.025,
        "recorded_step_s": 0.2,
    },
    {
        "peer": "seq2seq_jax",
        "case": "A",
        "mode": "loop",
        "threads": 2,
        "loop_step_s_median": 0.0102,
        "bare_step_s_median": 0.01,
        "overhead_percent": 2.0,
        "cold_start_s": 30.0,
        "warm_start_s_median": 8.0,
    },
]


def test_the_table_has_medians_at_the_best_threads_and_our_ratios(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES))

    table, figure = write_report([str(file)], tmp_path / "docs")

    text = table.read_text()
    assert "| work | unit | seq2seq_jax | PyTorch by hand | Slow 1.0 |" in text
    row = "3,000 (2) | 2,000 (2) | 1,000 (1) | 3.00 | 1.50 |"
    assert f"| B training, batch 64 | target tokens/s | {row}" in text
    assert "| work | unit | seq2seq_jax | google/seq2seq, recorded |" in text
    assert "| nmt_small train step, batch 32 | steps/s | 40 (2) | 5 (2) | 8.00 |" in text
    assert "| B training, batch 64 | share of the matrix-product limit | 60% |" in text
    assert "| A | 2 | 10.20 | 10.00 | 2.0 % | 8.0 | 30.0 |" in text
    assert "- Broken 1.0, B train: it is broken" in text
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_line_that_is_no_measurement_is_named(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps(LINES[0]) + "\nTraceback\n")

    with pytest.raises(UserError, match=r"lines\.jsonl:2: no measurement"):
        write_report([str(file)], tmp_path)
