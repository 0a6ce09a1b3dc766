"""The hooks that a configuration can name, and how they are run."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config.class_lookup import find_class
from seq2seq_jax.training.hooks.hook import Hook
from seq2seq_jax.training.hooks.metadata_capture import MetadataCaptureHook
from seq2seq_jax.training.hooks.print_model_analysis import PrintModelAnalysisHook
from seq2seq_jax.training.hooks.train_sample import TrainSampleHook
from seq2seq_jax.utils.errors import UserError

__all__ = ["MetadataCaptureHook", "PrintModelAnalysisHook", "TrainSampleHook"]


def make_hooks(config: ConfigDict) -> list[Hook]:
    """The hooks of a resolved configuration, in their order.

    Raises:
      UserError: a class cannot be imported, or is no hook.
    """
    hooks = []
    for label, entry in config.hooks.items():
        key = f"hooks.{label}.class"
        params: dict[str, Any] = dict(entry["params"])
        hook = find_class(sys.modules[__name__], key, entry["class"])(**params)
        if not isinstance(hook, Hook):
            base = f"{Hook.__module__}.{Hook.__name__}"
            raise UserError(key, f"{entry['class']} must derive from {base}")
        hooks.append(hook)
    return hooks


@contextmanager
def end_at_last(hooks: Sequence[Hook]) -> Iterator[None]:
    """Ends all hooks with the block, whatever ends that."""
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook.end)
        yield
