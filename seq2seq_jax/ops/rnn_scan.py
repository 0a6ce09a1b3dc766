"""The RNN scan: a step function over time, `state, y_t = step(module, state, x_t, memory)`.

Reference: `flax.linen.scan`. Fast: `fast_rnn_scan`. Both take the same dropout masks, which are
drawn for all steps at once.
"""

import jax
from flax import linen as nn
from jaxtyping import PyTree

from seq2seq_jax.ops.fast_rnn_scan import fast_rnn_scan
from seq2seq_jax.ops.kernels import active_kernels
from seq2seq_jax.ops.step_layers import Masks, Step, draw_masks, find_layers, use_masks


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
    layers = find_layers(step, module, state, first, memory)
    key = module.make_rng("dropout") if module.has_rng("dropout") else None
    num_steps = jax.tree.leaves(inputs)[0].shape[0]
    masks, keys = draw_masks(key, layers, num_steps)
    if active_kernels() == "reference":
        return reference_rnn_scan(
            step, module, state, inputs, memory, masks, reverse=reverse, remat=remat
        )
    return fast_rnn_scan(
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
        with use_masks(module, masks_t):
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
