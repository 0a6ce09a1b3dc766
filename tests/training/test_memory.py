import re

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.training.memory import explain_out_of_memory
from seq2seq_jax.utils.errors import UserError


def test_running_out_of_memory_names_keys_that_exist():
    with pytest.raises(UserError) as error, explain_out_of_memory():
        raise MemoryError
    named = re.findall(r"\b\w+(?:\.\w+)+\b|\b\w+_\w+\b|\b\w+=\w+\b", error.value.what)
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    overrides = [(key, value or "8") for key, _, value in (name.partition("=") for name in named)]
    assert len(overrides) >= 7
    resolve(config, [("batch_size", "8"), *overrides])
