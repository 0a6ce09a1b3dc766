"""A search of three steps, by hand: "a END" wins, "a c" is cut off, "b" is pruned."""

import numpy as np
import pytest

from seq2seq_jax.data.vocabulary import SEQUENCE_END as END
from seq2seq_jax.reports.beam_tree import beam_tree, write_beam_tree

HISTORY = {
    "tokens": [["a", "b"], [END, "c"], [END, "d"]],
    "backpointers": np.array([[0, 0], [0, 0], [0, 1]]),
    "log_probs": np.array([[-1.0, -2.0], [-1.5, -3.0], [-1.5, -3.25]]),
    "scores": np.array([[-1.0, -2.0], [-1.5, -2.5], [-1.5, -2.75]]),
    "beam_indices": [0, 1],
}


def test_a_finished_hypothesis_is_one_node_of_the_tree():
    a, b, end, c, d = beam_tree(**HISTORY)
    assert [node.token for node in (a, b, end, c, d)] == ["a", "b", END, "c", "d"]
    assert [node.parent for node in (a, b, end, c, d)] == [-1, -1, 0, 0, 3]
    assert [node.step for node in (a, b, end, c, d)] == [1, 1, 2, 2, 3]
    assert (end.last_step, end.rank, d.rank, b.rank) == (3, 1, 2, None)


def test_each_token_has_its_own_log_probability():
    assert [node.token_log_prob for node in beam_tree(**HISTORY)] == [-1, -2, -0.5, -2, -0.25]


def test_results_are_ranked_as_the_search_ranked_them():
    nodes = beam_tree(**HISTORY | {"beam_indices": [1, 0]})
    assert {node.token: node.rank for node in nodes if node.rank} == {"d": 1, END: 2}


def test_empty_beams_are_not_hypotheses():
    history = {
        name: np.array([[values[0][0], values[0][1]]]) if name != "beam_indices" else values
        for name, values in HISTORY.items()
    } | {"log_probs": np.array([[-1.0, -np.inf]])}
    (node,) = beam_tree(**history)
    assert (node.token, node.rank) == ("a", 1)


def test_the_page_has_every_token_and_the_returned_hypothesis(tmp_path, data_of):
    data = data_of(write_beam_tree(tmp_path / "tree.html", **HISTORY, source="x y", chosen=1))
    assert [row[3] for row in data["nodes"]] == ["a", "b", END, "c", "d"]
    assert (data["chosen"], data["width"], data["source"]) == (2, 2, "x y")
    assert data["nodes"][4][4] == pytest.approx(-3.25)
