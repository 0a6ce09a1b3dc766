"""Classes by name, in any order, and the parameters that come with them."""

import itertools
import logging

import pytest

from seq2seq_jax.config import default_config, import_dotted, resolve
from seq2seq_jax.utils.errors import UserError

CELL = "encoder.params.rnn_cell"


def config_of(model="AttentionSeq2Seq"):
    config = default_config(model)
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    return config


def error(config, *overrides):
    with pytest.raises(UserError) as raised:
        resolve(config, overrides)
    return str(raised.value)


def test_class_overrides_count_in_any_order():
    overrides = [
        (f"{CELL}.cell_params.use_peepholes", "true"),
        ("encoder.class", "UnidirectionalRNNEncoder"),
        (f"{CELL}.cell_class", "LSTMCell"),
        ("model", "BasicSeq2Seq"),
    ]
    results = [resolve(config_of(), order) for order in itertools.permutations(overrides)]

    assert all(result == results[0] for result in results)
    assert results[0].encoder.params.rnn_cell.cell_params.use_peepholes is True
    assert results[0].decoder["class"] == "BasicDecoder"


@pytest.mark.parametrize(
    ("key", "name", "kept"),
    [
        ("encoder.class", "seq2seq.encoders.BidirectionalRNNEncoder", "BidirectionalRNNEncoder"),
        ("bridge.class", "seq2seq.models.bridges.ZeroBridge", "ZeroBridge"),
        ("attention.class", "seq2seq.decoders.attention.AttentionLayerDot", "AttentionLayerDot"),
        ("decoder.class", "seq2seq_jax.models.decoders.AttentionDecoder", "AttentionDecoder"),
        (f"{CELL}.cell_class", "tensorflow.contrib.rnn.GRUCell", "GRUCell"),
        ("model", "seq2seq.models.AttentionSeq2Seq", "AttentionSeq2Seq"),
    ],
)
def test_documented_dotted_names_pick_our_classes(key, name, kept):
    config = resolve(config_of(), [(key, name)])

    for part in key.split("."):
        config = config[part]
    assert config == kept


def test_an_unknown_class_names_the_nearest_then_all():
    assert error(config_of(), ("encoder.class", "BidirectionalEncoder")) == (
        "encoder.class: unknown encoder BidirectionalEncoder, "
        "did you mean BidirectionalRNNEncoder? "
        "valid: UnidirectionalRNNEncoder, BidirectionalRNNEncoder, "
        "StackBidirectionalRNNEncoder, EmbeddingEncoder, LinearEncoder, "
        "PoolingEncoder, ConvEncoder, InceptionV3Encoder, "
        "or the path of a custom class"
    )


@pytest.mark.parametrize(
    ("key", "name", "start"),
    [
        ("model", "Seq", "model: unknown model Seq, did you mean"),
        ("model", "a.b.C", "model: cannot import a.b.C: ModuleNotFoundError"),
        ("encoder.class", "seq2seq.encoders.NoEncoder", "encoder.class: unknown encoder seq2seq"),
        ("optimizer.name", "Adamm", "optimizer.name: unknown optimizer Adamm, did you mean Adam?"),
        ("optimizer.name", "clip", "optimizer.name: unknown optimizer clip"),
        (
            f"{CELL}.cell_class",
            "GRU",
            f"{CELL}.cell_class: unknown cell GRU, did you mean GRUCell?",
        ),
        ("metrics", "Bleu", "metrics: unknown metric Bleu, did you mean BleuMetricSpec?"),
        ("encoder.class", "", 'encoder.class: unknown encoder ""; valid: '),
    ],
)
def test_unknown_classes_of_every_slot(key, name, start):
    assert error(config_of(), (key, name)).startswith(start)


def test_params_of_the_file_are_kept_where_the_new_class_has_them(caplog):
    config = config_of()
    config.encoder.params = {
        "rnn_cell": {
            "cell_class": "LSTMCell",
            "cell_params": {"num_units": 7, "num_proj": 3},
            "num_layers": 2,
        }
    }
    with caplog.at_level(logging.WARNING):
        result = resolve(
            config,
            [("encoder.class", "UnidirectionalRNNEncoder"), (f"{CELL}.cell_class", "GRUCell")],
        )

    cell = result.encoder.params.rnn_cell
    assert (cell.num_layers, cell.cell_params.num_units) == (2, 7)
    assert "num_proj" not in cell.cell_params
    assert caplog.messages == [
        f"dropped {CELL}.cell_params.num_proj: GRUCell has no such key",
    ]


def test_params_that_the_class_of_the_file_lacks_are_an_error():
    config = config_of()
    config.encoder.params = {"rnn_cell": {"cell_class": "GRUCell", "cell_params": {"num_proj": 3}}}

    assert error(config) == (
        f"{CELL}.cell_params.num_proj: unknown key num_proj: GRUCell has none, only LSTMCell;"
        " valid: num_units, activation"
    )


def test_a_flag_that_names_the_same_class_drops_nothing():
    config = config_of()
    config.encoder.params = {"num_layers": 3}

    name = "seq2seq.encoders.BidirectionalRNNEncoder"
    assert error(config, ("encoder.class", name)).startswith("encoder.params.num_layers: unknown")


def test_a_flag_for_a_key_that_the_new_class_lacks_is_an_error():
    overrides = [("optimizer.name", "SGD"), ("optimizer.params.momentum", "0.5")]
    assert error(config_of(), *overrides) == (
        "optimizer.params.momentum: unknown key momentum: SGD has none, only Momentum, RMSProp;"
        " valid: none"
    )


def test_defaults_of_the_old_class_do_not_stick_to_the_new(caplog):
    adam = resolve(config_of())
    rmsprop = resolve(adam, [("optimizer.name", "Adagrad")])

    assert rmsprop.optimizer.params.to_dict() == {"initial_accumulator_value": 0.1, "eps": 1e-7}
    assert not caplog.messages


def test_changing_the_model_takes_its_classes_along(caplog):
    config = config_of()
    config.encoder["class"] = "StackBidirectionalRNNEncoder"
    config.encoder.params = {"rnn_cell": {"num_layers": 2}}
    config.attention.params = {"num_units": 5}

    with caplog.at_level(logging.WARNING):
        result = resolve(config, [("model", "BasicSeq2Seq")])

    assert "attention" not in result
    assert result.encoder["class"] == "StackBidirectionalRNNEncoder"
    assert result.encoder.params.rnn_cell.num_layers == 2
    assert (result.bridge["class"], result.decoder["class"]) == (
        "InitialStateBridge",
        "BasicDecoder",
    )
    assert caplog.messages == ["dropped attention: BasicSeq2Seq has no such key"]


def test_a_class_that_does_not_exist_yet_can_be_replaced(caplog):
    config = config_of()
    config.encoder["class"] = "PoolingEncoder"
    config.encoder.params = {"pool_size": 3}

    result = resolve(config, [("encoder.class", "UnidirectionalRNNEncoder")])

    assert result.encoder.params.rnn_cell.num_layers == 1
    assert caplog.messages == [
        "dropped encoder.params.pool_size: UnidirectionalRNNEncoder has no such key"
    ]


def test_tensorflow_spellings_become_those_of_optax():
    config = config_of()
    config.optimizer.params = {"beta1": 0.8, "epsilon": 8e-7}
    result = resolve(config, [("optimizer.params.beta2", "0.98")])

    assert result.optimizer.params.to_dict() == {"b1": 0.8, "b2": 0.98, "eps": 8e-7}


def test_an_override_by_another_name_beats_the_file():
    config = config_of()
    config.optimizer.params = {"epsilon": 8e-7}

    assert resolve(config, [("optimizer.params.eps", "1e-3")]).optimizer.params.eps == 1e-3


def test_one_key_under_two_names_is_an_error():
    config = config_of()
    config.optimizer.params = {"epsilon": 8e-7, "eps": 8e-7}

    assert error(config) == ("optimizer.params.epsilon: is another name of eps; give only one")


def test_momentum_means_momentum_of_nine_tenths():
    config = resolve(config_of(), [("optimizer.name", "Momentum")])
    assert config.optimizer.params.to_dict() == {"momentum": 0.9, "nesterov": False}


def test_any_optimizer_of_optax_by_its_own_name():
    config = resolve(config_of(), [("optimizer.name", "lion"), ("optimizer.params.b2", "0.95")])

    assert (config.optimizer.params.b1, config.optimizer.params.b2) == (0.9, 0.95)
    assert "learning_rate" not in config.optimizer.params


def test_a_keyword_of_optax_that_has_no_default_can_be_set():
    overrides = [("optimizer.name", "sgd"), ("optimizer.params.momentum", "0.9")]

    assert resolve(config_of(), overrides[:1]).optimizer.params.to_dict() == {"nesterov": False}
    assert resolve(config_of(), overrides).optimizer.params.momentum == 0.9


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_encoders.py").write_text(
        "import dataclasses\n"
        "from flax import linen as nn\n"
        "class MyEncoder(nn.Module):\n"
        "    def __init__(self, width, depth=2, scale: float = 1, mode='a', sizes=None,\n"
        "                 nested={'inner': 1}, **rest): pass\n"
        "class MyModule(nn.Module):\n"
        "    inner: dict = dataclasses.field(default_factory=lambda: {'units': 4})\n"
        "NOT_CALLABLE = 3\n",
        encoding="utf-8",
    )
    (tmp_path / "my_broken.py").write_text("raise RuntimeError('two\\nlines')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own_module")
def test_a_class_of_the_user_brings_the_keywords_of_its_constructor():
    result = resolve(
        config_of(),
        [
            ("encoder.class", "my_encoders.MyEncoder"),
            ("encoder.params.depth", "5"),
            ("encoder.params.width", "9"),
            ("encoder.params.nested.inner", "3"),
            ("encoder.params.sizes", "[1, 2]"),
        ],
    )

    assert result.encoder["class"] == "my_encoders.MyEncoder"
    assert result.encoder.params.to_dict() == {
        "depth": 5,
        "scale": 1.0,
        "mode": "a",
        "nested": {"inner": 3},
        "width": 9,
        "sizes": (1, 2),
    }
    assert resolve(result) == result


@pytest.mark.usefixtures("own_module")
def test_a_module_brings_its_fields_without_those_of_flax():
    result = resolve(config_of(), [("encoder.class", "my_encoders.MyModule")])
    assert result.encoder.params.to_dict() == {"inner": {"units": 4}}


@pytest.mark.usefixtures("own_module")
def test_keywords_of_the_user_class_are_typed():
    overrides = [
        ("encoder.class", "my_encoders.MyEncoder"),
        ("encoder.params.width", "3"),
        ("encoder.params.depth", "deep"),
    ]
    assert error(config_of(), *overrides) == (
        'encoder.params.depth: must be a whole number; got "deep"'
    )


@pytest.mark.usefixtures("own_module")
def test_a_keyword_without_a_default_must_be_set():
    assert error(config_of(), ("encoder.class", "my_encoders.MyEncoder")) == (
        "encoder.params.width: has no value, and my_encoders.MyEncoder has no default for it;"
        " set it"
    )


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such.Encoder", "cannot import no_such.Encoder: ModuleNotFoundError: No module named"),
        ("my_broken.Encoder", "cannot import my_broken.Encoder: RuntimeError: two lines"),
        ("my_encoders.MyEncodr", "my_encoders has no class MyEncodr, did you mean MyEncoder?"),
        ("my_encoders.NOT_CALLABLE", "my_encoders has no class NOT_CALLABLE"),
    ],
)
def test_a_class_that_cannot_be_imported_is_reported_at_its_key(name, message):
    told = error(config_of(), ("encoder.class", name))

    assert told.startswith(f"encoder.class: {message}") and "\n" not in told


@pytest.mark.usefixtures("own_module")
def test_import_dotted_returns_the_class():
    assert import_dotted("my_encoders.MyEncoder", "encoder.class").__name__ == "MyEncoder"
