"""How to search: the keys `inference.*`, and the part of them that a compiled search depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from seq2seq_jax.config import import_dotted
from seq2seq_jax.schema.keys import (
    AVERAGE,
    CHECKPOINT,
    FILES,
    PROBABILITY,
    SUCCESSORS,
    above,
    at_least,
    one_of,
)
from seq2seq_jax.search.beam_search import ChooseSuccessors, choose_top_k


@dataclass(frozen=True, kw_only=True)
class BeamSearchConfig:
    """The keys `inference.beam_search.*`."""

    beam_width: Annotated[
        int, at_least(0), "Number of hypotheses that beam search keeps; 0 or 1: greedy search."
    ] = 0
    length_penalty_weight: Annotated[
        float,
        at_least(0),
        "Exponent of the length penalty ((5 + length) / 6) ** weight (arXiv:1609.08144).",
    ] = 0.0
    coverage_penalty_weight: Annotated[
        float, at_least(0), "Weight of the coverage penalty of arXiv:1609.08144; 0: no penalty."
    ] = 0.0
    diversity_groups: Annotated[
        int,
        at_least(1),
        "Number of groups of hypotheses in diverse beam search; each group avoids the tokens that"
        " the groups before it chose (arXiv:1610.02424).",
    ] = 1
    diversity_strength: Annotated[
        float,
        at_least(0),
        "Log-probability that a token loses for each hypothesis of an earlier group that chose it.",
    ] = 0.0
    choose_successors_fn: Annotated[
        str,
        SUCCESSORS,
        "Function that chooses the continuations that survive a step of beam search.",
    ] = "choose_top_k"


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """The keys `inference.sampling.*`."""

    enable: Annotated[bool, "Sample tokens instead of searching for the most likely output."] = (
        False
    )
    temperature: Annotated[
        float,
        above(0),
        "Divides the logits before sampling; below 1, likely tokens become more likely.",
    ] = 1.0
    top_k: Annotated[
        int, at_least(0), "Sample from the k most likely tokens only; 0: from all tokens."
    ] = 0
    top_p: Annotated[
        float,
        PROBABILITY,
        "Sample from the smallest set of most likely tokens that has at least this probability.",
    ] = 1.0
    seed: Annotated[int, at_least(0), "Seed of the samples."] = 0


@dataclass(frozen=True, kw_only=True)
class InferenceConfig:
    """The keys `inference.*`: what is loaded, and how outputs are found."""

    batch_size: Annotated[int, at_least(1), "Number of sources that are decoded together."] = 32
    checkpoint: Annotated[str, CHECKPOINT, "The checkpoint that evaluation and inference load."] = (
        "best"
    )
    beam_search: BeamSearchConfig = BeamSearchConfig()
    sampling: SamplingConfig = SamplingConfig()
    prefix_file: Annotated[
        str,
        "File whose line i is the prefix with which `infer` begins output i; an empty line, or no"
        " file: no prefix.",
    ] = ""
    allowed_tokens_file: Annotated[
        str,
        "File whose line i lists the tokens that `infer` may use in output i; an empty line, or no"
        " file: all tokens.",
    ] = ""
    n_best: Annotated[
        int,
        at_least(1),
        "Number of outputs for each source: the best hypotheses of the beam, or samples.",
    ] = 1
    max_decode_length: Annotated[
        int, at_least(1), "Maximum number of decoding steps, including the step of SEQUENCE_END."
    ] = 100
    min_decode_length: Annotated[
        int, at_least(0), "Minimum number of tokens before SEQUENCE_END."
    ] = 0
    forbid_unk: Annotated[bool, "Never output UNK."] = False
    no_repeat_ngram_size: Annotated[
        int, at_least(0), "No n-gram of this size occurs twice in an output; 0: no restriction."
    ] = 0
    ensemble: Annotated[
        str,
        FILES,
        "Other working directories, separated by commas, whose models form an ensemble with this"
        " one.",
    ] = ""
    ensemble_mean: Annotated[
        str,
        one_of("log", "linear"),
        "What an ensemble averages: log-probabilities (log) or probabilities (linear).",
    ] = "log"
    average_checkpoints: Annotated[
        str,
        AVERAGE,
        "Average the parameters of the last or the best K checkpoints; empty: no averaging.",
    ] = ""


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The options of a search; without any it is greedy.

    Attributes:
      max_length: most steps, the one of SEQUENCE_END included.
      min_length: fewest words, SEQUENCE_END not counted.
      forbid_unk: never choose UNK.
      no_repeat_ngram_size: so many words in a row never come twice in a sentence; 0: they may.
      return_attention: the result has the attention of every step.

      beam_width: hypotheses kept; 1 or less searches greedily.
      n_best: how many of them are wanted: the search goes on until those are certain.
      length_penalty_weight, coverage_penalty_weight: see `beam_search.length_penalty` and
        `beam_search.coverage_penalty`.
      choose_successors: which continuations survive.
      diversity_groups, diversity_strength: see `beam_search.diverse_step`.
      return_history: the result has how the beam search came about.

      sampling: draw the words.
      num_samples: sentences drawn for each source.
      temperature, top_k, top_p: see `sampling.filter_logits`.
    """

    max_length: int = 100
    min_length: int = 0
    forbid_unk: bool = False
    no_repeat_ngram_size: int = 0
    return_attention: bool = False

    beam_width: int = 0
    n_best: int = 1
    length_penalty_weight: float = 0.0
    coverage_penalty_weight: float = 0.0
    choose_successors: ChooseSuccessors = choose_top_k
    diversity_groups: int = 1
    diversity_strength: float = 0.0
    return_history: bool = False

    sampling: bool = False
    num_samples: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def search_options(inference: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the `inference` part of a resolved configuration asks for, as keywords of
    `make_decode`.

    Raises:
      UserError: the function that `choose_successors_fn` names cannot be imported.
    """
    beam, sampling = inference["beam_search"], inference["sampling"]
    common = {
        "max_length": inference["max_decode_length"],
        "min_length": inference["min_decode_length"],
        "forbid_unk": inference["forbid_unk"],
        "no_repeat_ngram_size": inference["no_repeat_ngram_size"],
        "ensemble_mean": inference["ensemble_mean"],
    }
    if sampling["enable"]:
        return common | {
            "sampling": True,
            "num_samples": inference["n_best"],
            "temperature": sampling["temperature"],
            "top_k": sampling["top_k"],
            "top_p": sampling["top_p"],
        }
    return common | {
        "beam_width": beam["beam_width"],
        "n_best": inference["n_best"],
        "length_penalty_weight": beam["length_penalty_weight"],
        "coverage_penalty_weight": beam["coverage_penalty_weight"],
        "choose_successors": _successors(beam["choose_successors_fn"]),
        "diversity_groups": beam["diversity_groups"],
        "diversity_strength": beam["diversity_strength"],
    }


def _successors(name: str) -> ChooseSuccessors:
    if name == choose_top_k.__name__:
        return choose_top_k
    return import_dotted(name, "inference.beam_search.choose_successors_fn")
