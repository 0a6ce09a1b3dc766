"""Paired bootstrap of error rates, of tables of shared tasks, and of runs."""

import re

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.evaluation.metrics import ErrorRateMetricSpec
from seq2seq_jax.sweeps.significance import compare_outputs, read_outputs
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

NAMES = ("token_error_rate", "sequence_error_rate")


def test_error_rates_are_those_of_the_metric():
    outputs = {"one": ["a b c", "d"], "two": ["a x", "d e"]}
    references = [["a b", "a b d d"], ["d"]]
    compared = compare_outputs(outputs, references, metrics=NAMES)
    metric = ErrorRateMetricSpec()
    for i, texts in enumerate(outputs.values()):
        expected = metric(
            [text.split() for text in texts],
            [[text.split() for text in several] for several in references],
        )
        for name in NAMES:
            assert compared[name].outputs[i].score == pytest.approx(expected[name])
    assert "symbols:tokens" in compared["token_error_rate"].signature


def test_characters_can_be_the_symbols():
    compared = compare_outputs(
        {"one": ["cat s"], "two": ["dog s"]},
        [["cats"]],
        metrics=NAMES,
        by_character=True,
    )
    assert compared["token_error_rate"].outputs[0].score == 25
    assert "symbols:characters" in compared["token_error_rate"].signature


def test_a_difference_in_error_rate_has_a_p_value():
    references = [[f"w{i} x y"] for i in range(100)]
    right = [texts[0] for texts in references]
    wrong = [text if i % 2 else f"{text} z" for i, text in enumerate(right)]
    nearly = [f"{right[0]} z", *right[1:]]
    compared = compare_outputs(
        {"right": right, "wrong": wrong, "nearly": nearly}, references, metrics=NAMES
    )
    first, second, third = compared["sequence_error_rate"].outputs
    assert (first.score, second.score, third.score) == (0, 50, 1)
    assert first.p_value is None and second.p_value < 0.01 < 0.05 < third.p_value


def test_files_of_shared_tasks_are_compared_by_their_second_column(tmp_path, capsys):
    for name, lines in (
        ("gold", "walk\twalked\tV;PST\nbe\twas\tV;PST\n\n"),
        ("one", "walk\twalked\tV;PST\nbe\t\tV;PST\n"),
        ("two", "walk\twalk\tV;PST\nbe\tbed\tV;PST\n"),
    ):
        (tmp_path / name).write_text(lines)
    one, two, gold = (str(tmp_path / name) for name in ("one", "two", "gold"))
    flags = ["report", "--compare", one, two, "--reference", gold, "--column=2"]
    assert main([*flags, "--metric=sequence_error_rate,token_error_rate", "--characters"]) == 0
    out = capsys.readouterr().out
    assert f"| {one} | 50.00 |" in out and f"| {two} | 100.00 |" in out
    assert "BLEU" not in out
    with pytest.raises(UserError, match="gold:1: has 3 columns, but --column is 4"):
        read_outputs([gold, one], [gold], column=4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--metric=wer"], "--metric: must be, with --compare, one of: bleu, .*; got wer"),
        (["--column=0"], "--column: must be at least 1; got 0"),
        (["--config.seed=1"], "--config.seed: output files have no configuration"),
    ],
)
def test_wrong_flags_are_errors_of_one_line(tmp_path, capsys, flags, message):
    files = [str(tmp_path / name) for name in "abr"]
    for file in files:
        (tmp_path / file).write_text("x\n")
    assert main(["report", "--compare", *files[:2], "--reference", files[2], *flags]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_two_runs_are_compared_on_their_dev_set(tmp_path, capsys):
    (tmp_path / "source").write_text("a b c\nf\ne e\nb\n")
    (tmp_path / "target").write_text("a\nb b\nc\nd\n")
    files = {
        f"input_pipeline_dev__params__{side}_files": tmp_path / side
        for side in ("source", "target")
    }
    one = tiny_run(tmp_path / "one", {10: 6}, **files).path
    two = tiny_run(tmp_path / "two", {10: 9}, **files).path
    assert main(["report", "--compare", str(one), str(two), "--metric=token_error_rate"]) == 0
    captured = capsys.readouterr()
    assert f"| {one} |" in captured.out and f"| {two} |" in captured.out
    assert "token_error_rate: `nrefs:1|bs:1000|seed:12345|" in captured.out

    (tmp_path / "other").write_text("a\nb\nc\nd\n")
    files["input_pipeline_dev__params__target_files"] = tmp_path / "other"
    other = tiny_run(tmp_path / "three", {10: 9}, **files).path
    assert main(["report", "--compare", str(one), str(other)]) == 2
    error = capsys.readouterr().err
    assert f"{other}: has another dev set than {one}: source 2 is ('f', ['b']) instead of" in error
