"""Filling, labels, and the rules between keys."""

from pathlib import Path

import pytest
from ml_collections import ConfigDict

from seq2seq_jax.config import check_training, default_config, resolve
from seq2seq_jax.utils.errors import UserError

TRAIN, DEV = "input_pipeline_train.params", "input_pipeline_dev.params"


def config_of(model="AttentionSeq2Seq"):
    config = default_config(model)
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    return config


def error(config, *overrides):
    with pytest.raises(UserError) as raised:
        check_training(resolve(config, overrides))
    return str(raised.value)


@pytest.mark.parametrize("model", ["BasicSeq2Seq", "AttentionSeq2Seq"])
def test_resolving_twice_changes_nothing(model):
    once = resolve(
        config_of(model),
        [("decoder.params.max_decode_length", "7"), ("optimizer.params.epsilon", "1e-3")],
    )

    assert resolve(once) == once


def test_resolving_leaves_the_given_config_alone():
    config = config_of()
    before = config.to_dict()
    resolve(config, [("seed", "3"), ("metrics", "BleuMetricSpec"), ("best_metric", "bleu")])

    assert config.to_dict() == before


def test_a_config_with_little_in_it_is_filled():
    config = ConfigDict({"model": "BasicSeq2Seq", "eval_every_n_steps": 0})
    result = resolve(config, [(f"{TRAIN}.builtin", "toy_copy")])

    assert result.encoder.params.rnn_cell.cell_params.num_units == 128


def test_no_leaf_is_none():
    def leaves(group):
        for value in group.values():
            yield from leaves(value) if isinstance(value, dict) else [value]

    assert all(leaf is not None for leaf in leaves(resolve(config_of()).to_dict()))


def test_an_unknown_key_of_the_file_is_reported():
    config = config_of()
    config.batchsize = 3

    assert error(config).startswith("batchsize: unknown key batchsize, did you mean batch_size?")


@pytest.mark.parametrize(
    ("value", "shown"), [("x", '"x"'), (None, "None"), (True, "True"), ([1], "[1]")]
)
def test_a_wrong_type_in_the_file_is_reported(value, shown):
    config = config_of()
    config.batch_size = value

    assert error(config) == f"batch_size: must be a whole number, 1 to 65536; got {shown}"


def test_a_value_in_place_of_a_group_is_reported():
    config = config_of()
    config.source = 3

    keys = "max_seq_len, reverse, lowercase, normalization, grapheme_clusters"
    assert error(config) == f"source: must hold keys: {keys}; got 3"


def test_a_class_name_that_is_no_text_is_reported():
    config = config_of()
    config.encoder["class"] = 3

    assert error(config) == "encoder.class: must be the name of a class; got 3"


def test_file_lists_of_a_file_become_text():
    config = config_of()
    config.input_pipeline_train.params = {"source_files": ["a", "b"], "target_files": ("c", "d")}
    config.eval_every_n_steps = 0
    params = resolve(config).input_pipeline_train.params

    assert (params.source_files, params.target_files) == ("a,b", "c,d")


def test_buckets_of_a_file_may_be_a_list():
    config = config_of()
    config.buckets = [10, 20]

    assert resolve(config).buckets == "10,20"


# Metrics, hooks, tasks


def test_metrics_get_labels_and_params():
    config = config_of()
    config.metrics = [
        "LogPerplexityMetricSpec",
        "RougeMetricSpec",
        {"class": "RougeMetricSpec", "params": {"rouge_type": "rouge_l/f_score"}},
    ]
    metrics = resolve(config).metrics

    assert list(metrics) == ["LogPerplexityMetricSpec", "RougeMetricSpec", "RougeMetricSpec_2"]
    assert metrics.RougeMetricSpec.params.to_dict() == {
        "separator": " ",
        "postproc_fn": "",
        "rouge_type": "rouge_1/f_score",
    }
    assert metrics.RougeMetricSpec_2.params.rouge_type == "rouge_l/f_score"


def test_one_leaf_of_one_metric_can_be_set():
    overrides = [
        ("metrics.RougeMetricSpec.params.rouge_type", "rouge_2/r_score"),
        ("metrics", "RougeMetricSpec, LogPerplexityMetricSpec"),
    ]
    metrics = resolve(config_of(), overrides).metrics

    assert metrics.RougeMetricSpec.params.rouge_type == "rouge_2/r_score"


def test_all_metrics_can_be_replaced_in_a_resolved_config():
    once = resolve(config_of(), [("metrics", "BleuMetricSpec,LogPerplexityMetricSpec")])
    twice = resolve(once, [("metrics", "AccuracyMetricSpec"), ("best_metric", "token_accuracy")])

    assert list(twice.metrics) == ["AccuracyMetricSpec"]


def test_metrics_can_be_none_at_all():
    assert resolve(config_of(), [("metrics", "")]).metrics.to_dict() == {}


def test_an_override_of_a_metric_that_is_not_there_is_reported():
    assert error(config_of(), ("metrics.BleuMetricSpec.params.separator", "")) == (
        "metrics.BleuMetricSpec.params.separator: unknown key BleuMetricSpec, "
        "did you mean LogPerplexityMetricSpec? valid: LogPerplexityMetricSpec"
    )


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (3, "metrics: must be a list of class names; got 3"),
        ([3], 'metrics: must hold class names or {"class": ..., "params": ...}; got 3'),
        (
            [{"params": {}}],
            'metrics: must hold class names or {"class": ..., "params": ...}; got {\'params\': {}}',
        ),
    ],
)
def test_metrics_of_a_wrong_form_are_reported(metrics, message):
    config = config_of()
    config.metrics = metrics

    assert error(config) == message


# Rules between keys


def test_no_training_data_at_all():
    assert error(default_config("BasicSeq2Seq")) == (
        f"{TRAIN}.source_files: is empty; use source_files and target_files, or builtin, one of: "
        "toy_copy, toy_reverse, cmudict"
    )


FILES = [(f"{TRAIN}.source_files", "a"), (f"{TRAIN}.target_files", "b")]


def test_training_files_ask_for_dev_files_although_there_is_a_built_in_corpus():
    assert error(config_of(), *FILES) == (
        f"{DEV}.source_files: is empty; use the files of a dev set or, to train without one, "
        "eval_every_n_steps=0 or the flag --no-dev"
    )


def test_a_table_to_train_on_asks_for_a_dev_set_before_it_is_read():
    train = {"class": "TSVInputPipeline", "params": {"files": "a.tsv"}}
    config = default_config("BasicSeq2Seq")
    config.input_pipeline_train = train
    config.input_pipeline_dev = {"class": "TSVInputPipeline"}
    assert error(config).startswith(f"{DEV}.files: is empty; use the files of a dev set or, ")


def test_other_delimiters_of_the_dev_set_have_no_effect_and_a_warning(caplog):
    check_training(resolve(config_of()))
    assert not caplog.messages
    files = [
        (f"{part}.{side}_files", "a") for part in (TRAIN, DEV) for side in ("source", "target")
    ]
    check_training(resolve(config_of(), [*files, (f"{DEV}.source_delimiter", "|")]))
    assert caplog.messages == [
        f"{DEV}.source_delimiter has no effect: the dev set is split as the training data are"
    ]


@pytest.mark.parametrize(
    "value", [Path("part,1.de"), [Path("part,1.de")], ["part,1.de"], ("part,1.de",)]
)
def test_files_are_paths_or_elements_of_a_list_with_commas_or_without(value):
    config = default_config("BasicSeq2Seq")
    config.input_pipeline_train.params = {"source_files": value, "target_files": value}
    config.vocab_source = Path("vocab")
    result = resolve(config)
    assert result.input_pipeline_train.params.source_files == r"part\,1.de"
    assert resolve(result) == result
    assert result.vocab_source == "vocab"
    flags = [(f"{TRAIN}.source_files", r"a, part\,1.de ,b")]
    assert resolve(config, flags).input_pipeline_train.params.source_files == r"a,part\,1.de,b"


def test_elements_of_a_list_of_files_are_text():
    config = default_config("BasicSeq2Seq")
    config.input_pipeline_train.params = {"source_files": ["a", None]}
    assert error(config).startswith(f"{TRAIN}.source_files: must be text, file names with commas")


def test_without_evaluation_no_dev_files_are_needed():
    result = resolve(default_config("BasicSeq2Seq"), [*FILES, ("eval_every_n_steps", "0")])
    assert result.input_pipeline_train.params.source_files == "a"


def test_dev_files_go_with_a_built_in_training_corpus():
    overrides = [(f"{DEV}.source_files", "a"), (f"{DEV}.target_files", "b")]
    assert resolve(config_of(), overrides).input_pipeline_dev.params.target_files == "b"


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ("a,b", "c", "target_files: must be as many as source_files, which are 2; got 1"),
        ("a", "", "target_files: must be as many as source_files, which are 1; got 0"),
        ("", "c", "source_files: must be as many as target_files, which are 1; got 0"),
    ],
)
@pytest.mark.parametrize("pipeline", [TRAIN, DEV])
def test_as_many_target_files_as_source_files(pipeline, sources, targets, message):
    overrides = [(f"{pipeline}.source_files", sources), (f"{pipeline}.target_files", targets)]
    assert error(config_of(), *overrides) == f"{pipeline}.{message}"


def test_the_older_spelling_of_the_decode_length_is_used():
    result = resolve(config_of(), [("decoder.params.max_decode_length", "7")])

    assert result.inference.max_decode_length == 7
    again = resolve(result, [("inference.max_decode_length", "9")])
    assert again.inference.max_decode_length == 9


def test_two_unequal_decode_lengths_are_an_error():
    overrides = [("decoder.params.max_decode_length", "7"), ("inference.max_decode_length", "8")]
    assert error(config_of(), *overrides) == (
        "decoder.params.max_decode_length: is 7, but inference.max_decode_length is 8; "
        "set only the latter"
    )


@pytest.mark.parametrize(
    ("model", "decoder", "fitting"),
    [
        ("BasicSeq2Seq", "AttentionDecoder", "BasicDecoder"),
        ("AttentionSeq2Seq", "BasicDecoder", "AttentionDecoder"),
    ],
)
def test_the_decoder_goes_with_the_model(model, decoder, fitting):
    assert error(config_of(model), ("decoder.class", decoder)) == (
        f"decoder.class: {decoder} does not go with {model}; valid: {fitting}"
    )


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_dense_residuals_need_residual_connections(part):
    key = f"{part}.params.rnn_cell.residual_dense"

    assert error(config_of(), (key, "true")) == (
        f"{key}: is true, which needs residual_connections to be true as well"
    )
    resolve(config_of(), [(key, "1"), (f"{part}.params.rnn_cell.residual_connections", "1")])


@pytest.mark.parametrize("side", ["source", "target"])
def test_subwords_need_words_and_their_files_need_subwords(side):
    delimiter = f"input_pipeline_train.params.{side}_delimiter"
    bpe, other = ("subwords.kind", "bpe"), {"source": "target", "target": "source"}[side]

    assert error(config_of(), bpe, (delimiter, "")).startswith(
        f'{delimiter}: is empty, which makes every character a token, but subwords.kind is "bpe"'
    )
    resolve(config_of(), [bpe, ("subwords.sides", other), (delimiter, "")])
    file = (f"subwords.{side}_model", "file")
    assert error(config_of(), file) == (
        f"subwords.{side}_model: is given, but subwords.kind is empty; change either"
    )
    assert error(config_of(), bpe, ("subwords.sides", other), file) == (
        f'subwords.{side}_model: is given, but subwords.sides is "{other}"; change either'
    )


@pytest.mark.parametrize("decay", ["polynomial_decay", "cosine_decay"])
@pytest.mark.parametrize(
    ("key", "text"),
    [("lr_decay_rate", "0.5"), ("lr_decay_rate", "0.99"), ("lr_staircase", "False")],
)
def test_decays_without_a_rate_refuse_one_that_is_written(decay, key, text):
    overrides = [("optimizer.lr_decay_type", decay), (f"optimizer.{key}", text)]
    assert error(config_of(), *overrides) == (
        f"optimizer.{key}: is {text}, but {decay} does not use it; leave it out"
    )
    resolve(config_of(), overrides[:1])


@pytest.mark.parametrize(("older", "newer"), [("2", "100"), ("100", "2")])
def test_both_spellings_of_the_decode_length_must_agree_even_where_one_is_the_default(older, newer):
    flags = [
        ("decoder.params.max_decode_length", older),
        ("inference.max_decode_length", newer),
    ]
    assert error(config_of(), *flags) == (
        f"decoder.params.max_decode_length: is {older}, but inference.max_decode_length is {newer};"
        " set only the latter"
    )


def test_a_beam_width_of_one_or_less_is_greedy_search():
    for width in ("-1", "0", "1"):
        assert resolve(config_of(), [("inference.beam_search.beam_width", width)])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "inference.beam_width",
            "unknown key beam_width, did you mean inference.beam_search.beam_width? ",
        ),
        (
            "attention.class",
            "unknown key attention: BasicSeq2Seq has none, only AttentionSeq2Seq, Image2Seq; ",
        ),
    ],
)
def test_an_unknown_key_names_where_it_is_known(key, message):
    line = error(default_config("BasicSeq2Seq"), (key, "5"))
    assert line.startswith(f"{key}: {message}")


def test_decay_does_not_stop_before_it_starts():
    overrides = [("optimizer.lr_start_decay_at", "9"), ("optimizer.lr_stop_decay_at", "8")]
    resolve(config_of(), overrides)  # without a decay, neither is used
    overrides.append(("optimizer.lr_decay_type", "cosine_decay"))
    assert error(config_of(), *overrides) == (
        "optimizer.lr_stop_decay_at: must be at least lr_start_decay_at, which is 9; got 8"
    )


def test_the_least_learning_rate_is_no_higher_than_the_first():
    decay = ("optimizer.lr_decay_type", "cosine_decay")
    assert error(config_of(), decay, ("optimizer.lr_min_learning_rate", "1")) == (
        "optimizer.lr_min_learning_rate: must be at most learning_rate, which is 0.0001; got 1.0"
    )


def test_training_wants_the_best_metric_to_be_one_of_those_measured():
    config = resolve(config_of(), [("metrics", "BleuMetricSpec,ErrorRateMetricSpec")])
    with pytest.raises(UserError) as raised:
        check_training(config)

    assert str(raised.value) == (
        "best_metric: must be a result of metrics, one of: bleu, token_error_rate, "
        'sequence_error_rate; got "log_perplexity"'
    )


def test_without_evaluation_the_best_metric_does_not_matter():
    overrides = [("metrics", "BleuMetricSpec"), ("eval_every_n_steps", "0")]
    check_training(resolve(config_of(), overrides))
