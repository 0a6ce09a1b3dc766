"""The network of InceptionV3 (Szegedy et al. 2015, arXiv:1512.00567, figures 5 to 7 and 10)."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from seq2seq_jax.captioning.models.inception_blocks import (
    BLOCKS,
    MAX_POOL,
    Block,
    Branch,
    Conv,
    Fork,
    blocks_up_to,
    named_convolutions,
    trained_blocks,
)

Array = jax.Array

EPSILON = 1e-3
"""The term that batch normalization adds to the variance."""


class InceptionV3(nn.Module):
    """The network up to a block.

    The weights are in the collection `params` from the block `trainable` on, and in `frozen` before
    it; the moving averages of batch normalization are in `batch_stats`. So the gradient, the
    optimizer and weight decay apply to exactly what is trained.

    Attributes:
      block: The last block that is computed, a key of `inception_blocks.BLOCKS`.
      trainable: The first block that is trained, "all" or "none".
      pools_count_padding: Whether the average pools divide by 9 at the edges too, as those of
        torchvision, or by the number of positions inside the map, as those of Keras.
      batch_norm_scale: Whether batch normalization has a scale (gamma), as in torchvision.
      batch_norm_momentum: m <- momentum m + (1 - momentum) mean, and the variance likewise.
    """

    block: str = "mixed10"
    trainable: str = "all"
    pools_count_padding: bool = False
    batch_norm_scale: bool = False
    batch_norm_momentum: float = 0.99

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """Compute the feature map of the last block.

        Args:
          x: [B, H, W, 3], scaled as the weights expect; H and W are at least 75.
          train: Whether the trained blocks normalize by the mean and the variance of the batch, and
            update their moving averages if `batch_stats` is mutable.

        Returns:
          [B, h, w, C].
        """
        trained = trained_blocks(self.block, self.trainable)
        for name in blocks_up_to(self.block):
            x = _BlockModule(
                BLOCKS[name],
                trained=name in trained,
                pools_count_padding=self.pools_count_padding,
                scale=self.batch_norm_scale,
                momentum=self.batch_norm_momentum,
                name=name,
            )(x, train=train)
        return x


def convolve(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    """Convolve, in ways that XLA's CPU backend computes fast.

    Args:
      x: [B, H, W, C].
      kernel: [h, w, C, D]; h and w are odd.
      stride: The stride on both axes.
      padding: "SAME" or "VALID".

    Returns:
      [B, H', W', D].
    """
    if stride != 1:
        return _convolved(x, kernel, stride, padding)
    height, width = kernel.shape[:2]
    if padding == "VALID":  # takes twice as long as SAME
        top, left = height // 2, width // 2
        x = convolve(x, kernel, 1, "SAME")
        return x[:, top : x.shape[1] - top, left : x.shape[2] - left]
    kernel = _without_padding_only(kernel, 0, x.shape[1])
    kernel = _without_padding_only(kernel, 1, x.shape[2])
    if kernel.shape[:2] == (1, 1):
        return x @ kernel[0, 0]
    return _convolved_same(x, kernel)


def max_pool(x: Array) -> Array:
    """Take the maximum of windows of 3 x 3 with stride 2: [B, H, W, C] -> [B, H', W', C].

    H' is (H - 1) // 2, and W' likewise.
    """
    for axis in (1, 2):
        size = (x.shape[axis] - 1) // 2
        parts = (lax.slice_in_dim(x, i, i + 2 * size - 1, 2, axis) for i in range(3))
        x = functools.reduce(jnp.maximum, parts)
    return x


def average_pool(x: Array, count_padding: bool) -> Array:
    """Average windows of 3 x 3 with stride 1: [B, H, W, C] -> the same shape.

    Args:
      x: The feature map.
      count_padding: Whether to divide by 9 at the edges too, or by the positions inside the map.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])
        parts = (lax.slice_in_dim(padded, i, i + size, 1, axis) for i in range(3))
        x = functools.reduce(jnp.add, parts)
        if not count_padding:
            inside = 3 - np.isin(np.arange(size), (0,)) - np.isin(np.arange(size), (size - 1,))
            x /= inside.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    return x / 9 if count_padding else x


class _BlockModule(nn.Module):
    block: Block
    trained: bool
    pools_count_padding: bool
    scale: bool
    momentum: float

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        return jnp.concatenate(
            [self._branch(i, branch, x, train) for i, branch in enumerate(self.block)], axis=-1
        )

    def _branch(self, i: int, branch: Branch, x: Array, train: bool) -> Array:
        names = iter(name for name, _ in named_convolutions(i, branch))

        def convolved(conv: Conv) -> Array:
            module = _ConvNorm(conv, self.trained, self.scale, self.momentum, name=next(names))
            return module(x, train=train)

        for step in branch:
            if isinstance(step, Conv):
                x = convolved(step)
            elif isinstance(step, Fork):
                x = jnp.concatenate([convolved(conv) for conv in step.convs], axis=-1)
            elif step == MAX_POOL:
                x = max_pool(x)
            else:
                x = average_pool(x, self.pools_count_padding)
        return x


class _ConvNorm(nn.Module):
    conv: Conv
    trained: bool
    scale: bool
    momentum: float

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        features = self.conv.features
        shape = (self.conv.height, self.conv.width, x.shape[-1], features)
        kernel = self._weight("kernel", nn.initializers.he_uniform(), shape)
        bias = self._weight("bias", nn.initializers.zeros, (features,))
        scale = self._weight("scale", nn.initializers.ones, (features,)) if self.scale else 1.0
        mean = self.variable("batch_stats", "mean", jnp.zeros, features)
        var = self.variable("batch_stats", "var", jnp.ones, features)

        x = convolve(x, kernel, self.conv.stride, self.conv.padding)
        if train and self.trained:
            batch_mean = jnp.mean(x, axis=(0, 1, 2))
            batch_var = jnp.mean(jnp.square(x), axis=(0, 1, 2)) - jnp.square(batch_mean)
            batch_var = jnp.maximum(batch_var, 0)  # Rounding can make it negative.
            if self.is_mutable_collection("batch_stats") and not self.is_initializing():
                mean.value += (1 - self.momentum) * (batch_mean - mean.value)
                var.value += (1 - self.momentum) * (batch_var - var.value)
        else:
            batch_mean, batch_var = mean.value, var.value
        factor = scale * lax.rsqrt(batch_var + EPSILON)
        return nn.relu(x * factor + (bias - batch_mean * factor))

    def _weight(self, name: str, init: Callable[..., Array], shape: tuple[int, ...]) -> Array:
        if self.trained:
            return self.param(name, init, shape)

        def initial() -> Array:
            return init(self.make_rng("params"), shape)

        return self.variable("frozen", name, initial).value


def _convolved(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def _convolved_same(x: Array, kernel: Array) -> Array:
    return _convolved(x, kernel, 1, "SAME")


def _convolved_same_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolved(x, kernel, 1, "SAME"), (x, kernel)


def _convolved_same_backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = saved
    _, pull_back = jax.vjp(lambda x, kernel: _convolved(x, kernel, 1, "SAME"), x, kernel)
    grad_x, grad_kernel = pull_back(gradient)
    height, width, channels, _ = kernel.shape
    if channels < 80:
        return grad_x, grad_kernel
    # One matrix product for each position of the kernel: up to 4 times faster for many channels.
    padded = jnp.pad(x, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    products = [
        jnp.einsum("bhwc,bhwd->cd", padded[:, i : i + x.shape[1], j : j + x.shape[2]], gradient)
        for i in range(height)
        for j in range(width)
    ]
    return grad_x, jnp.stack(products).reshape(kernel.shape)


_convolved_same.defvjp(_convolved_same_forward, _convolved_same_backward)


def _without_padding_only(kernel: Array, axis: int, size: int) -> Array:
    """Return the part of the kernel that can see something else than padding."""
    beyond = max(kernel.shape[axis] // 2 - (size - 1), 0)
    return lax.slice_in_dim(kernel, beyond, kernel.shape[axis] - beyond, 1, axis)
