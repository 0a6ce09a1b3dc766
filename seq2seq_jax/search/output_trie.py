"""A list of outputs as a trie of arrays, so that a compiled search can stay on the list."""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int, Int32

from seq2seq_jax.search.constraints import Constraint, Forbidden, Prefix


class OutputTrie(struct.PyTreeNode):
    """M outputs as a trie of N nodes, in 8 N bytes.

    The nodes are numbered level by level from the root, which is node 0. The children of a node
    follow one another and are sorted by their tokens. An output ends at a leaf with the token
    SEQUENCE_END.

    Attributes:
      tokens: [N], the token that leads to each node; -1 for the root.
      first_child: [N + 1], the children of node n are `first_child[n]` to `first_child[n + 1] - 1`.
      max_children: The largest number of children of a node.
    """

    tokens: Int32[Array | np.ndarray, " N"]
    first_child: Int32[Array | np.ndarray, " N+1"]
    max_children: int = struct.field(pytree_node=False)

    def advance(self, nodes: Int[Array, "*b"], tokens: Int[Array, "*b"]) -> Int[Array, "*b"]:
        """Follow one token from each node.

        Args:
          nodes: The nodes.
          tokens: The next tokens.

        Returns:
          The children to which the tokens lead. A node that has no such child stays as it is.
        """
        children = self._children(nodes)
        is_next = jnp.asarray(self.tokens)[children] == tokens[..., None]
        found = jnp.max(jnp.where(is_next, children, 0), axis=-1)
        return jnp.where(found > 0, found, nodes)

    def next_tokens(self, nodes: Int[Array, "*b"], no_token: int) -> Int[Array, "*b F"]:
        """Return the tokens that may follow each node.

        Args:
          nodes: The nodes.
          no_token: What fills the rows of nodes with fewer than F = `max_children` children.
        """
        tokens = jnp.asarray(self.tokens)[self._children(nodes)]
        return jnp.where(tokens < 0, no_token, tokens)

    def find(self, ids: Iterable[int]) -> int | None:
        """Return the node to which some tokens lead, outside of a compiled function.

        Args:
          ids: The tokens.

        Returns:
          The node; None if no output begins with these tokens.
        """
        node = 0
        for token in ids:
            first, end = self.first_child[node], self.first_child[node + 1]
            child = int(first + np.searchsorted(self.tokens[first:end], token))
            if child == end or self.tokens[child] != token:
                return None
            node = child
        return node

    def _children(self, nodes: Array) -> Array:
        """Return [..., F], the children of each node, padded by the root."""
        first_child = jnp.asarray(self.first_child)
        first = first_child[nodes]
        offsets = jnp.arange(self.max_children)
        exists = offsets < (first_child[nodes + 1] - first)[..., None]
        return jnp.where(exists, first[..., None] + offsets, 0)


def build_output_trie(outputs: Iterable[Sequence[int]], eos_id: int) -> OutputTrie:
    """Build the trie of a list of outputs.

    Args:
      outputs: The ids of each output, without SEQUENCE_END, at least one output; equal outputs
        count once.
      eos_id: SEQUENCE_END.

    Returns:
      The trie, as NumPy arrays.

    Example:
      >>> trie = build_output_trie([[5, 6], [5]], eos_id=9)
      >>> trie.tokens.tolist(), trie.first_child.tolist()
      ([-1, 5, 6, 9, 9], [1, 2, 4, 5, 5, 5])
    """
    # Big-endian bytes have the order of the ids, and need less memory than lists.
    rows = sorted({np.array([*ids, eos_id], ">i4").tobytes() for ids in outputs})
    lengths = np.array([len(row) // 4 for row in rows])
    starts = np.cumsum(lengths) - lengths
    ids = np.frombuffer(b"".join(rows), ">i4").astype(np.int32)
    nodes = np.zeros(len(rows), np.int64)  # of each output, at the current level
    tokens, parents = [np.array([-1], np.int32)], []
    count, level, active = 1, 0, np.arange(len(rows))
    while active.size:
        token, parent = ids[starts[active] + level], nodes[active]
        # Equal prefixes are next to each other, because the outputs are sorted.
        is_new = np.ones(len(active), bool)
        is_new[1:] = (token[1:] != token[:-1]) | (parent[1:] != parent[:-1])
        nodes[active] = count - 1 + np.cumsum(is_new)
        tokens.append(token[is_new])
        parents.append(parent[is_new])
        count += int(is_new.sum())
        level += 1
        active = active[lengths[active] > level]
    first_child = 1 + np.searchsorted(np.concatenate(parents), np.arange(count + 1))
    return OutputTrie(
        tokens=np.concatenate(tokens),
        first_child=first_child.astype(np.int32),
        max_children=int(np.diff(first_child).max()),
    )


def only_outputs_of(trie: OutputTrie) -> Constraint:
    """Allow only tokens with which an output of the trie continues.

    Args:
      trie: The outputs.

    Returns:
      The constraint, which reads `Prefix.nodes`.
    """

    def forbid(forbidden: Forbidden, prefix: Prefix) -> Forbidden:
        nodes = prefix.nodes
        assert nodes is not None
        vocab_size = forbidden.shape[-1]
        tokens = trie.next_tokens(nodes, no_token=vocab_size)
        rows, beams = jnp.ogrid[: nodes.shape[0], : nodes.shape[1]]
        off_list = jnp.ones([*nodes.shape, vocab_size], bool)
        off_list = off_list.at[rows[..., None], beams[..., None], tokens].set(False, mode="drop")
        return forbidden | off_list

    return Constraint(forbid)
