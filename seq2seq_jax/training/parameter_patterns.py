"""Patterns of parameters, as in `encoder/*`, and what optimizers do with those that match."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from seq2seq_jax.schema.rules import split_names
from seq2seq_jax.training.gradient_transforms import KeyPath
from seq2seq_jax.utils.errors import UserError


def parameter_name(path: KeyPath) -> str:
    """Return the name of a parameter, such as `decoder/mix/kernel`.

    Args:
      path: The path of the leaf, as `jax.tree_util` gives it.
    """
    return jax.tree_util.keystr(path, simple=True, separator="/")


def parameter_names(params: PyTree) -> list[str]:
    """Return the names of all parameters.

    Args:
      params: The parameters or their shapes, nested by module.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return [parameter_name(path) for path, _ in leaves]


def matches(name: str, pattern: str) -> bool:
    """Return whether a pattern matches the name of a parameter.

    Args:
      name: The name.
      pattern: `*` matches anything, slashes included; `?` and `[...]` match one character. The
        pattern of a module, `encoder`, matches all parameters below it.

    Example:
      >>> matches("encoder/fw/kernel", "encoder/*"), matches("encoder/fw/kernel", "*/bias")
      (True, False)
    """
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern.rstrip('/')}/*")


def check_patterns(patterns: Iterable[str], names: Iterable[str], key: str) -> None:
    """Check that each pattern matches a parameter.

    Args:
      patterns: The patterns.
      names: The names of all parameters.
      key: The dotted key of the patterns, for errors.

    Raises:
      UserError: A pattern matches none.
    """
    names = list(names)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            modules = sorted({"/".join(name.split("/")[:2]) for name in names})
            what = f"{pattern} matches no parameter; use a pattern of these: {', '.join(modules)}"
            raise UserError(key, what)


def check_optimizer_patterns(optimizer: Mapping[str, Any], params: PyTree) -> None:
    """Check that each pattern of `optimizer.frozen` and `optimizer.lr_multipliers` is used.

    Args:
      optimizer: The group `optimizer` of a resolved configuration.
      params: The parameters of the model or their shapes.

    Raises:
      UserError: A pattern matches no parameter, or nothing is trained.
    """
    names = parameter_names(params)
    frozen = parse_frozen(optimizer["frozen"])
    check_patterns((item.pattern for item in frozen), names, "optimizer.frozen")
    check_patterns(
        parse_multipliers(optimizer["lr_multipliers"]), names, "optimizer.lr_multipliers"
    )
    if all(_until(frozen, name) == 0 for name in names):
        raise UserError("optimizer.frozen", "matches all parameters; use narrower patterns")


class Frozen(NamedTuple):
    """Parameters that are not trained, or not from the start.

    Attributes:
      pattern: Their pattern.
      until: The step from which they are trained; 0: never.
    """

    pattern: str
    until: int


def parse_frozen(text: str) -> list[Frozen]:
    """Return the items of the key `optimizer.frozen`.

    Example:
      >>> parse_frozen("encoder/*:500,*/bias")
      [Frozen(pattern='encoder/*', until=500), Frozen(pattern='*/bias', until=0)]
    """
    parts = (item.partition(":") for item in split_names(text))
    return [Frozen(pattern.strip(), int(step or 0)) for pattern, _, step in parts]


def parse_multipliers(text: str) -> dict[str, float]:
    """Return the items of the key `optimizer.lr_multipliers`.

    Example:
      >>> parse_multipliers("encoder/*:0.1")
      {'encoder/*': 0.1}
    """
    parts = (item.rpartition(":") for item in split_names(text))
    return {pattern.strip(): float(factor) for pattern, _, factor in parts}


def scale_by_pattern(multipliers: dict[str, float]) -> optax.GradientTransformation:
    """Multiply the updates of parameters that patterns match, which gives them a learning rate.

    Args:
      multipliers: Pattern -> factor; the factors of all patterns that match are multiplied.

    Returns:
      The transformation; it has no state.
    """

    def scale(path: KeyPath, update: jax.Array) -> jax.Array:
        name = parameter_name(path)
        for pattern, factor in multipliers.items():
            if matches(name, pattern):
                update = factor * update
        return update

    return optax.stateless(lambda updates, params: jax.tree_util.tree_map_with_path(scale, updates))


class _CountState(NamedTuple):
    num_steps: jax.Array


def freeze_gradients(frozen: list[Frozen]) -> optax.GradientTransformation:
    """Set gradients of frozen parameters to zero, so that they do not count in the global norm.

    Args:
      frozen: The frozen parameters.

    Returns:
      The transformation; its state counts the steps.
    """

    def update(updates: PyTree, state: _CountState, params: Any = None) -> Any:
        del params

        def mask(path: KeyPath, grad: jax.Array) -> jax.Array:
            until = _until(frozen, parameter_name(path))
            if until is None:
                return grad
            zeros = jnp.zeros_like(grad)
            return jnp.where(state.num_steps >= until, grad, zeros) if until else zeros

        masked = jax.tree_util.tree_map_with_path(mask, updates)
        return masked, _CountState(state.num_steps + 1)

    return optax.GradientTransformation(
        lambda params: _CountState(jnp.zeros((), jnp.int32)), update
    )


def freeze_updates(
    make_update: Callable[[int], optax.GradientTransformation], frozen: list[Frozen]
) -> optax.GradientTransformation:
    """Divide the parameters among optimizers, so that frozen ones have no state and no decay.

    Parameters that are trained from a later step on have a separate optimizer that starts
    there. The moments of one that had seen gradients of zero would be too small at first.

    Args:
      make_update: Returns the optimizer whose first update is made at the given step.
      frozen: The frozen parameters.

    Returns:
      The transformation.
    """
    starts = {item.until for item in frozen if item.until}
    transforms = {"trained": make_update(0), "frozen": optax.set_to_zero()}
    transforms |= {f"from_{step}": _start_at(step, make_update(step)) for step in sorted(starts)}

    def label(path: KeyPath, leaf: object) -> str:
        until = _until(frozen, parameter_name(path))
        return "trained" if until is None else f"from_{until}" if until else "frozen"

    return optax.partition(
        transforms, lambda params: jax.tree_util.tree_map_with_path(label, params)
    )


def _until(frozen: list[Frozen], name: str) -> int | None:
    """Return the step until which a parameter is frozen, 0: always, None: never.

    The last item that matches decides.
    """
    return next((item.until for item in reversed(frozen) if matches(name, item.pattern)), None)


class _StartState(NamedTuple):
    num_steps: jax.Array
    inner: optax.OptState


def _start_at(step: int, inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Leave parameters and the state of `inner` as they are until a step."""

    def update(updates: PyTree, state: _StartState, params: Any = None) -> Any:
        new_updates, new_inner = inner.update(updates, state.inner, params)
        starts = state.num_steps >= step

        def select(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(starts, new, old)

        masked = jax.tree.map(lambda new: select(new, jnp.zeros_like(new)), new_updates)
        kept = jax.tree.map(select, new_inner, state.inner)
        return masked, _StartState(state.num_steps + 1, kept)

    return optax.GradientTransformation(
        lambda params: _StartState(jnp.zeros((), jnp.int32), inner.init(params)), update
    )
