"""Model cards: Markdown with the front matter that model hubs read."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ml_collections import ConfigDict

from seq2seq_jax.storage.history import read_history
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError

_HUB_METRICS = {
    "bleu": "bleu",
    "chrf": "chrf",
    "sequence_error_rate": "wer",
    "token_error_rate": "cer",
    "rouge_1/f_score": "rouge",
    "perplexity": "perplexity",
}
"""Names of our metrics -> types of metrics that hubs know; others keep their names."""


@dataclasses.dataclass(frozen=True)
class CardDetails:
    """What only the author of a model knows.

    Attributes:
      title: The name of the model; empty: that of its workdir.
      languages: Codes of languages, such as "en", or "multilingual".
      license: Identifier of the license, such as "apache-2.0".
      datasets: Names of the data.
      description: Some sentences about the model.
      base_model: The model from which it was tuned, as the hub names it.
    """

    title: str = ""
    languages: Sequence[str] = ()
    license: str = ""
    datasets: Sequence[str] = ()
    description: str = ""
    base_model: str = ""

    def check(self) -> None:
        """Check the form of the fields.

        Raises:
          UserError: A language or the license is no identifier.
        """
        for language in self.languages:
            if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multilingual", language):
                what = f"must be a code such as en, deu or pt-BR, or multilingual; got {language!r}"
                raise UserError("--language", what)
        if self.license and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", self.license):
            what = "must be an identifier in lower case, such as apache-2.0 or cc-by-sa-4.0"
            raise UserError("--license", f"{what}; got {self.license!r}")


def model_card(
    workdir: Workdir, config: ConfigDict, step: int, num_parameters: int, details: CardDetails
) -> str:
    """Return the model card of a checkpoint.

    Args:
      workdir: The workdir of the run.
      config: Its resolved configuration.
      step: The step of the checkpoint.
      num_parameters: The number of parameters.
      details: What only the author knows.

    Returns:
      Markdown whose front matter has `language`, `license`, `library_name`, `pipeline_tag`, `tags`,
      `datasets`, `metrics`, `base_model` and `model-index`.

    Raises:
      UserError: A field of `details` has a wrong form, or a file of the run is damaged.
    """
    details.check()
    title = details.title or workdir.path.resolve().name
    metrics = workdir.checkpoints(config).metrics(step)
    front = _front_matter(title, config, metrics, details)
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    data = [
        f"- {name}: {described}"
        for name, key in (("training", "input_pipeline_train"), ("dev", "input_pipeline_dev"))
        if (described := _describe_data(config[key]))
    ]
    origin = [
        f"- Initialized from step {event['run_step']} of `{Path(event['run']).name}`."
        for event in read_history(workdir.path)
        if event["event"] == "initialized"
    ]
    source = config.get("source") is not None
    vocabularies = workdir.vocabularies()
    used = vocabularies.sizes[0 if source else 1 :] if vocabularies else ()
    sizes = [f"{size:,}" for size in used if size]
    settings = yaml.safe_dump(json.loads(json.dumps(config.to_dict())), allow_unicode=True)
    sections = [
        f"---\n{text}---\n\n# {title}",
        details.description or f"A model of seq2seq-jax ({config.model}).",
        "## Use\n\n```python\nfrom seq2seq_jax import Predictor\n\n"
        'predictor = Predictor.from_workdir("MODEL")  # a workdir or a packed one\n'
        'print(predictor.predict(["..."])[0].text)\n```',
        "## Scores\n\n" + _scores(metrics, step),
        "## Training data\n\n" + "\n".join([*data, *origin]),
        f"## Model\n\n- parameters: {num_parameters:,}\n- vocabulary: {' and '.join(sizes)} tokens,"
        f" special tokens included\n- license: {details.license or 'not stated'}",
        f"## Configuration\n\n```yaml\n{settings}```",
    ]
    return "\n\n".join(sections) + "\n"


def _scores(metrics: Mapping[str, float], step: int) -> str:
    if not metrics:
        return "This checkpoint was not evaluated."
    rows = [f"| {name} | {value:.4g} |" for name, value in sorted(metrics.items())]
    return "\n".join(
        [f"On the dev set, at step {step}:\n", "| metric | value |", "|---|---|", *rows]
    )


def _front_matter(
    title: str, config: ConfigDict, metrics: Mapping[str, float], details: CardDetails
) -> dict[str, Any]:
    task = "text2text-generation" if config.get("source") is not None else "image-to-text"
    types = {name: _HUB_METRICS.get(name, name) for name in sorted(metrics)}
    dataset = details.datasets[0] if details.datasets else "dev set"
    results = {
        "task": {"type": task},
        "dataset": {"name": dataset, "type": dataset},
        "metrics": [
            {"type": types[name], "name": name, "value": round(float(metrics[name]), 4)}
            for name in types
        ],
    }
    front = {
        "language": list(details.languages),
        "license": details.license,
        "library_name": "seq2seq_jax",
        "pipeline_tag": task,
        "tags": ["seq2seq", "jax", "flax", "rnn"],
        "datasets": list(details.datasets),
        "metrics": sorted(set(types.values())),
        "base_model": details.base_model,
        "model-index": [{"name": title, "results": [results]}] if metrics else [],
    }
    return {name: value for name, value in front.items() if value}


def _describe_data(pipeline: ConfigDict) -> str:
    """Return the names of files or of a corpus, without their directories."""
    values = []
    for name in ("builtin", "name", "files", "source_files", "target_files", "captions", "split"):
        value = pipeline.params.get(name)
        if isinstance(value, str) and value:
            values.append(", ".join(f"`{Path(part.strip()).name}`" for part in value.split(",")))
    return "; ".join(values)
