import numpy as np

from seq2seq_jax.reports.model_analysis import model_analysis

PARAMS = {
    "encoder": {"cell": {"kernel": np.zeros([4, 6]), "bias": np.zeros([6])}},
    "decoder": {"kernel": np.zeros([10, 7]), "scale": np.float32(1)},
}


def test_the_table_has_every_array_and_the_total_of_every_module():
    rows = [line.split() for line in model_analysis(PARAMS).splitlines()[1:]]
    assert rows == [
        ["decoder", "71", "70.3", "%"],
        ["kernel", "10", "x", "7", "70"],
        ["scale", "scalar", "1"],
        ["encoder", "30", "29.7", "%"],
        ["cell", "30", "29.7", "%"],
        ["bias", "6", "6"],
        ["kernel", "4", "x", "6", "24"],
        ["all", "parameters", "101"],
    ]
