"""Commands that plot: attention, beam searches, errors, learning curves."""

import json
import re

import jax
import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

BEAM = "--config.inference.beam_search.beam_width=3"


@pytest.fixture(autouse=True, scope="module")
def _compiled_in_haste():
    """Compile quickly, because each program runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    pairs = [("a b c", "c b a"), ("f", "f"), ("a b c", "a b c"), ("b d", "d")]
    files = {}
    for i, side in enumerate(("source", "target")):
        (directory / side).write_text("".join(f"{pair[i]}\n" for pair in pairs), "utf-8")
        files[f"input_pipeline_dev__params__{side}_files"] = str(directory / side)
    tiny_run(directory / "one", {10: 6}, **files, input_pipeline_dev__params__builtin="")
    tiny_run(directory / "basic", {10: 9}, model="BasicSeq2Seq")
    for name in ("one", "basic"):
        lines = [{"step": step, "train/loss": 1 / step} for step in (1, 2)]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (directory / name / "metrics.jsonl").write_text(text)
    return directory


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_attention_of_each_line_is_plotted(command, runs, tmp_path, kind):
    lines = ["a b c", "", "d unheard"]
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    flags = lines if kind == "png" else ["--svg", f"--input={tmp_path / 'lines'}"]
    directory = tmp_path / "drawn"
    out, _ = command("attention", f"--workdir={runs / 'one'}", f"--output={directory}", *flags)
    assert out == f"{directory}\n"
    assert sorted(path.name for path in directory.iterdir()) == [f"00000.{kind}", f"00002.{kind}"]


def test_the_beam_search_of_each_line_is_plotted(command, runs, tmp_path):
    where = f"--workdir={runs / 'one'}", f"--output={tmp_path}"
    command("beam-tree", *where, BEAM, "a b c", "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.html", "00001.html"]
    assert '"source": "a b c"' in (tmp_path / "00000.html").read_text("utf-8")


def test_errors_are_summarized_and_listed_by_sentence(command, runs):
    out, log = command("errors", f"--workdir={runs / 'one'}", BEAM)
    assert out.startswith("3 sentences")
    assert "error_rate" in out
    assert "Decoding 3 sources of the dev set with step 10\n" in log
    page = (runs / "one" / "error_report.html").read_text("utf-8")
    assert "<title>Errors of one, step 10</title>" in page
    assert re.search(r'"score": -\d', page)


def test_learning_curves_of_one_run_are_in_its_workdir_and_of_several_in_the_output(
    command, runs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = ("learning_curve.png", "learning_curve.html")
    out, _ = command("curves", runs / "one")
    assert out.splitlines() == [str(runs / "one" / name) for name in names]
    out, _ = command("curves", runs / "one", runs / "basic")
    assert out.splitlines() == list(names)
    assert all((tmp_path / name).stat().st_size for name in names)
    out, _ = command("curves", runs / "one", "--output=some/rates.svg")
    assert out.splitlines() == ["some/rates.svg", "some/rates.html"]


@pytest.mark.parametrize(
    ("name", "flags", "error"),
    [
        ("attention", ["--workdir={}/one"], "--output: name the directory"),
        ("attention", ["--output=x", "a"], "--workdir: name the run"),
        (
            "attention",
            ["--workdir={}/one", "--output=x", "--input=f", "a"],
            "--input: cannot be combined",
        ),
        (
            "attention",
            ["--workdir={}/basic", "--output=x", "a"],
            "model: BasicSeq2Seq has no attention",
        ),
        (
            "beam-tree",
            ["--workdir={}/one", "--output=x", "a"],
            "inference.beam_search.beam_width: must be at least 2; got 0",
        ),
        (
            "beam-tree",
            ["--workdir={}/one", "--output=x", "--config.inference.sampling.enable=true", "a"],
            "inference.sampling.enable: is true, but sampling",
        ),
        ("errors", ["--workdir={}/one", "--worst=-1"], "--worst: must be at least 0"),
        ("curves", ["{}/none"], "{}/none/metrics.jsonl: no losses"),
        ("curves", ["{}/one", "--config.seed=1"], "--config.seed: curves reads no configuration"),
    ],
)
def test_invalid_input_is_reported_in_one_line(command, runs, name, flags, error):
    with pytest.raises(UserError) as raised:
        command(name, *(flag.format(runs) for flag in flags))
    assert str(raised.value).startswith(error.format(runs))
