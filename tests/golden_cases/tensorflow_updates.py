"""The updates of TensorFlow 1.0's optimizers, where optax's differ from them.

Norms are taken over the looked-up rows of an embedding one by one; Adam's epsilon is added to the
root before the bias is corrected; Momentum and RMSProp leave alone the rows of an embedding that
are not in the batch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = dict[tuple[str, ...], np.ndarray]


def clipped(
    grads: Arrays, embeddings: tuple, clip_gradients: float, clip_embed_gradients: float
) -> Arrays:
    """By the global norm, then each embedding by its own; those are looked-up rows, [N, E]."""
    norm = np.sqrt(sum(np.sum(np.square(grad)) for grad in grads.values()))
    grads = {path: grad * min(1, clip_gradients / norm) for path, grad in grads.items()}
    for path in embeddings:
        grads[path] = grads[path] * min(1, clip_embed_gradients / np.linalg.norm(grads[path]))
    return grads


class TensorFlowOptimizer:
    """SGD, Momentum, Adam, RMSProp or Adagrad, with TensorFlow's names of their parameters."""

    def __init__(self, name: str, learning_rate: float, params: Mapping[str, Any]):
        self._rule = getattr(self, f"_{name.lower()}")
        self._rate = np.float32(learning_rate)
        self._params = params
        self._slots: dict[tuple[str, ...], list[np.ndarray]] = {}
        self._step = 0

    def update(self, params: Arrays, grads: Arrays, rows: Mapping[tuple, np.ndarray]) -> Arrays:
        """The next parameters; of the tables in `rows` only these rows have been looked up."""
        self._step += 1
        updated = {}
        for path, value in params.items():
            slots = self._slots.setdefault(path, [np.zeros_like(value), np.zeros_like(value)])
            if self._step == 1 and self._rule in (self._rmsprop, self._adagrad):
                slots[0] += 1.0 if self._rule == self._rmsprop else 0.1
            before = [value, *(slot.copy() for slot in slots)]
            after = [self._rule(value.copy(), grads[path], slots), *slots]
            if path in rows and self._rule != self._adam:
                untouched = np.setdiff1d(np.arange(len(value)), rows[path])
                for old, new in zip(before, after, strict=True):
                    new[untouched] = old[untouched]
            updated[path] = after[0]
        return updated

    def _sgd(self, value, grad, slots):
        return value - self._rate * grad

    def _momentum(self, value, grad, slots):
        momentum = self._params["momentum"]
        slots[0][:] = momentum * slots[0] + grad
        if self._params.get("use_nesterov", False):
            return value - self._rate * (grad + momentum * slots[0])
        return value - self._rate * slots[0]

    def _adam(self, value, grad, slots):
        b1, b2 = self._params.get("beta1", 0.9), self._params.get("beta2", 0.999)
        slots[0][:] = b1 * slots[0] + (1 - b1) * grad
        slots[1][:] = b2 * slots[1] + (1 - b2) * np.square(grad)
        rate = self._rate * np.sqrt(1 - b2**self._step) / (1 - b1**self._step)
        return value - rate * slots[0] / (np.sqrt(slots[1]) + self._params.get("epsilon", 1e-8))

    def _rmsprop(self, value, grad, slots):
        decay, momentum = self._params.get("decay", 0.9), self._params.get("momentum", 0.0)
        slots[0][:] = decay * slots[0] + (1 - decay) * np.square(grad)
        scaled = grad / np.sqrt(slots[0] + self._params.get("epsilon", 1e-10))
        slots[1][:] = momentum * slots[1] + self._rate * scaled
        return value - slots[1]

    def _adagrad(self, value, grad, slots):
        slots[0] += np.square(grad)
        return value - self._rate * grad / np.sqrt(slots[0])
