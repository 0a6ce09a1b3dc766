"""One update of the parameters."""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct

from seq2seq_jax.devices.parallel import ParallelContext
from seq2seq_jax.models.batch_inputs import Batch, Collections
from seq2seq_jax.models.losses import training_loss_sums
from seq2seq_jax.training.gradient_transforms import global_norm

Array = jax.Array


class TrainState(struct.PyTreeNode):
    """All that changes while training, the position in the data apart.

    Attributes:
      step: updates done.
      params, opt_state: of the model and the optimizer.
      averaged: the moving average of the parameters; None without one.
      lr_scale: what the updates are multiplied by, 1 until the rate is lowered on a plateau.
      batch_stats: statistics of batches, of models that have some.
      frozen: weights that are not trained, of models that have some.
      dropout_key: what dropout draws from, with the step; as numbers, which all hosts can place.

    The last two never change, and are not in checkpoints (`saved`).
    """

    step: Array
    params: Any
    opt_state: optax.OptState
    averaged: Any
    lr_scale: Array
    batch_stats: Any
    frozen: Any
    dropout_key: Any

    @property
    def saved(self) -> "TrainState":
        """What a checkpoint holds of it."""
        return self.replace(frozen={}, dropout_key=None)

    def with_unsaved_of(self, other: "TrainState") -> "TrainState":
        """Its own values, and of the other what a checkpoint does not hold."""
        return self.replace(frozen=other.frozen, dropout_key=other.dropout_key)

    @property
    def collections(self) -> Collections:
        """What the model has besides parameters."""
        found = {"batch_stats": self.batch_stats, "frozen": self.frozen}
        return {name: tree for name, tree in found.items() if tree}

    @property
    def eval_params(self) -> Any:
        """What is evaluated and used: the average, if there is one."""
        return self.params if self.averaged is None else self.averaged


def create_train_state(
    params: Any,
    optimizer: optax.GradientTransformation,
    ema_decay: float = 0.0,
    *,
    seed: int = 0,
    collections: Collections = MappingProxyType({}),
) -> TrainState:
    """The state before the first step. The seed is dropout's: it stands in the state, so that
    seeds share one compiled step."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        averaged=jax.tree.map(jnp.copy, params) if ema_decay else None,
        lr_scale=jnp.ones((), jnp.float32),
        batch_stats=collections.get("batch_stats", {}),
        frozen=collections.get("frozen", {}),
        dropout_key=jax.random.key_data(jax.random.key(seed)),
    )


def make_train_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    label_smoothing: float = 0.0,
    dtype: str = "float32",
    accumulation_steps: int = 1,
    ema_decay: float = 0.0,
) -> Callable[[TrainState, Batch, ParallelContext], tuple[TrainState, dict[str, Array]]]:
    """The update, to be compiled by `Devices.compile_step`.

    The gradient is that of the token mean, sum(loss) / sum(tokens), over all devices and all parts
    of the batch. Dropout draws from the state's key, the step, the part and the device. Metrics are
    sums of the batch: loss, target_tokens, source_tokens; and its grad_norm, before clipping.
    Statistics of batches are those of a part on a device; the state's move towards their mean.

    Args:
      label_smoothing: see `losses.cross_entropy`.
      dtype: see `losses.training_loss_sums`.
      accumulation_steps: parts in which a batch is worked through, one after the other, so that a
        part is all that has to fit into memory.
      ema_decay: d of the moving average  a <- a + (1 - d') (params - a)  of the parameters, where
        d' = min(d, (1 + step) / (10 + step)) lets it start quickly; 0: none.
    """

    def of_part(state: TrainState, batch: Batch, key: Array, is_local: bool) -> Any:
        """What is summed over parts and devices: of the batch, the gradient, the statistics."""

        def loss(params: Any) -> Any:
            return training_loss_sums(
                model,
                params,
                batch,
                key,
                label_smoothing=label_smoothing,
                collections=collections,
                dtype=dtype,
                skip_padding=is_local,
            )

        collections = state.collections
        (loss_sum, (tokens, stats)), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
        sums = {
            "loss": loss_sum,
            "target_tokens": tokens,
            "source_tokens": jnp.sum(batch["source_len"]),
        }
        return sums, grads, (stats, jnp.ones(()))

    def of_all_parts(state: TrainState, batch: Batch, key: Array, is_local: bool) -> Any:
        if accumulation_steps == 1:
            return of_part(state, batch, key, is_local)

        def add_part(so_far: Any, part: Any) -> tuple[Any, None]:
            index, batch = part
            new = of_part(state, batch, jax.random.fold_in(key, index), is_local)
            return jax.tree.map(jnp.add, so_far, new), None

        # Part i takes rows i, i + n, ...: whichever way rows are spread over devices, each
        # device then has an equal share of every part.
        parts = jax.tree.map(
            lambda x: x.reshape(-1, accumulation_steps, *x.shape[1:]).swapaxes(0, 1), dict(batch)
        )
        first = jax.tree.map(lambda x: x[0], parts)
        zeros = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype),
            jax.eval_shape(partial(of_part, is_local=is_local), state, first, key),
        )
        return jax.lax.scan(add_part, zeros, (jnp.arange(accumulation_steps), parts))[0]

    def train_step(
        state: TrainState, batch: Batch, across: ParallelContext
    ) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.dropout_key), state.step)
        key = jax.random.fold_in(key, across.index())
        sums, grads, (stats, parts) = across.total(of_all_parts(state, batch, key, across.is_local))
        grads = jax.tree.map(lambda grad: grad / sums["target_tokens"], grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        updates = jax.tree.map(lambda update: state.lr_scale * update, updates)
        params = optax.apply_updates(state.params, updates)
        averaged = None
        if state.averaged is not None:
            decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
            averaged = optax.incremental_update(params, state.averaged, 1 - decay)
        metrics = {**sums, "grad_norm": global_norm(grads)}
        new = state.replace(
            step=state.step + 1,
            params=params,
            opt_state=opt_state,
            averaged=averaged,
            batch_stats=jax.tree.map(lambda total: total / parts, stats),
        )
        return new, metrics

    return train_step
