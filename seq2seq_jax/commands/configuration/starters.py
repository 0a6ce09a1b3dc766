"""The configurations that `init` writes, with comments for a first reader."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from seq2seq_jax.config import config_name
from seq2seq_jax.data.readers.table_sniffing import detect_columns, detect_features_column


def starter(
    task: str,
    output: Path,
    files: Mapping[str, str],
    *,
    image_dir: str,
    columns: tuple[str, str] = ("", ""),
    features_column: str = "",
) -> str:
    """Return the text of a configuration file.

    Args:
      task: A key of `TASKS`.
      output: The file that the text will be written to.
      files: The tables: `train`, and `dev` if there is a dev set. A row has a source and a target,
        or the name of an image and a caption.
      image_dir: The directory of the images.
      columns: The source and the target column of a table of texts; empty: detect them.
      features_column: The column of features, for inflection.

    Raises:
      UserError: A table cannot be read, or its columns are not clear.
    """
    data = []
    for split, file in files.items():
        pipeline = f"config.input_pipeline_{split}"
        if task == "captions":
            params: dict[str, object] = {"captions": file, "image_dir": image_dir}
        else:
            data.append(f'    {pipeline}["class"] = "TSVInputPipeline"')
            others = {}
            if task == "inflection":
                others = {"features_column": features_column or detect_features_column(file)}
            params = {"files": file, **_columns(file, *columns, others)}
        if task == "inflection":
            params |= {"features_delimiter": ";", "source_delimiter": "", "target_delimiter": ""}
        if task == "g2p":
            params |= {"source_delimiter": "", "target_delimiter": " "}
        lines = [f'        "{name}": {_python(value)},\n' for name, value in params.items()]
        data.append(f"    {pipeline}.params = {{\n{''.join(lines)}    }}")
    chosen = TASKS[task]
    ending = _WITH_DEV if "dev" in files else _WITHOUT_DEV
    return Template(_HEAD + chosen.body + _TRAINING + ending + "    return config\n").substitute(
        chosen._asdict(),
        task=task,
        file=_python(str(output))[1:-1],
        workdir=_python(f"runs/{config_name(output)}")[1:-1],
        input=_INPUTS.get(task, "< SOURCES.txt"),
        data="\n".join(data),
        every=chosen.steps // 2,
    )


def _columns(file: str, source: str, target: str, others: Mapping[str, str]) -> dict[str, object]:
    """Return the parameters that say which columns of a table are read."""
    columns = detect_columns(file, source, target, others)
    found = columns._asdict()
    names = ("source_column", "target_column", "header", "format")
    return {**{name: found[name] for name in names}, **columns.others}


def _python(value: object) -> str:
    """Return a value as Python source; json writes text as Python does, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


_INPUTS = {"captions": "IMAGE", "inflection": "< LEMMAS_AND_FEATURES.tsv"}

_HEAD = '''\
"""A model for $task, written by `seq2seq-jax init`.

    seq2seq-jax train --config=$file
    seq2seq-jax eval --workdir=$workdir
    seq2seq-jax infer --workdir=$workdir $input

`seq2seq-jax config --config=$file` prints all keys with their meanings. A flag such as
--config.train_steps=2000 changes a key without an edit of this file.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("$model")

    # The data. Paths are relative to the directory in which the commands run.
$data
'''

_MODEL = """
    # The model: a bidirectional encoder, and a decoder with attention to all of its outputs.
    # More units can learn more, and need more time and more data.
    config.embedding.dim = 128
    config.embedding.init_scale = 1.0
    rnn_cell = {
        "cell_class": "BasicLSTMCell",
        "cell_params": {"num_units": 128},
        "dropout_input_keep_prob": 0.8,  # 1.0: no dropout; lower: against overfitting
    }
    config.encoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 128}
    config.decoder.params = {"rnn_cell": rnn_cell, "init_scale": 0.08}
"""

_TRANSLATION = """
    # The text. Tokens are words between spaces; longer sentences are truncated. For a corpus of
    # more than about 50,000 sentences, the next two lines without `#` train subwords.
    # config.subwords.kind = "sentencepiece"
    # config.subwords.size = 8000
    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.vocab_min_frequency = 0  # 1 leaves out words that occur only once
"""

_G2P = """
    # The text. Source tokens are the characters of a word (source_delimiter is empty), target
    # tokens are the phones between spaces. Longer words are
    # truncated.
    config.source.max_seq_len = 40
    config.source.reverse = False
    config.source.lowercase = True
    config.target.max_seq_len = 40
"""

_INFLECTION = """
    # The text. Tokens are characters, because the delimiters are empty. Each row also has features
    # such as V;PST, which features_delimiter separates; their order does not matter.
    config.source.max_seq_len = 40
    config.source.reverse = False
    config.target.max_seq_len = 40

    # How the features enter the model. source: as tokens after those of the lemma; attention: the
    # decoder attends to them separately; decoder: their mean is an input of each step.
    config.features.combine = "source"
"""

_CAPTIONS = """
    # The images. Without pretrained weights, the network that reads them is initialized at random,
    # which is sufficient for drawings. Photographs need pretrained weights and more of the network:
    # block="mixed10", resize_height=resize_width=299, and weights="FILE" from
    # `seq2seq-jax fetch-weights keras`.
    config.encoder.params = {
        "block": "mixed0",
        "resize_height": 107,
        "resize_width": 107,
        "head": {"num_units": 128, "normalize": True},
    }

    # The captions. Tokens are words between spaces.
    config.target.max_seq_len = 25
    config.inference.max_decode_length = 25
    config.vocab_min_frequency = 0  # 4 leaves out words that occur at most four times

    # The model: a decoder with attention to the features of the image.
    config.embedding.dim = 64
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 64}
    config.decoder.params = {"rnn_cell": {"cell_params": {"num_units": 128}}}
"""

_TRAINING = """
    # Training. An epoch has (number of examples / batch_size) steps; train for ten epochs or more.
    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.clip_embed_gradients = 0.0
    config.batch_size = $batch_size
    config.train_steps = $steps

    # Evaluation. The metric `best_metric` of the dev set chooses the best checkpoint.
    config.metrics = ["LogPerplexityMetricSpec", "$metric"]
    config.best_metric = "$best"
"""

_WITH_DEV = """\
    config.eval_every_n_steps = $every
    # Inference searches with this many hypotheses; 0 is greedy search, which is faster.
    config.inference.beam_search.beam_width = 0
"""

_WITHOUT_DEV = """\
    config.eval_every_n_steps = 0  # Without a dev set; set input_pipeline_dev to evaluate.
"""


class _Task(NamedTuple):
    """What differs between the configurations of the tasks."""

    model: str
    body: str
    metric: str
    best: str
    batch_size: int
    steps: int


TASKS = {
    "translation": _Task(
        "AttentionSeq2Seq", _TRANSLATION + _MODEL, "BleuMetricSpec", "bleu", 64, 600
    ),
    "g2p": _Task(
        "AttentionSeq2Seq", _G2P + _MODEL, "ErrorRateMetricSpec", "sequence_error_rate", 64, 600
    ),
    "inflection": _Task(
        "AttentionSeq2Seq", _INFLECTION + _MODEL, "AccuracyMetricSpec", "sequence_accuracy", 64, 600
    ),
    "captions": _Task("Image2Seq", _CAPTIONS, "AccuracyMetricSpec", "sequence_accuracy", 50, 400),
}
