"""One update of the parameters."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct

from seq2seq_jax.models.losses import Batch, loss_sums

Array = jax.Array


class TrainState(struct.PyTreeNode):
    """All that changes while training, the position in the data apart."""

    step: Array
    params: Any
    opt_state: optax.OptState


def create_train_state(params: Any, optimizer: optax.GradientTransformation) -> TrainState:
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))


def make_train_step(
    model: nn.Module, optimizer: optax.GradientTransformation, seed: int
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]:
    """The jitted update; it consumes the state that it is given.

    The gradient is that of the token mean, sum(loss) / sum(tokens). Dropout draws from the seed and
    the step alone. Metrics are sums of the batch: loss, target_tokens, source_tokens; and its
    grad_norm, before clipping.
    """
    root = jax.random.key(seed)

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        dropout_key = jax.random.fold_in(root, state.step)

        def mean_loss(params):
            loss, tokens = loss_sums(model, params, batch, dropout_key)
            return loss / tokens, (loss, tokens)

        grads, (loss, tokens) = jax.grad(mean_loss, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {
            "loss": loss,
            "target_tokens": tokens,
            "source_tokens": jnp.sum(batch["source_len"]),
            "grad_norm": optax.tree.norm(grads),
        }
        return TrainState(state.step + 1, params, opt_state), metrics

    return jax.jit(train_step, donate_argnums=0)
