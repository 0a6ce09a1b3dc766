"""Tiny sweeps, and trials that only simulate training."""

import json
import sys
import textwrap
from pathlib import Path

from seq2seq_jax.sweeps.definition import SweepFile, load_sweep

TINY = Path(__file__).parents[2] / "configs" / "tiny.py"


def sweep_file(folder: Path, text: str, overrides=()) -> SweepFile:
    """Loads a sweep over configs/tiny.py.

    Args:
      text: The keywords of `Sweep`, except for `config`.
    """
    return load_sweep(str(write_sweep(folder, text)), overrides)


def write_sweep(folder: Path, text: str) -> Path:
    path = folder / "toys" / "sweep.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "from seq2seq_jax.sweeps import Range, Sweep\n\n\n"
        f"def get_sweep():\n    return Sweep(config={str(TINY)!r}, {text})\n",
        encoding="utf-8",
    )
    return path


def two_pairs(folder: Path) -> list[str]:
    """Flags that use two short pairs as data."""
    for side, lines in (("source", "a b c\nb c\n"), ("target", "c b a\nc b\n")):
        (folder / f"text.{side}").write_text(lines, encoding="utf-8")
    return [
        "--config.batch_size=2",
        *(
            f"--config.input_pipeline_{part}.params.{side}_files={folder}/text.{side}"
            for part in ("train", "dev")
            for side in ("source", "target")
        ),
    ]


# Simulates a training: BLEU is the width of the embedding, plus a hundredth of the beam width and a
# tenth of the seed. A width of 13 fails, one of 14 is killed, one of 15 waits for a signal.
_SIMULATION = textwrap.dedent(
    """
    import json, os, signal, sys, time
    job = json.load(open(sys.argv[1]))
    outcomes = sys.argv[1].removesuffix(".json") + ".outcomes.jsonl"
    dim = job["config"]["embedding"]["dim"]
    with open(os.path.join(job["folder"], "starts.txt"), "a") as file:
        file.write("started\\n")
    if dim == 14:
        os.kill(os.getpid(), signal.SIGKILL)
    if dim == 15:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        open(os.path.join(job["folder"], "waiting"), "w").close()
        time.sleep(60)
    for name, config in job["trials"].items():
        beam = config["inference"]["beam_search"]["beam_width"]
        outcome = {
            "trial": name,
            "status": "finished",
            "config_digest": job["digests"][name],
            "metrics": {"bleu": dim + beam / 100 + config["seed"] / 10, "log_perplexity": 1 / dim},
            "curve": {"step": [10, 20], "bleu": [dim / 2, dim]},
            "step": 20,
            "parameters": 1000 * dim,
            "seconds": {"training": 60.0, "evaluation": 1.0},
            "cpu_seconds": {"training": 60.0, "evaluation": 1.0},
            "processors": len(job["processors"]),
            "outputs": "",
        }
        if dim == 13:
            outcome = {"trial": name, "status": "failed", "error": "batch_size: unlucky"}
        with open(outcomes, "a") as file:
            file.write(json.dumps(outcome) + "\\n")
    """
)


def simulated_command(job) -> list[str]:
    """Replaces `trial_process.command`."""
    from ml_collections import ConfigDict

    from seq2seq_jax.sweeps.trials import config_digest

    said = json.loads(job.file.read_text(encoding="utf-8"))
    said["digests"] = {name: config_digest(ConfigDict(c)) for name, c in job.trials.items()}
    job.file.write_text(json.dumps(said), encoding="utf-8")
    return [sys.executable, "-S", "-c", _SIMULATION, str(job.file)]


def starts(folder: Path) -> int:
    """How often trainings were started in a sweep's directory."""
    files = folder.glob("*/starts.txt")
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
