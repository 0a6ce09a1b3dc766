"""The reference kernels train, evaluate and decode every documented model as the fast ones do."""

import jax
import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.storage.metrics_log import read_metrics

UNITS = {"decoder.params.rnn_cell.cell_params.num_units": 6, "embedding.dim": 6}
RECURRENT = UNITS | {"encoder.params.rnn_cell.cell_params.num_units": 6}
CONVOLUTIONAL = UNITS | {
    f"encoder.params.{stack}_cnn.{key}": 6 - 4 * (key == "layers")
    for stack in ("attention", "output")
    for key in ("units", "layers")
}
DROPOUT = {"encoder.params.rnn_cell.dropout_input_keep_prob": 0.8}

SHORT = {
    "input_pipeline_train.params.builtin": "toy_copy",
    "input_pipeline_dev.params.builtin": "toy_copy",
    "train_steps": 3,
    "log_every_n_steps": 1,
    "eval_every_n_steps": 3,
    "batch_size": 8,
    "inference.max_decode_length": 5,
}

MODELS = {
    "basic": ("BasicSeq2Seq", RECURRENT),
    "unidirectional": (
        "AttentionSeq2Seq",
        RECURRENT | {"encoder.class": "UnidirectionalRNNEncoder"},
    ),
    "bidirectional, dot": (
        "AttentionSeq2Seq",
        RECURRENT | DROPOUT | {"attention.class": "AttentionLayerDot"},
    ),
    "stacked bidirectional": (
        "AttentionSeq2Seq",
        RECURRENT
        | {"encoder.class": "StackBidirectionalRNNEncoder"}
        | {"encoder.params.rnn_cell.num_layers": 2},
    ),
    "pooling": ("AttentionSeq2Seq", UNITS | {"encoder.class": "PoolingEncoder"}),
    "convolutional": ("AttentionSeq2Seq", CONVOLUTIONAL | {"encoder.class": "ConvEncoder"}),
    **{
        cell: (
            "AttentionSeq2Seq",
            RECURRENT
            | {"decoder.params.rnn_cell.cell_class": cell, "bridge.class": "InitialStateBridge"},
        )
        for cell in ("LSTMCell", "LayerNormBasicLSTMCell", "GRUCell", "BasicRNNCell")
    },
}


@pytest.fixture(autouse=True)
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def train_eval_infer(folder, kernels, overrides, capsys):
    """Return the losses of training, the log perplexity of the dev set, and the outputs."""
    flags = [f"--config.{key}={value}" for key, value in overrides.items()]
    run = f"--workdir={folder / kernels}"
    flags.append(f"--config.kernels={kernels}")
    assert main(["train", f"--config={folder / 'config.py'}", run, *flags]) == 0
    beam = "--config.inference.beam_search.beam_width=3"
    capsys.readouterr()
    assert main(["eval", run, beam]) == 0
    metrics = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert main(["infer", run, beam, f"--input={folder / 'sources.txt'}"]) == 0
    outputs = capsys.readouterr().out
    losses = [line["train/loss"] for line in read_metrics(folder / kernels) if "train/loss" in line]
    return losses, float(metrics["log_perplexity"]), outputs


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_reference_kernels_do_what_fast_ones_do(name, tmp_path, capsys):
    model, overrides = MODELS[name]
    if model == "AttentionSeq2Seq":
        overrides = overrides | {"attention.params.num_units": 6}
    (tmp_path / "config.py").write_text(
        "from seq2seq_jax.config import default_config\n"
        f"def get_config():\n    return default_config({model!r})\n"
    )
    (tmp_path / "sources.txt").write_text("3 1 2\n5\n", encoding="utf-8")
    fast, reference = (
        train_eval_infer(tmp_path, kernels, SHORT | overrides, capsys)
        for kernels in ("fast", "reference")
    )
    assert len(fast[0]) == 3
    np.testing.assert_allclose(fast[0], reference[0], rtol=1e-4)
    assert fast[1] == pytest.approx(reference[1], abs=2e-4)
    assert fast[2] == reference[2]
