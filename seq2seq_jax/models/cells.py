"""Recurrent cells: one step of an RNN, as the papers write it.

The equations say tanh; the parameter `activation` can put another function in its place.
"""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, PyTree

from seq2seq_jax.models.functions import ACTIVATION, ACTIVATIONS, symmetric_uniform
from seq2seq_jax.ops.layers import Dense, Dropout, split_gates
from seq2seq_jax.schema.rules import KEEP_PROBABILITY, WIDTH, at_least, between


class LSTMState(NamedTuple):
    """The state of an LSTM: cell state and output, in the order in which bridges flatten them."""

    c: Array
    h: Array


class RNNCellBase(nn.Module):
    """The base of all cells.

    A cell computes one step for a batch: `new_state, output = cell(state, x)` for an input x
    [B, E] and a state that is a pytree of [B, D]. A user's own cell can derive from this class, and
    then defines `__call__`; or it is any module with

      __call__(state, x) -> (new_state, output)
      initial_state(batch_size) -> state
      output_size, the width of the output
      init_scale, a field that the program sets

    It works with both kinds of kernels. The fast ones speed up those layers that are
    `ops.layers.Dense` (for example, made by the method `dense`).

    Attributes:
      num_units: Number of units: the width of state and output.
      activation: Activation of the candidate and of the output.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from seq2seq_jax.models.cells import RNNCellBase
      >>> class MinimalCell(RNNCellBase):
      ...     @nn.compact
      ...     def __call__(self, h, x):
      ...         h = jnp.tanh(self.dense("input", self.num_units)(x) + h)
      ...         return h, h
      >>> cell = MinimalCell(num_units=4)
      >>> state = cell.initial_state(batch_size=2)
      >>> variables = cell.init(jax.random.key(0), state, jnp.ones((2, 3)))
      >>> new_state, output = cell.apply(variables, state, jnp.ones((2, 3)))
      >>> output.shape
      (2, 4)
    """

    num_units: Annotated[int, WIDTH] = 128
    activation: Annotated[str, ACTIVATION] = "tanh"
    init_scale: float = 0.04

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.num_units

    def initial_state(self, batch_size: int) -> PyTree:
        """Return the state before the first step, zeros.

        Args:
          batch_size: B.

        Returns:
          A pytree of [B, D].
        """
        return jnp.zeros((batch_size, self.num_units))

    def dense(self, name: str, features: int, **options: Any) -> Dense:
        """Return a dense layer whose weights start uniform in [-init_scale, init_scale].

        Args:
          name: The layer's name among the parameters.
          features: Width of its output.
          **options: Further fields of `Dense`, such as `use_bias`.

        Returns:
          The layer.
        """
        init = symmetric_uniform(self.init_scale)
        return Dense(features, name=name, kernel_init=init, **options)


ForgetBias = Annotated[float, "Added to the forget gate before its sigmoid."]


class BasicRNNCell(RNNCellBase):
    """A simple RNN cell (Elman 1990).

    h' = tanh(x W + h U + b)
    """

    @nn.compact
    def __call__(
        self, h: Float[Array, "B D"], x: Float[Array, "B E"]
    ) -> tuple[Float[Array, "B D"], Float[Array, "B D"]]:
        """Compute one step for x [B, E] and h [B, D]: (h', h')."""
        z = self.dense("input", self.num_units)(x)
        z = z + self.dense("recurrent", self.num_units, use_bias=False)(h)
        h = ACTIVATIONS[self.activation](z)
        return h, h


class GRUCell(RNNCellBase):
    """A gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

      r  = sigmoid(x W_r + h U_r + b_r)
      u  = sigmoid(x W_u + h U_u + b_u)
      c  = tanh(x W_c + (r * h) U_c + b_c)
      h' = u * h + (1 - u) * c

    The reset gate acts before the matrix product. In cuDNN, PyTorch and Flax it acts after it, so
    their weights cannot be used here. The biases of r and u start at 1: a new cell remembers.
    """

    @nn.compact
    def __call__(
        self, h: Float[Array, "B D"], x: Float[Array, "B E"]
    ) -> tuple[Float[Array, "B D"], Float[Array, "B D"]]:
        """Compute one step for x [B, E] and h [B, D]: (h', h')."""
        width = self.num_units
        z = self.dense("input", 3 * width, bias_init=self._init_bias)(x)
        gates, candidate = jnp.split(z, [2 * width], axis=-1)  # W_r and W_u; W_c
        gates = gates + self.dense("gates", 2 * width, use_bias=False)(h)  # U_r and U_u
        r, u = (jax.nn.sigmoid(gate) for gate in split_gates(gates, 2))
        candidate = candidate + self.dense("candidate", width, use_bias=False)(r * h)  # U_c
        (candidate,) = split_gates(candidate, 1)
        c = ACTIVATIONS[self.activation](candidate)
        h = u * h + (1 - u) * c
        return h, h

    def _init_bias(self, key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jnp.ones(shape, dtype).at[2 * self.num_units :].set(0)


class BasicLSTMCell(RNNCellBase):
    """A long short-term memory cell (Hochreiter and Schmidhuber 1997), as in Zaremba et al. 2014.

    From arXiv:1409.2329:

      i, j, f, o = x W + h U + b
      c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
      h' = tanh(c') * sigmoid(o)

    `forget_bias` is added when the cell runs; the stored bias starts at 0.
    """

    forget_bias: ForgetBias = 1.0

    def initial_state(self, batch_size: int) -> LSTMState:
        """Return c and h before the first step, zeros [B, D]."""
        return _zero_lstm_state(batch_size, self.num_units, self.num_units)

    @nn.compact
    def __call__(
        self, state: LSTMState, x: Float[Array, "B E"]
    ) -> tuple[LSTMState, Float[Array, "B D"]]:
        """Compute one step for x [B, E]: (new state, h')."""
        c, h = state
        tanh = ACTIVATIONS[self.activation]
        z = self.dense("input", 4 * self.num_units)(x)
        z = z + self.dense("recurrent", 4 * self.num_units, use_bias=False)(h)
        i, j, f, o = split_gates(z, 4)
        c = c * jax.nn.sigmoid(f + self.forget_bias) + jax.nn.sigmoid(i) * tanh(j)
        h = tanh(c) * jax.nn.sigmoid(o)
        return LSTMState(c, h), h


class LSTMCell(RNNCellBase):
    """An LSTM with peepholes, projection and clipping (Sak et al. 2014, arXiv:1402.1128).

      i, j, f, o = x W + h U + b
      c' = clip(c * sigmoid(f + forget_bias + w_f * c) + sigmoid(i + w_i * c) * tanh(j))
      m  = tanh(c') * sigmoid(o + w_o * c')
      h' = clip(m P)

    Each extension is off by default: `use_peepholes` for the w, `num_proj` for P (its width),
    `cell_clip` and `proj_clip` for the largest absolute value of c' and h'.

    Attributes:
      use_peepholes: The gates also depend on the cell state c, through diagonal weights.
      cell_clip: Clip the cell state c to this absolute value; 0: no clipping.
      num_proj: Width of a projection of the output; 0: no projection.
      proj_clip: Clip the projected output to this absolute value; 0: no clipping.
    """

    use_peepholes: bool = False
    cell_clip: Annotated[float, at_least(0)] = 0.0
    num_proj: Annotated[int, between(0, 16_384)] = 0
    proj_clip: Annotated[float, at_least(0)] = 0.0
    forget_bias: ForgetBias = 1.0

    @property
    def output_size(self) -> int:
        """Width of the output: that of the projection, if there is one."""
        return self.num_proj or self.num_units

    def initial_state(self, batch_size: int) -> LSTMState:
        """Return c [B, num_units] and h [B, output_size] before the first step, zeros."""
        return _zero_lstm_state(batch_size, self.num_units, self.output_size)

    @nn.compact
    def __call__(
        self, state: LSTMState, x: Float[Array, "B E"]
    ) -> tuple[LSTMState, Float[Array, "B D"]]:
        """Compute one step for x [B, E]: (new state, h')."""
        c, h = state
        tanh = ACTIVATIONS[self.activation]
        z = self.dense("input", 4 * self.num_units)(x)
        z = z + self.dense("recurrent", 4 * self.num_units, use_bias=False)(h)
        i, j, f, o = split_gates(z, 4)
        f = f + self.forget_bias
        if self.use_peepholes:
            i, f = i + self._peephole("i") * c, f + self._peephole("f") * c
        c = c * jax.nn.sigmoid(f) + jax.nn.sigmoid(i) * tanh(j)
        if self.cell_clip:
            c = jnp.clip(c, -self.cell_clip, self.cell_clip)
        if self.use_peepholes:
            o = o + self._peephole("o") * c
        h = tanh(c) * jax.nn.sigmoid(o)
        if self.num_proj:
            h = self.dense("projection", self.num_proj, use_bias=False)(h)
            if self.proj_clip:
                h = jnp.clip(h, -self.proj_clip, self.proj_clip)
        return LSTMState(c, h), h

    def _peephole(self, gate: str) -> Array:
        init = symmetric_uniform(self.init_scale)
        weights: Array = self.param(f"peephole_{gate}", init, (self.num_units,))
        return weights


class LayerNormBasicLSTMCell(RNNCellBase):
    """An LSTM with layer normalization and recurrent dropout.

    Ba et al. 2016, arXiv:1607.06450, and Semeniuta et al. 2016, arXiv:1603.05118:

      i, j, f, o = norm(x W + h U), each with its own gain and shift instead of a bias
      c' = norm(c * sigmoid(f + forget_bias) + sigmoid(i) * dropout(tanh(j)))
      h' = tanh(c') * sigmoid(o)

    Attributes:
      layer_norm: Normalize the gates and the cell state (arXiv:1607.06450).
      norm_gain: Initial gain of the normalization.
      norm_shift: Initial shift of the normalization.
      dropout_keep_prob: Keep probability of recurrent dropout (arXiv:1603.05118).
    """

    forget_bias: ForgetBias = 1.0
    layer_norm: bool = True
    norm_gain: Annotated[float, between(-1000, 1000)] = 1.0
    norm_shift: Annotated[float, between(-1000, 1000)] = 0.0
    dropout_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0

    def initial_state(self, batch_size: int) -> LSTMState:
        """Return c and h before the first step, zeros [B, D]."""
        return _zero_lstm_state(batch_size, self.num_units, self.num_units)

    @nn.compact
    def __call__(
        self, state: LSTMState, x: Float[Array, "B E"]
    ) -> tuple[LSTMState, Float[Array, "B D"]]:
        """Compute one step for x [B, E]: (new state, h')."""
        c, h = state
        tanh = ACTIVATIONS[self.activation]
        z = self.dense("input", 4 * self.num_units, use_bias=not self.layer_norm)(x)
        z = z + self.dense("recurrent", 4 * self.num_units, use_bias=False)(h)
        i, j, f, o = (
            self._norm(gate, z_gate) for gate, z_gate in zip("ijfo", split_gates(z, 4), strict=True)
        )
        # In evaluation there is no random stream for dropout.
        dropout = Dropout(1 - self.dropout_keep_prob, name="dropout")
        j = dropout(tanh(j), deterministic=not self.has_rng("dropout"))
        c = c * jax.nn.sigmoid(f + self.forget_bias) + jax.nn.sigmoid(i) * j
        c = self._norm("c", c)
        h = tanh(c) * jax.nn.sigmoid(o)
        return LSTMState(c, h), h

    def _norm(self, name: str, x: Array) -> Array:
        if not self.layer_norm:
            return x
        norm = nn.LayerNorm(
            epsilon=1e-12,
            use_fast_variance=False,
            scale_init=nn.initializers.constant(self.norm_gain),
            bias_init=nn.initializers.constant(self.norm_shift),
            name=f"norm_{name}",
        )
        normalized: Array = norm(x)
        return normalized


def _zero_lstm_state(batch_size: int, cell_width: int, output_width: int) -> LSTMState:
    return LSTMState(jnp.zeros((batch_size, cell_width)), jnp.zeros((batch_size, output_width)))
