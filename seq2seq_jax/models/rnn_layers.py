"""Several recurrent layers, one above the other, with dropout and residual connections.

The same stack runs over a whole sequence, layer by layer (each layer's inputs are known, so they
are projected in one matrix product), or one step of time through all layers (the decoder, whose
next input depends on its last output).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.cells import BasicLSTMCell, RNNCellBase
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.ops.layers import Dense, Dropout
from seq2seq_jax.ops.rnn_scan import rnn_scan
from seq2seq_jax.schema.parameters import ClassOf, FrozenMapping, ParamsOf
from seq2seq_jax.schema.rules import PROBABILITY, at_least, one_of

Array = jax.Array
State = Any  # the state of one cell, a pytree of [B, D]


@dataclass(frozen=True)
class RNNCellConfig:
    """The parameters `rnn_cell.*` of an encoder or decoder.

    Attributes:
      cell_class: Class of the cell of every layer.
      dropout_input_keep_prob: Keep probability of dropout on the input of each layer.
      dropout_output_keep_prob: Keep probability of dropout on the output of each layer.
      variational_dropout: Use the same dropout mask at all time steps of a sequence
        (arXiv:1512.05287); otherwise each step has its own.
      num_layers: Number of layers.
      residual_connections: Use residual connections between all layers.
      residual_combiner: How the input of a layer joins its output.
      residual_dense: The output of each layer is joined with the inputs of all layers up to it.
    """

    cell_class: Annotated[type[nn.Module], ClassOf("cell")] = BasicLSTMCell
    cell_params: Annotated[Mapping[str, Any], ParamsOf("cell_class")] = field(
        default_factory=FrozenMapping
    )
    dropout_input_keep_prob: Annotated[float, PROBABILITY] = 1.0
    dropout_output_keep_prob: Annotated[float, PROBABILITY] = 1.0
    variational_dropout: bool = False
    num_layers: Annotated[int, at_least(1)] = 1
    residual_connections: bool = False
    residual_combiner: Annotated[str, one_of("add", "concat", "mean")] = "add"
    residual_dense: bool = False


class RNNStack(nn.Module):
    """A multi-layer RNN with dropout and residual connections.

    Dropout draws a new mask for each time step and keeps the scale (Zaremba et al. 2014,
    arXiv:1409.2329): on the input of each layer, and on its output; `variational_dropout` draws one
    mask for all steps of a sequence. Residual connections exist from
    two layers on, and join every layer's output with its input, the first and the last included
    (`combine_residual`). `remat` is that of `ops.rnn_scan.rnn_scan`.
    """

    config: RNNCellConfig
    init_scale: float = RNNCellBase.init_scale
    remat: bool = False

    def setup(self):
        self.cells = self._make_cells("cell")
        self.input_transform = Dense(self.units, kernel_init=xavier_uniform)
        layers = range(self.config.num_layers)
        once = self.config.variational_dropout
        self.dropout_input = [
            Dropout(1 - self.config.dropout_input_keep_prob, once) for _ in layers
        ]
        self.dropout_output = [
            Dropout(1 - self.config.dropout_output_keep_prob, once) for _ in layers
        ]

    @property
    def units(self) -> int:
        """Width of each layer's output, residual connections apart."""
        return self.cells[0].output_size

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """Zeros: one state a layer."""
        return tuple(cell.initial_state(batch_size) for cell in self.cells)

    def __call__(
        self, inputs: Array, lengths: Array, *, reverse: bool = False, train: bool = False
    ) -> tuple[Array, tuple[State, ...]]:
        """Over a sequence: inputs [B, S, E], lengths [B] -> outputs [B, S, D], final states.

        Outputs past a row's length are zero, its states stay as they were at its end. `reverse`
        runs from each row's last position to its first, and leaves the outputs where their inputs
        are.
        """

        def run_layer(i: int, x: Array) -> tuple[Array, State]:
            x = self.dropout_input[i](x, deterministic=not train)
            return scan_cell(self.cells[i], x, lengths, reverse=reverse, remat=self.remat)

        outputs, states = self._through_layers(jnp.swapaxes(inputs, 0, 1), run_layer, train)
        return _without_padding(jnp.swapaxes(outputs, 0, 1), lengths), states

    def step(
        self, states: Sequence[State], inputs: Array, *, train: bool = False
    ) -> tuple[tuple[State, ...], Array]:
        """One step of time through all layers: inputs [N, E] -> new states, output [N, D]."""

        def run_layer(i: int, x: Array) -> tuple[Array, State]:
            x = self.dropout_input[i](x, deterministic=not train)
            state, output = self.cells[i](states[i], x)
            return output, state

        output, new_states = self._through_layers(inputs, run_layer, train)
        return new_states, output

    def _make_cells(self, name: str) -> list[nn.Module]:
        return [
            self.config.cell_class(
                **self.config.cell_params, init_scale=self.init_scale, name=f"{name}_{i}"
            )
            for i in range(self.config.num_layers)
        ]

    def _through_layers(
        self, inputs: Array, run_layer: Callable[[int, Array], tuple[Array, State]], train: bool
    ) -> tuple[Array, tuple[State, ...]]:
        residual = self.config.residual_connections and self.config.num_layers > 1
        if (
            residual
            and self.config.residual_combiner != "concat"
            and inputs.shape[-1] != self.units
        ):
            inputs = self.input_transform(inputs)  # what is to be added must be as wide
        below = [inputs]
        states = []
        for i in range(self.config.num_layers):
            output, state = run_layer(i, below[-1])
            output = self.dropout_output[i](output, deterministic=not train)
            if residual:
                output = combine_residual(
                    output, below, self.config.residual_combiner, dense=self.config.residual_dense
                )
            below.append(output)
            states.append(state)
        return below[-1], tuple(states)


class BidirectionalRNNStack(RNNStack):
    """As `RNNStack`, but each layer runs in both directions, and the next one sees both: D is twice
    the cell's width. States are (forward states of all layers, backward states of all layers)."""

    def setup(self):
        super().setup()
        self.backward_cells = self._make_cells("backward_cell")

    @property
    def units(self) -> int:
        return 2 * self.cells[0].output_size

    def __call__(  # type: ignore[override]  # it has both directions
        self, inputs: Array, lengths: Array, *, train: bool = False
    ) -> tuple[Array, tuple[tuple[State, ...], tuple[State, ...]]]:
        """inputs [B, S, E], lengths [B] -> outputs [B, S, D], final states"""

        def run_layer(i: int, x: Array) -> tuple[Array, State]:
            there = self.dropout_input[i](x, deterministic=not train)
            back = self.dropout_input[i](x, deterministic=not train)
            forward, forward_state = scan_cell(self.cells[i], there, lengths, remat=self.remat)
            backward, backward_state = scan_cell(
                self.backward_cells[i], back, lengths, reverse=True, remat=self.remat
            )
            joined = jnp.concatenate([forward, backward], axis=-1)
            return joined, (forward_state, backward_state)

        outputs, states = self._through_layers(jnp.swapaxes(inputs, 0, 1), run_layer, train)
        forward_states, backward_states = zip(*states, strict=True)
        outputs = _without_padding(jnp.swapaxes(outputs, 0, 1), lengths)
        return outputs, (forward_states, backward_states)


def scan_cell(
    cell: nn.Module, inputs: Array, lengths: Array, *, reverse: bool = False, remat: bool = False
) -> tuple[Array, State]:
    """Runs one cell over time: inputs [S, B, E], lengths [B] -> outputs [S, B, D], final state.

    Padding copies the state through, so that a reversed run first crosses the padding with its
    initial state untouched, and no row has to be turned round. Outputs past the length mean
    nothing.
    """
    real = jnp.arange(inputs.shape[0])[:, None, None] < lengths[None, :, None]

    def step(cell, state, time_step, _):
        x_t, real_t = time_step
        new_state, output = cell(state, x_t)
        state = jax.tree.map(lambda new, old: jnp.where(real_t, new, old), new_state, state)
        return state, output

    initial_state = cell.initial_state(inputs.shape[1])
    final_state, outputs = rnn_scan(
        step, cell, initial_state, (inputs, real), reverse=reverse, remat=remat
    )
    return outputs, final_state


def _without_padding(outputs: Array, lengths: Array) -> Array:
    """Zeros past each row's length: outputs [B, S, D], lengths [B]."""
    real = jnp.arange(outputs.shape[1])[:, None] < lengths[:, None, None]
    return jnp.where(real, outputs, 0)


def combine_residual(output: Array, below: Sequence[Array], combiner: str, *, dense: bool) -> Array:
    """Joins a layer's output with its input (He et al. 2015, arXiv:1512.03385), or, if `dense`,
    with the inputs of all layers up to it (Huang et al. 2016, arXiv:1608.06993).

      add     output + sum(inputs)
      mean    output + mean(inputs)
      concat  [output; inputs]: the width grows
    """
    inputs = list(below) if dense else [below[-1]]
    if combiner == "add":
        return output + sum(inputs)
    if combiner == "mean":
        return output + sum(inputs) / len(inputs)
    return jnp.concatenate([output, *inputs], axis=-1)
