"""Measure fine-tuning: from a general model, with a larger vocabulary, and from several languages.

python -m experiments.transfer.run --data=DIR --output=runs/transfer

DIR holds the files of the shared task SIGMORPHON 2021 on grapheme-to-phoneme conversion
(`high/eng_us_train.tsv.gz`, `low/ita_train.tsv.gz`, ...). Trainings that are finished are not
repeated, and one that was interrupted starts again. The last lines are the tables of
docs/fine_tuning.md.
"""

import argparse
import gzip
import json
import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.evaluation.run_evaluation import evaluate
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.cache_dir import enable_compilation_cache

LANGUAGES = ("ita", "rum", "wel_sw")
SEEDS = (0, 1, 2)
ADDED = "wel_sw"
SIDES = ("source", "target")
LOW_STEPS = 400
GENERAL = {"train_steps": 1500, "batch_size": 64}
TUNED = {
    "optimizer.learning_rate": 1e-3,
    "transfer.source_vocabulary": "extend",
    "transfer.target_vocabulary": "extend",
}


def g2p_config(train_file: Path, dev_file: Path, **overrides: Any) -> ConfigDict:
    """Return the configuration of a small model of letters to phones."""
    config = default_config("AttentionSeq2Seq")
    text = {
        "header": False,
        "source_column": "1",
        "target_column": "2",
        "source_delimiter": "",
        "target_delimiter": " ",
    }
    for part, file in (("train", train_file), ("dev", dev_file)):
        pipeline = config[f"input_pipeline_{part}"]
        pipeline["class"] = "TSVInputPipeline"
        pipeline.params = {**text, "files": str(file)}
    cell = {"cell_class": "BasicLSTMCell", "cell_params": {"num_units": 128}}
    config.source.reverse = False
    config.source.max_seq_len = 16
    config.target.max_seq_len = 20
    config.embedding.dim = 64
    config.embedding.init_scale = 1.0
    config.encoder.params = {
        "rnn_cell": {**cell, "dropout_input_keep_prob": 0.8},
        "init_scale": 0.08,
    }
    config.decoder.params = {
        "rnn_cell": {**cell, "dropout_input_keep_prob": 0.8},
        "init_scale": 0.08,
    }
    config.bridge["class"] = "InitialStateBridge"
    config.attention.params = {"num_units": 64}
    config.optimizer.learning_rate = 3e-3
    config.optimizer.clip_embed_gradients = 0.0
    config.inference.max_decode_length = 24
    config.metrics = ["LogPerplexityMetricSpec", "ErrorRateMetricSpec"]
    config.best_metric = "sequence_error_rate"
    config.buckets = "16"  # One shape, because compilation takes longer than training.
    config.batch_size = 32
    config.train_steps = LOW_STEPS
    config.eval_every_n_steps = 10_000  # The end is evaluated in any case.
    return resolve(config, [(key, str(value)) for key, value in overrides.items()])


def run(config: ConfigDict, workdir: Path) -> dict[str, float]:
    """Train unless that is done, and return the error rates on dev and the CPU seconds."""
    file = workdir / "result.json"
    if not file.exists():
        shutil.rmtree(workdir, ignore_errors=True)  # All CPU seconds are counted in one process.
        started = time.process_time()
        if not train(config, workdir):
            raise SystemExit("interrupted; run the same command again")
        seconds = time.process_time() - started
        key = "dev/sequence_error_rate"
        (error,) = [line[key] for line in read_metrics(workdir) if key in line][-1:]
        found = {"wer": error, "cpu_seconds": round(seconds, 1)}
        file.write_text(json.dumps(found))
        print(workdir, found, flush=True)
    values: dict[str, float] = json.loads(file.read_text())
    return values


def general_to_low(data: Path, output: Path) -> Iterator[str]:
    """Fine-tune an English model on 800 words of each language, and train from scratch."""
    general = output / "general"
    files = (data / "high" / f"eng_us_{part}.tsv.gz" for part in ("train", "dev"))
    english = run(g2p_config(*files, **GENERAL), general)
    yield f"English model: {english['wer']:.1f} % of {4168:,} words, {english['cpu_seconds']} s"
    yield "| language | from scratch | CPU s | fine-tuned | CPU s |"
    yield "|---|---|---|---|---|"
    for language in LANGUAGES:
        low = [data / "low" / f"{language}_{part}.tsv.gz" for part in ("train", "dev")]

        def scratch(seed: int, low: list[Path] = low, language: str = language) -> dict[str, float]:
            return run(g2p_config(*low, seed=seed), output / f"scratch_{language}_{seed}")

        def tuned(seed: int, low: list[Path] = low, language: str = language) -> dict[str, float]:
            config = g2p_config(*low, seed=seed, initialize_from=general, **TUNED)
            return run(config, output / f"tuned_{language}_{seed}")

        yield f"| {language} | {over_seeds(scratch)} | {over_seeds(tuned)} |"


def extended(data: Path, output: Path) -> Iterator[str]:
    """Tune the English model with the words of another language added, and without."""
    general = output / "general"
    english = [data / "high" / f"eng_us_{part}.tsv.gz" for part in ("train", "dev")]
    files = [english[0], data / "low" / f"{ADDED}_train.tsv.gz"]
    mixed = output / "mixed.tsv"
    mixed.write_bytes(b"".join(gzip.decompress(file.read_bytes()) for file in files))
    settings = {
        **{**GENERAL, "train_steps": 500},
        "initialize_from": general,
        **{**TUNED, "optimizer.learning_rate": 3e-4},
    }
    before = run(g2p_config(*english, **GENERAL), general)
    alone = run(g2p_config(*english, **settings), output / "continued")
    after = run(g2p_config(mixed, english[1], **settings), output / "extended")
    sizes = [
        sum(len((folder / f"vocab.{side}.txt").read_text().splitlines()) for side in SIDES)
        for folder in (general, output / "extended")
    ]
    p = alone["wer"] / 100
    yield f"tokens of both vocabularies: {sizes[0]} -> {sizes[1]}"
    yield f"English: {before['wer']:.2f} %, tuned on English {alone['wer']:.2f} %"
    yield f"tuned on English and {ADDED}, with its tokens: {after['wer']:.2f} %"
    yield f"standard error: {100 * math.sqrt(p * (1 - p) / 4168):.2f}"


def multilingual_to_one(data: Path, output: Path) -> Iterator[str]:
    """Train one model of three languages, with a tag before each word, and tune it to each."""
    for part in ("train", "dev"):
        whole = b""
        for i, language in enumerate(LANGUAGES):
            lines = gzip.decompress((data / "low" / f"{language}_{part}.tsv.gz").read_bytes())
            tagged = b"".join(b"%d%s\n" % (i, line) for line in lines.splitlines())
            (output / f"tagged_{language}_{part}.tsv").write_bytes(tagged)
            whole += tagged
        (output / f"tagged_{part}.tsv").write_bytes(whole)
    tagged_files = [output / f"tagged_{part}.tsv" for part in ("train", "dev")]
    yield "| language | all languages, before | CPU s | tuned to it, after | CPU s |"
    yield "|---|---|---|---|---|"
    for language in LANGUAGES:
        files = [output / f"tagged_{language}_{part}.tsv" for part in ("train", "dev")]

        def before(seed: int, language: str = language) -> dict[str, float]:
            workdir = output / f"multi_{seed}"
            trained = run(g2p_config(*tagged_files, seed=seed, train_steps=2 * LOW_STEPS), workdir)
            file = workdir / f"result_{language}.json"
            if not file.exists():
                dev = output / f"tagged_{language}_dev.tsv"
                key = "input_pipeline_dev.params.files"
                config = resolve(Workdir(workdir).config(), [(key, str(dev))])
                results = evaluate(workdir, config).results
                file.write_text(json.dumps(results["sequence_error_rate"]))
            return {**trained, "wer": json.loads(file.read_text())}

        def after(
            seed: int, files: list[Path] = files, language: str = language
        ) -> dict[str, float]:
            config = g2p_config(
                *files,
                seed=seed,
                initialize_from=output / f"multi_{seed}",
                train_steps=LOW_STEPS // 2,
                **{"optimizer.learning_rate": 1e-3},
            )
            return run(config, output / f"single_{language}_{seed}")

        yield f"| {language} | {over_seeds(before)} | {over_seeds(after)} |"


def over_seeds(measure: Callable[[int], dict[str, float]]) -> str:
    """Return the mean and the standard deviation of the word error, and the mean CPU seconds."""
    found = [measure(seed) for seed in SEEDS]
    errors = [one["wer"] for one in found]
    seconds = statistics.mean(one["cpu_seconds"] for one in found)
    return f"{statistics.mean(errors):.1f} ± {statistics.stdev(errors):.1f} | {seconds:.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/transfer"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    enable_compilation_cache()
    for part in (general_to_low, extended, multilingual_to_one):
        for line in part(arguments.data, arguments.output):
            print(line, flush=True)
