"""Disks that are full, places that cannot be written, and two writers: one line and status 2."""

import json
import os
from pathlib import Path

import jax
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.devices import parallel as devices
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.utils.file_lock import file_lock
from tests.limited_disk import limited_disk
from tests.sweeps.toy_sweeps import two_pairs, write_sweep
from tests.tiny_workdir import tiny_run

ROOT = Path(__file__).parents[1]
TINY = f"--config={ROOT / 'configs' / 'tiny.py'}"
SHORT = [
    "--config.encoder.class=UnidirectionalRNNEncoder",
    "--config.eval_every_n_steps=0",
    "--config.log_every_n_steps=1",
    "--config.save_checkpoints_steps=2",
    "--config.train_steps=4",
]


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Disable optimizations, because each program runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def run(capsys):
    """Return a function that runs a command and returns its status and the lines of its log."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, capsys.readouterr().err.splitlines()

    return run


@pytest.fixture
def refused(run):
    """Return a function that runs a command that must fail, and returns its one error line."""

    def refused(*arguments):
        status, log = run(*arguments)
        assert status == 2, log
        assert [line for line in log if line.startswith("error: ")] == log[-1:]
        return log[-1]

    return refused


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A directory with a trained run, a table of results, a sweep, and texts."""
    folder = tmp_path_factory.mktemp("inputs")
    files = {f"input_pipeline_dev__params__{side}_files": folder / side for side in ("s", "t")}
    for path in files.values():
        path.write_text("a b c\nf\n", "utf-8")
    files = {
        "input_pipeline_dev__params__source_files": folder / "s",
        "input_pipeline_dev__params__target_files": folder / "t",
    }
    tiny_run(folder / "run", {10: 6}, **files, input_pipeline_dev__params__builtin="")
    (folder / "run" / "metrics.jsonl").write_text(
        "".join(f"{json.dumps({'step': step, 'train/loss': 1 / step})}\n" for step in (1, 2))
    )
    seconds = {"training": 1.0, "evaluation": 1.0}
    result = {
        "trial": "a", "sweep": "s", "status": "finished", "levels": {"x": 1}, "places": {"x": 0},
        "seed": 0, "overrides": {}, "config_digest": "d", "best_metric": "bleu",
        "metrics": {"bleu": 1.0}, "curve": {"step": [1], "bleu": [1.0]}, "step": 1,
        "parameters": 1, "seconds": seconds, "cpu_seconds": seconds,
        "processors": 1, "version": "0", "jax": "0", "workdir": "a", "outputs": "",
    }  # fmt: skip
    (folder / "results.jsonl").write_text(json.dumps(result) + "\n")
    write_sweep(folder, "factors={'embedding.dim': [8]}, seeds=[0]")
    two_pairs(folder)
    return folder


BEAM = "--config.inference.beam_search.beam_width=2"
INFER = ["infer", "--workdir={in}/run", "--input={in}/s"]
ATTENTION = "--config.tasks.DumpAttention.params"
BEAMS = "--config.tasks.DumpBeams.params"
WRITING = {
    "train": ["train", TINY, *SHORT, "--workdir={out}"],
    "vocab": ["vocab", "--output={out}", "{in}/s"],
    "stats": ["stats", "--source={in}/s", "--target={in}/t", "--plot={out}.png"],
    "toy": ["toy", "copy", "{out}"],
    "plot-schedule": ["plot-schedule", TINY, "--output={out}.png"],
    "curves": ["curves", "{in}/run", "--output={out}.svg"],
    "errors": ["errors", "--workdir={in}/run", "--output={out}.html"],
    "attention": ["attention", "--workdir={in}/run", "--output={out}", "a b"],
    "beam-tree": ["beam-tree", "--workdir={in}/run", BEAM, "--output={out}", "a b"],
    "DumpAttention": [*INFER, "--tasks=DumpAttention", f"{ATTENTION}.output_dir={{out}}"],
    "DumpBeams": [*INFER, BEAM, "--tasks=DumpBeams", f"{BEAMS}.file={{out}}.npz"],
    "report": ["report", "{in}/results.jsonl", "--output={out}"],
    "init": ["init", "--task=captions", "--output={out}/my.py"],
    "sweep": ["sweep", "{in}/toys/sweep.py", "--output={out}"],
}  # fmt: skip


def command_line(name, inputs, out):
    return [word.replace("{in}", str(inputs)).replace("{out}", str(out)) for word in WRITING[name]]


@pytest.mark.parametrize("name", WRITING)
def test_every_command_that_writes_reports_a_full_disk(
    run, refused, inputs, tmp_path, tmp_path_factory, name
):
    if name in ("train", "errors"):  # The cache of tokenized texts is not what fails.
        assert run(*command_line(name, inputs, tmp_path_factory.mktemp("before") / "out"))[0] == 0
    with limited_disk():
        line = refused(*command_line(name, inputs, tmp_path / "out"))
    assert "cannot be written (File too large)" in line
    assert str(tmp_path) in line
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert not written


@pytest.mark.parametrize("place", ["file/out", "x" * 300, "/proc/none/out"])
@pytest.mark.parametrize("name", WRITING)
def test_every_command_that_writes_names_a_place_that_it_cannot_write(
    refused, inputs, tmp_path, name, place
):
    (tmp_path / "file").touch()
    line = refused(*command_line(name, inputs, tmp_path / place))
    assert place in line
    assert any(what in line for what in ("cannot be written (", "File name too long; use")), line


@pytest.mark.parametrize("command", ["prepare", "train"])
def test_a_full_cache_is_named_with_the_variable_that_moves_it(
    refused, inputs, tmp_path, monkeypatch, command
):
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path / "cache"))
    with limited_disk():
        line = refused(
            command, TINY, *([f"--workdir={tmp_path}/run"] if command == "train" else [])
        )
    assert line.startswith(f"error: {tmp_path}/cache/prepared/")
    assert line.endswith("set SEQ2SEQ_JAX_CACHE to a directory on another disk")
    assert not (tmp_path / "run").exists()


def test_a_cache_that_cannot_be_written_does_not_prevent_the_work(run, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path / "file" / "cache"))
    status, log = run("prepare", TINY)
    assert status == 0
    assert log[0].startswith(f"warning: {tmp_path}/file/cache cannot be used (")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The workdir of a run without interruption."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:  # This fixture precedes `use_devices`.
        patch.setattr(devices, "available", lambda: jax.devices()[:1])
        assert main(["train", TINY, *SHORT, f"--workdir={workdir}"]) == 0
    return workdir


def last_state(workdir):
    return digest(Checkpoints(workdir / "checkpoints").read()[1])


@pytest.mark.parametrize("size", [40, 400, 2000, 4000])
def test_a_run_that_the_disk_interrupted_resumes_bit_for_bit(run, refused, whole, tmp_path, size):
    workdir = tmp_path / "run"
    train = ["train", TINY, *SHORT, f"--workdir={workdir}"]
    with limited_disk(size):
        refused(*train)
        refused(*train)
    assert run(*train)[0] == 0
    assert last_state(workdir) == last_state(whole)
    assert [line["step"] for line in read_metrics(workdir)] == [1, 2, 3, 4]
    assert not list(workdir.glob("**/*.partial"))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("caf\udce9", "is not UTF-8; use another --workdir"),
        ("file", "a file is where a directory must be"),
        ("file/below", "a file is where a directory must be"),
        ("x" * 300, "use a shorter name"),
        ("/proc/none", "cannot be written"),
        ("/dev/full", "a file is where a directory must be"),
    ],
)
def test_a_workdir_that_cannot_be_is_refused_in_one_line(refused, tmp_path, name, what):
    (tmp_path / "file").write_text("kept")
    workdir = tmp_path / name
    assert what in refused("train", TINY, *SHORT, f"--workdir={workdir}")
    assert os.listdir(tmp_path) == ["file"]
    for command in ("infer", "eval", "inspect", "score", "errors"):
        assert refused(command, f"--workdir={workdir}").count("\n") == 0
    assert (tmp_path / "file").read_text() == "kept"


def test_a_second_training_in_a_workdir_is_refused_and_changes_nothing(refused, whole):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    with file_lock(whole / "train.lock", "another training"):
        line = refused("train", f"--workdir={whole}", "--config.train_steps=9")
    assert line.startswith(
        f"error: {whole}: another training is running here (process {os.getpid()} on "
    )
    assert {path: path.read_bytes() for path in before} == {
        **before,
        whole / "train.lock": (whole / "train.lock").read_bytes(),
    }


def test_a_training_that_starts_in_the_same_new_workdir_is_refused(refused, tmp_path, monkeypatch):
    from seq2seq_jax.training import trainer

    lock = file_lock(tmp_path / "run" / "train.lock", "another training")

    def taken(*arguments):
        monkeypatch.undo()
        lock.__enter__()
        return build_model(*arguments)

    build_model = trainer.build_model
    monkeypatch.setattr(trainer, "build_model", taken)  # While the second one is being prepared.
    line = refused("train", TINY, *SHORT, f"--workdir={tmp_path / 'run'}")
    assert "another training is running here" in line
    assert os.listdir(tmp_path / "run") == ["train.lock"]
    lock.__exit__(None, None, None)


def test_fewer_steps_than_are_done_are_refused_and_the_configuration_stays(refused, whole):
    before = (whole / "config.json").read_bytes()
    line = refused("train", f"--workdir={whole}", "--config.train_steps=3")
    assert (
        line == f"error: train_steps: must be at least 4, the steps that are done in {whole}; got 3"
    )
    assert (whole / "config.json").read_bytes() == before


def test_without_a_home_directory_one_line_says_what_to_set(refused, monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("SEQ2SEQ_JAX_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert refused("fetch-weights", "torchvision").startswith("error: HOME: is not set")
