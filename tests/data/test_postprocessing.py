import pytest

from seq2seq_jax.data.postprocessing import decode_sentencepiece, find_postprocessing, strip_bpe
from seq2seq_jax.utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("a b@@ c d@@", "a bc d@@"),
        ("Ni@@ ki@@ tin .", "Nikitin ."),
        ("@@ x", "x"),
        (" lead ", "lead"),
        ("no bpe", "no bpe"),
        ("x@@  y", "x y"),
    ],
)
def test_subwords_are_joined_as_by_google_seq2seq(text, stripped):
    assert strip_bpe(text) == stripped


@pytest.mark.parametrize(
    ("text", "decoded"),
    [("▁Hello ▁wor ld .", "Hello world."), ("▁ a b", "ab"), ("x▁y z", "x yz"), ("", "")],
)
def test_sentence_pieces_are_joined_as_by_google_seq2seq(text, decoded):
    assert decode_sentencepiece(text) == decoded


def test_functions_are_found_by_their_short_and_their_documented_names():
    assert find_postprocessing("strip_bpe") is strip_bpe
    assert find_postprocessing("seq2seq.data.postproc.decode_sentencepiece") is decode_sentencepiece
    assert find_postprocessing("")("as it is@@ ") == "as it is@@ "


@pytest.mark.parametrize("name", ["strip", "find_postprocessing", "a.b.Callable"])
def test_an_unknown_function_is_an_error_that_lists_those_there_are(name):
    with pytest.raises(UserError) as error:
        find_postprocessing(name, "metrics.BleuMetricSpec.params.postproc_fn")
    assert str(error.value) == (
        f"metrics.BleuMetricSpec.params.postproc_fn: no function {name!r}; "
        "there are decode_sentencepiece, strip_bpe"
    )
