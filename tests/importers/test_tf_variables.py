"""The import of variables of google/seq2seq as parameters."""

import json

import numpy as np
import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.importers.tf_variables import import_model, read_variables
from seq2seq_jax.models.build import build_model
from seq2seq_jax.utils.errors import UserError

SCOPE = "model/basic_seq2seq/"


def small_model(**changes):
    config = default_config("BasicSeq2Seq")
    for key, value in changes.items():
        config[key].update(value)
    config.embedding.dim = 4
    for part in (config.encoder, config.decoder):
        part.params.update({"rnn_cell": {"cell_class": "GRUCell", "cell_params": {"num_units": 3}}})
    return build_model(resolve(config), 6, 6)


def small_variables():
    random = np.random.default_rng(0)
    shapes = {
        "encode/source_embedding/W": (6, 4),
        "decode/target_embedding/W": (6, 4),
        "encode/forward_rnn_encoder/rnn/gru_cell/gates/weights": (7, 6),
        "encode/forward_rnn_encoder/rnn/gru_cell/gates/biases": (6,),
        "encode/forward_rnn_encoder/rnn/gru_cell/candidate/weights": (7, 3),
        "encode/forward_rnn_encoder/rnn/gru_cell/candidate/biases": (3,),
        "decode/fully_connected/weights": (3, 3),
        "decode/fully_connected/biases": (3,),
        "decode/basic_decoder/decoder/gru_cell/gates/weights": (7, 6),
        "decode/basic_decoder/decoder/gru_cell/gates/biases": (6,),
        "decode/basic_decoder/decoder/gru_cell/candidate/weights": (7, 3),
        "decode/basic_decoder/decoder/gru_cell/candidate/biases": (3,),
        "decode/basic_decoder/decoder/fully_connected/weights": (3, 6),
        "decode/basic_decoder/decoder/fully_connected/biases": (6,),
    }
    return {
        SCOPE + name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def model():
    return small_model()


def test_the_matrix_of_a_cell_is_split_into_input_and_state(model):
    variables = small_variables()
    cell = import_model(model, variables)["encoder"]["forward"]["cell_0"]
    gates, candidate = (
        variables[f"{SCOPE}encode/forward_rnn_encoder/rnn/gru_cell/{name}/weights"]
        for name in ("gates", "candidate")
    )
    np.testing.assert_array_equal(cell["input"]["kernel"], np.hstack([gates, candidate])[:4])
    np.testing.assert_array_equal(cell["gates"]["kernel"], gates[4:])
    np.testing.assert_array_equal(cell["candidate"]["kernel"], candidate[4:])


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"var/{name}",
        lambda name: f"{name}:0",
        lambda name: name.removeprefix(SCOPE),
        lambda name: f"var/{name.removeprefix(SCOPE)}",
    ],
)
def test_prefixes_and_output_numbers_of_names_are_ignored(model, renamed):
    variables = small_variables()
    expected = import_model(model, variables)
    renamed_variables = {renamed(name): array for name, array in variables.items()}
    params = import_model(model, renamed_variables)
    np.testing.assert_equal(params, expected)


def test_names_without_the_prefix_var_are_ignored_if_others_have_it(model):
    variables = {f"var/{name}": array for name, array in small_variables().items()}
    import_model(model, {**variables, "in/x": np.zeros(3), "meta/class": np.array("GRUCell")})


def test_variables_that_only_training_needs_are_ignored(model):
    weights = f"{SCOPE}decode/fully_connected/weights"
    extra = ("global_step", f"{SCOPE}Variable", f"{SCOPE}OptimizeLoss/{weights}/Adam_1")
    import_model(model, {**small_variables(), **{name: np.zeros(()) for name in extra}})


def test_an_error_lists_all_missing_and_unexpected_variables(model):
    variables = small_variables()
    for name in ("encode/source_embedding/W", "decode/fully_connected/biases"):
        del variables[SCOPE + name]
    variables[f"{SCOPE}decode/attention/v_att"] = np.zeros(3)
    with pytest.raises(UserError) as error:
        import_model(model, variables, "weights.npz")
    assert str(error.value) == (
        "weights.npz: variables do not fit the model; "
        "missing: decode/fully_connected/biases, encode/source_embedding/W; "
        "unexpected: decode/attention/v_att"
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("decode/target_embedding/W", (5, 4)),
        ("encode/forward_rnn_encoder/rnn/gru_cell/gates/weights", (8, 6)),
        ("encode/forward_rnn_encoder/rnn/gru_cell/gates/weights", (2, 6)),
    ],
)
def test_a_variable_with_a_wrong_shape_is_an_error_that_names_the_shape(model, name, shape):
    variables = {**small_variables(), SCOPE + name: np.zeros(shape, np.float32)}
    with pytest.raises(UserError, match=f"{name} {shape[0]}x{shape[1]}"):
        import_model(model, variables)


def test_a_shared_embedding_is_rejected_because_there_are_two_tables():
    shared = small_model(embedding={"share": True})
    with pytest.raises(UserError, match=r"^embedding.share: .*two embedding tables"):
        import_model(shared, small_variables())


def test_the_second_table_of_a_shared_embedding_has_another_name(model):
    variables = small_variables()
    table = variables.pop(f"{SCOPE}decode/target_embedding/W")
    variables[f"{SCOPE}decode/target_embedding/source_embedding/W"] = table
    params = import_model(model, variables)
    np.testing.assert_array_equal(params["target_embedding"]["embedding"], table)


def test_a_missing_file_and_a_file_of_another_kind_are_errors(tmp_path):
    with pytest.raises(UserError, match=r"missing.npz: cannot be read .No such file"):
        read_variables(tmp_path / "missing.npz")
    other = tmp_path / "other.npz"
    other.write_text(json.dumps({"a": 1}))
    with pytest.raises(UserError, match=r"other.npz: is no usable .npz file"):
        read_variables(other)


def test_arrays_of_an_npz_file_are_read_by_name(tmp_path):
    np.savez(tmp_path / "weights.npz", **{"var/a": np.ones(2)})
    np.testing.assert_array_equal(read_variables(tmp_path / "weights.npz")["var/a"], np.ones(2))
