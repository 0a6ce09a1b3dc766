"""Networks from the hyperparameters of google/seq2seq, which go through our configuration."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.models.build import build_model
from seq2seq_jax.models.losses import cross_entropy
from seq2seq_jax.models.seq2seq import reverse_sequences
from seq2seq_jax.ops.kernels import active_kernels


def configured(model: str, params: Mapping[str, Any]) -> ConfigDict:
    """The resolved configuration: `params` has dotted keys, at any depth."""
    given = _nested(params)
    for side in ("source", "target"):
        given.pop(f"vocab_{side}", None)  # comes with the file
    config = default_config(model)
    config.update(given)
    return resolve(config)


def quick_jit(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that is small and runs a few times, so that compiling is what costs.

    The function is traced again, with the kernels that are active now.
    """
    fresh = functools.partial(function)
    return jax.jit(fresh, compiler_options={"xla_backend_optimization_level": 0}, **options)


class Network:
    """A model and what the comparisons need of it, compiled once for all files that use it."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.step = jax.jit(self._step, static_argnames="reverse")
        self.apply = quick_jit(model.apply)
        self.encode_and_init = quick_jit(functools.partial(model.apply, method="encode_and_init"))
        self.slice_gradients = quick_jit(jax.value_and_grad(self._loss_of_looked_up))

    def _step(self, params, tokens, state, memory, table, *, reverse: bool = False):
        """One decoder step: tokens [N], embeddings [V, E] -> new state, their outputs."""

        def run(decoder):
            new_state, step = decoder.step(state, table[tokens], memory)
            logits = decoder.logits(step)
            outputs = {"logits": logits, "predicted_ids": logits.argmax(-1)}
            outputs["cell_output"] = step.cell_output
            if memory is not None:
                scores = step.attention_scores
                if reverse:
                    lengths = jnp.repeat(memory.lengths, len(tokens) // len(memory.lengths))
                    scores = reverse_sequences(scores, lengths)
                outputs["cell_output"] = decoder.pre_logits(step)
                outputs["attention_scores"] = scores
                outputs["attention_context"] = step.attention_context
            return new_state, outputs

        return self.model.decoder.apply({"params": params}, method=run)

    def _loss_of_looked_up(self, params, source_len, target_ids, target_len):
        """The token mean as a function of parameters whose tables hold the embeddings that the
        batch looked up, one by one, so that the gradient of each is apart."""
        batch, width = target_ids.shape
        source_rows = params["source_embedding"]["embedding"].shape[0]
        model = self.model.clone(source_vocab_size=source_rows, target_vocab_size=batch * width)
        source_ids = jnp.arange(source_rows).reshape(batch, -1)
        target_inputs = jnp.arange(batch * width).reshape(batch, width)[:, :-1]
        output = model.apply({"params": params}, source_ids, source_len, target_inputs)
        loss, tokens = cross_entropy(output.logits, target_ids[:, 1:], target_len - 1)
        return loss / tokens


def network(
    model: str,
    params: Mapping[str, Any],
    source_vocab_size: int = 11,
    target_vocab_size: int = 11,
) -> Network:
    """The network that the hyperparameters describe; of one kind there is one."""
    others = ("optimizer.", "inference.", "vocab_", "embedding.share")
    params = {key: value for key, value in params.items() if not key.startswith(others)}
    sizes = source_vocab_size, target_vocab_size
    return _network(model, json.dumps(params, sort_keys=True), *sizes, active_kernels())


@functools.cache
def _network(
    model: str, params: str, source_vocab_size: int, target_vocab_size: int, kernels: str
) -> Network:
    config = configured(model, json.loads(params))
    return Network(build_model(config, source_vocab_size, target_vocab_size))


def shapes_of(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """The shapes of a module's parameters; arguments as for `init`, without the key."""
    init = functools.partial(module.init, **kwargs)
    return jax.eval_shape(init, jax.random.key(0), *args).get("params", {})


def like_initial_state(module: nn.Module, method: str, leaves: list[np.ndarray]) -> Any:
    """The parts of a state, in the structure of what the module starts with."""
    start = functools.partial(module.init_with_output, method=method)
    state, _ = jax.eval_shape(lambda key: start(key, leaves[0].shape[0]), jax.random.key(0))
    return jax.tree.unflatten(jax.tree.structure(state), leaves)


def _nested(params: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in params.items():
        inside = nested
        *path, last = key.split(".")
        for name in path:
            inside = inside.setdefault(name, {})
        if isinstance(value, Mapping):
            inside.setdefault(last, {}).update(_nested(value))
        else:
            inside[last] = value
    return nested
