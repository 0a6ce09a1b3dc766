"""The type checker that jaxtyping applies while the tests run."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeCallHintViolation

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))  # An int is a float.


def check_types(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the arguments and results of a function, and the shapes of its arrays.

    Constructors of dataclasses are left out: pytrees are also built of numpy arrays, shapes and
    other leaves. Where a JAX array is expected, a numpy array of that shape and type will do, as
    for JAX itself.

    Args:
      function: The signature of a function, with which jaxtyping checks the arguments and results
        of the real one; or the constructor of a dataclass.

    Returns:
      The function with checks.
    """
    if function.__name__ == "__init__":
        return function
    checked: Callable[..., Any] = _beartype(function)

    @wraps(function)
    def check(*args: Any, **kwargs: Any) -> Any:
        try:
            return checked(*args, **kwargs)
        except BeartypeCallHintViolation:
            named = {name: _as_jax(value) for name, value in kwargs.items()}
            return checked(*(_as_jax(value) for value in args), **named)

    return check


def _as_jax(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        with jax.ensure_compile_time_eval():
            return jnp.asarray(value)
    if type(value) in (tuple, list):
        return type(value)(_as_jax(part) for part in value)
    return value
