"""Recurrent cells: one step of time.

A cell's step is split in two, because only one half has to wait for the step before:

  project(x)              the input's share of all gates; for all time steps in one matrix product
  cell(state, projected)  the rest of the step, given the state; returns (state, output)

The equations say tanh; `activation` can put another function in its place.

A class of your own does if it has these two, `initial_state` and `output_size`, and takes
`init_scale`.
"""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.functions import ACTIVATION, ACTIVATIONS, symmetric_uniform
from seq2seq_jax.ops.layers import Dense, Dropout
from seq2seq_jax.ops.rnn_scan import keep
from seq2seq_jax.schema.rules import PROBABILITY, at_least

__all__ = ["BasicLSTMCell", "BasicRNNCell", "GRUCell", "LSTMCell", "LayerNormBasicLSTMCell"]

Array = jax.Array


class LSTMState(NamedTuple):
    """The two halves of an LSTM's state, in the order in which bridges flatten them."""

    c: Array
    h: Array


class RNNCellBase(nn.Module):
    """What all cells share."""

    num_units: Annotated[int, at_least(1), "Number of units: the width of state and output."] = 128
    activation: Annotated[str, ACTIVATION, "Activation of the candidate and of the output."] = (
        "tanh"
    )
    init_scale: float = 0.04

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.num_units

    def initial_state(self, batch_size: int) -> Any:
        """Return a pytree of zeros [B, D]."""
        return jnp.zeros((batch_size, self.num_units))


ForgetBias = Annotated[float, "Added to the forget gate before its sigmoid."]


class BasicRNNCell(RNNCellBase):
    """h' = tanh(x W + h U + b)  (Elman 1990)."""

    def setup(self):
        init = symmetric_uniform(self.init_scale)
        self.input = Dense(self.num_units, kernel_init=init)
        self.recurrent = Dense(self.num_units, use_bias=False, kernel_init=init)

    def project(self, x: Array) -> Array:
        """[..., E] -> [..., D]"""
        return self.input(x)

    def __call__(self, h: Array, projected: Array) -> tuple[Array, Array]:
        h = ACTIVATIONS[self.activation](keep(projected + self.recurrent(h)))
        return h, h


class GRUCell(RNNCellBase):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

      r  = sigmoid(x W_r + h U_r + b_r)
      u  = sigmoid(x W_u + h U_u + b_u)
      c  = tanh(x W_c + (r * h) U_c + b_c)
      h' = u * h + (1 - u) * c

    The reset gate acts before the matrix product; cuDNN, PyTorch and Flax put it behind, so their
    weights do not carry over. The biases of r and u start at 1: a new cell remembers.
    """

    def setup(self):
        init = symmetric_uniform(self.init_scale)
        self.input = Dense(3 * self.num_units, kernel_init=init, bias_init=self._remember)
        self.gates = Dense(2 * self.num_units, use_bias=False, kernel_init=init)
        self.candidate = Dense(self.num_units, use_bias=False, kernel_init=init)

    def project(self, x: Array) -> Array:
        """[..., E] -> [..., 3 D], columns r, u, candidate"""
        return self.input(x)

    def __call__(self, h: Array, projected: Array) -> tuple[Array, Array]:
        gates, candidate = jnp.split(projected, [2 * self.num_units], axis=-1)
        r, u = jnp.split(jax.nn.sigmoid(keep(gates + self.gates(h))), 2, axis=-1)
        c = ACTIVATIONS[self.activation](keep(candidate + self.candidate(r * h)))
        h = u * h + (1 - u) * c
        return h, h

    def _remember(self, key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jnp.ones(shape, dtype).at[2 * self.num_units :].set(0)


class BasicLSTMCell(RNNCellBase):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), as in Zaremba et al. 2014,
    arXiv:1409.2329.

      i, j, f, o = x W + h U + b
      c' = c * sigmoid(f + forget_bias) + sigmoid(i) * tanh(j)
      h' = tanh(c') * sigmoid(o)

    `forget_bias` is added when the cell runs; the stored bias starts at 0.
    """

    forget_bias: ForgetBias = 1.0

    def setup(self):
        init = symmetric_uniform(self.init_scale)
        self.input = Dense(4 * self.num_units, kernel_init=init)
        self.recurrent = Dense(4 * self.num_units, use_bias=False, kernel_init=init)

    def initial_state(self, batch_size: int) -> LSTMState:
        return LSTMState(*(jnp.zeros((batch_size, self.num_units)) for _ in LSTMState._fields))

    def project(self, x: Array) -> Array:
        """[..., E] -> [..., 4 D], columns i, j, f, o"""
        return self.input(x)

    def __call__(self, state: LSTMState, projected: Array) -> tuple[LSTMState, Array]:
        tanh = ACTIVATIONS[self.activation]
        i, j, f, o = jnp.split(keep(projected + self.recurrent(state.h)), 4, axis=-1)
        c = state.c * jax.nn.sigmoid(f + self.forget_bias) + jax.nn.sigmoid(i) * tanh(j)
        h = tanh(c) * jax.nn.sigmoid(o)
        return LSTMState(c, h), h


class LSTMCell(RNNCellBase):
    """LSTM with peepholes, projection and clipping (Sak et al. 2014, arXiv:1402.1128).

      i, j, f, o = x W + h U + b
      c' = clip(c * sigmoid(f + forget_bias + w_f * c) + sigmoid(i + w_i * c) * tanh(j))
      m  = tanh(c') * sigmoid(o + w_o * c')
      h' = clip(m P)

    Each extra is off by default: `use_peepholes` for the w, `num_proj` for P (its width),
    `cell_clip` and `proj_clip` for the largest absolute value that c' and h' may have.
    """

    use_peepholes: Annotated[
        bool, "The gates also depend on the cell state c, through diagonal weights."
    ] = False
    cell_clip: Annotated[
        float, at_least(0), "Clip the cell state c to this absolute value; 0: no clipping."
    ] = 0.0
    num_proj: Annotated[
        int, at_least(0), "Width of a projection of the output; 0: no projection."
    ] = 0
    proj_clip: Annotated[
        float, at_least(0), "Clip the projected output to this absolute value; 0: no clipping."
    ] = 0.0
    forget_bias: ForgetBias = 1.0

    def setup(self):
        init = symmetric_uniform(self.init_scale)
        self.input = Dense(4 * self.num_units, kernel_init=init)
        self.recurrent = Dense(4 * self.num_units, use_bias=False, kernel_init=init)
        if self.use_peepholes:
            self.peephole_i = self.param("peephole_i", init, (self.num_units,))
            self.peephole_f = self.param("peephole_f", init, (self.num_units,))
            self.peephole_o = self.param("peephole_o", init, (self.num_units,))
        if self.num_proj:
            self.projection = Dense(self.num_proj, use_bias=False, kernel_init=init)

    @property
    def output_size(self) -> int:
        return self.num_proj or self.num_units

    def initial_state(self, batch_size: int) -> LSTMState:
        return LSTMState(
            c=jnp.zeros((batch_size, self.num_units)), h=jnp.zeros((batch_size, self.output_size))
        )

    def project(self, x: Array) -> Array:
        """[..., E] -> [..., 4 D], columns i, j, f, o"""
        return self.input(x)

    def __call__(self, state: LSTMState, projected: Array) -> tuple[LSTMState, Array]:
        tanh = ACTIVATIONS[self.activation]
        c = state.c
        i, j, f, o = jnp.split(keep(projected + self.recurrent(state.h)), 4, axis=-1)
        f = f + self.forget_bias
        if self.use_peepholes:
            i, f = i + self.peephole_i * c, f + self.peephole_f * c
        c = c * jax.nn.sigmoid(f) + jax.nn.sigmoid(i) * tanh(j)
        if self.cell_clip:
            c = jnp.clip(c, -self.cell_clip, self.cell_clip)
        if self.use_peepholes:
            o = o + self.peephole_o * c
        h = tanh(c) * jax.nn.sigmoid(o)
        if self.num_proj:
            h = keep(self.projection(h))
            if self.proj_clip:
                h = jnp.clip(h, -self.proj_clip, self.proj_clip)
        return LSTMState(c, h), h


class LayerNormBasicLSTMCell(RNNCellBase):
    """LSTM with each gate and the new cell normalised (Ba et al. 2016, arXiv:1607.06450), and
    recurrent dropout (Semeniuta et al. 2016, arXiv:1603.05118).

      i, j, f, o = norm(x W + h U), each with its own gain and shift in the place of a bias
      c' = norm(c * sigmoid(f + forget_bias) + sigmoid(i) * dropout(tanh(j)))
      h' = tanh(c') * sigmoid(o)
    """

    forget_bias: ForgetBias = 1.0
    layer_norm: Annotated[bool, "Normalize the gates and the cell state (arXiv:1607.06450)."] = True
    norm_gain: Annotated[float, "Initial gain of the normalization."] = 1.0
    norm_shift: Annotated[float, "Initial shift of the normalization."] = 0.0
    dropout_keep_prob: Annotated[
        float, PROBABILITY, "Keep probability of recurrent dropout (arXiv:1603.05118)."
    ] = 1.0

    def setup(self):
        init = symmetric_uniform(self.init_scale)
        self.input = Dense(4 * self.num_units, use_bias=not self.layer_norm, kernel_init=init)
        self.recurrent = Dense(4 * self.num_units, use_bias=False, kernel_init=init)
        if self.layer_norm:
            self.norm_i, self.norm_j, self.norm_f, self.norm_o, self.norm_c = (
                nn.LayerNorm(
                    epsilon=1e-12,
                    use_fast_variance=False,
                    scale_init=nn.initializers.constant(self.norm_gain),
                    bias_init=nn.initializers.constant(self.norm_shift),
                )
                for _ in range(5)
            )
        self.dropout = Dropout(1 - self.dropout_keep_prob)

    def initial_state(self, batch_size: int) -> LSTMState:
        return LSTMState(*(jnp.zeros((batch_size, self.num_units)) for _ in LSTMState._fields))

    def project(self, x: Array) -> Array:
        """[..., E] -> [..., 4 D], columns i, j, f, o"""
        return self.input(x)

    def __call__(self, state: LSTMState, projected: Array) -> tuple[LSTMState, Array]:
        tanh = ACTIVATIONS[self.activation]
        i, j, f, o = jnp.split(keep(projected + self.recurrent(state.h)), 4, axis=-1)
        if self.layer_norm:
            i, j, f, o = self.norm_i(i), self.norm_j(j), self.norm_f(f), self.norm_o(o)
        # Without the "dropout" random stream, as in evaluation, there is no dropout.
        j = self.dropout(tanh(j), deterministic=not self.has_rng("dropout"))
        c = state.c * jax.nn.sigmoid(f + self.forget_bias) + jax.nn.sigmoid(i) * j
        if self.layer_norm:
            c = self.norm_c(c)
        h = tanh(c) * jax.nn.sigmoid(o)
        return LSTMState(c, h), h
