"""The optimizer of a run: an update rule, its schedule, and what is done before and after it."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.schema.parameters import ClassOf, FrozenMapping, ParamsOf, construct
from seq2seq_jax.schema.rules import FACTOR, FROZEN, MULTIPLIERS, at_least
from seq2seq_jax.training.gradient_transforms import (
    clip_by_global_norm,
    clip_embeddings,
    scale_encoder,
)
from seq2seq_jax.training.parameter_patterns import (
    freeze_gradients,
    freeze_updates,
    parse_frozen,
    parse_multipliers,
    scale_by_pattern,
)
from seq2seq_jax.training.schedules import Schedule, ScheduleConfig, make_schedule
from seq2seq_jax.training.update_rules import Adam
from seq2seq_jax.utils.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig(ScheduleConfig):
    """The keys `optimizer.*`.

    Attributes:
      name: A built-in optimizer, any optimizer of optax by its name, or the dotted path of a
        user-defined one.
      encoder_lr_multiplier: Factor of the encoder's learning rate, for example below 1 for a
        pretrained encoder; 0: the encoder is not trained.
      lr_multipliers: Factors of the learning rate by patterns of parameters, as encoder/*:0.1.
      frozen: Patterns of parameters that are not trained, as encoder/*; with a step, as
        encoder/*:500, they are trained from that step on.
      clip_gradients: Largest global norm of the gradients; 0: no clipping.
      clip_embed_gradients: Largest norm of each embedding table's gradient, clipped afterwards; 0:
        no clipping.
    """

    name: Annotated[Callable[..., optax.GradientTransformation], ClassOf("optimizer")] = Adam
    params: Annotated[Mapping[str, Any], ParamsOf("name")] = FrozenMapping()
    encoder_lr_multiplier: Annotated[float, FACTOR] = 1.0
    lr_multipliers: Annotated[str, MULTIPLIERS] = ""
    frozen: Annotated[str, FROZEN] = ""
    clip_gradients: Annotated[float, at_least(0)] = 5.0
    clip_embed_gradients: Annotated[float, at_least(0)] = 0.1

    @classmethod
    def from_config(cls, values: ConfigDict) -> "OptimizerConfig":
        """Return the settings of a resolved configuration's `optimizer`.

        Args:
          values: The group `optimizer` of a resolved configuration.

        Raises:
          UserError: The optimizer cannot be imported.
        """
        settings: OptimizerConfig = construct(cls, values.to_dict(), resolve_class, "optimizer")
        return settings

    def numbers(self) -> dict[str, np.ndarray]:
        """Return the numbers that a compiled step can take as inputs.

        Runs that differ in these numbers alone then share one compiled step.

        Returns:
          Scalars by the name of their key: those of the schedule and of clipping, and the
          multiplier of the encoder.
        """
        dtypes = {int: np.int32, float: np.float32}
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: np.asarray(value, dtypes[type(value)])
            for name, value in values.items()
            if type(value) in dtypes
        }


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformationExtraArgs:
    """Return the optimizer with its schedule, clipping, multipliers and frozen parameters.

    It is a chain: set gradients of frozen parameters to zero, clip all gradients by their global
    norm, clip each embedding table by its own norm, update, scale updates. Both norms are taken
    over dense gradients, in which all rows of one token are summed.

    Args:
      config: The settings.

    Returns:
      The optax transformation. Its update accepts `numbers`, which replace those of the settings
      (see `OptimizerConfig.numbers`) and can be inputs of a compiled function.

    Raises:
      UserError: The optimizer cannot be constructed, or it needs more than gradients and
        parameters, such as the value of the loss.

    Example:
      >>> optimizer = make_optimizer(OptimizerConfig(name=optax.sgd, learning_rate=0.5))
      >>> updates, _ = optimizer.update({"w": 2.0}, optimizer.init({"w": 1.0}))
      >>> float(updates["w"])
      -1.0
    """
    _check_update(config)
    optimizer = _make_chain(config, {})

    def update(
        updates: PyTree,
        state: PyTree,
        params: PyTree | None = None,
        *,
        numbers: Mapping[str, Any] = MappingProxyType({}),
        **_: object,
    ) -> tuple[PyTree, PyTree]:
        chain = _make_chain(config, numbers) if numbers else optimizer
        updated: tuple[PyTree, PyTree] = chain.update(updates, state, params)
        return updated

    return optax.GradientTransformationExtraArgs(optimizer.init, update)


def _make_chain(
    config: OptimizerConfig, numbers: Mapping[str, Any]
) -> optax.GradientTransformation:
    """Chain what the settings ask for; `numbers` replace those of the settings."""

    def number(name: str) -> Any:
        return numbers.get(name, getattr(config, name))

    def make_update(first_step: int) -> optax.GradientTransformation:
        return _make_update(config, numbers, first_step)

    chain = []
    frozen = parse_frozen(config.frozen)
    if frozen:
        chain.append(freeze_gradients(frozen))
    if config.clip_gradients > 0:
        chain.append(clip_by_global_norm(number("clip_gradients")))
    if config.clip_embed_gradients > 0:
        chain.append(clip_embeddings(number("clip_embed_gradients")))
    chain.append(freeze_updates(make_update, frozen) if frozen else make_update(0))
    if config.encoder_lr_multiplier != 1:
        chain.append(scale_encoder(number("encoder_lr_multiplier")))
    if config.lr_multipliers:
        chain.append(scale_by_pattern(parse_multipliers(config.lr_multipliers)))
    return optax.chain(*chain)


def _make_update(
    config: OptimizerConfig, numbers: Mapping[str, Any], first_step: int = 0
) -> optax.GradientTransformation:
    """Construct the optimizer, whose schedule begins at `first_step`."""
    schedule = make_schedule(dataclasses.replace(config, **numbers))
    if first_step:
        schedule = _shift(schedule, first_step)
    return config.name(learning_rate=schedule, **config.params)


def _check_update(config: OptimizerConfig) -> None:
    """Trace one update to find out whether the optimizer is usable."""
    name = getattr(config.name, "__name__", str(config.name))

    def update(params: PyTree) -> PyTree:
        updates, state = optimizer.update(params, optimizer.init(params), params)
        return optax.apply_updates(params, updates), state

    try:
        optimizer = _make_update(config, {})
        _, state = jax.eval_shape(update, {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)})
    except UserError:
        raise
    except Exception as error:  # An optimizer of another package may fail in any way.
        what = f"{name} cannot update from a schedule, gradients and parameters alone"
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError("optimizer.name", f"{what} ({reason}); use another one") from error
    if any(jnp.issubdtype(leaf.dtype, jax.dtypes.extended) for leaf in jax.tree.leaves(state)):
        what = f"the state of {name} holds random keys, which checkpoints cannot; use another one"
        raise UserError("optimizer.name", what)


def _shift(schedule: Schedule, steps: int) -> Schedule:
    return lambda count: schedule(count + steps)
