"""The compiled functions of a predictor."""

from seq2seq_jax.inference import compiled_functions
from seq2seq_jax.inference.compiled_functions import CompiledFunctions


def test_a_function_is_made_once():
    functions, made = CompiledFunctions(), []
    for _ in range(3):
        assert functions.get("a", lambda: made.append("a") or len(made)) == 1
    assert made == ["a"]


def test_the_functions_that_were_used_least_recently_are_dropped(monkeypatch):
    monkeypatch.setattr(compiled_functions, "MAX_FUNCTIONS", 2)
    functions, made = CompiledFunctions(), []

    def get(key):
        return functions.get(key, lambda: made.append(key))

    for key in "abacab":  # "b" is dropped for "c", and "c" for "b".
        get(key)
    assert made == ["a", "b", "c", "b"]
