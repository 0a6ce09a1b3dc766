"""A beam search as a tree on an HTML page."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.reports.html_page import finite_or_none, write_page


class Node(NamedTuple):
    """A token of one or more hypotheses.

    Attributes:
      parent: The index of its predecessor in the list of nodes; -1 for a first token.
      step: The step at which it was chosen, from 1.
      beam_index: Its index in the beam at that step, 0 for the best.
      token: The token.
      log_prob: The log probability of the hypothesis up to this token (natural logarithm).
      score: The score by which the search ranked it.
      token_log_prob: The log probability of this token given the ones before.
      last_step: The last step at which the hypothesis that ends here was in the beam.
      rank: Its rank among the results, 1 for the best; None if it is not a result.
    """

    parent: int
    step: int
    beam_index: int
    token: str
    log_prob: float
    score: float
    token_log_prob: float
    last_step: int
    rank: int | None


def write_beam_tree(
    path: str | Path,
    *,
    tokens: Sequence[Sequence[str]],
    backpointers: np.ndarray,
    log_probs: np.ndarray,
    scores: np.ndarray,
    beam_indices: Sequence[int],
    chosen: int = 0,
    source: str = "",
    title: str = "Beam search",
) -> Path:
    """Write the search of one sentence as a self-contained HTML page.

    Args:
      path: The .html file.
      tokens: As in `beam_tree`.
      backpointers: As in `beam_tree`.
      log_probs: As in `beam_tree`.
      scores: As in `beam_tree`.
      beam_indices: As in `beam_tree`.
      chosen: The index of the result that was returned, 0 for the best.
      source: The source sentence, which is shown above the tree.
      title: The title of the page.

    Returns:
      The path of the file.
    """
    values = tree_values(tokens, backpointers, log_probs, scores, beam_indices, chosen)
    return write_page(path, "beam_tree", title, {"source": source, **values})


def tree_values(
    tokens: Sequence[Sequence[str]],
    backpointers: np.ndarray,
    log_probs: np.ndarray,
    scores: np.ndarray,
    beam_indices: Sequence[int],
    chosen: int = 0,
) -> dict[str, object]:
    """Return a beam search as the script `beam_tree.js` reads it, for JSON.

    Args:
      tokens: As in `beam_tree`.
      backpointers: As in `beam_tree`.
      log_probs: As in `beam_tree`.
      scores: As in `beam_tree`.
      beam_indices: As in `beam_tree`.
      chosen: The index of the result that was returned, 0 for the best.

    Returns:
      The keys `chosen`, counted from 1, `width`, and `nodes`: the fields of each `Node`.
    """
    nodes = beam_tree(tokens, backpointers, log_probs, scores, beam_indices)
    rows = [[finite_or_none(x) if isinstance(x, float) else x for x in node] for node in nodes]
    return {"chosen": chosen + 1, "width": np.shape(backpointers)[1], "nodes": rows}


def beam_tree(
    tokens: Sequence[Sequence[str]],
    backpointers: np.ndarray,
    log_probs: np.ndarray,
    scores: np.ndarray,
    beam_indices: Sequence[int],
) -> list[Node]:
    """Join the steps of a beam search into a tree.

    A finished hypothesis, which repeats SEQUENCE_END as long as it is in the beam, is one node.

    Args:
      tokens: T lists of the K tokens that were chosen at each step.
      backpointers: [T, K] i32; for each token, the beam index that it continues.
      log_probs: [T, K] f32 of the hypotheses after each step; -inf marks an empty beam.
      scores: [T, K] f32, by which the hypotheses were ranked.
      beam_indices: The beam index of each result after the last step, best first.

    Returns:
      The nodes, parents before children.
    """
    backpointers, log_probs, scores = map(np.asarray, (backpointers, log_probs, scores))
    nodes: list[Node] = []
    at = [-1] * backpointers.shape[1]  # Beam index -> node.
    for step in range(len(backpointers)):
        before, at = at, []
        for slot, parent in enumerate(backpointers[step].tolist()):
            above = before[parent]
            if not np.isfinite(log_probs[step, slot]):
                at.append(above)
                continue
            if above >= 0 and nodes[above].token == SEQUENCE_END:
                nodes[above] = nodes[above]._replace(last_step=step + 1)
                at.append(above)
                continue
            log_prob = float(log_probs[step, slot])
            at.append(len(nodes))
            nodes.append(
                Node(
                    parent=above,
                    step=step + 1,
                    beam_index=slot,
                    token=tokens[step][slot],
                    log_prob=log_prob,
                    score=float(scores[step, slot]),
                    token_log_prob=log_prob - (nodes[above].log_prob if above >= 0 else 0.0),
                    last_step=step + 1,
                    rank=None,
                )
            )
    for rank, slot in enumerate(beam_indices, start=1):
        if at[slot] >= 0 and np.isfinite(log_probs[-1, slot]):
            nodes[at[slot]] = nodes[at[slot]]._replace(rank=rank)
    return nodes
