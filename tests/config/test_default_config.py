"""The documented names and defaults."""

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.config.classes import built_in_classes, class_parameters
from seq2seq_jax.config.registry import SLOTS
from seq2seq_jax.schema.keys import ClassList, ClassName, Key, check_value
from seq2seq_jax.utils.errors import UserError

BUILTIN = [
    ("input_pipeline_train.params.builtin", "toy_copy"),
    ("input_pipeline_dev.params.builtin", "toy_copy"),
]
RNN_CELL = {
    "rnn_cell.cell_class": "BasicLSTMCell",
    "rnn_cell.cell_params.num_units": 128,
    "rnn_cell.dropout_input_keep_prob": 1.0,
    "rnn_cell.dropout_output_keep_prob": 1.0,
    "rnn_cell.num_layers": 1,
    "rnn_cell.residual_connections": False,
    "rnn_cell.residual_combiner": "add",
    "rnn_cell.residual_dense": False,
    "init_scale": 0.04,
}
EVERY_MODEL = {
    "optimizer.name": "Adam",
    "optimizer.params.b1": 0.9,
    "optimizer.params.b2": 0.999,
    "optimizer.params.eps": 1e-8,
    "optimizer.learning_rate": 1e-4,
    "optimizer.lr_decay_type": "",
    "optimizer.lr_decay_steps": 100,
    "optimizer.lr_decay_rate": 0.99,
    "optimizer.lr_start_decay_at": 0,
    "optimizer.lr_stop_decay_at": 1e9,
    "optimizer.lr_min_learning_rate": 1e-12,
    "optimizer.lr_staircase": False,
    "optimizer.clip_gradients": 5.0,
    "optimizer.clip_embed_gradients": 0.1,
    "source.max_seq_len": 50,
    "source.reverse": True,
    "source.lowercase": False,
    "target.max_seq_len": 50,
    "embedding.dim": 100,
    "embedding.share": False,
    "embedding.init_scale": 0.04,
    "inference.beam_search.beam_width": 0,
    "inference.beam_search.length_penalty_weight": 0.0,
    "inference.beam_search.choose_successors_fn": "choose_top_k",
    "inference.max_decode_length": 100,
    "inference.batch_size": 32,
    "vocab_source": "",
    "vocab_target": "",
    "vocab_min_frequency": 0,
    "vocab_max_size": 0,
    "subwords.kind": "",
    "subwords.size": 8000,
    "subwords.joint": True,
    "subwords.sides": "both",
    "subwords.source_model": "",
    "subwords.target_model": "",
    "subwords.model_type": "unigram",
    "buckets": "",
    "batch_size": 16,
    "eval_every_n_steps": 1000,
    "save_checkpoints_secs": 600,
    "save_checkpoints_steps": 0,
    "keep_checkpoint_max": 5,
    "keep_checkpoint_every_n_hours": 4,
    "log_every_n_steps": 100,
    "best_metric": "log_perplexity",
    "seed": 0,
    "input_pipeline_train.class": "ParallelTextInputPipeline",
    "input_pipeline_train.params.source_files": "",
    "input_pipeline_train.params.target_files": "",
    "input_pipeline_train.params.source_delimiter": " ",
    "input_pipeline_train.params.target_delimiter": " ",
    "input_pipeline_train.params.shuffle": True,
    "input_pipeline_train.params.num_epochs": 0,
    "input_pipeline_train.params.split": "train",
    "input_pipeline_dev.class": "ParallelTextInputPipeline",
    "input_pipeline_dev.params.shuffle": False,
    "input_pipeline_dev.params.split": "dev",
    "metrics.LogPerplexityMetricSpec.class": "LogPerplexityMetricSpec",
    **{f"encoder.params.{key}": value for key, value in RNN_CELL.items()},
    **{f"decoder.params.{key}": value for key, value in RNN_CELL.items()},
    "decoder.params.max_decode_length": 0,
}
MODELS = {
    "BasicSeq2Seq": {
        "bridge.class": "InitialStateBridge",
        "bridge.params.bridge_input": "final_state",
        "bridge.params.activation_fn": "identity",
        "encoder.class": "UnidirectionalRNNEncoder",
        "decoder.class": "BasicDecoder",
    },
    "AttentionSeq2Seq": {
        "attention.class": "AttentionLayerBahdanau",
        "attention.params.num_units": 128,
        "bridge.class": "ZeroBridge",
        "encoder.class": "BidirectionalRNNEncoder",
        "decoder.class": "AttentionDecoder",
    },
}


def value(config, key):
    for part in key.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize("model", MODELS)
def test_every_documented_key_has_its_documented_default(model):
    config = resolve(default_config(model), BUILTIN)

    documented = {"model": model, **EVERY_MODEL, **MODELS[model]}
    assert {key: value(config, key) for key in documented} == documented


@pytest.mark.parametrize(
    ("slot", "name", "documented"),
    [
        ("encoder", "PoolingEncoder", {"pool_size": 5, "strides": 1, "dropout_keep_prob": 0.8}),
        ("encoder", "ConvEncoder", {"embedding_dropout_keep_prob": 0.8}),
        ("encoder", "InceptionV3Encoder", {"resize_height": 299, "resize_width": 299}),
        ("pipeline", "TFRecordInputPipeline", {"source_field": "source"}),
        (
            "pipeline",
            "ImageCaptioningInputPipeline",
            {
                "image_field": "image/data",
                "image_format": "jpg",
                "caption_ids_field": "image/caption_ids",
                "caption_tokens_field": "image/caption",
            },
        ),
        ("task", "DumpAttention", {"output_dir": "", "dump_plots": True, "dump_atts": True}),
        ("task", "DecodeText", {"delimiter": " ", "unk_replace": False, "unk_mapping": ""}),
        ("task", "DumpBeams", {"file": ""}),
        ("optimizer", "Momentum", {"momentum": 0.9, "nesterov": False}),
        ("metric", "BleuMetricSpec", {"separator": " ", "postproc_fn": ""}),
    ],
)
def test_every_documented_class_has_its_documented_defaults(slot, name, documented):
    table = class_parameters(slot, name, "")

    assert {key: table[key].default for key in documented} == documented


def test_nested_defaults_of_the_convolutional_and_pooling_encoders():
    conv = class_parameters("encoder", "ConvEncoder", "")
    pooling = class_parameters("encoder", "PoolingEncoder", "")

    assert [conv["attention_cnn"][name].default for name in ("units", "kernel_size", "layers")] == [
        512,
        3,
        15,
    ]
    assert [conv["output_cnn"][name].default for name in ("units", "kernel_size", "layers")] == [
        256,
        3,
        5,
    ]
    positions = pooling["position_embeddings"]
    assert {name: entry.default for name, entry in positions.items()} == {
        "enable": True,
        "combiner_fn": "multiply",
        "num_positions": 100,
    }


def test_image2seq_has_defaults_without_a_text_source():
    config = default_config("Image2Seq")

    assert config.encoder["class"] == "InceptionV3Encoder"
    assert "source" not in config and "vocab_source" not in config


def test_params_of_a_default_config_are_empty():
    config = default_config("AttentionSeq2Seq")

    params = [config[part].params.to_dict() for part in ("encoder", "bridge", "optimizer")]
    assert params == [{}, {}, {}]


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(
        UserError, match=r"^model: unknown model AtentionSeq2Seq, did you mean Atten"
    ):
        default_config("AtentionSeq2Seq")


def entries(table, where=""):
    for name, entry in table.items():
        if isinstance(entry, dict):
            yield from entries(entry, f"{where}{name}.")
        else:
            yield f"{where}{name}", entry


@pytest.mark.parametrize("slot", SLOTS)
def test_every_default_obeys_its_own_rule_and_has_a_meaning(slot):
    for schema in built_in_classes()[slot].values():
        for name, entry in entries(schema.parameters):
            if isinstance(entry, Key):
                assert check_value(name, entry, entry.default) == entry.default
            if isinstance(entry, Key | ClassName | ClassList):
                assert entry.meaning.endswith("."), name
                assert not entry.meaning.startswith("Keyword "), f"{name} is not documented"


def test_every_default_class_exists():
    known = built_in_classes()
    for classes in known.values():
        for schema in classes.values():
            for _, entry in entries(schema.parameters):
                if isinstance(entry, ClassName):
                    assert entry.default in known[entry.slot]
                if isinstance(entry, ClassList):
                    assert set(entry.default) <= set(known[entry.slot])
