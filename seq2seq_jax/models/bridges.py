"""Bridges: from the encoder's final state to the decoder's first."""

import dataclasses
from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import PyTree

from seq2seq_jax.models.encoders import EncoderOutput
from seq2seq_jax.models.functions import ACTIVATION, ACTIVATIONS, xavier_uniform
from seq2seq_jax.schema.rules import NON_EMPTY
from seq2seq_jax.utils.errors import UserError

__all__ = ["InitialStateBridge", "PassThroughBridge", "ZeroBridge"]

State: TypeAlias = PyTree  # a pytree of [B, D]


class ZeroBridge(nn.Module):
    """The decoder starts from zeros; only attention connects it with the encoder."""

    @nn.compact
    def __call__(self, encoded: EncoderOutput, zero_state: State) -> State:
        """Return the zeros."""
        return zero_state


class PassThroughBridge(nn.Module):
    """The decoder starts where the encoder ended; the two states must have one structure and size.

    A single layer counts as its one state: both directions of one layer fill a decoder of two.
    """

    @nn.compact
    def __call__(self, encoded: EncoderOutput, zero_state: State) -> State:
        """Return the leaves of the encoder's state in the structure of the decoder's."""
        has, needs = _shapes(encoded.final_state), _shapes(zero_state)
        if has != needs:
            raise UserError(
                "bridge.class",
                f"PassThroughBridge needs equal states, but the encoder ends with {has} and the"
                f" decoder starts with {needs}; use equal cells, layers and directions, or"
                " InitialStateBridge",
            )
        return jax.tree.unflatten(
            jax.tree.structure(zero_state), jax.tree.leaves(encoded.final_state)
        )


class InitialStateBridge(nn.Module):
    """One dense layer from the encoder's state, its parts joined, to the decoder's, split again.

    Parts go in the order of the pytree: c before h, forward before backward, layer by layer.

    Attributes:
      bridge_input: Field of the encoder's output that is the input of the dense layer.
      activation_fn: Activation of the dense layer.
    """

    bridge_input: Annotated[str, NON_EMPTY] = "final_state"
    activation_fn: Annotated[str, ACTIVATION] = "identity"

    @nn.compact
    def __call__(self, encoded: EncoderOutput, zero_state: State) -> State:
        """Return the projected state, split into the parts of the decoder's."""
        fields = [field.name for field in dataclasses.fields(encoded)]
        if self.bridge_input not in fields:
            raise UserError(
                "bridge.params.bridge_input",
                f"no field {self.bridge_input} in the encoder's output; valid: {', '.join(fields)}",
            )
        parts = jax.tree.leaves(getattr(encoded, self.bridge_input))
        if any(part.ndim != 2 for part in parts):
            raise UserError(
                "bridge.params.bridge_input",
                f"needs one vector per sentence, but '{self.bridge_input}' is {_shapes(parts)};"
                " use 'final_state'",
            )
        leaves, structure = jax.tree.flatten(zero_state)
        widths = [leaf.shape[-1] for leaf in leaves]
        dense = nn.Dense(sum(widths), kernel_init=xavier_uniform, name="dense")
        initial = ACTIVATIONS[self.activation_fn](dense(jnp.concatenate(parts, axis=-1)))
        ends = [sum(widths[: i + 1]) for i in range(len(widths) - 1)]
        return jax.tree.unflatten(structure, jnp.split(initial, ends, axis=-1))


def _shapes(state: State) -> str:
    """The nested widths of a state, as ((c 8, h 8), (c 8, h 8)), without the batch; (8) is 8."""
    if hasattr(state, "_fields"):
        return "(" + ", ".join(f"{k} {v.shape[-1]}" for k, v in state._asdict().items()) + ")"
    if isinstance(state, (tuple, list)):
        if len(state) == 1:
            return _shapes(state[0])
        return "(" + ", ".join(_shapes(part) for part in state) + ")"
    return " x ".join(map(str, state.shape[1:]))
