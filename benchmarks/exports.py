"""Measures the exports of a model: are texts and scores equal, how large are they, how fast?

    python -m benchmarks.exports --workdir=runs/g2p --input=words.txt --lines=1000
    python -m benchmarks.exports --workdir=runs/m30k --input=val.en --searches=greedy

For each search, the lines are answered by `Predictor` and by each form of export. A line on which
the texts differ is a tie if the two tokens at which they part are equally likely up to 1e-4. Times
leave out loading and compilation; "one" are single sentences, "batch" all lines in one call. The
JavaScript program runs in Node, and the web bundle in headless Chromium, on fewer lines
(`--browser-lines`).
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from seq2seq_jax.config import resolve
from seq2seq_jax.export import seq2seq_numpy, seq2seq_stablehlo
from seq2seq_jax.export.exported_model import export_model
from seq2seq_jax.export.numpy_package import write_numpy_package
from seq2seq_jax.export.stablehlo import write_stablehlo
from seq2seq_jax.export.web_bundle import write_web_bundle
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.storage.workdir import Workdir
from tests.chromium import chromium
from tests.tiny_exports import in_node

SEARCHES = {
    "greedy": {"beam_width": 1, "n_best": 1},
    "beam 5": {"beam_width": 5, "n_best": 1},
}
FORMS = ("numpy", "node", "chromium", "stablehlo")
SINGLE = 50
TIE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--input", required=True, help="a text per line")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--browser-lines", type=int, default=100)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--searches", default=",".join(SEARCHES))
    parser.add_argument("--weights", default="float32")
    given = parser.parse_args()
    texts = Path(given.input).read_text(encoding="utf-8").splitlines()[: given.lines]
    with tempfile.TemporaryDirectory() as directory:
        if given.weights == "float32":
            print_sizes(given.workdir, Path(directory))
        for name in given.searches.split(","):
            for form in ("predictor", *given.forms.split(",")):
                measure(given, texts, name, form, Path(directory))


_expected = {}


def measure(given, texts, search, form, directory):
    """Answer the lines with one form, and print its times and its differences."""
    model, config = load(given.workdir, search, given.weights)
    if form == "chromium":
        texts = texts[: given.browser_lines]
    with program(form, model, config, directory) as predict:
        if form not in ("numpy", "node"):
            predict(texts)  # Compile all shapes.
            for text in texts[:SINGLE]:
                predict([text])
        seconds, found = timed(predict, texts)
        singles = [timed(predict, [text])[0] for text in texts[: 0 if form == "node" else SINGLE]]
        single = f"{1e3 * sum(singles) / len(singles):.2f}" if singles else "-"
    if form == "predictor":
        _expected[search] = found
    expected = _expected[search][: len(texts)]
    reference = seq2seq_numpy.Model(model.config, seq2seq_numpy.read_safetensors(model.weights))
    difference, parted = 0.0, []
    for one, other in zip(found, expected, strict=True):
        if text_of(one) == text_of(other):
            if other.n_best:
                difference = max(difference, abs(one.n_best[0].score - other.n_best[0].score))
        else:
            parted.append(gap(reference, other.source, one.n_best[0], other.n_best[0]))
    ties = sum(gap <= TIE for gap in parted)
    print(
        f"{search:8} {form:10} {given.weights:8} {len(texts):5} lines, {len(parted)} texts differ"
        f" ({ties} ties), scores within {difference:.1e};"
        f" one {single} ms, batch {1e3 * seconds / len(texts):.2f} ms/line",
        flush=True,
    )
    for one, other, step in zip(found, expected, range(len(texts)), strict=True):
        if text_of(one) != text_of(other):
            scores = f"{one.n_best[0].score:.6f} {other.n_best[0].score:.6f}"
            print(f"  line {step + 1}: {text_of(one)!r} / {text_of(other)!r}, {scores}", flush=True)


def load(workdir, search, weights):
    run = Workdir(workdir)
    options = SEARCHES[search]
    overrides = [
        ("inference.beam_search.beam_width", str(options["beam_width"])),
        ("inference.n_best", str(options["n_best"])),
    ]
    config = resolve(run.config(), overrides)
    return export_model(run, config, weights), config


class program:
    """A context that gives the function `predict` of one form."""

    def __init__(self, form, model, config, directory):
        self.form, self.model, self.config, self.directory = form, model, config, directory
        self.browser = None

    def __enter__(self):
        model, directory = self.model, Path(tempfile.mkdtemp(dir=self.directory))
        if self.form == "predictor":
            return Predictor([model.loaded], self.config).predict
        if self.form == "numpy":
            arrays = seq2seq_numpy.read_safetensors(model.weights)
            return seq2seq_numpy.Model(model.config, arrays).predict
        if self.form == "node":
            return in_node(model, directory)
        if self.form == "stablehlo":
            write_stablehlo(model, self.config, directory / "programs")
            return seq2seq_stablehlo.load(directory / "programs").predict
        write_web_bundle(model, directory / "page.html")
        self.context = chromium()
        self.browser = self.context.__enter__()
        self.browser.open((directory / "page.html").as_uri())
        self.browser.evaluate("window.local = new LocalBackend(); local.describe()")
        options = json.dumps({k: model.config["search"][k] for k in ("beam_width", "n_best")})

        def predict(texts):
            code = "(async (texts, options) => { const start = performance.now();"
            code += " const answers = await local.predict(texts, options);"
            code += " return {answers, seconds: (performance.now() - start) / 1000}; })"
            done = self.browser.evaluate(f"{code}({json.dumps(texts)}, {options})")
            found = [
                SimpleNamespace(n_best=[SimpleNamespace(**one) for one in answer["n_best"]])
                for answer in done["answers"]
            ]
            predict.seconds = done["seconds"]
            return found

        return predict

    def __exit__(self, *error):
        if self.browser:
            self.context.__exit__(*error)


def timed(predict, texts):
    """Return seconds and predictions; programs in JavaScript measure themselves."""
    start = time.perf_counter()
    found = predict(texts)
    seconds = time.perf_counter() - start
    return getattr(predict, "seconds", seconds), found


def text_of(prediction):
    return prediction.n_best[0].text if prediction.n_best else ""


def gap(model, source, one, other):
    """Return by how much the log-probabilities of the tokens differ at which two outputs part."""
    ids = {name: i for i, name in enumerate(model.target.names)}
    paths = [[ids[token] for token in h.tokens] + [model.target.end] for h in (one, other)]
    memory, state = model.encode(model.source.encode(source))
    token = model.target.start
    for first, second in zip(*paths, strict=False):
        logits, state, _ = model.step([token], state, memory)
        log_probs = seq2seq_numpy.log_softmax(logits)[0]
        if first != second:
            return float(abs(log_probs[first] - log_probs[second]))
        token = first
    return np.inf


def print_sizes(workdir, directory):
    """Print the size of each form, and of the checkpoint of the run."""
    for weights in ("float32", "float16", "int8"):
        model, _ = load(workdir, "greedy", weights)
        write_numpy_package(model, directory / f"package_{weights}")
        write_web_bundle(model, directory / f"{weights}.html")
        files = [path for path in (directory / f"package_{weights}").rglob("*") if path.is_file()]
        compressed = subprocess.run(
            ["gzip", "-9", "-c", directory / f"{weights}.html"], capture_output=True, check=True
        ).stdout
        print(
            f"{weights:8} weights {len(model.weights) / 1e6:.2f} MB, NumPy package"
            f" {sum(path.stat().st_size for path in files) / 1e6:.2f} MB, web bundle"
            f" {(directory / f'{weights}.html').stat().st_size / 1e6:.2f} MB"
            f" (gzip {len(compressed) / 1e6:.2f} MB)",
            flush=True,
        )


if __name__ == "__main__":
    main()
