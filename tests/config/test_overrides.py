"""Overrides on the command line and the types of their values."""

import pytest

from seq2seq_jax.config import default_config, resolve, split_overrides
from seq2seq_jax.utils.errors import UserError

TRAIN, DEV = "input_pipeline_train.params", "input_pipeline_dev.params"


def resolved(*overrides, model="AttentionSeq2Seq"):
    config = default_config(model)
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    return resolve(config, overrides)


def error(*overrides):
    with pytest.raises(UserError) as raised:
        resolved(*overrides)
    return str(raised.value)


def test_overrides_are_taken_off_the_command_line_in_both_spellings():
    overrides, rest = split_overrides(
        [
            "--config=configs/basic.py",
            "--config.encoder.class=A",
            "--workdir",
            "w",
            "--config.a.b",
            "-1",
            "--config.delimiter=",
            "--config.files=a=b",
        ]
    )

    assert overrides == [
        ("encoder.class", "A"),
        ("a.b", "-1"),
        ("delimiter", ""),
        ("files", "a=b"),
    ]
    assert rest == ["--config=configs/basic.py", "--workdir", "w"]


@pytest.mark.parametrize("argv", [["--config.seed"], ["--config.seed", "--mode=eval"]])
def test_an_override_without_a_value_is_an_error(argv):
    with pytest.raises(UserError, match=r"^seed: has no value; write --config.seed=VALUE$"):
        split_overrides(argv)


def test_the_later_of_two_overrides_counts():
    assert resolved(("seed", "1"), ("seed", "2")).seed == 2


@pytest.mark.parametrize(
    ("text", "value"), [("False", False), ("true", True), ("0", False), ("yes", True)]
)
def test_truth_values(text, value):
    assert resolved(("source.reverse", text)).source.reverse is value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("1e3", 1000), (str(2**60 + 1), 2**60 + 1)])
def test_whole_numbers(text, value):
    seed = resolved(("seed", text)).seed
    assert seed == value and type(seed) is int


def test_a_whole_number_will_do_for_a_number():
    rate = resolved(("optimizer.learning_rate", "1")).optimizer.learning_rate
    assert rate == 1.0 and type(rate) is float


def test_numbers_as_text_stay_text():
    assert resolved(("vocab_source", "2017")).vocab_source == "2017"


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("batch_size", "many", 'must be a whole number, 1 to 65536; got "many"'),
        ("batch_size", "1.5", "must be a whole number, 1 to 65536; got 1.5"),
        ("batch_size", "0", "must be a whole number, 1 to 65536; got 0"),
        (
            "optimizer.learning_rate",
            "fast",
            'must be a number, above 0 and at most 1000; got "fast"',
        ),
        ("optimizer.learning_rate", "nan", "must be a number, above 0 and at most 1000; got nan"),
        ("optimizer.learning_rate", "-1", "must be a number, above 0 and at most 1000; got -1"),
        ("source.reverse", "maybe", 'must be true or false; got "maybe"'),
        (
            "encoder.params.rnn_cell.dropout_input_keep_prob",
            "1.5",
            "must be a number, 0.001 to 1; got 1.5",
        ),
        (
            "encoder.params.rnn_cell.residual_combiner",
            "meen",
            'must be one of: add, concat, mean; got "meen", did you mean mean?',
        ),
        (
            "buckets",
            "20,10",
            "must be text, ascending lengths with commas between them, as in 10,20,30 or"
            ' 10x12,20x24; got "20,10"',
        ),
        ("optimizer.params.b1", "1", "must be a number, at least 0 and below 1; got 1"),
        ("best_metric", "", 'must be text, not empty; got ""'),
    ],
)
def test_a_wrong_value_is_reported_with_its_key_and_rule(key, text, message):
    assert error((key, text)) == f"{key}: {message}"


def test_an_unknown_key_names_the_nearest_then_all():
    assert error(("encoder.params.rnn_cell.num_layer", "2")) == (
        "encoder.params.rnn_cell.num_layer: unknown key num_layer, did you mean num_layers? valid: "
        "cell_class, cell_params, dropout_input_keep_prob, dropout_output_keep_prob, "
        "variational_dropout, num_layers, residual_connections, residual_combiner, residual_dense"
    )


def test_an_unknown_group_is_reported_at_its_own_part():
    assert error(("enkoder.params.init_scale", "2")).startswith(
        "enkoder.params.init_scale: unknown key enkoder, did you mean encoder? valid: model, "
    )


def test_a_key_without_its_group_is_found():
    assert error(("learning_rate", "2")).startswith(
        "learning_rate: unknown key learning_rate, did you mean optimizer.learning_rate? valid: "
    )


def test_a_group_is_no_key():
    assert error(("encoder", "X")) == "encoder: is a group; set one of its keys: class, params"


def test_nothing_is_below_a_value():
    assert error(("seed.x", "1")) == "seed.x: unknown key: nothing is below seed"


def test_a_key_of_a_class_without_keys():
    assert error(("bridge.params.x", "1")) == "bridge.params.x: unknown key x; valid: none"


def test_file_lists_are_split_on_commas_only():
    config = resolved(
        (f"{TRAIN}.source_files", "/data/a, 2017,b.gz,"),
        (f"{TRAIN}.target_files", "/data/c,2018,d.gz"),
        (f"{DEV}.source_files", "e"),
        (f"{DEV}.target_files", "f"),
    )

    assert config.input_pipeline_train.params.source_files == "/data/a,2017,b.gz"
    assert config.input_pipeline_train.params.target_files == "/data/c,2018,d.gz"


def test_a_delimiter_may_be_empty():
    config = resolved((f"{TRAIN}.source_delimiter", ""))
    assert config.input_pipeline_train.params.source_delimiter == ""


def test_documented_function_names_are_shortened():
    config = resolved(
        ("bridge.params.activation_fn", "tensorflow.tanh"),
        ("metrics", "BleuMetricSpec,LogPerplexityMetricSpec"),
        ("metrics.BleuMetricSpec.params.postproc_fn", "seq2seq.data.postproc.strip_bpe"),
        model="BasicSeq2Seq",
    )

    assert config.bridge.params.activation_fn == "tanh"
    assert config.metrics.BleuMetricSpec.params.postproc_fn == "strip_bpe"
