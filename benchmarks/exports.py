"""Measures the exports of a model and the service: are texts and scores equal, how large, how fast?

    python -m benchmarks.exports --workdir=runs/g2p --input=words.txt --lines=1000
    python -m benchmarks.exports --workdir=runs/m30k --input=val.en --searches=greedy

For each search, the lines are answered by `Predictor`, by `seq2seq-jax serve` over HTTP, and by
each form of export. A line on which the texts differ is a tie if the two tokens at which they part
are equally likely up to 1e-4. Times leave out loading and compilation; "one" are single sentences,
"batch" all lines in one call (to the service, in requests of 64). The JavaScript program runs in
Node, and the web bundle in headless Chromium, on fewer lines (`--browser-lines`).
"""

import argparse
import json
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.service import running_service
from seq2seq_jax.config import resolve
from seq2seq_jax.export import seq2seq_numpy, seq2seq_stablehlo
from seq2seq_jax.export.exported_model import export_model
from seq2seq_jax.export.numpy_package import write_numpy_package
from seq2seq_jax.export.stablehlo import write_stablehlo
from seq2seq_jax.export.web_bundle import write_web_bundle
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.serving.client import Client
from seq2seq_jax.storage.workdir import Workdir
from tests.chromium import chromium
from tests.tiny_exports import in_node

SEARCHES = {
    "greedy": {"beam_width": 1, "n_best": 1},
    "beam 5": {"beam_width": 5, "n_best": 1},
}
FORMS = ("service", "numpy", "node", "chromium", "stablehlo")
SINGLE = 50
REQUEST = 64  # Texts in a request to the service.
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
    with program(form, given.workdir, model, config, directory) as predict:
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

    def __init__(self, form, workdir, model, config, directory):
        self.form, self.workdir, self.directory = form, workdir, directory
        self.model, self.config = model, config
        self.context = None

    def __enter__(self):
        model, directory = self.model, Path(tempfile.mkdtemp(dir=self.directory))
        if self.form == "predictor":
            return Predictor([model.loaded], self.config).predict
        if self.form == "service":
            width = self.config.inference.beam_search.beam_width
            flags = [f"--config.inference.beam_search.beam_width={width}"]
            self.context = running_service(self.workdir, flags)
            host, port = self.context.__enter__()
            return partial(ask, Client(f"http://{host}:{port}", timeout=600))
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
        browser = self.context.__enter__()
        browser.open((directory / "page.html").as_uri())
        browser.evaluate("window.local = new LocalBackend(); local.describe()")
        options = json.dumps({k: model.config["search"][k] for k in ("beam_width", "n_best")})

        def predict(texts):
            code = "(async (texts, options) => { const start = performance.now();"
            code += " const answers = await local.predict(texts, options);"
            code += " return {answers, seconds: (performance.now() - start) / 1000}; })"
            done = browser.evaluate(f"{code}({json.dumps(texts)}, {options})")
            predict.seconds = done["seconds"]
            return list(map(to_prediction, done["answers"]))

        return predict

    def __exit__(self, *error):
        if self.context:
            self.context.__exit__(*error)


def ask(client, texts):
    """Answer texts by requests to a service."""
    return [
        to_prediction(answer)
        for first in range(0, len(texts), REQUEST)
        for answer in client.predict(texts[first : first + REQUEST])
    ]


def to_prediction(answer):
    return SimpleNamespace(n_best=[SimpleNamespace(**one) for one in answer["n_best"]])


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
