"""The fast form of the RNN scan: a loop that does as little as possible at each step.

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
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, PyTree

from seq2seq_jax.ops.layers import (
    PREACTIVATION,
    Path,
    dense,
    dense_gradient,
    intercept_layers,
    reference_dense,
)
from seq2seq_jax.ops.step_layers import Masks, Step, StepLayers, use_masks

_SAVED = jax.checkpoint_policies.save_from_both_policies(
    jax.checkpoint_policies.save_only_these_names(PREACTIVATION),
    jax.checkpoint_policies.dots_saveable,
)


def fast_rnn_scan(
    step: Step,
    module: nn.Module,
    state: PyTree,
    inputs: PyTree,
    memory: PyTree,
    masks: Masks,
    keys: Array | None,
    layers: StepLayers,
    *,
    reverse: bool,
    remat: bool,
) -> tuple[PyTree, PyTree]:
    """Compute `rnn_scan.rnn_scan` with products outside of the loop.

    Args:
      step: As in `rnn_scan`.
      module: As in `rnn_scan`.
      state: As in `rnn_scan`.
      inputs: As in `rnn_scan`.
      memory: As in `rnn_scan`.
      masks: The dropout masks of all steps, [T, ...], by the path from the module to the layer.
      keys: A random key per step, [T], or None.
      layers: The layers that a step calls once.
      reverse: As in `rnn_scan`.
      remat: As in `rnn_scan`.

    Returns:
      The last state, and the y_t, a pytree of [T, ...].
    """
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
                with use_masks(module, at_t.masks), intercept_layers(module, replace):
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
