"""Optimizers: clip, then update."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from seq2seq_jax.training.schedules import Schedule, make_schedule

OPTIMIZERS = {
    "Adam": optax.adam,
    "AdamW": optax.adamw,
    "SGD": optax.sgd,
    "Momentum": optax.sgd,
    "RMSProp": optax.rmsprop,
    "Adagrad": optax.adagrad,
    "Adadelta": optax.adadelta,
    "Adafactor": optax.adafactor,
}
"""By their documented names; any other name is looked up in optax as it is."""


def build_optimizer(settings: ConfigDict) -> tuple[Schedule, optax.GradientTransformation]:
    """The learning rate and the optimizer of the configuration's `optimizer.*`."""
    schedule = make_schedule(
        settings.learning_rate,
        settings.lr_decay_type,
        settings.lr_decay_steps,
        settings.lr_decay_rate,
        settings.lr_start_decay_at,
        settings.lr_stop_decay_at,
        settings.lr_min_learning_rate,
        settings.lr_staircase,
    )
    optimizer = make_optimizer(
        settings.name,
        settings.params.to_dict(),
        schedule,
        settings.clip_gradients,
        settings.clip_embed_gradients,
        settings.encoder_lr_multiplier,
    )
    return schedule, optimizer


def make_optimizer(
    name: str,
    params: Mapping[str, Any],
    learning_rate: Schedule,
    clip_gradients: float = 5.0,
    clip_embed_gradients: float = 0.1,
    encoder_lr_multiplier: float = 1.0,
) -> optax.GradientTransformation:
    """The chain: clip by global norm, clip each embedding table by its own norm, optimizer, another
    rate for the encoder.

    Both norms are taken over dense gradients, rows of one word summed. A limit of 0 is no limit.
    The optimizers are optax's: against TensorFlow's, Adam's epsilon is added to the corrected root,
    and Momentum and RMSProp decay all rows of an embedding, not only those in the batch.
    """
    chain = []
    if clip_gradients > 0:
        chain.append(clip_by_global_norm(clip_gradients))
    if clip_embed_gradients > 0:
        chain.append(clip_embeddings(clip_embed_gradients))
    optimizer = OPTIMIZERS.get(name) or getattr(optax, name)
    chain.append(optimizer(learning_rate, **params))
    if encoder_lr_multiplier != 1:
        chain.append(scale_encoder(encoder_lr_multiplier))
    return optax.chain(*chain)


def global_norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all numbers in the tree, as if they were one vector."""
    return jnp.sqrt(sum(map(_squared_norm, jax.tree.leaves(tree))))


def clip_by_global_norm(max_norm: float) -> optax.GradientTransformation:
    """Scales all gradients down by one factor to the norm `max_norm`, if theirs is larger."""

    def update(updates, state, params=None):
        scale = jnp.minimum(1, max_norm / jnp.maximum(global_norm(updates), 1e-30))
        return jax.tree.map(lambda grad: grad * scale, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def clip_embeddings(max_norm: float) -> optax.GradientTransformation:
    """Scales the gradient of each embedding table down to `max_norm`, if its norm is larger.

    An embedding table is a parameter that has "embedding" in its path.
    """

    def clip(path: tuple, grad: jax.Array) -> jax.Array:
        if "embedding" not in jax.tree_util.keystr(path):
            return grad
        norm = jnp.sqrt(_squared_norm(grad))
        return grad * jnp.minimum(1, max_norm / jnp.maximum(norm, 1e-30))

    def update(updates, state, params=None):
        return jax.tree_util.tree_map_with_path(clip, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def scale_encoder(factor: float) -> optax.GradientTransformation:
    """Multiplies the updates of the encoder's parameters, a rate of its own for what was learned
    elsewhere (Howard and Ruder 2018, arXiv:1801.06146, "discriminative fine-tuning")."""

    def scale(path: tuple, update: jax.Array) -> jax.Array:
        return factor * update if path[0].key == "encoder" else update

    def update(updates, state, params=None):
        return jax.tree_util.tree_map_with_path(scale, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _squared_norm(x: jax.Array) -> jax.Array:
    """As a product of the vector with itself: on a CPU twice as fast as XLA's sum of squares."""
    return jnp.vdot(x, x, precision="highest")
