"""From decoded tokens, joined to a text, to the text that was meant."""

from collections.abc import Callable

from seq2seq_jax.data.bpe import join_pieces
from seq2seq_jax.schema.keys import function_name
from seq2seq_jax.utils.errors import UserError

__all__ = ["decode_sentencepiece", "strip_bpe"]

# The rule of a key that names one of these functions; empty: the text stays as it is.
POSTPROCESSING = function_name("", "strip_bpe", "decode_sentencepiece")


def strip_bpe(text: str) -> str:
    """Joins subwords again: "Ni@@ ki@@ tin ." is "Nikitin ." (arXiv:1508.07909)."""
    return " ".join(join_pieces(text.split(" "))).strip()


def decode_sentencepiece(text: str) -> str:
    """Joins pieces again: "▁Hello ▁wor ld ." is "Hello world." (arXiv:1808.06226)."""
    return text.replace(" ", "").replace("▁", " ").strip()


def find_postprocessing(name: str, key: str = "postproc_fn") -> Callable[[str], str]:
    """The function of that name; "" is the text as it is.

    Args:
      name: short ("strip_bpe") or as google/seq2seq documents it
        ("seq2seq.data.postproc.strip_bpe").
      key: where the name stands in the configuration, for the error message.

    Raises:
      UserError: there is no such function.
    """
    if not name:
        return str
    short = name.rpartition(".")[2]
    if short not in __all__:
        raise UserError(key, f"no function {name!r}; there are {', '.join(__all__)}")
    function: Callable[[str], str] = globals()[short]
    return function
