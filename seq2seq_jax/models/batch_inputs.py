"""What models are given, be it text or pictures."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array

Batch = Mapping[str, Any]
"""source_ids [B, S], or image [B, H, W, 3], or image_features [B, S, C]; source_len [B], 1 for a
picture; target_ids [B, T] from SEQUENCE_START to SEQUENCE_END, target_len [B]. A row of length 0
fills the batch and counts for nothing."""

Collections = Mapping[str, Any]
"""What a model has besides parameters: weights that are not trained (`frozen`), `batch_stats`."""

_SOURCES = ("source_ids", "image_features", "image")


def source_of(batch: Batch) -> tuple[Array, Array]:
    """The source of a batch, whatever its kind, and its lengths [B]."""
    return next(batch[name] for name in _SOURCES if name in batch), batch["source_len"]


def make_with_features(model: nn.Module) -> Callable[[Any, Collections, Batch], Batch]:
    """A function of parameters, collections and a batch of any kind: for pictures the batch with
    their features in their place, and as lengths how many cells these have. What follows then needs
    the parameters alone."""

    @jax.jit
    def cells(params: Any, collections: Collections, images: Array) -> Any:
        return model.apply({"params": params, **collections}, images, method="cells")

    def with_features(params: Any, collections: Collections, batch: Batch) -> Batch:
        new = dict(batch)
        if "image" in new:
            new["image_features"] = cells(params, collections, new.pop("image"))
        if "image_features" in new:
            there = jnp.minimum(jnp.asarray(batch["source_len"]), 1)
            new["source_len"] = there * new["image_features"].shape[1]
        return new

    return with_features
