"""A key is set if a file or a flag wrote it, even with the default's value."""

import copy
import logging
import pickle

import pytest
from ml_collections import ConfigDict

from seq2seq_jax.config import default_config, read_config, resolve, write_config
from seq2seq_jax.config.written import WrittenConfig, written_keys
from seq2seq_jax.utils.errors import UserError

RATE = "optimizer.lr_decay_rate"
POLYNOMIAL = ("optimizer.lr_decay_type", "polynomial_decay")


def error(config, *overrides):
    with pytest.raises(UserError) as raised:
        resolve(config, overrides)
    return str(raised.value)


def test_assignments_are_recorded_and_defaults_are_not():
    config = default_config("AttentionSeq2Seq")
    assert written_keys(config) == {"model"}

    config.batch_size = 16
    config.encoder.params = {"rnn_cell": {"num_layers": 1}}
    config.optimizer.update({"learning_rate": 1e-4})
    config["metrics"] = []

    assert written_keys(config) == {
        "model",
        "batch_size",
        "encoder.params.rnn_cell.num_layers",
        "optimizer.learning_rate",
        "metrics",
    }


def test_a_plain_configuration_counts_as_written_in_all_its_keys():
    assert written_keys(ConfigDict({"a": {"b": 1}, "c": 2})) == {"a.b", "c"}


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda config: pickle.loads(pickle.dumps(config)),
        lambda config: config.copy_and_resolve_references(),
    ],
    ids=["deepcopy", "pickle", "copy_and_resolve_references"],
)
def test_a_copy_keeps_the_record(copied):
    config = default_config("BasicSeq2Seq")
    config.optimizer.clip_gradients = 5.0

    assert copied(config) == config
    assert written_keys(copied(config)) == {"model", "optimizer.clip_gradients"}


def test_the_record_does_not_count_when_configurations_are_compared():
    one, other = WrittenConfig.of({"a": {"b": 1}}), ConfigDict({"a": {"b": 1}})

    assert one == other and other == one
    assert one != ConfigDict({"a": {"b": 2}})


def test_a_value_equal_to_the_default_is_refused_where_the_key_has_no_use():
    config = default_config("AttentionSeq2Seq")
    config.optimizer.lr_decay_rate = 0.99

    assert error(config, POLYNOMIAL) == (
        f"{RATE}: is 0.99, but polynomial_decay does not use it; leave it out"
    )


def test_a_list_of_the_defaults_that_is_changed_in_place_counts():
    config = default_config("AttentionSeq2Seq")
    config.metrics.append("BleuMetricSpec")

    assert set(resolve(config).metrics) == {"LogPerplexityMetricSpec", "BleuMetricSpec"}


def test_a_default_that_a_flag_writes_counts():
    overrides = [POLYNOMIAL, (RATE, "0.99")]
    assert error(default_config("AttentionSeq2Seq"), *overrides).startswith(f"{RATE}: is 0.99")


def test_a_resolved_configuration_remembers_what_was_written():
    config = resolve(default_config("AttentionSeq2Seq"), [(RATE, "0.99")])

    assert error(config, POLYNOMIAL).startswith(f"{RATE}: is 0.99")
    assert resolve(resolve(default_config("AttentionSeq2Seq"), [POLYNOMIAL])).optimizer


def test_a_stored_configuration_resolves_again(tmp_path):
    config = resolve(
        default_config("BasicSeq2Seq"),
        [POLYNOMIAL, ("encoder.class", "PoolingEncoder"), ("metrics", "BleuMetricSpec")],
    )
    write_config(config, tmp_path / "config.json")

    assert resolve(read_config(tmp_path / "config.json")) == config


@pytest.mark.parametrize(("older", "newer"), [(100, 7), (7, 100)])
def test_unequal_decode_lengths_are_an_error_even_if_one_is_the_default(older, newer):
    config = default_config("AttentionSeq2Seq")
    config.decoder.params = {"max_decode_length": older}
    config.inference.max_decode_length = newer

    assert error(config) == (
        f"decoder.params.max_decode_length: is {older}, but inference.max_decode_length is {newer};"
        " set only the latter"
    )


def test_a_flag_that_changes_the_model_keeps_the_encoder_of_the_file():
    config = default_config("AttentionSeq2Seq")
    config.encoder["class"] = "BidirectionalRNNEncoder"  # This is the default.

    result = resolve(config, [("model", "BasicSeq2Seq")])

    assert result.encoder["class"] == "BidirectionalRNNEncoder"
    unnamed = resolve(default_config("AttentionSeq2Seq"), [("model", "BasicSeq2Seq")])
    assert unnamed.encoder["class"] == "UnidirectionalRNNEncoder"


def test_a_class_of_the_file_that_the_new_model_cannot_use_is_an_error_at_its_key():
    config = default_config("AttentionSeq2Seq")
    config.decoder["class"] = "AttentionDecoder"  # This is the default.

    assert error(config, ("model", "BasicSeq2Seq")) == (
        "decoder.class: AttentionDecoder, which the configuration file names, does not go with"
        " BasicSeq2Seq; valid: BasicDecoder"
    )


@pytest.mark.parametrize(
    ("model", "key", "name", "valid"),
    [
        ("AttentionSeq2Seq", "encoder.class", "InceptionV3Encoder", "UnidirectionalRNNEncoder, "),
        ("Image2Seq", "encoder.class", "ConvEncoder", "InceptionV3Encoder"),
        (
            "Image2Seq",
            "input_pipeline_train.class",
            "TSVInputPipeline",
            "ImageCaptioningInputPipeline",
        ),
    ],
)
def test_classes_for_images_and_for_texts_are_reported_apart(model, key, name, valid):
    message = error(default_config(model), (key, name))
    assert message.startswith(f"{key}: {name} does not go with {model}; valid: {valid}")


def test_a_value_that_the_file_wrote_for_the_old_class_is_dropped_with_a_log_line(caplog):
    config = default_config("AttentionSeq2Seq")
    config.optimizer.params = {"beta1": 0.9, "eps": 1e-8}

    with caplog.at_level(logging.WARNING):
        result = resolve(config, [("optimizer.name", "RMSProp")])

    assert result.optimizer.params.eps == 1e-8
    assert caplog.messages == ["dropped optimizer.params.beta1: RMSProp has no such key"]
