"""The keys `transfer.*`: what a new run takes from the run that `initialize_from` names."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.schema.rules import PATTERNS, between, one_of

_Mode = Annotated[str, one_of("keep", "extend", "replace")]


@dataclass(frozen=True)
class TransferConfig:
    """What a new run takes from the run that `initialize_from` names.

    Attributes:
      take: What is taken: params; optimizer: also the state of the optimizer, which counts its
        updates, so that the run continues at the same step; all: also the position in the data,
        running sums and counters, as in resuming.
      include: Patterns of the parameters that are taken, as encoder/*.
      exclude: Patterns of parameters that are initialized randomly, although include matches them.
      weights: The parameters that are taken: evaluated takes their moving average if the run has
        one, raw the parameters themselves. The optimizer's state belongs to the raw ones.
      source_vocabulary: keep takes the vocabulary of the run, extend appends the new tokens of the
        training data or of vocab_source, replace builds or reads another one; rows of shared tokens
        are taken.
      target_vocabulary: Likewise, with vocab_target.
      subwords: keep takes the subword models of the run, replace learns or reads others.
      min_shared_tokens: Least fraction of the tokens of a replaced vocabulary that the run's
        vocabulary must contain.
    """

    take: Annotated[str, one_of("params", "optimizer", "all")] = "params"
    include: Annotated[str, PATTERNS] = "*"
    exclude: Annotated[str, PATTERNS] = ""
    weights: Annotated[str, one_of("evaluated", "raw")] = "evaluated"
    source_vocabulary: _Mode = "keep"
    target_vocabulary: _Mode = "keep"
    subwords: Annotated[str, one_of("keep", "replace")] = "keep"
    min_shared_tokens: Annotated[float, between(0, 1)] = 0.1
