"""What google/seq2seq computed, we compute: file by file of arrays that came from running it.

`--golden-dir DIR` walks another directory of such files. A file is compared, or it is of a class
that `NOT_COMPARED` names with its reason; sizes and settings are those of the file.
"""

import re

import pytest

from seq2seq_jax.ops.kernels import KERNELS, use_kernels
from tests.golden_cases import decoding, functions, images, recurrent, trained, training
from tests.golden_cases.golden_file import GoldenFile

# By a pattern of what the file says it is.
COMPARISONS = (
    (r"rnn cell one step: ", recurrent.compare_cell),
    (r"\w+Encoder$", recurrent.compare_encoder),
    (r"InceptionV3Encoder ", images.compare_image_encoder),
    (r"pooling_encoder\.position_encoding$", recurrent.compare_position_encoding),
    (r"AttentionLayer\w+$", recurrent.compare_attention),
    (r"\w+Bridge$", recurrent.compare_bridge),
    (r"\w+Decoder$", decoding.compare_decoder),
    (r"\w+Seq2Seq (greedy|beam) ", decoding.compare_inference),
    (r"\w+Seq2Seq loss\+gradients", training.compare_model),
    (r"\w+Seq2Seq \d+ training steps", training.compare_trajectory),
    (r"trained ", trained.compare_trained),
    (r"inference\.beam_search\.length_penalty", functions.compare_beam_functions),
    (r"beam_search_step ", functions.compare_beam_step),
    (r"losses\.", functions.compare_losses),
    (r"training\.utils\.create_learning_rate_decay_fn", functions.compare_schedule),
    (r"training\.utils\.create_input_fn", functions.compare_pipeline),
    (r"metrics: ", functions.compare_bleu),
    (r"data\.vocab$", functions.compare_vocabulary),
    (r"data\.SplitTokensDecoder", functions.compare_splitting),
    (r"data\.postproc$", functions.compare_postprocessing),
    (r"tasks\.decode_text\._unk_replace", functions.compare_unk_replacement),
)


def _setting(hparams, key):
    """The value at a dotted key, None where there is none."""
    params = hparams.get("params", hparams)
    if key in params:
        return params[key]
    for name in key.split("."):
        params = params.get(name, {}) if isinstance(params, dict) else {}
    return params or None


# A pattern of what the file says it is, what its hyperparameters have to fulfil, and the reason.
NOT_COMPARED = (
    (
        r"rnn cell one step: (CoupledInputForgetGateLSTMCell|GRUBlockCell|LSTMBlockCell)$",
        lambda hparams: True,
        "not among our cells; the Block cells are kernels of GRUCell and BasicLSTMCell",
    ),
    (
        r"StackBidirectionalRNNEncoder$",
        lambda hparams: (
            _setting(hparams, "rnn_cell.residual_connections")
            and _setting(hparams, "rnn_cell.num_layers") > 1
        ),
        "the original builds no residual connections here, although they are requested; we do",
    ),
    (
        r"\w+Seq2Seq \d+ training steps",
        lambda hparams: _setting(hparams, "optimizer.name") == "Ftrl",
        "not among our optimizers",
    ),
    (
        r"\w+Seq2Seq \d+ training steps",
        lambda hparams: _setting(hparams, "optimizer.lr_decay_type"),
        "the original's decay never reaches its optimizer; ours does",
    ),
)


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        directory = metafunc.config.getoption("--golden-dir")
        if not directory.is_dir():
            raise pytest.UsageError(f"--golden-dir {directory}: no such directory")
        files = sorted(directory.glob("*.npz"))
        metafunc.parametrize("path", files, ids=[file.stem for file in files])


@pytest.mark.parametrize("kernels", KERNELS)
def test_google_seq2seq_computes_the_same(path, kernels, record_property):
    golden = GoldenFile(path)
    for pattern, applies, reason in NOT_COMPARED:
        if re.match(pattern, golden.kind) and applies(golden.hparams):
            pytest.skip(f"not compared: {reason}")
    for pattern, compare in COMPARISONS:
        if re.match(pattern, golden.kind):
            with use_kernels(kernels):
                compare(golden)
            record_property("golden", (compare.__name__, golden.largest_difference))
            return
    pytest.fail(f"neither compared nor given a reason: {golden.kind}")
