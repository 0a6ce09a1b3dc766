import os
import re

import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.devices.memory import explain_out_of_memory, tune_malloc
from seq2seq_jax.utils.errors import UserError


def test_an_out_of_memory_error_names_keys_that_exist():
    with pytest.raises(UserError) as error, explain_out_of_memory():
        raise MemoryError
    named = re.findall(r"\b\w+(?:\.\w+)+\b|\b\w+_\w+\b|\b\w+=\w+\b", error.value.what)
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train.params = {"builtin": "toy_copy"}
    config.input_pipeline_dev.params = {"builtin": "toy_copy"}
    overrides = [(key, value or "8") for key, _, value in (name.partition("=") for name in named)]
    assert len(overrides) >= 7
    resolve(config, [("batch_size", "8"), *overrides])


@pytest.mark.parametrize(
    ("variables", "restarts"),
    [
        ({}, True),
        ({"SEQ2SEQ_JAX_NO_RESTART": ""}, True),
        ({"SEQ2SEQ_JAX_NO_RESTART": "1"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}, False),
    ],
)
def test_the_interpreter_restarts_unless_it_is_told_not_to(monkeypatch, variables, restarts):
    started = []
    monkeypatch.setattr("os.execv", lambda *arguments: started.append(arguments))
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("GLIBC_TUNABLES", "SEQ2SEQ_JAX_NO_RESTART"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tune_malloc()
    assert bool(started) == restarts
    assert not restarts or "hugetlb=1" in os.environ["GLIBC_TUNABLES"]
