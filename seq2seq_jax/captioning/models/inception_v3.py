"""InceptionV3 (Szegedy et al. 2015, arXiv:1512.00567, table 1 and figures 5 to 7, 10), without its
classifier: 94 convolutions, each with batch norm and ReLU.

`BLOCKS` is the network as a table. Its blocks have the names that Keras gives them: `stem`, then
`mixed0` to `mixed10`, which TF-slim and torchvision call Mixed_5b to Mixed_7c.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from seq2seq_jax.utils.errors import UserError

Array = jax.Array

EPSILON = 1e-3
"""Added to the variance in batch norm."""


class Conv(NamedTuple):
    """A convolution with batch norm and ReLU."""

    features: int
    height: int
    width: int
    stride: int = 1
    padding: str = "SAME"


class Fork(NamedTuple):
    """Convolutions of the same map, their results side by side."""

    convs: tuple[Conv, ...]


AVERAGE_POOL = "average_pool"  # 3 x 3, stride 1, as large as its input
MAX_POOL = "max_pool"  # 3 x 3, stride 2

Step = Conv | Fork | str
Branch = tuple[Step, ...]
Block = tuple[Branch, ...]
"""Branches of the same map, their results side by side."""


def _stem() -> Block:
    branch = (
        Conv(32, 3, 3, 2, "VALID"),
        Conv(32, 3, 3, 1, "VALID"),
        Conv(64, 3, 3),
        MAX_POOL,
        Conv(80, 1, 1),
        Conv(192, 3, 3, 1, "VALID"),
        MAX_POOL,
    )
    return (branch,)


def _figure_5(pooled: int) -> Block:
    return (
        (Conv(64, 1, 1),),
        (Conv(48, 1, 1), Conv(64, 5, 5)),
        (Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3)),
        (AVERAGE_POOL, Conv(pooled, 1, 1)),
    )


def _reduction_to_17() -> Block:
    return (
        (Conv(384, 3, 3, 2, "VALID"),),
        (Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3, 2, "VALID")),
        (MAX_POOL,),
    )


def _figure_6(n: int) -> Block:
    return (
        (Conv(192, 1, 1),),
        (Conv(n, 1, 1), Conv(n, 1, 7), Conv(192, 7, 1)),
        (Conv(n, 1, 1), Conv(n, 7, 1), Conv(n, 1, 7), Conv(n, 7, 1), Conv(192, 1, 7)),
        (AVERAGE_POOL, Conv(192, 1, 1)),
    )


def _reduction_to_8() -> Block:
    return (
        (Conv(192, 1, 1), Conv(320, 3, 3, 2, "VALID")),
        (Conv(192, 1, 1), Conv(192, 1, 7), Conv(192, 7, 1), Conv(192, 3, 3, 2, "VALID")),
        (MAX_POOL,),
    )


def _figure_7() -> Block:
    fork = Fork((Conv(384, 1, 3), Conv(384, 3, 1)))
    return (
        (Conv(320, 1, 1),),
        (Conv(384, 1, 1), fork),
        (Conv(448, 1, 1), Conv(384, 3, 3), fork),
        (AVERAGE_POOL, Conv(192, 1, 1)),
    )


BLOCKS: dict[str, Block] = {  # the size of its map, of an image of 299 x 299
    "stem": _stem(),  # 35 x 35 x 192
    "mixed0": _figure_5(pooled=32),  # 35 x 35 x 256
    "mixed1": _figure_5(pooled=64),  # 35 x 35 x 288
    "mixed2": _figure_5(pooled=64),  # 35 x 35 x 288
    "mixed3": _reduction_to_17(),  # 17 x 17 x 768
    "mixed4": _figure_6(128),  # 17 x 17 x 768
    "mixed5": _figure_6(160),  # 17 x 17 x 768
    "mixed6": _figure_6(160),  # 17 x 17 x 768
    "mixed7": _figure_6(192),  # 17 x 17 x 768
    "mixed8": _reduction_to_8(),  # 8 x 8 x 1280
    "mixed9": _figure_7(),  # 8 x 8 x 2048
    "mixed10": _figure_7(),  # 8 x 8 x 2048
}


class InceptionV3(nn.Module):
    """The network up to a block.

    The weights are in the collection `params` from the block `trainable` on, and in `frozen` before
    it; the moving averages of batch norm are in `batch_stats`. So the gradient, the optimizer and
    weight decay see what is trained and nothing else.

    Attributes:
      block: the last one that is computed; a name of `BLOCKS`.
      trainable: the first block that is trained, "all" or "none".
      pools_count_padding: the average pools divide by 9 at the edges too, as torchvision's do,
        not by the number of cells inside the map, as Keras's do.
      batch_norm_scale: batch norm has a factor (gamma), as torchvision's; Keras's has none.
      batch_norm_momentum: of the moving averages: m <- momentum m + (1 - momentum) mean.
    """

    block: str = "mixed10"
    trainable: str = "all"
    pools_count_padding: bool = False
    batch_norm_scale: bool = False
    batch_norm_momentum: float = 0.99

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """x [B, H, W, 3], H and W from 75, scaled as the weights expect -> [B, h, w, C]

        In training the batch norm of the blocks that are trained takes the batch's own mean and
        variance, and moves its averages where `batch_stats` is mutable.
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


def blocks_up_to(block: str) -> tuple[str, ...]:
    """The names of the blocks that are computed for the features of `block`."""
    names = tuple(BLOCKS)
    return names[: names.index(block) + 1]


def trained_blocks(block: str, trainable: str) -> tuple[str, ...]:
    """Those of the blocks up to `block` that are trained.

    Raises:
      UserError: the first block to train is behind the last one that is computed.
    """
    names = blocks_up_to(block)
    if trainable == "none":
        return ()
    if trainable == "all":
        return names
    if trainable not in names:
        raise UserError(
            "encoder.params.trainable",
            f"{trainable} comes after the last block that is computed, encoder.params.block:"
            f" {block}; none, all or a block from {names[0]} to {block} would do",
        )
    return names[names.index(trainable) :]


def convolutions(block: str) -> dict[tuple[str, str], Conv]:
    """The convolutions of the blocks up to `block` in their order, by the names of the two modules
    that their weights are in."""
    return {
        (name, conv_name): conv
        for name in blocks_up_to(block)
        for i, branch in enumerate(BLOCKS[name])
        for conv_name, conv in _named(i, branch)
    }


def map_shape(height: int, width: int, block: str) -> tuple[int, int, int]:
    """The (h, w, C) of a block's map of images of this size."""
    network = InceptionV3(block=block)
    images = jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)
    feature_map, _ = jax.eval_shape(network.init_with_output, jax.random.key(0), images)
    return feature_map.shape[1:]


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
        names = iter(name for name, _ in _named(i, branch))

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
            batch_var = jnp.maximum(batch_var, 0)  # whatever rounding does
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


def convolve(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    """x [B, H, W, C], kernel [h, w, C, D] -> [B, H', W', D]; h and w are odd.

    The roundabout ways are those that XLA's CPU backend is quick at.
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
    """[B, H, W, C] -> [B, (H - 1) // 2, (W - 1) // 2, C]: windows of 3 x 3, stride 2"""
    for axis in (1, 2):
        size = (x.shape[axis] - 1) // 2
        parts = (lax.slice_in_dim(x, i, i + 2 * size - 1, 2, axis) for i in range(3))
        x = functools.reduce(jnp.maximum, parts)
    return x


def average_pool(x: Array, count_padding: bool) -> Array:
    """[B, H, W, C] -> the same shape: windows of 3 x 3, stride 1"""
    for axis in (1, 2):
        size = x.shape[axis]
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])
        parts = (lax.slice_in_dim(padded, i, i + size, 1, axis) for i in range(3))
        x = functools.reduce(jnp.add, parts)
        if not count_padding:
            inside = 3 - np.isin(np.arange(size), (0,)) - np.isin(np.arange(size), (size - 1,))
            x /= inside.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    return x / 9 if count_padding else x


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
    of_x, of_kernel = pull_back(gradient)
    height, width, channels, _ = kernel.shape
    if channels < 80:
        return of_x, of_kernel
    # One matrix product for each cell of the kernel: up to four times faster for many channels.
    padded = jnp.pad(x, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    cells = [
        jnp.einsum("bhwc,bhwd->cd", padded[:, i : i + x.shape[1], j : j + x.shape[2]], gradient)
        for i in range(height)
        for j in range(width)
    ]
    return of_x, jnp.stack(cells).reshape(kernel.shape)


_convolved_same.defvjp(_convolved_same_forward, _convolved_same_backward)


def _without_padding_only(kernel: Array, axis: int, size: int) -> Array:
    """The kernel without what sees only the padding of a map of this size."""
    beyond = max(kernel.shape[axis] // 2 - (size - 1), 0)
    return lax.slice_in_dim(kernel, beyond, kernel.shape[axis] - beyond, 1, axis)


def _named(i: int, branch: Branch) -> list[tuple[str, Conv]]:
    """The convolutions of a block's branch number i with their names."""
    convs: list[Any] = []
    for step in branch:
        convs += step.convs if isinstance(step, Fork) else [step] if isinstance(step, Conv) else []
    return [(f"branch{i}_conv{j}", conv) for j, conv in enumerate(convs)]
