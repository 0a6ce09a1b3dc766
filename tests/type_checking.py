"""The type checker that jaxtyping applies while the tests run."""

from collections.abc import Callable
from typing import Any

from beartype import beartype


def check_types(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the arguments and results of a function, and the shapes of its arrays.

    Constructors of dataclasses are left out: pytrees are also built of numpy arrays, shapes and
    other leaves.

    Args:
      function: A function, or the constructor of a dataclass.

    Returns:
      The function with checks.
    """
    if function.__name__ == "__init__":
        return function
    checked: Callable[..., Any] = beartype(function)
    return checked
