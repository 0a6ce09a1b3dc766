"""UNK in an output, replaced by the source token that the decoder looked at."""

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq_jax.data.vocabulary import UNK


def replace_unknown(
    tokens: Sequence[str],
    source_tokens: Sequence[str],
    attention: np.ndarray,
    mapping: Mapping[str, str] | None = None,
) -> list[str]:
    """Replaces each UNK by the source token of highest attention (arXiv:1410.8206).

    Args:
      tokens: the output, T tokens.
      source_tokens: S tokens, without SEQUENCE_END, which no output is replaced by.
      attention: [T', S'], with T' >= T and S' >= S, what each token was chosen with.
      mapping: translations of source tokens, to be put instead of them where there is one.
    """
    mapping = mapping or {}
    looked_at = np.argmax(attention[: len(tokens), : len(source_tokens)], axis=-1)
    sources = [source_tokens[i] for i in looked_at]
    return [
        mapping.get(source, source) if token == UNK else token
        for token, source in zip(tokens, sources, strict=True)
    ]
