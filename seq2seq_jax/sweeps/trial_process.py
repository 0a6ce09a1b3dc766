"""One training with its trials, in its own process.

The directory of a training is a workdir with these additional files:

training.json      the configuration's digest, whether training has finished, and its duration
outputs/TRIAL.txt  the outputs of a trial for the sources of the dev set, one per line
references.txt     the references, one line per source, separated by tabs
log.txt            the log of the process
jobs/              the jobs of the process and their outcomes
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import resolve, restore
from seq2seq_jax.sweeps.results import FAILED, FINISHED, Result
from seq2seq_jax.sweeps.trials import Training, config_digest
from seq2seq_jax.utils.atomic_io import atomic_write
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_system_error, explain_write_errors
from seq2seq_jax.utils.file_lock import file_lock
from seq2seq_jax.utils.integrity import read_json_object
from seq2seq_jax.utils.processors import available_processors, restrict_processors

STOPPED = 3
"""Exit status of a training that was stopped by a signal after writing a checkpoint."""


@dataclasses.dataclass(frozen=True)
class Job:
    """The job of a process: a training and the trials that evaluate it.

    Attributes:
      folder: The workdir.
      digest: The digest of the training's configuration.
      config: The resolved configuration of the training.
      trials: Name -> resolved configuration of the trial.
      processors: The numbers of the processors; empty means all.
      trust_custom_code: Whether the workdirs of an ensemble may name custom classes.
    """

    folder: str
    digest: str
    config: dict[str, Any]
    trials: dict[str, dict[str, Any]]
    processors: list[int] = dataclasses.field(default_factory=list)
    trust_custom_code: bool = False

    @property
    def file(self) -> Path:
        """The file of this job; several jobs can share a training."""
        return Path(self.folder) / "jobs" / f"{next(iter(self.trials))}.json"

    @property
    def outcomes(self) -> Path:
        """The file of the outcomes."""
        return self.file.with_suffix(".outcomes.jsonl")


def make_job(training: Training, folder: Path, processors: list[int]) -> Job:
    """Make the job of a training.

    Args:
      training: The training.
      folder: The directory of the sweep.
      processors: The numbers of the processors; empty means all.
    """
    return Job(
        str(folder / training.name),
        training.digest,
        training.config.to_dict(),
        {trial.name: trial.config.to_dict() for trial in training.trials},
        processors,
        training.trust_custom_code,
    )


def start_job(job: Job, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the process of a job. It does not receive signals of the terminal.

    Args:
      job: The job.
      environment: Variables that are added to the environment of this process.
    """
    atomic_write(job.file, json.dumps(dataclasses.asdict(job)).encode())
    job.outcomes.unlink(missing_ok=True)
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    log_file = Path(job.folder) / "log.txt"
    with explain_write_errors(log_file), open(log_file, "ab") as log:
        return subprocess.Popen(
            command(job),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | dict(environment),
            start_new_session=True,
        )


def command(job: Job) -> list[str]:
    """Return the command that runs a job, whose file is written.

    Args:
      job: The job.
    """
    program = f"from {__name__} import run_job_file; run_job_file({str(job.file)!r})"
    return [sys.executable, "-c", program]


def read_outcomes(job: Job, exit_status: int) -> dict[str, Result]:
    """Read the outcomes of a job.

    Args:
      job: The job.
      exit_status: The exit status of its process.

    Returns:
      Name of the trial -> its metrics, or an error.
    """
    found = {}
    if job.outcomes.exists():
        # What follows the last "\n" is incomplete.
        for line in job.outcomes.read_text(encoding="utf-8").split("\n")[:-1]:
            outcome = json.loads(line)
            found[outcome.pop("trial")] = outcome
    reason = f"exit status {exit_status}"
    if exit_status < 0:
        reason = f"killed by {signal.Signals(-exit_status).name}"
    if exit_status == STOPPED:
        reason = "stopped by a signal; run the sweep again to resume"
    error = f"{reason}; see {job.folder}/log.txt"
    return {name: found.get(name, {"status": FAILED, "error": error}) for name in job.trials}


def trained_seconds(folder: Path, digest: str) -> dict[str, float] | None:
    """Return the duration of a finished training, or None if there is none.

    Args:
      folder: The workdir.
      digest: The digest of the training's configuration.
    """
    record = _record(folder)
    if record.get("digest") != digest or not record.get("finished"):
        return None
    return {name: record[name] for name in ("seconds", "cpu_seconds")}


def run_job_file(path: str) -> None:
    """Run a job in this process: train, evaluate the trials, and write their outcomes.

    Args:
      path: The file of the job.
    """
    job = Job(**json.loads(Path(path).read_text(encoding="utf-8")))
    folder = Path(job.folder)
    if job.processors:
        restrict_processors(job.processors)  # Before XLA counts them.
    from seq2seq_jax.devices.memory import tune_malloc
    from seq2seq_jax.utils.cache_dir import enable_compilation_cache
    from seq2seq_jax.utils.logging import set_up_logging
    from seq2seq_jax.utils.streams import set_up_streams

    tune_malloc()
    set_up_streams()
    sys.path.insert(0, os.getcwd())  # Users' own classes are found in the working directory.
    set_up_logging()
    enable_compilation_cache()
    try:
        if not _train(job, folder):
            sys.exit(STOPPED)
    except Exception as error:  # A failure does not affect other trainings.
        for name in job.trials:
            _write_outcome(job, name, _failure(error))
        return
    for name, config in job.trials.items():
        try:
            outcome = _evaluate(folder, name, resolve(restore(config)), job.trust_custom_code)
        except Exception as error:
            outcome = _failure(error)
        _write_outcome(job, name, outcome)


def _train(job: Job, folder: Path) -> bool:
    """Train, unless training has finished before; return False after a signal."""
    with file_lock(folder / "lock", "another trial", wait=True):
        if trained_seconds(folder, job.digest):
            return True
        from seq2seq_jax.training.train import train

        before = _record(folder)
        start, cpu_start = time.monotonic(), time.process_time()
        finished = False
        try:
            config = resolve(restore(job.config))
            if config.tracking.backend and not config.tracking.group:
                config.tracking.group = folder.resolve().parent.name  # the name of the sweep
            finished = train(config, folder)
        finally:
            record = {
                "digest": job.digest,
                "finished": finished,
                "seconds": before.get("seconds", 0) + time.monotonic() - start,
                "cpu_seconds": before.get("cpu_seconds", 0) + time.process_time() - cpu_start,
            }
            atomic_write(folder / "training.json", json.dumps(record).encode())
        return finished


def _evaluate(folder: Path, name: str, config: ConfigDict, trust: bool) -> Result:
    from seq2seq_jax.evaluation.run_evaluation import evaluate

    start, cpu_start = time.monotonic(), time.process_time()
    run = evaluate(folder, config, num_samples=None, trust_custom_code=trust)
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
    outputs = folder / "outputs" / f"{name}.txt"
    samples = run.evaluation.samples
    if samples:
        outputs.parent.mkdir(exist_ok=True)
        atomic_write(outputs, _lines(sample.hypothesis for sample in samples))
        references = _lines("\t".join(sample.references) for sample in samples)
        atomic_write(folder / "references.txt", references)
    training = _record(folder)
    return {
        "status": FINISHED,
        "config_digest": config_digest(config),
        "metrics": run.results,
        "curve": _curve(folder),
        "step": run.steps[0],
        "parameters": run.num_parameters,
        "seconds": {"training": training["seconds"], "evaluation": seconds},
        "cpu_seconds": {"training": training["cpu_seconds"], "evaluation": cpu_seconds},
        "processors": len(available_processors()),
        "outputs": f"outputs/{name}.txt" if samples else "",
    }


def _curve(folder: Path) -> dict[str, list[float]]:
    """Return the metrics of the dev set during training."""
    from seq2seq_jax.storage.metrics_log import read_metrics

    curve: dict[str, list[float]] = {}
    for line in read_metrics(folder):
        numbers = {k: v for k, v in line.items() if k.startswith("dev/") and not isinstance(v, str)}
        if numbers:
            curve.setdefault("step", []).append(line["step"])
            for key, value in numbers.items():
                curve.setdefault(key.removeprefix("dev/"), []).append(value)
    return curve


def _failure(error: Exception) -> Result:
    error = explain_system_error(error) or error
    if not isinstance(error, UserError):
        traceback.print_exc()
    message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    print(f"error: {message}", file=sys.stderr)
    return {"status": FAILED, "error": " ".join(message.split())[:1000]}


def _write_outcome(job: Job, name: str, outcome: Result) -> None:
    with explain_write_errors(job.outcomes), open(job.outcomes, "a", encoding="utf-8") as file:
        file.write(json.dumps({"trial": name, **outcome}, ensure_ascii=False) + "\n")


def _record(folder: Path) -> dict[str, Any]:
    file = folder / "training.json"
    return read_json_object(file) if file.exists() else {}


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode("utf-8", "replace")
