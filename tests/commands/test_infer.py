import gzip
import json
import math
import os
import sys
import threading

import numpy as np
import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

LINES = ["a b c", "", "f", "e e e e e e e", "b", "unheard of", "c d"]
BEAM = ("--config.inference.beam_search.beam_width=3", "--config.inference.n_best=2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    tiny_run(directory / "one", {10: 6})
    tiny_run(directory / "two", {10: 9}, model="BasicSeq2Seq")
    (directory / "lines").write_text("\n".join(LINES) + "\n", "utf-8")
    return directory


@pytest.fixture
def infer(command, runs):
    """Return a function that runs the command on lines and returns the lines of its output."""

    def run(*flags, name="one"):
        where = () if any(flag.startswith("--input") for flag in flags) else ("--input",)
        where = where and (f"--input={runs / 'lines'}",)
        return command("infer", f"--workdir={runs / name}", *where, *flags)[0].splitlines()

    return run


@pytest.fixture
def plain(infer):
    return infer()


def test_sources_on_the_command_line_are_answered_as_lines_of_a_file(command, infer, plain, runs):
    words = [f"--workdir={runs / 'one'}", LINES[0], LINES[2], "e e e e e e e"]
    assert command("infer", *words)[0].splitlines() == [plain[0], plain[2], plain[3]]
    both = "--input: cannot be combined with sources on the command line"
    with pytest.raises(UserError, match=both):
        infer(f"--input={runs / 'lines'}", "a b")


def test_a_source_that_is_the_name_of_a_file_is_warned_about(infer, command, runs, caplog):
    command("infer", f"--workdir={runs / 'one'}", runs / "lines")
    assert f"{runs / 'lines'} is a file, but is used as a source text" in caplog.text


def test_json_has_a_line_for_each_line(infer, plain):
    found = [json.loads(line) for line in infer("--json", *BEAM)]
    assert [one["source"] for one in found] == LINES
    assert found[1] == {"source": "", "text": "", "tokens": [], "n_best": []}
    for one in (found[0], *found[2:]):
        assert list(one) == ["source", "text", "tokens", "score", "log_prob", "finished", "n_best"]
        best = {key: one[key] for key in ("text", "tokens", "score", "log_prob", "finished")}
        assert one["n_best"][0] == best
        assert len(one["n_best"]) == 2
        assert one["n_best"][0]["score"] >= one["n_best"][1]["score"]
        assert one["text"] == " ".join(one["tokens"])
    greedy = [json.loads(line) for line in infer("--json")]
    assert [one["text"] for one in greedy] == plain
    assert all(len(one["n_best"]) == 1 for one in greedy if one["source"])


def test_attention_in_json_has_rows_that_sum_to_one(infer):
    for line in infer("--json", "--attention", *BEAM):
        found = json.loads(line)
        for one in (found, *found["n_best"]) if found["source"] else ():
            rows = np.array(one["attention"])
            assert len(rows) == min(6, len(one["tokens"]) + 1)
            assert rows.shape[1] == min(8, len(found["source"].split()) + 1)
            np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("beam", [(), BEAM], ids=["greedy", "beam"])
@pytest.mark.parametrize("together", [False, True], ids=["alone", "ensemble"])
def test_several_tasks_run_together(infer, runs, tmp_path, beam, together):
    ensemble = [f"--config.inference.ensemble={runs / 'two'}"] if together else []
    expected = [json.loads(line) for line in infer("--json", *beam, *ensemble)]
    written = infer(
        *beam,
        *ensemble,
        "--tasks=DecodeText,DumpAttention,DumpBeams",
        "--config.tasks.DecodeText.params.delimiter=_",
        "--config.tasks.DecodeText.params.unk_replace=true",
        f"--config.tasks.DumpAttention.params.output_dir={tmp_path}",
        "--config.tasks.DumpAttention.params.dump_plots=false",
        f"--config.tasks.DumpBeams.params.file={tmp_path}/beams.npz",
    )
    assert len(written) == len(LINES)
    for text, one in zip(written, expected, strict=True):
        for word, token in zip(text.split("_"), one["tokens"], strict=False):
            assert word == token or (token == "UNK" and word in one["source"].split())
    with np.load(tmp_path / "attention_scores.npz", allow_pickle=False) as scores:
        for i, one in enumerate(expected):
            rows = scores[f"arr_{i}"]
            assert len(rows) == (min(6, len(one["tokens"]) + 1) if one["source"] else 0)
            np.testing.assert_allclose(rows.sum(axis=-1), np.ones(len(rows)), atol=1e-5)
    with np.load(tmp_path / "beams.npz", allow_pickle=False) as beams:
        width = 3 if beam else 1
        assert beams["predicted_ids"].shape == (len(LINES), beams["steps"].max(), width)
        for i, one in enumerate(expected):
            if one["source"]:
                last = beams["scores"][i, beams["steps"][i] - 1, beams["beam_indices"][i, 0]]
                assert math.isclose(last, one["score"], rel_tol=1e-5)


def test_constraint_files_set_prefixes_and_allowed_tokens(infer, plain, tmp_path):
    (tmp_path / "prefixes").write_text("f f\n\na\n" + "\n" * 4)
    (tmp_path / "words").write_text("\n" * 3 + "b\nc\n\n\n")
    found = infer(
        f"--config.inference.prefix_file={tmp_path}/prefixes",
        f"--config.inference.allowed_tokens_file={tmp_path}/words",
    )
    assert found[0].startswith("f f") and found[2].startswith("a")
    assert set(found[3].split()) <= {"b"} and set(found[4].split()) <= {"c"}
    assert found[5:] == plain[5:]


@pytest.mark.parametrize("key", ["prefix_file", "allowed_tokens_file"])
@pytest.mark.parametrize("count", [1, 9])
def test_a_constraint_file_has_as_many_lines_as_the_input(infer, tmp_path, capsys, key, count):
    (tmp_path / "file").write_text("\n" * count)
    with pytest.raises(UserError) as error:
        infer(f"--config.inference.{key}={tmp_path}/file")
    assert str(error.value) == (
        f"{tmp_path}/file: has {count} lines, but the input has 7; give a line for each source,"
        " empty for an output without constraint"
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("count", "num_sources"), [(1, "at least 7"), (9, "7")])
def test_a_constraint_file_is_compared_with_the_lines_of_a_stream(
    infer, runs, tmp_path, count, num_sources
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes((runs / "lines").read_bytes()))
    writer.start()
    (tmp_path / "file").write_text("\n" * count)
    with pytest.raises(UserError, match=f"has {count} lines, but the input has {num_sources};"):
        infer(f"--input={pipe}", f"--config.inference.prefix_file={tmp_path}/file")
    writer.join()


@pytest.mark.parametrize(
    ("key", "line", "message"),
    [
        ("prefix_file", "a nope", "the token 'nope' is not in the target vocabulary; leave it out"),
        (
            "prefix_file",
            "a SEQUENCE_END b",
            "SEQUENCE_END is a special token, which an output cannot contain; leave it out",
        ),
        (
            "prefix_file",
            "SEQUENCE_START",
            "SEQUENCE_START is a special token, which an output cannot contain; leave it out",
        ),
        (
            "prefix_file",
            "UNK",
            "UNK is a special token, which an output cannot contain; leave it out",
        ),
        (
            "prefix_file",
            "a b c d e f a",
            "has 7 tokens, but inference.max_decode_length is 6; use a shorter prefix",
        ),
        (
            "allowed_tokens_file",
            "a nope",
            "the token 'nope' is not in the target vocabulary; leave it out",
        ),
        (
            "allowed_tokens_file",
            "SEQUENCE_START",
            "SEQUENCE_START is a special token, which an output cannot contain; leave it out",
        ),
    ],
)
def test_a_constraint_that_no_output_can_satisfy_is_refused_with_its_line(
    infer, tmp_path, key, line, message
):
    (tmp_path / "file").write_text(f"\n\na\n{line}\n\n\n\n")
    with pytest.raises(UserError) as error:
        infer(f"--config.inference.{key}={tmp_path}/file")
    assert str(error.value) == f"{tmp_path}/file:4: {message}"


def test_a_gzip_file_is_read(infer, plain, tmp_path):
    with gzip.open(tmp_path / "lines.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(LINES))
    assert infer(f"--input={tmp_path}/lines.gz") == plain


def test_an_undecodable_line_is_reported_after_the_lines_before_it_are_answered(
    infer, plain, runs, tmp_path, capsys
):
    (tmp_path / "bad").write_bytes(b"a b c\n\xff\n")
    flags = ["--tasks=DumpBeams", f"--config.tasks.DumpBeams.params.file={tmp_path}/b.npz"]
    with pytest.raises(UserError, match=r"bad:2: not UTF-8"):
        infer(f"--input={tmp_path}/bad", *flags)
    assert capsys.readouterr().out.splitlines() == plain[:1]
    with np.load(tmp_path / "b.npz") as beams:
        assert len(beams["steps"]) == 1


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        (
            "one",
            ["--attention"],
            "--attention: needs --json; or use --tasks=DumpAttention, which writes files",
        ),
        (
            "two",
            ["--json", "--attention"],
            "--attention: needs attention, but BasicSeq2Seq has none; omit it",
        ),
        (
            "two",
            ["--tasks=DecodeText", "--config.tasks.DecodeText.params.unk_replace=true"],
            "tasks.DecodeText: needs attention, but BasicSeq2Seq has none; leave the task out",
        ),
    ],
)
def test_invalid_options_are_reported_in_one_line(infer, name, flags, message):
    with pytest.raises(UserError) as error:
        infer(*flags, name=name)
    assert str(error.value) == message


def test_the_user_can_import_a_successor_function(infer, plain, tmp_path, monkeypatch):
    (tmp_path / "my_search.py").write_text(
        "import jax.numpy as jnp\n"
        "from seq2seq_jax.search.search_config import choose_top_k\n"
        "def backwards(scores):\n"
        "    return choose_top_k(scores)[:, ::-1]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = infer(
        "--config.inference.beam_search.beam_width=2",
        "--config.inference.beam_search.choose_successors_fn=my_search.backwards",
    )
    del sys.modules["my_search"]
    assert len(found) == len(plain) and found != plain


def test_tsv_has_the_source_before_the_output(infer, plain):
    rows = [line.split("\t") for line in infer("--tsv")]
    assert rows == [[source, output] for source, output in zip(LINES, plain, strict=True)]
    with pytest.raises(UserError, match="--tsv: cannot be combined with --json"):
        infer("--tsv", "--json")
