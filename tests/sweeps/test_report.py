import base64
import math

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.sweeps.report import make_sections, sections_to_markdown, write_report
from seq2seq_jax.sweeps.results import append_results, read_result_files
from seq2seq_jax.sweeps.significance import compare_outputs, read_outputs
from seq2seq_jax.sweeps.tables import make_rows, make_table
from seq2seq_jax.utils.errors import UserError


def result(dim, cell, seed, bleu, status="finished", trial=None):
    common = {
        "trial": trial or f"dim={dim}_cell={cell}_seed={seed}",
        "sweep": "toys",
        "status": status,
        "levels": {"embedding.dim": dim, "cell": cell},
        "places": {"embedding.dim": [8, 16].index(dim), "cell": ["GRU", "LSTM"].index(cell)},
        "seed": seed,
        "best_metric": "bleu",
    }
    if status == "failed":
        return common | {"error": "it <b>failed</b>"}
    return common | {
        "config_digest": f"{dim}{cell}{seed}",
        "metrics": {"log_perplexity": 1.5, "perplexity": 4.48, "bleu": bleu},
        "curve": {"step": [10, 20], "bleu": [bleu / 2, bleu]},
        "parameters": 1_500_000,
        "seconds": {"training": 3723.0, "evaluation": 5.0},
        "workdir": trial or f"dim={dim}_cell={cell}_seed={seed}",
        "published": {cell: "21.78"} if cell == "GRU" else {},
    }


RESULTS = [
    result(8, "GRU", 0, 20.0),
    result(8, "GRU", 1, 23.0),
    result(16, "GRU", 0, 30.0),
    result(8, "LSTM", 0, 10.0),
    result(16, "LSTM", 0, 0.0, status="failed"),
]


def test_a_row_has_mean_deviation_and_best_over_seeds():
    first, _, other, _ = make_rows(RESULTS)
    assert first.summary("bleu") == (21.5, pytest.approx(3 / math.sqrt(2)), 23.0)
    assert first.summary("log_perplexity").best == 1.5
    assert other.summary("bleu") == (30.0, None, 30.0)
    assert make_table([first], "bleu").rows == [
        ["8", "GRU", "2", "21.50 ± 2.12", "23.00", "21.78", "4.4800 ± 0.0000", "1.50 M", "1:02:03",
         "0:00:05"]
    ]  # fmt: skip


def test_each_factor_has_a_table_besides_the_table_of_all_factors():
    (section,) = make_sections(RESULTS)
    assert [*section.tables] == ["embedding.dim, cell", "embedding.dim", "cell"]
    assert [row[1] for row in section.tables["cell"].rows] == ["3", "1"]
    assert section.failures == ["dim=16_cell=LSTM_seed=0: it <b>failed</b>"]
    (by_cell,) = make_sections(RESULTS, by=["cell"])
    assert [*by_cell.tables] == ["cell"]
    with pytest.raises(UserError, match=r"toys has no factor cel; it has: embedding.dim, cell"):
        make_sections(RESULTS, by=["cel"])
    with pytest.raises(UserError, match="toys has no wer; it has: log_perplexity, "):
        make_sections(RESULTS, metric="wer")


def test_rows_have_the_order_of_the_sweep_file():
    (section,) = make_sections(RESULTS[::-1])
    whole, by_dim, by_cell = section.tables.values()
    assert [row[:2] for row in whole.rows] == [
        ["8", "GRU"], ["8", "LSTM"], ["16", "GRU"], ["16", "LSTM"]
    ]  # fmt: skip
    assert [row[0] for row in by_dim.rows] == ["8", "16"]
    assert [row[0] for row in by_cell.rows] == ["GRU", "LSTM"]


def test_points_of_a_search_are_sorted_best_first():
    drawn = [
        result(8, "GRU", 0, bleu, trial=f"trial={dim}") | {"levels": {"dim": dim}, "places": {}}
        for dim, bleu in ((8, 1), (9, 3), (7, 2))
    ]
    (section,) = make_sections(drawn)
    (table,) = section.tables.values()
    assert [row[0] for row in table.rows] == ["9", "7", "8"]


def test_a_report_is_markdown_a_page_and_plots(tmp_path):
    written = write_report(make_sections(RESULTS), tmp_path)
    assert [path.name for path in written] == [
        "report.md", "report.html", "results.jsonl", "toys_levels.png", "toys_curves.png"
    ]  # fmt: skip
    markdown = written[0].read_text(encoding="utf-8")
    assert "| 8 | GRU | 2 | 21.50 ± 2.12 | 23.00 | 21.78 |" in markdown
    assert "](toys_levels.png)" in markdown
    page = written[1].read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") == 2 * 3  # light and dark
    assert "http://" not in page.replace("http://www.w3", "")
    assert "it <b>failed" not in page  # text cannot become markup
    assert written[3].read_bytes().startswith(b"\x89PNG")
    assert sections_to_markdown(
        make_sections(read_result_files([tmp_path]))
    ) == sections_to_markdown(make_sections(RESULTS))


def test_plots_of_the_page_have_the_colors_of_both_themes(tmp_path, data_of):
    write_report(make_sections(RESULTS), tmp_path)
    (section,) = data_of(tmp_path / "report.html")
    assert [plot["name"] for plot in section["plots"]] == [
        "bleu by embedding.dim", "bleu by cell", "bleu during training"
    ]  # fmt: skip
    for plot in section["plots"]:
        light, dark = (
            base64.b64decode(plot[theme].partition(",")[2]).decode() for theme in ("light", "dark")
        )
        assert "#e4e8ec" in dark and "#e4e8ec" not in light
        assert "#ffffff" not in dark  # transparent, no white slab


def test_results_of_several_machines_are_merged(tmp_path, capsys):
    append_results(tmp_path / "one.jsonl", RESULTS[:1])
    append_results(tmp_path / "two.jsonl", RESULTS[:2])
    assert main(["report", str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")]) == 0
    assert "| 8 | GRU | 2 | 21.50 ± 2.12 |" in capsys.readouterr().out
    other = RESULTS[0] | {"config_digest": "another"}
    append_results(tmp_path / "three.jsonl", [other])
    with pytest.raises(UserError, match="has another configuration in another of these files"):
        read_result_files([tmp_path / "one.jsonl", tmp_path / "three.jsonl"])


def test_a_significant_difference_is_distinguished_from_chance():
    references = [[f"the {i} cats sat on mat number {i % 7} today"] for i in range(60)]
    good = [texts[0] for texts in references]
    spoilt = [text.replace("cats sat", "dogs lay") for text in good]
    nearly = [good[0].replace("cats", "dogs"), *good[1:]]
    compared = compare_outputs({"good": good, "spoilt": spoilt, "nearly": nearly}, references)

    first, second, third = compared["BLEU"].outputs
    assert (first.score, first.p_value) == (pytest.approx(100), None)
    assert second.score < 60 and second.p_value < 0.01
    assert third.score > 95 and third.p_value > 0.05
    assert "tok:none" in compared["BLEU"].signature


def test_outputs_are_compared_on_the_command_line(tmp_path, capsys):
    for name, lines in (("a", "x y z w\nx\n"), ("b", "x y z v\nx\n"), ("r", "x y z w\tx y\nx\n")):
        (tmp_path / name).write_text(lines)
    a, b, r = (str(tmp_path / name) for name in "abr")
    assert main(["report", "--compare", a, b, "--reference", r]) == 0
    assert f"| {a} | 100.00 |" in capsys.readouterr().out
    (tmp_path / "r").write_text("x\n")
    assert main(["report", "--compare", a, b, "--reference", r]) == 2
    assert f"{r}: has 1 lines, but {a} has 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("references", "line", "what"),
    [
        ("x\t\ny\t\n", 1, r"the reference is empty \(column 2 of 2\); .* remove the tab"),
        ("x\n\n", 2, "the reference is empty; .* remove the line"),
        ("x\n  \n", 2, "the reference is empty"),
        ("x\ty\n\tz\n", 2, ".*column 1 of 2"),
    ],
)
def test_an_empty_reference_is_refused_with_its_line(tmp_path, references, line, what):
    for name, lines in (("a", "x\ny\n"), ("b", "x\n\n"), ("r", references)):
        (tmp_path / name).write_text(lines)
    outputs = [str(tmp_path / name) for name in "ab"]
    with pytest.raises(UserError, match=f"r:{line}: {what}"):
        read_outputs(outputs, [str(tmp_path / "r")])


def test_empty_outputs_are_compared(tmp_path):
    for name, lines in (("a", "x\ny\n"), ("b", "x\n\n"), ("r", "x\ny\n")):
        (tmp_path / name).write_text(lines)
    a, b, r = (str(tmp_path / name) for name in "abr")
    assert read_outputs([a, b], [r]) == ({a: ["x", "y"], b: ["x", ""]}, [["x"], ["y"]])


@pytest.mark.parametrize("name", ["spm", "flores200", "spBLEU-1K", "ja-mecab", "ko-mecab", "xx"])
def test_a_tokenizer_that_cannot_be_used_is_one_line(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr("seq2seq_jax.sweeps.significance.SACREBLEU_DIR", str(tmp_path))
    for module in ("ja", "ko"):
        monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{module}_mecab.MeCab", None)
    for file in "abr":
        (tmp_path / file).write_text("x\n")
    a, b, r = (str(tmp_path / file) for file in "abr")
    assert main(["report", "--compare", a, b, "--reference", r, f"--tokenize={name}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --tokenize: ")
    assert "download" in line or "pip install" in line or "must be one of" in line


def test_a_column_of_a_table_has_one_number_of_decimals():
    table = make_table(
        make_rows([result(8, "GRU", 0, 3.4967), result(8, "LSTM", 0, 12.24)]), "bleu"
    )
    assert [row[3] for row in table.rows] == ["3.50", "12.24"]
