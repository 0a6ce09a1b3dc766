"""Multi-layer RNNs with dropout and residual connections.

An encoder runs the layers over a whole sequence, one layer after the other. A decoder runs one time
step through all layers, because its next input depends on its last output.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int, PyTree

from seq2seq_jax.models.cells import BasicLSTMCell, RNNCellBase
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.ops.layers import Dense, Dropout
from seq2seq_jax.ops.rnn_scan import rnn_scan
from seq2seq_jax.schema.parameters import ClassOf, FrozenMapping, ParamsOf
from seq2seq_jax.schema.rules import KEEP_PROBABILITY, LAYERS, one_of

State: TypeAlias = PyTree  # the state of one cell, a pytree of [B, D]


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
    dropout_input_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0
    dropout_output_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0
    variational_dropout: bool = False
    num_layers: Annotated[int, LAYERS] = 1
    residual_connections: bool = False
    residual_combiner: Annotated[str, one_of("add", "concat", "mean")] = "add"
    residual_dense: bool = False


class RNNStack(nn.Module):
    """A multi-layer RNN with dropout and residual connections.

    Dropout is applied to the input and to the output of each layer (Zaremba et al. 2014,
    arXiv:1409.2329), with a new mask for each time step, or with `variational_dropout` one mask for
    all time steps. With two layers or more, residual connections combine the output of every layer
    with its input (`combine_residual`).

    Attributes:
      config: The parameters `rnn_cell.*`.
      init_scale: Weights are initialized uniformly in [-init_scale, init_scale].
      remat: As in `ops.rnn_scan.rnn_scan`.
    """

    config: RNNCellConfig
    init_scale: float = RNNCellBase.init_scale
    remat: bool = False

    def setup(self) -> None:
        """Create the submodules."""
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
        """Width of each layer's output, without residual connections."""
        return int(self.cells[0].output_size)

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """Return zeros, one state for each layer.

        Args:
          batch_size: B.
        """
        return tuple(cell.initial_state(batch_size) for cell in self.cells)

    def __call__(
        self,
        inputs: Float[Array, "B S E"],
        lengths: Int[Array, " B"],
        *,
        reverse: bool = False,
        train: bool = False,
    ) -> tuple[Array, tuple[State, ...]]:
        """Run over a sequence.

        Args:
          inputs: [B, S, E].
          lengths: Number of positions of each row that are not padding, [B].
          reverse: Whether to run from the last position of each row to its first. Each output stays
            at the position of its input.
          train: Whether dropout is active.

        Returns:
          The outputs [B, S, D], zero at padding positions, and the state of each layer after the
          last position of each row.
        """

        def run_layer(i: int, x: Array) -> tuple[Array, State]:
            x = self.dropout_input[i](x, deterministic=not train)
            return scan_cell(self.cells[i], x, lengths, reverse=reverse, remat=self.remat)

        outputs, states = self._through_layers(jnp.swapaxes(inputs, 0, 1), run_layer, train)
        return _without_padding(jnp.swapaxes(outputs, 0, 1), lengths), states

    def step(
        self, states: Sequence[State], inputs: Float[Array, "N E"], *, train: bool = False
    ) -> tuple[tuple[State, ...], Float[Array, "N D"]]:
        """Run one time step through all layers.

        Args:
          states: The state of each layer.
          inputs: [N, E].
          train: Whether dropout is active.

        Returns:
          The new states, and the output [N, D].
        """

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
    """An `RNNStack` whose layers run in both directions; the next layer sees both outputs.

    D is twice the width of the cell. States are the pair (forward states of all layers, backward
    states of all layers).
    """

    def setup(self) -> None:
        """Create the submodules."""
        super().setup()
        self.backward_cells = self._make_cells("backward_cell")

    @property
    def units(self) -> int:
        """Width of each layer's output: both directions, without residual connections."""
        return 2 * int(self.cells[0].output_size)

    def __call__(  # type: ignore[override]  # it has both directions
        self, inputs: Array, lengths: Array, *, train: bool = False
    ) -> tuple[Array, tuple[tuple[State, ...], tuple[State, ...]]]:
        """Run over a sequence in both directions.

        Args:
          inputs: [B, S, E].
          lengths: Number of positions of each row that are not padding, [B].
          train: Whether dropout is active.

        Returns:
          The outputs [B, S, D], and the final states of both directions.
        """

        def run_layer(i: int, x: Array) -> tuple[Array, State]:
            forward_x = self.dropout_input[i](x, deterministic=not train)
            backward_x = self.dropout_input[i](x, deterministic=not train)
            forward, forward_state = scan_cell(self.cells[i], forward_x, lengths, remat=self.remat)
            backward, backward_state = scan_cell(
                self.backward_cells[i], backward_x, lengths, reverse=True, remat=self.remat
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
    """Run one cell over time.

    At padding positions the state is copied. A reversed run therefore crosses the padding with its
    initial state, and no row has to be reversed. Outputs at padding positions are arbitrary.

    Args:
      cell: The cell.
      inputs: [S, B, E].
      lengths: Number of positions of each row that are not padding, [B].
      reverse: Whether to run from the last position to the first.
      remat: As in `rnn_scan`.

    Returns:
      The outputs [S, B, D], and the final state.
    """
    real = jnp.arange(inputs.shape[0])[:, None, None] < lengths[None, :, None]

    def step(cell: PyTree, state: State, time_step: tuple[Array, Array], _: None) -> PyTree:
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
    """Replace the outputs [B, S, D] at padding positions by zeros; lengths [B]."""
    real = jnp.arange(outputs.shape[1])[:, None] < lengths[:, None, None]
    return jnp.where(real, outputs, 0)


def combine_residual(
    output: Float[Array, "*batch D"],
    below: Sequence[Float[Array, "*batch _"]],
    combiner: str,
    *,
    dense: bool,
) -> Float[Array, "*batch _"]:
    """Combine the output of a layer with its input: a residual connection.

    With the input of the layer alone (He et al. 2015, arXiv:1512.03385), or, if `dense`, with the
    inputs of all layers up to it (Huang et al. 2016, arXiv:1608.06993):

      add     output + sum(inputs)
      mean    output + mean(inputs)
      concat  [output; inputs]

    Args:
      output: [..., D].
      below: The input of the first layer and the outputs of the layers below, each [..., E].
      combiner: "add", "mean" or "concat".
      dense: Whether to combine with the inputs of all layers up to this one.

    Returns:
      [..., D], or wider for "concat".
    """
    inputs = list(below) if dense else [below[-1]]
    if combiner == "add":
        return output + sum(inputs)
    if combiner == "mean":
        return output + sum(inputs) / len(inputs)
    return jnp.concatenate([output, *inputs], axis=-1)
