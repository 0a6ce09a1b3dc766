"""The keys `corpora.*`: how often the examples of each file are used."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.schema.rules import CORPUS_WEIGHTS


@dataclass(frozen=True)
class CorporaConfig:
    """How often the examples of each training file are used.

    Attributes:
      weights: A weight for each file of input_pipeline_train, as 1,3; an epoch contains each
        example that often, and a random part of the file for a fraction. EPOCH:WEIGHTS after a
        semicolon replaces them from that epoch on, as 1,3;5:0,1. Empty: each example once.
    """

    weights: Annotated[str, CORPUS_WEIGHTS] = ""
