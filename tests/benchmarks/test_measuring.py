"""Measurements: one process each, one line each, and no failure is silent."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import loop, ours, recorded, scaling
from benchmarks.cases import CASES, Case
from benchmarks.input_pipeline import our_batches, prepare_input
from benchmarks.interleaved import Competitor, find_competitors, isolated_path, run_interleaved
from benchmarks.matmul import matmul_gflops
from benchmarks.prepared_input import PreparedInput, time_batches
from benchmarks.timing import Runs
from benchmarks.work import Work, all_work, measurement_line
from seq2seq_jax.data.readers.tfrecord import read_tfrecords

TINY = Case("GRUCell", "AttentionLayerDot", 8, 1, 1, 12, 3, 5, False, 4, 2)
# A main program such as `peers` have, that measures nothing.
PRINTS = """
import json, os, sys
if "beam5" in sys.argv[1]:
    raise SystemExit("no beams here")
print("noise")
print(json.dumps({"peer": "Fast 1.0", "step_gflop": 2.0, "step_ms_median": 20.0, **%s}))
"""


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(CASES, "tiny", TINY)


def test_the_limit_is_the_fastest_product():
    assert matmul_gflops(size=64, seconds=0.02) > 0


@pytest.mark.parametrize(
    ("mode", "batch_size", "rate"), [("train", 4, "tok_s_median"), ("beam5", 32, "sent_s_median")]
)
def test_a_measurement_is_one_json_object(tiny, monkeypatch, mode, batch_size, rate):
    monkeypatch.setattr(ours, "matmul_gflops", lambda: 1000.0)
    work = Work("tiny", mode, batch_size, seconds=0.1)
    line = json.loads(json.dumps(measurement_line("seq2seq_jax", work, ours.measure(work))))

    named = (line["case"], line["mode"], line["batch"], line["feed"])
    assert named == ("tiny", mode, batch_size, 1)
    assert line[rate] > 0 and line["matmul_gflops"] > 0 and line["peak_rss_mb"] > 0
    if mode == "train":
        assert line["finite"] and 0 <= line["utilisation"] < 1
    else:
        assert line["out_lens"] == [50]


def test_our_step_is_held_against_the_recorded_one(monkeypatch):
    given = []

    def time_steps(model, batches, seconds):
        given.extend(batches)
        return Runs([], 1.0, [0.05, 0.04, 0.02], [])

    monkeypatch.setattr(recorded, "time_steps", time_steps)
    monkeypatch.setattr(recorded, "usable_processors", lambda: [0, 1])
    results = recorded.measure(Work("nmt_small", "step", 32))

    assert results["ratio_to_recorded"] == round(0.173 / 0.04, 2)
    (batch,) = given
    assert batch["source_ids"].shape == (32, 14) and (batch["source_len"] == 14).all()
    # One more than the steps of the decoder.
    assert batch["target_ids"].shape == (32, 15) and (batch["target_len"] == 15).all()


def test_competitors_take_turns_and_share_one_limit(tmp_path):
    for name, more in (("limit", {"matmul_gflops": 200.0}), ("other", {})):
        (tmp_path / f"measures_{name}.py").write_text(PRINTS % more)
    competitors = [
        Competitor(name, sys.executable, f"measures_{name}", (str(tmp_path),))
        for name in ("limit", "other")
    ]
    works = [*all_work(["A"], ["train"]), Work("A", "beam5", 32)]

    lines = list(run_interleaved(competitors, works, [1], rounds=2))

    assert [line["round"] for line in lines] == [1] * 4 + [2] * 4
    good, failed = lines[:2], lines[2:4]
    # 2 GFLOP in 20 ms is half of 200 GFLOP/s.
    assert [(line["peer"], line["utilisation"]) for line in good] == [("Fast 1.0", 0.5)] * 2
    assert [(line["peer"], line["error"]) for line in failed] == [
        ("limit", "no beams here"),
        ("other", "no beams here"),
    ]


def test_what_is_not_installed_is_left_out_with_a_line(tmp_path, capsys):
    assert find_competitors(["joeynmt"], tmp_path) == []

    message = capsys.readouterr().err
    assert message.startswith("joeynmt: skipped") and message.count("\n") == 1


def test_another_interpreter_finds_the_benchmarks_without_seq2seq_jax(tmp_path):
    """What the programs of other toolkits import needs numpy only."""
    program = (
        "import sys\n"
        "from benchmarks import cases, inception_work, prepared_input, timing, work\n"
        "assert not {'seq2seq_jax', 'jax'} & set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": isolated_path(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_one_corpus_is_prepared_for_all_input_pipelines(tmp_path):
    for side in ("source", "target"):
        (tmp_path / side).write_text("".join(f"{'w ' * (1 + i % 9)}\n" for i in range(900)))
    work = prepare_input([str(tmp_path / "source"), str(tmp_path / "target")], max_len=6)

    prepared = PreparedInput.read(work)
    results = time_batches(our_batches(prepared), seconds=0.01)

    assert prepared.pairs == 900 and max(prepared.shapes)[0] == 6
    assert results["tok_s_median"] > 0 and 0 <= results["padding"] < 0.5
    w, _, start, end = range(4)
    record = np.frombuffer(next(read_tfrecords(prepared.tfrecord)), "<i4")
    assert record.tolist() == [2, w, end, start, w, end]


def test_what_several_devices_do_is_a_table():
    programs = [scaling.Program(1, 32, 1.284, 0, 0, 0.0), scaling.Program(8, 4, 0.17, 22, 20, 2.0)]
    assert scaling.to_markdown(programs).splitlines()[2:] == [
        "| 1 | 32 | 1.28 | 0 | 0 | 0.00 |",
        "| 8 | 4 | 0.17 | 2 | 20 | 2.00 |",
    ]


@pytest.mark.slow
def test_the_loop_is_timed_as_a_user_runs_it(monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 10)
    line = loop.measure_loop("A", threads=1, steps=30, rounds=1)

    assert line["loop_step_s_median"] > 0 and line["bare_step_s_median"] > 0
    assert line["warm_start_s_median"] > 0 and line["reps"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed", "--cases", "Z"], "error: --cases: must be any of A, B, C, R, or all; got Z"),
        (["speed", "--threads", "0"], "error: --threads: must be numbers from 1 to "),
        (["report", "nowhere"], "error: nowhere: cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith(message)
