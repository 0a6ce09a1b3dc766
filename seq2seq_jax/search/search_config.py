"""How to search: everything that is the same for all sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seq2seq_jax.config import import_dotted
from seq2seq_jax.search.beam_search import ChooseSuccessors, choose_top_k

__all__ = ["SearchOptions", "search_options"]


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
