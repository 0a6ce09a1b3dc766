"""A loop over time that leaves out of the loop what need not be in it.

A weight that every step uses gets a share of its gradient from every step:

  y_t = x_t W   =>   dW = sum_t x_t^T dy_t

Differentiated as it stands, a loop adds this sum up in memory, and every step reads and writes a
whole dW. Here the steps only hand out x_t and dy_t; one matrix product over all steps, after the
loop, is the sum. What the steps of the way back need of W is made once, before the loop, and so
are the dropout masks of all steps.

For the way back a step keeps its state, what is marked with `keep`, and products of matrices that
nothing marked makes up for; all else is computed again. Attention's tanh(key + query) alone would
be [T, B, S, A] numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.ad_checkpoint import checkpoint_name

from seq2seq_jax.ops.dropout_masks import draw_mask
from seq2seq_jax.ops.layers import MADE_READY, SEEN, Dropped, LoopWeights, dense_gradient

__all__ = ["keep", "scan_over_time"]

Array = jax.Array
Path = tuple[str, ...]  # of a layer in a module
Step = Callable[[Any, Any, Any, Any], tuple[Any, Any]]

_KEPT = "kept"
_KEEP = jax.checkpoint_policies.save_from_both_policies(
    jax.checkpoint_policies.save_only_these_names(_KEPT), jax.checkpoint_policies.dots_saveable
)


def keep(x: Array) -> Array:
    """Marks what a step in the loop keeps for the way back."""
    return checkpoint_name(x, _KEPT)


def scan_over_time(
    step: Step,
    module: nn.Module,
    state: Any,
    inputs: Any,
    memory: Any = None,
    *,
    reverse: bool = False,
    remat: bool = False,
) -> tuple[Any, Any]:
    """Runs `state, y_t = step(module, state, inputs_t, memory)` over the first axis of `inputs`.

    As `flax.linen.scan` with the same parameters, and other dropout, at every step. What is said
    above holds for layers of `models.layers` that a step calls once; all other parameters are
    differentiated as usual.

    Args:
      step: may call the module, its methods and its submodules; sees no arrays but those given.
      module: bound, with parameters and no other variables.
      state: a pytree.
      inputs: a pytree of [T, ...].
      memory: a pytree, the same at every step.
      reverse: from the last input to the first; each y_t stays where its input is.
      remat: keep nothing but the states and add gradients up step by step: slower, for sequences
        so long that memory is short.

    Returns:
      the last state, and the y_t, a pytree of [T, ...].
    """
    steps = jax.tree.leaves(inputs)[0].shape[0]
    first = jax.tree.map(lambda x: x[0], inputs)
    if module.is_initializing():
        step(module, state, first, memory)  # makes the parameters
    unbound, variables = module.unbind()
    params = flatten_dict(variables.get("params", {}))
    key = module.make_rng("dropout") if module.has_rng("dropout") else None

    def call(params, ready, key, state, inputs_t, memory):
        """One step: (state, y_t), and what the layers have seen."""
        result, variables = unbound.apply(
            {"params": unflatten_dict(params), MADE_READY: unflatten_dict(ready)},
            state,
            inputs_t,
            memory,
            rngs={} if key is None else {"dropout": key},
            mutable=[SEEN],
            method=step,
        )
        return result, _seen_once(variables.get(SEEN, {}))

    _, seen = jax.eval_shape(call, params, {}, key, state, first, memory)
    random = _draw(key, seen["dropout"], steps)
    weights = {path: params.pop(path) for path in list(params) if path[:-1] in seen["dense"]}
    # In the type in which a layer computes: cast once, where each step would do it again.
    weights = {path: weights[path].astype(seen["dense"][path[:-1]].dtype) for path in weights}

    def loop(weights, transposed, taps, params, state, inputs, memory, random):
        """All steps: (last state, y_t), and what the layers that have a tap have seen."""

        def one_step(state, at_t):
            inputs_t, taps_t, random_t = at_t
            ready: dict[Path, Any] = {
                (*path, "weights"): LoopWeights(transposed[path], tap)
                for path, tap in taps_t.items()
            }
            ready |= {(*path, "mask"): mask for path, mask in random_t["masks"].items()}
            (state, y), seen = call(
                params | weights, ready, random_t.get("key"), state, inputs_t, memory
            )
            return state, (y, {path: seen["dense"][path] for path in taps_t})

        policy = jax.checkpoint_policies.nothing_saveable if remat else _KEEP
        one_step = jax.checkpoint(one_step, prevent_cse=False, policy=policy)
        state, (ys, xs) = jax.lax.scan(one_step, state, (inputs, taps, random), reverse=reverse)
        return (state, ys), xs

    @jax.custom_vjp
    def run(weights, params, state, inputs, memory, random):
        return loop(weights, {}, {}, params, state, inputs, memory, random)[0]

    def forward(weights, params, state, inputs, memory, random):
        transposed = {path: weights[*path, "kernel"].T for path in seen["dense"]}
        taps = {
            path: jnp.zeros((steps, *x.shape[:-1], weights[*path, "kernel"].shape[-1]), x.dtype)
            for path, x in seen["dense"].items()
        }

        def tapped_loop(taps, params, state, inputs, memory):
            return loop(weights, transposed, taps, params, state, inputs, memory, random)

        result, backward_loop, xs = jax.vjp(
            tapped_loop, taps, params, state, inputs, memory, has_aux=True
        )
        return result, (backward_loop, xs, weights)

    def backward(residuals, d_result):
        backward_loop, xs, weights = residuals
        d_taps, *d_others = backward_loop(d_result)
        d_weights = {}
        for path, x in xs.items():
            d_weights[*path, "kernel"], d_bias = dense_gradient(x, d_taps[path])
            if (*path, "bias") in weights:
                d_weights[*path, "bias"] = d_bias
        return d_weights, *d_others, None

    run.defvjp(forward, backward)
    if remat:
        return loop({}, {}, {}, params | weights, state, inputs, memory, random)[0]
    return run(weights, params, state, inputs, memory, random)


def _seen_once(seen: Mapping[str, Any]) -> dict[str, dict[Path, Any]]:
    """By kind and path of the layer: what layers have seen that were called just once."""
    kinds: dict[str, dict[Path, Any]] = {"dense": {}, "dropout": {}}
    for (*path, kind), calls in flatten_dict(seen).items():
        if len(calls) == 1:
            kinds[kind][tuple(path)] = calls[0]
    return kinds


def _draw(key: Array | None, dropped: Mapping[Path, Dropped], steps: int) -> dict[str, Any]:
    """All that is random in so many steps: the masks of layers, and a key for whatever else."""
    if key is None:
        return {"masks": {}}
    key, *keys = jax.random.split(key, 1 + len(dropped))
    masks = {}
    for (path, what), key_of_layer in zip(sorted(dropped.items()), keys, strict=True):
        different = 1 if what.per_sequence else steps
        mask = draw_mask(key_of_layer, what.keep_prob, (different, *what.inputs.shape))
        masks[path] = jnp.broadcast_to(mask, (steps, *what.inputs.shape))
    return {"masks": masks, "key": jax.random.split(key, steps)}
