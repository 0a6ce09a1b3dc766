"""Whole models in training: losses, gradients, clipping, and the first steps of each optimizer."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.importers.tf_variables import import_model
from seq2seq_jax.models.losses import cross_entropy
from seq2seq_jax.models.seq2seq import reverse_sequences
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.update_rules import SGD
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.networks import Network, configured, network, quick_jit
from tests.golden_cases.tensorflow_updates import TensorFlowOptimizer, clipped

Gradients = dict[tuple[str, ...], np.ndarray]  # by the path of the parameter

SOURCE, TARGET = ("source_embedding", "embedding"), ("target_embedding", "embedding")


class Batch(NamedTuple):
    """As google/seq2seq cuts it; padding is UNK."""

    source_ids: np.ndarray
    source_len: np.ndarray
    target_ids: np.ndarray
    target_len: np.ndarray


class Training(NamedTuple):
    """A network with the weights, the configuration and the vocabularies of a file.

    Where a file says `embedding.share`, the tables are two here, as they were there.
    """

    network: Network
    params: Any
    config: ConfigDict
    source: Vocabulary
    target: Vocabulary


def compare_model(golden: GoldenFile) -> None:
    """Teacher forcing, the gradient of the loss, and how it is clipped."""
    training = _training(golden)
    net, params, config = training.network, training.params, training.config
    batch = _batch(golden, training)
    source = jnp.asarray(batch.source_ids)
    fed = reverse_sequences(source, batch.source_len) if net.model.reverse_source else source
    golden.check("out/pred/features.source_ids", fed)
    golden.check("out/pred/features.source_len", batch.source_len)
    golden.check("out/pred/labels.target_ids", batch.target_ids)
    golden.check("out/pred/labels.target_len", batch.target_len)

    output = net.apply({"params": params}, source, batch.source_len, batch.target_ids[:, :-1])
    steps = batch.target_len.max() - 1
    logits, targets = output.logits[:, :steps], batch.target_ids[:, 1 : steps + 1]
    golden.check("out/pred/logits", logits)
    if "out/pred/attention_scores" in golden:
        golden.check("out/pred/attention_scores", output.attention_scores[:, :steps])
    words = np.asarray(logits.argmax(-1))
    golden.check("out/pred/predicted_ids", words)
    theirs = golden["out/pred/predicted_tokens"]
    assert training.target.decode(words.reshape(-1)) == theirs.reshape(-1).tolist()
    lengths = batch.target_len - 1
    golden.check("out/pred/losses", losses_one_by_one(logits, targets, lengths))

    loss, grads = _gradients(net, params, batch)
    golden.check("out/loss", loss)
    dense = _summed(grads, batch, net)
    expected = flatten_dict(import_model(net.model, golden.under("grad"), "grad"))
    for path, array in expected.items():
        golden.check_close(dense[path], array, message=f"gradient of {'/'.join(path)}")
    golden.check("out/global_norm", _norm(grads))
    golden.check("out/global_norm_dense", _norm(dense))
    _check_clipping(golden, config, grads, dense, batch, net)


def compare_trajectory(golden: GoldenFile) -> None:
    """Some steps of an optimizer of TensorFlow, which our gradients drive."""
    training = _training(golden)
    net, settings = training.network, training.config.optimizer
    odd = "_odd_steps" if "in/source_tokens_odd_steps" in golden else ""
    batches = [_batch(golden, training), _batch(golden, training, odd)]
    optimizer = TensorFlowOptimizer(
        settings.name,
        settings.learning_rate,
        golden.hparams["params"].get("optimizer.params", {}),
    )
    params = flatten_dict(training.params)
    tolerance = {"atol": 1e-4}
    losses = []
    for step in range(len(golden["out/losses"])):
        batch = batches[step % 2]
        loss, grads = _gradients(net, unflatten_dict(params), batch)
        losses.append(loss)
        grads = clipped(
            grads, (SOURCE, TARGET), settings.clip_gradients, settings.clip_embed_gradients
        )
        rows = {SOURCE: np.unique(batch.source_ids), TARGET: np.unique(batch.target_ids)}
        params = optimizer.update(params, _summed(grads, batch, net), rows)
        if step == 0:
            _check_params(golden, "out/var_after1", net, params, **tolerance)
    _check_params(golden, "out/var_final", net, params, **tolerance)
    golden.check("out/losses", np.array(losses), **tolerance)
    loss, _ = _gradients(net, unflatten_dict(params), batches[0])
    golden.check("out/loss_after", loss, **tolerance)


def losses_one_by_one(logits: Any, targets: Any, lengths: Any) -> jax.Array:
    """`cross_entropy` of each position separately: [B, T, V], [B, T], [B] -> [B, T]"""
    real = np.arange(targets.shape[1]) < np.asarray(lengths)[:, None]
    each = quick_jit(jax.vmap(jax.vmap(lambda *one: cross_entropy(*one)[0])))
    return each(
        np.asarray(logits)[:, :, None, None],
        np.asarray(targets)[:, :, None, None],
        real.astype(int)[:, :, None],
    )


def _norm(grads: Gradients) -> np.float32:
    return np.sqrt(sum(np.sum(np.square(grad)) for grad in grads.values()))


def _check_clipping(golden, config, grads, dense, batch, net) -> None:
    """Ours, by the norms of the dense gradient; theirs, by those of its slices, in the stand-in
    that the trajectories use."""
    limits = config.optimizer.clip_gradients, config.optimizer.clip_embed_gradients
    expected = flatten_dict(import_model(net.model, golden.under("clipped_grad"), "clipped_grad"))
    like_theirs = _summed(clipped(grads, (SOURCE, TARGET), *limits), batch, net)
    for path, array in expected.items():
        golden.check_close(like_theirs[path], array, message=f"clipped {'/'.join(path)}")

    sgd = make_optimizer(
        OptimizerConfig(
            name=SGD, learning_rate=1.0, clip_gradients=limits[0], clip_embed_gradients=limits[1]
        )
    )
    params = unflatten_dict(dense)  # of the same shapes
    updates, _ = quick_jit(sgd.update)(params, sgd.init(params))
    scale = min(1, limits[0] / float(golden["out/global_norm_dense"]))
    theirs = flatten_dict(import_model(net.model, golden.under("grad"), "grad"))
    for path, array in flatten_dict(updates).items():
        array_clipped = theirs[path] * scale
        if path in (SOURCE, TARGET):
            array_clipped *= min(1, limits[1] / np.linalg.norm(array_clipped))
        golden.check_close(-array, array_clipped, message=f"clipped {'/'.join(path)}, dense")


def _check_params(golden, prefix, net, params, **tolerance) -> None:
    expected = flatten_dict(import_model(net.model, golden.under(prefix), prefix))
    for path, array in expected.items():
        golden.check_close(params[path], array, message=f"{prefix} {path}", **tolerance)


def _training(golden: GoldenFile) -> Training:
    hparams = golden.hparams
    source, target = Vocabulary(hparams["src_vocab"]), Vocabulary(hparams["tgt_vocab"])
    settings = hparams["params"]
    net = network(hparams["model"], settings, source.size, target.size)
    params = import_model(net.model, golden.arrays)
    return Training(net, params, configured(hparams["model"], settings), source, target)


def _batch(golden: GoldenFile, training: Training, suffix: str = "") -> Batch:
    parts = []
    for side, vocabulary in (("source", training.source), ("target", training.target)):
        longest = training.config[side].max_seq_len
        tokens = golden[f"in/{side}_tokens{suffix}"][:, :longest]
        parts.append(np.array([vocabulary.encode(row) for row in tokens]))
        lengths = f"in/{side}_len"
        lengths = golden[lengths + suffix if lengths + suffix in golden else lengths]
        parts.append(np.minimum(lengths, longest))
    return Batch(*parts)


def _gradients(net: Network, params: Any, batch: Batch) -> tuple[np.ndarray, Gradients]:
    """The loss, and its gradient; for the tables, that of each embedding that was looked up."""
    flat = flatten_dict(params)
    flat[SOURCE] = flat[SOURCE][batch.source_ids.reshape(-1)]
    flat[TARGET] = flat[TARGET][batch.target_ids.reshape(-1)]
    loss, grads = net.slice_gradients(
        unflatten_dict(flat), batch.source_len, batch.target_ids, batch.target_len
    )
    return np.asarray(loss), jax.tree.map(np.asarray, flatten_dict(grads))


def _summed(grads: Gradients, batch: Batch, net: Network) -> Gradients:
    """The gradients with those of one word added up, which makes them of the tables' sizes."""
    summed = dict(grads)
    for path, ids, rows in (
        (SOURCE, batch.source_ids, net.model.source_vocab_size),
        (TARGET, batch.target_ids, net.model.target_vocab_size),
    ):
        summed[path] = np.zeros((rows, grads[path].shape[1]), np.float32)
        np.add.at(summed[path], ids.reshape(-1), grads[path])
    return summed
