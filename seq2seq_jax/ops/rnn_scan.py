"""The RNN scan: a step function over time, `state, y_t = step(module, state, x_t, memory)`.

Reference: `flax.linen.scan`. Fast: a loop that does as little as possible at each step.

 - A dense layer that is applied to the step's input x_t itself is computed for all steps by one
   matrix product before the loop.
 - The weight of every other dense layer gets a share of its gradient from every step,

     y_t = x_t W   =>   dW = sum_t x_t^T dy_t

   which a differentiated loop would accumulate in memory: each step reads and writes all of dW.
   Here the steps only return x_t and dy_t, and one matrix product after the loop computes the sum.
   W^T, by which the backward pass multiplies, is made once before the loop.
 - Of each step, the backward pass saves the state, the pre-activations (`split_gates`) and matrix
   products; everything else is computed again. Attention's tanh(key + query) alone would be
   [T, B, S, A] numbers.

Both forms take the same dropout masks, which are drawn for all steps at once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, PyTree

from seq2seq_jax.ops.dropout_masks import draw_mask
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.ops.layers import (
    Dense,
    Dropout,
    Path,
    apply_mask,
    dense,
    dense_dtype,
    dense_gradient,
    intercept_layers,
    reference_dense,
)

Step = Callable[[PyTree, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]
Masks = dict[Path, Array]

_PREACTIVATION = "preactivation"
_SAVED = jax.checkpoint_policies.save_from_both_policies(
    jax.checkpoint_policies.save_only_these_names(_PREACTIVATION),
    jax.checkpoint_policies.dots_saveable,
)


def rnn_scan(
    step: Step,
    module: nn.Module,
    state: PyTree,
    inputs: PyTree,
    memory: PyTree = None,
    *,
    reverse: bool = False,
    remat: bool = False,
) -> tuple[PyTree, PyTree]:
    """Run `state, y_t = step(module, state, x_t, memory)` over the first axis of `inputs`.

    Args:
      step: A function that may call the module, its methods and its submodules. It must not use
        arrays other than its arguments.
      module: A bound module with parameters and no other variables.
      state: The initial state, a pytree.
      inputs: The x_t, a pytree of [T, ...].
      memory: A pytree, the same at every step.
      reverse: Whether to run from the last input to the first; each y_t stays where its input is.
      remat: Whether the backward pass saves nothing but the states and computes the steps again:
        slower, for sequences so long that memory is short.

    Returns:
      The last state, and the y_t, a pytree of [T, ...].
    """
    first = jax.tree.map(lambda x: x[0], inputs)
    if module.is_initializing():
        step(module, state, first, memory)  # This creates the parameters.
    layers = _find_layers(step, module, state, first, memory)
    key = module.make_rng("dropout") if module.has_rng("dropout") else None
    num_steps = jax.tree.leaves(inputs)[0].shape[0]
    masks, keys = _draw_masks(key, layers, num_steps)
    if active_kernels() == "reference":
        return reference_rnn_scan(
            step, module, state, inputs, memory, masks, reverse=reverse, remat=remat
        )
    return _fast_rnn_scan(
        step, module, state, inputs, memory, masks, keys, layers, reverse=reverse, remat=remat
    )


def reference_rnn_scan(
    step: Step,
    module: nn.Module,
    state: PyTree,
    inputs: PyTree,
    memory: PyTree,
    masks: Masks,
    *,
    reverse: bool = False,
    remat: bool = False,
) -> tuple[PyTree, PyTree]:
    """Compute `rnn_scan` with `flax.linen.scan`.

    Args:
      step: As in `rnn_scan`.
      module: As in `rnn_scan`.
      state: As in `rnn_scan`.
      inputs: As in `rnn_scan`.
      memory: As in `rnn_scan`.
      masks: The dropout masks of all steps, [T, ...], by the path from the module to the layer.
      reverse: As in `rnn_scan`.
      remat: As in `rnn_scan`.

    Returns:
      The last state, and the y_t, a pytree of [T, ...].
    """

    def masked_step(
        module: nn.Module, state: PyTree, x_t: PyTree, masks_t: Masks, memory: PyTree
    ) -> PyTree:
        with _use_masks(module, masks_t):
            return step(module, state, x_t, memory)

    scan = nn.scan(
        nn.remat(masked_step, prevent_cse=False) if remat else masked_step,
        variable_broadcast="params",
        split_rngs={"dropout": True},
        in_axes=(0, 0, nn.broadcast),
        reverse=reverse,
    )
    result: tuple[PyTree, PyTree] = scan(module, state, inputs, masks, memory)
    return result


def split_gates(
    preactivation: Float[Array, "*batch gates"], number: int
) -> list[Float[Array, "*batch D"]]:
    """Split the pre-activations of a cell's gates, `jnp.split` along the last axis.

    In a fast RNN scan the backward pass saves them, instead of the products that they are sums of.

    Args:
      preactivation: [..., number D].
      number: Number of gates.

    Returns:
      The gates, each [..., D].
    """
    return jnp.split(checkpoint_name(preactivation, _PREACTIVATION), number, axis=-1)


class _DenseCall(NamedTuple):
    """A call of a dense layer.

    Attributes:
      shape: The shape of the input.
      dtype: The type of the product.
      leaf: If the input is one of the leaves of x_t, which one.
    """

    shape: tuple[int, ...]
    dtype: Any
    leaf: int | None


class _Layers(NamedTuple):
    """The layers that a step calls exactly once, by path."""

    dense: dict[Path, _DenseCall]
    dropout: dict[Path, tuple[tuple[int, ...], Dropout]]


def _find_layers(
    step: Step, module: nn.Module, state: PyTree, first: PyTree, memory: PyTree
) -> _Layers:
    """Trace one step, without computing it, to find its layers."""
    unbound, variables = module.unbind()
    calls: dict[Path, list[PyTree]] = {}
    rngs = {"dropout": jax.random.key(0)} if module.has_rng("dropout") else {}

    def run(module: nn.Module, state: PyTree, x: PyTree, memory: PyTree) -> PyTree:
        leaves = jax.tree.leaves(x)

        def record(path: Path, layer: nn.Module, x: Array, compute: Callable[[], Array]) -> Array:
            if isinstance(layer, Dropout):
                calls.setdefault(path, []).append((x.shape, layer))
            elif isinstance(layer, Dense):
                leaf = next((i for i, leaf in enumerate(leaves) if leaf is x), None)
                dtype = dense_dtype(x, layer.get_variable("params", "kernel"))
                calls.setdefault(path, []).append(_DenseCall(x.shape, dtype, leaf))
            return compute()

        with intercept_layers(module, record):
            return step(module, state, x, memory)

    def apply(variables: PyTree, state: PyTree, x: PyTree, memory: PyTree) -> PyTree:
        return unbound.apply(variables, state, x, memory, rngs=rngs, method=run)

    jax.eval_shape(apply, variables, state, first, memory)
    once = {path: found[0] for path, found in calls.items() if len(found) == 1}
    of_dense = {path: call for path, call in once.items() if isinstance(call, _DenseCall)}
    return _Layers(of_dense, {path: once[path] for path in once.keys() - of_dense.keys()})


def _draw_masks(key: Array | None, layers: _Layers, num_steps: int) -> tuple[Masks, Array | None]:
    """Draw the masks [T, ...] of all dropout layers, and a key per step for other draws."""
    if key is None:
        return {}, None
    key, *keys = jax.random.split(key, 1 + len(layers.dropout))
    masks = {}
    for (path, (shape, layer)), own in zip(sorted(layers.dropout.items()), keys, strict=True):
        different = 1 if layer.per_sequence else num_steps
        mask = draw_mask(own, 1 - layer.rate, (different, *shape))
        masks[path] = jnp.broadcast_to(mask, (num_steps, *shape))
    return masks, jax.random.split(key, num_steps)


def _use_masks(module: nn.Module, masks: Masks) -> AbstractContextManager[None]:
    """Let the dropout layers below the module use these masks."""

    def replace(path: Path, layer: nn.Module, x: Array, compute: Callable[[], Array]) -> PyTree:
        if isinstance(layer, Dropout) and path in masks:
            return apply_mask(x, masks[path], layer.rate)
        return compute()

    return intercept_layers(module, replace)


class _StepInputs(NamedTuple):
    """What a fast loop hands to a step: the arrays of its time, and the layers' share.

    Attributes:
      x: The step's input.
      key: For random numbers other than masks; None without them.
      masks: Of the dropout layers.
      projections: Results of the dense layers that are computed before the loop.
      perturbations: Zeros, like the results of the other dense layers. The gradient of each is the
        gradient dy_t of the layer's result. Empty where no gradient is wanted.
    """

    x: PyTree
    key: Array | None
    masks: Masks
    projections: dict[Path, Array]
    perturbations: dict[Path, Array]


def _fast_rnn_scan(
    step: Step,
    module: nn.Module,
    state: PyTree,
    inputs: PyTree,
    memory: PyTree,
    masks: Masks,
    keys: Array | None,
    layers: _Layers,
    *,
    reverse: bool,
    remat: bool,
) -> tuple[PyTree, PyTree]:
    unbound, variables = module.unbind()
    params = flatten_dict(variables.get("params", {}))
    leaves = jax.tree.leaves(inputs)
    projections = {
        path: dense(leaves[call.leaf], params[*path, "kernel"], params.get((*path, "bias")))
        for path, call in layers.dense.items()
        if call.leaf is not None
    }
    in_loop = {path: call for path, call in layers.dense.items() if call.leaf is None}
    # Cast to the type of the products once, not at each step.
    weights = {
        path: params.pop(path).astype(in_loop[path[:-1]].dtype)
        for path in list(params)
        if path[:-1] in in_loop
    }
    xs = _StepInputs(inputs, keys, masks, projections, perturbations={})

    def loop(
        weights: PyTree,
        transposed: PyTree,
        params: PyTree,
        state: PyTree,
        xs: PyTree,
        memory: PyTree,
    ) -> PyTree:
        """Run all steps: ((last state, y_t), inputs of the dense layers in the loop)."""

        def one_step(state: PyTree, at_t: _StepInputs) -> PyTree:
            seen: dict[Path, Array] = {}

            def replace(
                path: Path, layer: nn.Module, x: Array, compute: Callable[[], Array]
            ) -> PyTree:
                if path in at_t.projections:
                    return at_t.projections[path]
                if path in at_t.perturbations:
                    kernel, bias = weights[*path, "kernel"], weights.get((*path, "bias"))
                    seen[path] = x = x.astype(kernel.dtype)
                    return _dense_in_loop(
                        x, kernel, bias, transposed[path], at_t.perturbations[path]
                    )
                return compute()

            def run(module: nn.Module, state: PyTree, x: PyTree, memory: PyTree) -> PyTree:
                with _use_masks(module, at_t.masks), intercept_layers(module, replace):
                    return step(module, state, x, memory)

            rngs = {} if at_t.key is None else {"dropout": at_t.key}
            variables = {"params": unflatten_dict(params | weights)}
            state, y = unbound.apply(variables, state, at_t.x, memory, rngs=rngs, method=run)
            return state, (y, seen)

        policy = jax.checkpoint_policies.nothing_saveable if remat else _SAVED
        one_step = jax.checkpoint(one_step, prevent_cse=False, policy=policy)
        state, (ys, seen) = jax.lax.scan(one_step, state, xs, reverse=reverse)
        return (state, ys), seen

    @jax.custom_vjp
    def run(
        weights: PyTree, params: PyTree, state: PyTree, xs: _StepInputs, memory: PyTree
    ) -> PyTree:
        return loop(weights, {}, params, state, xs, memory)[0]

    def forward(
        weights: PyTree, params: PyTree, state: PyTree, xs: _StepInputs, memory: PyTree
    ) -> PyTree:
        transposed = {path: weights[*path, "kernel"].T for path in in_loop}
        num_steps = jax.tree.leaves(inputs)[0].shape[0]
        perturbations = {
            path: jnp.zeros((num_steps, *call.shape[:-1], transposed[path].shape[0]), call.dtype)
            for path, call in in_loop.items()
        }

        def perturbed(
            perturbations: PyTree, params: PyTree, state: PyTree, xs: PyTree, memory: PyTree
        ) -> PyTree:
            xs = xs._replace(perturbations=perturbations)
            return loop(weights, transposed, params, state, xs, memory)

        result, backward_loop, seen = jax.vjp(
            perturbed, perturbations, params, state, xs, memory, has_aux=True
        )
        return result, (backward_loop, seen, weights)

    def backward(residuals: PyTree, d_result: PyTree) -> PyTree:
        backward_loop, seen, weights = residuals
        d_perturbations, *d_others = backward_loop(d_result)
        d_weights = {}
        for path, x in seen.items():
            d_weights[*path, "kernel"], d_bias = dense_gradient(x, d_perturbations[path])
            if (*path, "bias") in weights:
                d_weights[*path, "bias"] = d_bias
        return d_weights, *d_others

    run.defvjp(forward, backward)
    result: tuple[PyTree, PyTree]
    if remat:
        result = loop({}, {}, params | weights, state, xs, memory)[0]
    else:
        result = run(weights, params, state, xs, memory)
    return result


@jax.custom_vjp
def _dense_in_loop(
    x: Array, kernel: Array, bias: Array | None, transposed: Array, perturbation: Array
) -> Array:
    """A dense layer whose weights get their gradients after the loop.

    Args:
      x: [..., I].
      kernel: W, [I, O].
      bias: b, [O], or None.
      transposed: W^T, [O, I].
      perturbation: [..., O]; its value is not used, and its gradient is that of the output.
    """
    return reference_dense(x, kernel, bias)


def _dense_in_loop_forward(
    x: Array, kernel: Array, bias: Array | None, transposed: Array, perturbation: Array
) -> PyTree:
    return reference_dense(x, kernel, bias), transposed


def _dense_in_loop_backward(transposed: Array, dy: Array) -> PyTree:
    return dy @ transposed, None, None, None, dy


_dense_in_loop.defvjp(_dense_in_loop_forward, _dense_in_loop_backward)
