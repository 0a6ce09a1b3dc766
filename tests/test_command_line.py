"""The command line in real processes: from text to a model to text, and through a kill."""

import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.storage.metrics_log import read_metrics

ROOT = Path(__file__).parents[1]
PATIENCE = 240  # seconds until a test gives up
TINY = f"--config={ROOT / 'configs' / 'tiny.py'}"


def command(*arguments):
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


def run(*arguments, **kwargs):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=PATIENCE, **kwargs
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Own files: two pairs of training files, one of them gzipped, and dev files; as flags."""
    folder = tmp_path_factory.mktemp("files")
    sources = [" ".join("abcdef笑"[(i * k) % 7] for k in range(1, 5)) for i in range(7)] * 6
    targets = [" ".join(reversed(source.split())) for source in sources]
    for side, lines in (("source", sources), ("target", targets)):
        (folder / f"one.{side}").write_text("\n".join(lines[:20]) + "\n", encoding="utf-8")
        with gzip.open(folder / f"two.{side}.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines[20:]) + "\n")
        (folder / f"dev.{side}").write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    return [
        f"--config.input_pipeline_{part}.params.{side}_files={names.format(folder, side)}"
        for part, names in (("train", "{0}/one.{1},{0}/two.{1}.gz"), ("dev", "{0}/dev.{1}"))
        for side in ("source", "target")
    ]


STEPS = 300
TRAINING = [  # with dropout, log lines across checkpoints, and several epochs
    f"--config.train_steps={STEPS}",
    "--config.save_checkpoints_steps=10",
    "--config.log_every_n_steps=7",
    "--config.eval_every_n_steps=100",
    "--config.encoder.params.rnn_cell.dropout_input_keep_prob=0.8",
    "--config.encoder.class=UnidirectionalRNNEncoder",
]


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """The workdir of a run without interruption, and the process that made it."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    process = run(TINY, f"--workdir={workdir}", *files, *TRAINING)
    assert process.returncode == 0, process.stderr
    return workdir, process


def test_training_fills_the_workdir_and_speaks_on_stderr_only(trained):
    workdir, process = trained
    assert process.stdout == ""
    assert "42 read, 42 kept, 0 dropped" in process.stderr
    assert f"step {STEPS}/{STEPS}" in process.stderr
    assert "Traceback" not in process.stderr
    names = {path.name for path in workdir.iterdir()}
    assert names >= {
        "config.json",
        "vocab.source.txt",
        "vocab.target.txt",
        "checkpoints",
        "metrics.jsonl",
        "learning_curve.png",
    }
    assert any(name.startswith("events.out.tfevents.") for name in names)
    assert (workdir / "checkpoints" / str(STEPS)).is_dir()
    assert json.loads((workdir / "config.json").read_text())["model"] == "AttentionSeq2Seq"
    losses = [line["train/loss"] for line in read_metrics(workdir) if "train/loss" in line]
    assert losses[-1] < losses[0]


def test_the_first_line_is_printed_before_jax_is_imported(trained):
    assert trained[1].stderr.splitlines()[0] == "Importing JAX"
    assert trained[1].stderr.count("Importing JAX") == 1


def test_log_lines_of_a_training_fit_into_80_columns(trained):
    wide = [line for line in trained[1].stderr.splitlines() if len(line) > 80]
    assert [line for line in wide if str(trained[0]) not in line] == []


def test_speed_and_remaining_time_leave_out_the_steps_that_compile(trained):
    lines = [line for line in trained[1].stderr.splitlines() if line.startswith("step ")]
    lines = [line for line in lines if "dev" not in line]
    assert len(lines) > 40
    assert re.fullmatch(r"step 7/300 \| loss \S+ \| lr \S+ \| \S+ tok/s \| ETA 0:\d\d", lines[0])
    speeds = [
        line["train/target_tokens_per_second"]
        for line in read_metrics(trained[0])
        if "train/loss" in line
    ]
    assert speeds[0] > speeds[10] / 4


def test_evaluation_needs_the_workdir_only_and_takes_overrides(trained):
    process = run(
        "--mode=eval",
        f"--workdir={trained[0]}",
        "--config.metrics=LogPerplexityMetricSpec,BleuMetricSpec,AccuracyMetricSpec",
        "--config.inference.beam_search.beam_width=2",
    )
    assert process.returncode == 0, process.stderr
    results = dict(line.split(maxsplit=1) for line in process.stdout.splitlines())
    assert set(results) == {
        "log_perplexity",
        "perplexity",
        "bleu",
        "bleu_signature",
        "token_accuracy",
        "sequence_accuracy",
    }
    (last,) = [
        line for line in read_metrics(trained[0]) if line["step"] == STEPS and len(line) == 3
    ]
    assert float(results["log_perplexity"]) <= last["dev/log_perplexity"] + 1e-4
    assert f"Evaluating step {STEPS} on 5 pairs" in process.stderr


def test_a_line_typed_is_answered_before_the_next_is_typed(trained):
    with subprocess.Popen(
        command("--mode=infer", f"--workdir={trained[0]}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        answers = []
        for line in ("a b c d", "", "笑 a unheard"):
            process.stdin.write(f"{line}\n".encode())
            assert select.select([process.stdout], [], [], PATIENCE)[0], "no answer"
            answers.append(process.stdout.readline().decode())
        rest, log = process.communicate(b"a b c d\r\na b c d", timeout=PATIENCE)
    assert process.returncode == 0
    assert answers[1] == "\n"
    assert all(answer.endswith("\n") for answer in answers)
    assert rest.decode() == 2 * answers[0]
    assert b"Traceback" not in log


def comparable(workdir):
    """All metrics, in their order, but for those that measure time."""
    return [
        {
            name: value
            for name, value in line.items()
            if not name.endswith(("_per_second", "cpu_seconds"))
        }
        for line in read_metrics(workdir)
    ]


def data_position(workdir):
    entry = json.loads((workdir / "checkpoints" / str(STEPS) / "checkpoint.json").read_text())
    return entry["data"]["batches"]


def digest_of(workdir, capsys):
    assert main(["inspect", f"--workdir={workdir}"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("digest: ")]
    return line


def checkpoints_of(workdir):
    folder = workdir / "checkpoints"
    return [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]


def stop_after_a_checkpoint(arguments, workdir, number):
    """Starts a run, sends it a signal as soon as a further checkpoint is there; how it ended."""
    before = max(checkpoints_of(workdir), default=0)
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while max(checkpoints_of(workdir), default=0) <= before:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, number)
        _, log = process.communicate(timeout=PATIENCE)
    assert max(checkpoints_of(workdir)) < STEPS, "it was over before it could be stopped"
    return process.returncode, log


def test_a_killed_run_continues_bit_for_bit(trained, files, tmp_path, capsys):
    """Killed once, stopped in good order once, and then left alone."""
    whole, _ = trained
    workdir = tmp_path / "broken"
    arguments = command(TINY, f"--workdir={workdir}", *files, *TRAINING)

    status, _ = stop_after_a_checkpoint(arguments, workdir, signal.SIGKILL)
    assert status == -signal.SIGKILL
    killed_at = max(checkpoints_of(workdir))

    status, log = stop_after_a_checkpoint(arguments, workdir, signal.SIGTERM)
    stopped_at = max(checkpoints_of(workdir))
    assert status == 0
    assert f"Resuming from step {killed_at}\n" in log
    assert f"Stopped at step {stopped_at}; run the same command to resume\n" in log
    assert killed_at < stopped_at

    last = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE)
    assert last.returncode == 0, last.stderr
    assert f"Resuming from step {stopped_at}\n" in last.stderr

    assert digest_of(workdir, capsys) == digest_of(whole, capsys)
    assert comparable(workdir) == comparable(whole)
    assert data_position(workdir) == data_position(whole)
    assert data_position(whole)["epoch"] > 40


def test_an_error_is_one_line_on_stderr_and_exit_status_2(tmp_path):
    process = run("--mode=infer", f"--workdir={tmp_path}/none", input="a\n")
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.splitlines() == [
        "Importing JAX",
        f"error: {tmp_path}/none: no config.json here; train first, or name another workdir",
    ]


def test_training_goes_on_when_the_reader_of_its_log_has_ended(tmp_path):
    keys = "train_steps=2", "eval_every_n_steps=0", "log_every_n_steps=1"
    words = command(TINY, f"--workdir={tmp_path}/run", *(f"--config.{key}" for key in keys))
    process = subprocess.run(
        ["bash", "-c", '"$@" 2>&1 | head -n 1; exit ${PIPESTATUS[0]}', "bash", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (process.returncode, process.stdout.count("\n")) == (0, 1)
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()
