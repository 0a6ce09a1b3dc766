from pathlib import Path

import pytest

from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.tokenized_cache import TokenizedText, tokenize_pairs
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers

WORDS = Tokenizers(DelimiterTokenizer(" "), DelimiterTokenizer(" "))


@pytest.fixture
def prepare(tmp_path):
    """Return a function that tokenizes pairs of texts."""

    def prepare(pairs, tokenizers: Tokenizers = WORDS, cache: Path = tmp_path) -> TokenizedText:
        return tokenize_pairs(map(TextPair._make, pairs), tokenizers, repr(pairs), cache)

    return prepare
