"""The course of a beam search, as a tree to unfold in a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.reports.html_page import finite, write_page


class Node(NamedTuple):
    """A word of one or more hypotheses.

    Attributes:
      parent: its predecessor's place in the list of nodes, -1 for a first word.
      step: when it was chosen, from 1.
      slot: where in the beam it stood then, 0 the best.
      token: the word.
      log_prob: of the hypothesis up to this word; natural logarithm.
      score: what the search ranked it by.
      word_log_prob: of this word alone, given those before it.
      last_step: the last step at which the hypothesis that ends here stood in the beam.
      rank: its place among the results, 1 the best; None if it is none of them.
    """

    parent: int
    step: int
    slot: int
    token: str
    log_prob: float
    score: float
    word_log_prob: float
    last_step: int
    rank: int | None


def write_beam_tree(
    path: str | Path,
    *,
    tokens: Sequence[Sequence[str]],
    parents: np.ndarray,
    log_probs: np.ndarray,
    scores: np.ndarray,
    slots: Sequence[int],
    chosen: int = 0,
    source: str = "",
    title: str = "Beam search",
) -> Path:
    """Writes the search of one sentence as a self-contained HTML page.

    Args:
      path: the .html file.
      tokens, parents, log_probs, scores, slots: as in `beam_tree`.
      chosen: which result is the answer, 0 the best.
      source: the sentence, to be shown above the tree.
    """
    nodes = beam_tree(tokens, parents, log_probs, scores, slots)
    rows = [[finite(x) if isinstance(x, float) else x for x in node] for node in nodes]
    data = {
        "source": source,
        "chosen": chosen + 1,
        "width": np.shape(parents)[1],
        "nodes": rows,
    }
    return write_page(path, "beam_tree", title, data)


def beam_tree(
    tokens: Sequence[Sequence[str]],
    parents: np.ndarray,
    log_probs: np.ndarray,
    scores: np.ndarray,
    slots: Sequence[int],
) -> list[Node]:
    """Joins what a beam search noted at each step into a tree, parents before children.

    A finished hypothesis, which goes on standing in the beam with SEQUENCE_END upon SEQUENCE_END,
    is one node as long as it stands there.

    Args:
      tokens: T lists of K, the words chosen at each of the steps that the sentence took.
      parents: [T, K] i32, the slot before the step that each word continues.
      log_probs: [T, K] f32 of the hypotheses after the step; -inf marks an empty slot.
      scores: [T, K] f32, what they were ranked by.
      slots: the slot, after the last step, of each result, best first.
    """
    parents, log_probs, scores = map(np.asarray, (parents, log_probs, scores))
    nodes: list[Node] = []
    at = [-1] * parents.shape[1]  # slot -> node
    for step in range(len(parents)):
        before, at = at, []
        for slot, parent in enumerate(parents[step].tolist()):
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
                    slot=slot,
                    token=tokens[step][slot],
                    log_prob=log_prob,
                    score=float(scores[step, slot]),
                    word_log_prob=log_prob - (nodes[above].log_prob if above >= 0 else 0.0),
                    last_step=step + 1,
                    rank=None,
                )
            )
    for rank, slot in enumerate(slots, start=1):
        if at[slot] >= 0 and np.isfinite(log_probs[-1, slot]):
            nodes[at[slot]] = nodes[at[slot]]._replace(rank=rank)
    return nodes
