"""Encoder-decoder models with recurrent networks, in JAX and Flax.

Legend of the shapes in every docstring:

  B  sentences in a batch            K  hypotheses in a beam
  S  source positions (padded)       T  target positions (padded)
  E  width of an embedding           H  width of an encoder's output
  D  width of a decoder's output     A  width of the attention
  V  target vocabulary, with UNK, SEQUENCE_START and SEQUENCE_END

Batch comes first (`[B, S, E]`) everywhere but inside a scan over time.
"""

__version__ = "0.1.0"
