"""Clipping and updates, compared with values computed by hand."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.training.gradient_transforms import clip_embeddings
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.schedules import make_schedule
from seq2seq_jax.training.update_rules import SGD
from seq2seq_jax.utils.errors import UserError

GRADS = {
    "source_embedding": {"embedding": jnp.array([[3.0, 0.0], [0.0, 4.0]])},  # norm 5
    "target_embedding": {"embedding": jnp.array([[0.06, 0.08]])},  # norm 0.1
    "kernel": jnp.array([12.0]),
}  # norm of all 13.0004


def updates(grads, params=None, **kwargs):
    """Return the updates of one step of SGD with a learning rate of 1."""
    optimizer = make_optimizer(OptimizerConfig(name=SGD, learning_rate=1.0, **kwargs))
    return optimizer.update(grads, optimizer.init(grads), params)[0]


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def test_gradients_are_clipped_to_their_global_norm():
    clipped = updates(GRADS, clip_gradients=6.5, clip_embed_gradients=0)
    np.testing.assert_allclose(np.linalg.norm(flat(clipped)), 6.5, rtol=1e-5)
    np.testing.assert_allclose(flat(clipped), -0.5 * flat(GRADS), rtol=1e-4)


def test_gradients_below_the_norm_are_not_clipped():
    unclipped = updates(GRADS, clip_gradients=14.0, clip_embed_gradients=0)
    np.testing.assert_allclose(flat(unclipped), -flat(GRADS), rtol=1e-6)


def test_each_embedding_table_is_clipped_to_its_own_norm():
    clipped, _ = clip_embeddings(0.5).update(GRADS, None)
    np.testing.assert_allclose(
        clipped["source_embedding"]["embedding"], [[0.3, 0.0], [0.0, 0.4]], rtol=1e-6
    )
    np.testing.assert_allclose(clipped["target_embedding"]["embedding"], [[0.06, 0.08]], rtol=1e-6)
    assert clipped["kernel"] == 12


def test_embeddings_are_clipped_after_the_global_norm():
    """The global norm leaves 0.5 of the source table, which is then clipped to 0.25."""
    total = float(np.linalg.norm(flat(GRADS)))
    clipped = updates(GRADS, clip_gradients=total / 10, clip_embed_gradients=0.25)
    table = -clipped["source_embedding"]["embedding"]
    np.testing.assert_allclose(table, [[0.15, 0.0], [0.0, 0.2]], rtol=1e-5)
    np.testing.assert_allclose(clipped["kernel"], [-1.2], rtol=1e-5)


def test_the_multiplier_scales_the_updates_of_the_encoder_only():
    grads = {"encoder": {"kernel": jnp.array([2.0])}, "decoder": {"kernel": jnp.array([2.0])}}
    for factor in (0.0, 0.25):
        scaled = updates(grads, encoder_lr_multiplier=factor)
        assert scaled["encoder"]["kernel"] == -2 * factor
        assert scaled["decoder"]["kernel"] == -2


def test_a_norm_of_zero_disables_clipping():
    unclipped = updates(GRADS, clip_gradients=0, clip_embed_gradients=0)
    np.testing.assert_array_equal(flat(unclipped), -flat(GRADS))


def test_a_gradient_of_zero_stays_zero():
    zeros = jax.tree.map(jnp.zeros_like, GRADS)
    assert not flat(updates(zeros)).any()


def test_by_default_gradients_are_clipped_to_5_and_embeddings_to_a_tenth():
    clipped = updates(GRADS)
    np.testing.assert_allclose(clipped["kernel"], [-12 * 5 / 13.0004], rtol=1e-4)
    for name in ("source_embedding", "target_embedding"):
        assert np.linalg.norm(clipped[name]["embedding"]) < 0.1 + 1e-6


def settings(**overrides):
    given = {
        "input_pipeline_train.params.builtin": "toy_copy",
        "input_pipeline_dev.params.builtin": "toy_copy",
    } | {f"optimizer.{key.replace('__', '.')}": value for key, value in overrides.items()}
    config = resolve(default_config("AttentionSeq2Seq"), [*given.items()])
    return OptimizerConfig.from_config(config.optimizer)


ONE_STEP = {  # from the gradient 2, at the rate 0.5
    "SGD": -1.0,
    "Momentum": -1.0,
    "Adam": -0.5,
    "AdamW": -0.5 - 0.5 * 1e-4 * 3,
    "Adagrad": -0.5 * 2 / np.sqrt(0.1 + 4),
    "RMSProp": -0.5 * 2 / np.sqrt(0.1 * 4),
    "adamax": -0.5,
}


@pytest.mark.parametrize("name", ONE_STEP)
def test_the_first_step_of_an_optimizer_follows_its_paper(name):
    optimizer = make_optimizer(settings(name=name, learning_rate="0.5"))
    params, grads = {"w": jnp.array([3.0])}, {"w": jnp.array([2.0])}
    moved, _ = optimizer.update(grads, optimizer.init(params), params)
    np.testing.assert_allclose(moved["w"], ONE_STEP[name], rtol=1e-5)


@pytest.mark.parametrize("name", ["Adadelta", "Adafactor"])
def test_an_optimizer_moves_against_the_gradient(name):
    optimizer = make_optimizer(settings(name=name, learning_rate="0.5"))
    params, grads = {"w": jnp.array([3.0])}, {"w": jnp.array([2.0])}
    moved, _ = optimizer.update(grads, optimizer.init(params), params)
    assert moved["w"][0] < 0


def test_momentum_accumulates():
    optimizer = make_optimizer(settings(name="Momentum", learning_rate="1"))
    grads = {"w": jnp.array([1.0])}
    state = optimizer.init(grads)
    steps = []
    for _ in range(3):
        moved, state = optimizer.update(grads, state)
        steps.append(float(moved["w"][0]))
    np.testing.assert_allclose(steps, [-1, -1.9, -2.71], rtol=1e-6)


def test_the_optimizer_uses_the_decayed_learning_rate():
    config = settings(
        name="SGD",
        learning_rate="1",
        lr_decay_type="exponential_decay",
        lr_decay_steps="1",
        lr_decay_rate="0.5",
    )
    schedule, optimizer = make_schedule(config), make_optimizer(config)
    grads = {"w": jnp.array([1.0])}
    state = optimizer.init(grads)
    for step in range(3):
        moved, state = optimizer.update(grads, state)
        assert -moved["w"][0] == schedule(step) == 0.5**step


def half_sgd(learning_rate, factor: float = 0.5):
    """A user-defined optimizer."""
    return optax.chain(optax.sgd(learning_rate), optax.scale(factor))


def test_numbers_that_are_inputs_of_a_program_replace_those_of_the_settings():
    def config(rate, norm):
        return OptimizerConfig(
            learning_rate=rate, clip_gradients=norm, lr_decay_type="exponential_decay"
        )

    optimizer = make_optimizer(config(1.0, 3.0))
    update = jax.jit(optimizer.update)
    for other in (config(0.5, 3.0), config(1.0, 0.2)):
        expected = make_optimizer(other).update(GRADS, optimizer.init(GRADS))[0]
        changed = update(GRADS, optimizer.init(GRADS), numbers=other.numbers())[0]
        np.testing.assert_allclose(flat(changed), flat(expected), rtol=1e-6)
    assert update._cache_size() == 1


def test_a_user_defined_optimizer_is_found_by_its_dotted_path():
    grads = {"w": jnp.array([2.0])}
    for params, expected in (({}, -1.0), ({"params__factor": "0.25"}, -0.5)):
        config = settings(name=f"{__name__}.half_sgd", learning_rate="1", **params)
        optimizer = make_optimizer(config)
        moved, _ = optimizer.update(grads, optimizer.init(grads))
        assert moved["w"] == expected


def test_an_optimizer_of_optax_is_found_by_its_dotted_path():
    config = settings(name="optax.contrib.muon", learning_rate="0.5", params__beta="0.9")
    optimizer = make_optimizer(config)
    params, grads = {"w": jnp.ones((2, 3))}, {"w": jnp.full((2, 3), 2.0)}
    moved, _ = optimizer.update(grads, optimizer.init(params), params)
    assert (moved["w"] < 0).all()


TRAINED = {"kernel": jnp.full((3, 2), 0.5), "bias": jnp.array([0.25, -0.5])}


def optax_factories():
    """The dotted paths of all functions of optax and optax.contrib that take a learning rate."""
    return sorted(
        f"{module.__name__}.{name}"
        for module in (optax, optax.contrib)
        for name, found in vars(module).items()
        if inspect.isfunction(found) and "learning_rate" in inspect.signature(found).parameters
    )


@pytest.mark.parametrize("path", optax_factories())
def test_every_optimizer_of_optax_takes_a_step_or_is_refused_in_one_line(path):
    try:
        config = resolve(default_config("BasicSeq2Seq"), [("optimizer.name", path)])
        optimizer = make_optimizer(OptimizerConfig.from_config(config.optimizer))
    except UserError as error:
        assert error.where.startswith("optimizer.")
        assert path not in USABLE, error
        return
    state = optimizer.init(TRAINED)
    for _ in range(2):
        changes, state = optimizer.update(TRAINED, state, TRAINED)
    assert np.isfinite(flat(changes)).all() and flat(changes).any()
    assert all(np.asarray(leaf).dtype != object for leaf in jax.tree.leaves(state))


USABLE = {
    *(f"optax.{name}" for name in ("adam", "adamw", "lamb", "lion", "novograd", "radam", "sgd")),
    *(f"optax.{name}" for name in ("adafactor", "adagrad", "amsgrad", "rmsprop", "yogi")),
    "optax.contrib.muon",
}


def test_the_usable_optimizers_are_those_of_optax():
    assert set(optax_factories()) >= USABLE


@pytest.mark.parametrize("name", ["lbfgs", "rprop", "optax.lbfgs", "optax.polyak_sgd"])
def test_an_optimizer_that_needs_more_than_gradients_is_refused(name):
    with pytest.raises(UserError, match=r"^optimizer\.name: "):
        config = resolve(default_config("BasicSeq2Seq"), [("optimizer.name", name)])
        make_optimizer(OptimizerConfig.from_config(config.optimizer))


def test_the_learning_rate_may_be_below_the_lower_bound_of_a_decay_that_is_not_used():
    flags = [("optimizer.learning_rate", "1e-13")]
    assert resolve(default_config("BasicSeq2Seq"), flags).optimizer.learning_rate == 1e-13
    with pytest.raises(UserError, match=r"^optimizer\.lr_min_learning_rate: must be at most"):
        flags.append(("optimizer.lr_decay_type", "cosine_decay"))
        resolve(default_config("BasicSeq2Seq"), flags)
