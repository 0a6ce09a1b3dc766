"""The training state, and one update of it."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jaxtyping import PyTree

from seq2seq_jax.devices.parallel import ParallelContext
from seq2seq_jax.models.batch_inputs import Batch
from seq2seq_jax.models.losses import training_loss_sums
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.training.gradient_transforms import global_norm

Params: TypeAlias = PyTree
Metrics = dict[str, jax.Array]


class TrainState(struct.PyTreeNode):
    """Everything that changes during training, except for the position in the data.

    `frozen`, `dropout_key` and `numbers` never change and are not part of checkpoints (see
    `saved`). As inputs of the compiled step they let runs that differ in them share it.

    Attributes:
      step: Number of updates done.
      params: The model's parameters.
      opt_state: The optimizer's state.
      ema_params: The exponential moving average of the parameters; None without one.
      lr_scale: Factor of the updates; 1 until the learning rate is lowered on a plateau.
      batch_stats: Batch statistics, of models with batch normalization.
      frozen: Weights that are not trained, of models with some.
      dropout_key: Key data from which dropout masks are drawn, together with the step.
      numbers: Numbers of the optimizer's settings (see `OptimizerConfig.numbers`); empty: those
        with which it was made.
    """

    step: jax.Array
    params: Params
    opt_state: optax.OptState
    ema_params: Params
    lr_scale: jax.Array
    batch_stats: PyTree
    frozen: PyTree
    dropout_key: PyTree
    numbers: Mapping[str, PyTree] = struct.field(default_factory=dict)

    @property
    def saved(self) -> "TrainState":
        """The part of the state that checkpoints contain."""
        return self.replace(frozen={}, dropout_key=None, numbers={})

    def replace_saved(self, saved: "TrainState") -> "TrainState":
        """Return this state with the parts that checkpoints contain replaced.

        Args:
          saved: A state in the form of `saved`.
        """
        return saved.replace(frozen=self.frozen, dropout_key=self.dropout_key, numbers=self.numbers)

    @property
    def non_trainable(self) -> dict[str, PyTree]:
        """The model's non-trainable variables by collection."""
        found = {"batch_stats": self.batch_stats, "frozen": self.frozen}
        return {name: tree for name, tree in found.items() if tree}

    @property
    def eval_params(self) -> Params:
        """The parameters to evaluate: the moving average, if there is one."""
        return self.params if self.ema_params is None else self.ema_params


def create_train_state(
    params: Params,
    optimizer: optax.GradientTransformation,
    ema_decay: float = 0.0,
    *,
    seed: int = 0,
    non_trainable: Mapping[str, PyTree] = MappingProxyType({}),
    numbers: Mapping[str, PyTree] = MappingProxyType({}),
) -> TrainState:
    """Return the state before the first step.

    Args:
      params: The model's initial parameters.
      optimizer: The optimizer whose state is initialized.
      ema_decay: Above 0: keep a moving average of the parameters.
      seed: Seed of dropout.
      non_trainable: The model's non-trainable variables by collection.
      numbers: See `TrainState`.

    Returns:
      The state at step 0.
    """
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        ema_params=jax.tree.map(jnp.copy, params) if ema_decay else None,
        lr_scale=jnp.ones((), jnp.float32),
        batch_stats=non_trainable.get("batch_stats", {}),
        frozen=non_trainable.get("frozen", {}),
        dropout_key=jax.random.key_data(jax.random.key(seed)),
        numbers=dict(numbers),
    )


def make_train_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    label_smoothing: float = 0.0,
    dtype: str = "float32",
    accumulation_steps: int = 1,
    ema_decay: float = 0.0,
    kernels: str = "fast",
) -> Callable[[TrainState, Batch, ParallelContext], tuple[TrainState, Metrics]]:
    """Return the update of the state by one batch, to be compiled by `Devices.compile_step`.

    The gradient is that of the mean over tokens, sum(loss) / sum(tokens), over all devices and all
    microbatches. Dropout masks depend on the state's key, the step, the microbatch and the device.
    Batch statistics are those of a microbatch on one device; the state's move towards their mean.

    Args:
      model: The model to train.
      optimizer: The optimizer, as `make_optimizer` returns it.
      label_smoothing: See `losses.cross_entropy`.
      dtype: Type of matrix products; see `losses.training_loss_sums`.
      accumulation_steps: Number of microbatches into which a batch is split. They are processed one
        after the other, so that only one of them has to fit into memory.
      ema_decay: Decay d of the moving average of the parameters, a <- d' a + (1 - d') params, where
        d' = min(d, (1 + step) / (10 + step)) lets it start quickly; 0: no average.
      kernels: "fast" or "reference"; see `use_kernels`.

    Returns:
      A function of the state, the batch and the parallel context that returns the new state and
      metrics. The metrics are sums over the batch (`loss`, `target_tokens`, `source_tokens`) and
      the norm of the gradient before clipping (`grad_norm`).
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def microbatch_grads(state: TrainState, batch: Batch, key: jax.Array, is_local: bool) -> PyTree:
        """Return metrics, gradients and batch statistics, to be summed over microbatches."""

        def loss_fn(params: Params) -> PyTree:
            return training_loss_sums(
                model,
                params,
                batch,
                key,
                label_smoothing=label_smoothing,
                non_trainable=state.non_trainable,
                dtype=dtype,
                skip_padding=is_local,
            )

        with use_kernels(kernels):
            (loss, (tokens, stats)), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        metrics = {
            "loss": loss,
            "target_tokens": tokens,
            "source_tokens": jnp.sum(batch["source_len"]),
        }
        return metrics, grads, (stats, jnp.ones(()))

    def accumulate_grads(state: TrainState, batch: Batch, key: jax.Array, is_local: bool) -> PyTree:
        """Return the sums of `microbatch_grads` over all microbatches of a batch."""
        if accumulation_steps == 1:
            return microbatch_grads(state, batch, key, is_local)

        def add_microbatch(sums: PyTree, microbatch: PyTree) -> tuple[PyTree, None]:
            index, batch = microbatch
            new = microbatch_grads(state, batch, jax.random.fold_in(key, index), is_local)
            return jax.tree.map(jnp.add, sums, new), None

        # Microbatch i has the rows i, i + n, ... Whether a device has consecutive or interleaved
        # rows of the batch, every microbatch then has equally many rows on each device.
        microbatches = jax.tree.map(
            lambda x: x.reshape(-1, accumulation_steps, *x.shape[1:]).swapaxes(0, 1), dict(batch)
        )
        first = jax.tree.map(lambda x: x[0], microbatches)
        zeros = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype),
            jax.eval_shape(partial(microbatch_grads, is_local=is_local), state, first, key),
        )
        return jax.lax.scan(add_microbatch, zeros, (jnp.arange(accumulation_steps), microbatches))[
            0
        ]

    def train_step(
        state: TrainState, batch: Batch, parallel: ParallelContext
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.dropout_key), state.step)
        key = jax.random.fold_in(key, parallel.axis_index())
        sums, grads, (stats, num_stats) = parallel.psum(
            accumulate_grads(state, batch, key, parallel.is_local)
        )
        grads = jax.tree.map(lambda grad: grad / sums["target_tokens"], grads)
        updates, opt_state = optimizer.update(
            grads, state.opt_state, state.params, numbers=state.numbers
        )
        updates = jax.tree.map(lambda update: state.lr_scale * update, updates)
        params = optax.apply_updates(state.params, updates)
        ema_params = None
        if state.ema_params is not None:
            decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
            ema_params = optax.incremental_update(params, state.ema_params, 1 - decay)
        metrics = {**sums, "grad_norm": global_norm(grads)}
        new = state.replace(
            step=state.step + 1,
            params=params,
            opt_state=opt_state,
            ema_params=ema_params,
            batch_stats=jax.tree.map(lambda total: total / num_stats, stats),
        )
        return new, metrics

    return train_step
