"""The commands with a lexicon and with a list of allowed outputs."""

import json

import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

LEXICON = "f\tc c\nb\ta d\nb\tc d\n"


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    tiny_run(directory / "one", {10: 6})
    return directory / "one"


def test_infer_states_the_origin_in_json(command, run_path, tmp_path):
    (tmp_path / "known").write_text(LEXICON)
    flags = ["infer", f"--workdir={run_path}", f"--config.inference.lexicon={tmp_path}/known"]
    lines = command(*flags, "--json", "--attention", "f", "a b c", "")[0].splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["origin"] for one in found] == ["lexicon", "model", "model"]
    assert list(found[0]) == [
        *("source", "origin", "text", "tokens", "score", "log_prob", "finished", "n_best"),
    ]
    plain = command(*flags, "f", "a b c", "")[0].splitlines()
    assert plain == [one["text"] for one in found]


def test_infer_with_a_prefix_file_names_the_line_without_allowed_output(
    command, run_path, tmp_path
):
    (tmp_path / "sources").write_text("a\nb\n")
    (tmp_path / "prefixes").write_text("a\nb a\n")
    (tmp_path / "list").write_text("a b\n")
    with pytest.raises(UserError, match=r"prefixes:2: no output of inference.allowed_outputs"):
        command(
            "infer",
            f"--workdir={run_path}",
            f"--input={tmp_path}/sources",
            f"--config.inference.prefix_file={tmp_path}/prefixes",
            f"--config.inference.allowed_outputs={tmp_path}/list",
        )


def test_evaluation_decodes_with_the_lexicon_and_the_list(command, run_path, tmp_path):
    (tmp_path / "source").write_text("f\na b c\n")
    (tmp_path / "target").write_text("c c\nd d\n")
    (tmp_path / "known").write_text("f\tc c\n")
    (tmp_path / "list").write_text("c c\nd d\n")
    params = "--config.input_pipeline_dev.params"

    def accuracy(*flags):
        out, _ = command(
            *("eval", f"--workdir={run_path}", "--config.metrics=AccuracyMetricSpec"),
            *(f"{params}.{side}_files={tmp_path / side}" for side in ("source", "target")),
            *flags,
        )
        return float(dict(line.split() for line in out.splitlines())["sequence_accuracy"])

    assert accuracy() == 0
    assert accuracy(f"--config.inference.lexicon={tmp_path}/known") == 50
    (tmp_path / "one").write_text("d d\n")
    assert accuracy(f"--config.inference.allowed_outputs={tmp_path}/one") == 50
    assert accuracy(f"--config.inference.allowed_outputs={tmp_path}/list") >= 50
