import numpy as np

from seq2seq_jax.training.model_analysis import (
    Parameter,
    model_analysis,
    parameters_of,
    write_model_analysis,
)

PARAMS = {
    "encoder": {"cell": {"kernel": np.zeros([4, 6]), "bias": np.zeros([6])}},
    "decoder": {"kernel": np.zeros([10, 7]), "scale": np.float32(1)},
}


def test_every_array_is_a_row():
    assert parameters_of(PARAMS) == [
        Parameter("decoder.kernel", (10, 7), 70),
        Parameter("decoder.scale", (), 1),
        Parameter("encoder.cell.bias", (6,), 6),
        Parameter("encoder.cell.kernel", (4, 6), 24),
    ]


def test_modules_have_totals():
    rows = [line.split() for line in model_analysis(PARAMS).splitlines()]
    assert rows[1] == ["decoder", "71", "70.3", "%"]
    assert rows[3] == ["scale", "scalar", "1"]
    assert ["encoder", "30", "29.7", "%"] in rows
    assert ["cell", "30", "29.7", "%"] in rows
    assert rows[-1] == ["all", "parameters", "101"]


def test_the_table_goes_to_a_file(tmp_path):
    path = write_model_analysis(PARAMS, tmp_path / "deep" / "model.txt")
    assert path.read_text() == model_analysis(PARAMS) + "\n"
