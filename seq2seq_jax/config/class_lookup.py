"""From the name of a class to the class."""

from types import ModuleType
from typing import Any

from seq2seq_jax.config import import_dotted


def find_class(module: ModuleType, key: str, name: str) -> Any:
    """What `name` stands for at `key`: a class of `module`, or a user's own by its importable path.

    Raises:
      UserError: the path cannot be imported.
    """
    return import_dotted(name, key) if "." in name else getattr(module, name)
