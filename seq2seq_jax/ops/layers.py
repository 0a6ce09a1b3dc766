"""Dense layers and dropout, with the parameters and the results of Flax's.

An operation can replace the computation of these layers while it traces a module that calls them:
the RNN scan computes some of their results before its loop, and decoding multiplies some weights
in advance. It does so with `intercept_layers`; the layers and the models know nothing of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float

from seq2seq_jax.ops.dropout_masks import draw_mask
from seq2seq_jax.ops.kernels import active_kernels

Path = tuple[str, ...]
"""Names that lead from a module to one of its submodules or parameters."""

PREACTIVATION = "preactivation"
"""The name under which `jax.checkpoint` finds the results of `split_gates`."""

_compute_dtype: ContextVar[Any] = ContextVar("compute_dtype", default=None)


@contextmanager
def compute_in(dtype: Any) -> Iterator[None]:
    """Let dense layers that are traced in this context multiply in another type.

    Parameters keep their type, and so do the states of cells.

    Args:
      dtype: The type of the products; None: that of the layer's input and parameters.
    """
    token = _compute_dtype.set(dtype)
    try:
        yield
    finally:
        _compute_dtype.reset(token)


class Dense(nn.Module):
    """A dense layer, y = x W + b.

    The same as `flax.linen.Dense`, with the same parameters `kernel` and `bias`, but it multiplies
    in the type of `compute_in`, and its gradients are computed as `dense` says.

    Attributes:
      features: Width of the output, O.
      use_bias: Whether to add b.
      kernel_init: Initializer of W.
      bias_init: Initializer of b.
    """

    features: int
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: Float[Array, "*batch I"]) -> Float[Array, "*batch O"]:
        """Map x [..., I] to y [..., O]."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        return dense(x, kernel, bias)


class Dropout(nn.Module):
    """Dropout: keep each element with probability 1 - rate and divide it by that; zero the others.

    Attributes:
      rate: Probability of zero.
      per_sequence: Use the same mask at all time steps of a sequence (Gal and Ghahramani 2016,
        arXiv:1512.05287): for x [T, B, D], or x [B, D] at each step of an RNN scan.
    """

    rate: float
    per_sequence: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "*shape"], *, deterministic: bool) -> Float[Array, "*shape"]:
        """Apply dropout to x of any shape.

        Args:
          x: The input.
          deterministic: Return x itself, as in evaluation.

        Returns:
          An array like x.
        """
        if deterministic or self.rate == 0:
            return x
        shape = x.shape[-2:] if self.per_sequence else x.shape
        return apply_mask(x, draw_mask(self.make_rng("dropout"), 1 - self.rate, shape), self.rate)


def apply_mask(
    x: Float[Array, "*shape"], mask: Bool[Array, "..."], rate: float
) -> Float[Array, "*shape"]:
    """Return x / (1 - rate) where the mask is True, and 0 elsewhere."""
    return jnp.where(mask, x / (1 - rate), 0)


def dense(
    x: Float[Array, "*batch I"], kernel: Float[Array, "I O"], bias: Float[Array, " O"] | None
) -> Float[Array, "*batch O"]:
    """Compute a dense layer, y = x W + b, in the type of `compute_in`.

      dx = dy W^T     dW = sum x^T dy     db = sum dy

    Reference: what `jax.grad` makes of the first equation. Fast: the same, with `column_sums` for
    db.

    Args:
      x: [..., I].
      kernel: W, [I, O].
      bias: b, [O], or None.

    Returns:
      y, [..., O].
    """
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=_compute_dtype.get())
    compute = reference_dense if active_kernels() == "reference" else _dense
    return compute(x, kernel, bias)


def reference_dense(
    x: Float[Array, "*batch I"], kernel: Float[Array, "I O"], bias: Float[Array, " O"] | None
) -> Float[Array, "*batch O"]:
    """Compute a dense layer, y = x W + b, for arrays of one type.

    Args:
      x: [..., I].
      kernel: W, [I, O].
      bias: b, [O], or None.

    Returns:
      y, [..., O].
    """
    y = x @ kernel
    return y if bias is None else y + bias


def dense_dtype(x: Float[Array, "*batch I"], kernel: Float[Array, "I O"]) -> Any:
    """Return the type in which `dense` multiplies."""
    return promote_dtype(x, kernel, dtype=_compute_dtype.get())[0].dtype


def dense_gradient(
    x: Float[Array, "*batch I"], dy: Float[Array, "*batch O"]
) -> tuple[Float[Array, "I O"], Float[Array, " O"]]:
    """Compute the gradients of a dense layer's parameters.

    Args:
      x: The layer's input, [..., I].
      dy: The gradient of its output, [..., O].

    Returns:
      dW, [I, O], and db, [O].
    """
    over = tuple(range(x.ndim - 1))
    return jnp.tensordot(x, dy, (over, over)), column_sums(dy)


def column_sums(x: Float[Array, "*batch D"]) -> Float[Array, " D"]:
    """Sum over all axes but the last.

    Computed as a product with ones: on a CPU that is up to 16 times faster than XLA's sum, which
    goes down each column.

    Args:
      x: [..., D].

    Returns:
      [D].
    """
    over = tuple(range(x.ndim - 1))
    return jnp.tensordot(jnp.ones(x.shape[:-1], x.dtype), x, (over, over), precision="highest")


def split_gates(
    preactivation: Float[Array, "*batch gates"], number: int
) -> list[Float[Array, "*batch D"]]:
    """Split the pre-activations of a cell's gates, `jnp.split` along the last axis.

    The backward pass of a fast RNN scan saves them, instead of the products that they are sums of.

    Args:
      preactivation: [..., number D].
      number: Number of gates.

    Returns:
      The gates, each [..., D].
    """
    return jnp.split(checkpoint_name(preactivation, PREACTIVATION), number, axis=-1)


@contextmanager
def intercept_layers(
    root: nn.Module, replace: Callable[[Path, nn.Module, Array, Callable[[], Any]], Any]
) -> Iterator[None]:
    """Replace the computation of dense, dropout and embedding layers below a module.

    Args:
      root: The module, bound.
      replace: Called as `replace(path, layer, x, compute)` instead of each call of a `Dense`,
        of a `Dropout` that is not deterministic, or of an `nn.Embed`. `path` leads from `root` to
        the layer, `x` is its input, and `compute()` is its own result. Returns the result to use.
    """
    scope = root.scope
    assert scope is not None

    def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        layer = context.module
        # Layers inside of a transformation such as nn.scan have a scope with another root.
        applies = context.method_name == "__call__" and layer.scope.root is scope.root
        if isinstance(layer, Dropout):
            applies &= layer.rate > 0 and not kwargs["deterministic"]
        elif not isinstance(layer, Dense | nn.Embed):
            applies = False
        if not applies:
            return call(*args, **kwargs)
        path = layer.path[len(scope.path) :]
        return replace(path, layer, args[0], lambda: call(*args, **kwargs))

    with nn.intercept_methods(intercept):
        yield


@jax.custom_vjp
def _dense(x: Array, kernel: Array, bias: Array | None) -> Array:
    return reference_dense(x, kernel, bias)


def _dense_forward(x: Array, kernel: Array, bias: Array | None) -> tuple[Array, Any]:
    return reference_dense(x, kernel, bias), (x, kernel, bias)


def _dense_backward(residuals: Any, dy: Array) -> tuple[Array, Array, Array | None]:
    x, kernel, bias = residuals
    d_kernel, d_bias = dense_gradient(x, dy)
    return dy @ kernel.T, d_kernel, None if bias is None else d_bias


_dense.defvjp(_dense_forward, _dense_backward)
