"""The switch between the fast form of every operation and its plain reference."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

KERNELS = ("fast", "reference")

_active: ContextVar[str] = ContextVar("kernels", default="fast")


@contextmanager
def use_kernels(kernels: str) -> Iterator[None]:
    """Choose the form of the operations that are called in this context.

    The choice is read while a function is traced. A function that `jax.jit` has compiled keeps the
    form with which it was traced, so the context must be entered inside of the jitted function, or
    around its first call.

    Args:
      kernels: "fast", or "reference" for the plain form that is easy to read and to port.

    Raises:
      ValueError: `kernels` is neither.

    Example:
      >>> from seq2seq_jax.ops.kernels import active_kernels, use_kernels
      >>> with use_kernels("reference"):
      ...     active_kernels()
      'reference'
      >>> active_kernels()
      'fast'
    """
    if kernels not in KERNELS:
        raise ValueError(f"kernels must be one of {', '.join(KERNELS)}; got {kernels}")
    token = _active.set(kernels)
    try:
        yield
    finally:
        _active.reset(token)


def active_kernels() -> str:
    """Return "fast" or "reference", the choice of the innermost `use_kernels`; by default "fast".

    Returns:
      The name of the form.
    """
    return _active.get()
