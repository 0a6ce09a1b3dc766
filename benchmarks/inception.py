"""InceptionV3 up to its last feature map: `python -m benchmarks.inception inception75:train:16`.

`infer` is inference; `train` is a step of gradient descent on the mean square of the feature map,
with batch statistics in batch norm. `peers/keras_inception.py` does the same with Keras.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict

from benchmarks.inception_work import image_size, random_images
from benchmarks.matmul import matmul_gflops
from benchmarks.ours import NAME, utilisation
from benchmarks.timing import peak_rss_mb, rates, time_runs
from benchmarks.work import Work, measure_one
from seq2seq_jax.captioning.models.inception_v3 import InceptionV3
from seq2seq_jax.devices.memory import tune_malloc

LEARNING_RATE = 1e-3


def measure(work: Work) -> dict[str, Any]:
    """Measure images per second and the share of the machine's fastest matrix product.

    Args:
      work: The measurement.
    """
    network = InceptionV3()
    images = jnp.asarray(random_images(image_size(work), work.batch_size))
    variables = jax.jit(lambda: network.init(jax.random.key(0), images[:1]))()
    gflop = work.batch_size * forward_gflop(network, image_size(work))
    run = (_training if work.mode == "train" else _inference)(network, variables, images)
    runs = time_runs(run, work.seconds)
    results = rates("images", work.batch_size, runs)
    results["step_ms_median"] = round(1e3 * work.batch_size / results["images_s_median"], 1)
    results["step_gflop"] = round(gflop * (3 if work.mode == "train" else 1), 2)
    results["peak_rss_mb"] = peak_rss_mb()  # Before the matrices below.
    results["matmul_gflops"] = round(matmul_gflops(), 1)
    return {**results, "utilisation": utilisation(results, results["matmul_gflops"])}


def forward_gflop(network: InceptionV3, size: int) -> float:
    """Count the operations of the convolutions for one image, in 1e9.

    A training step has three times as many.

    Args:
      network: The network.
      size: Height and width of the image.
    """
    images = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)

    def run(images: jax.Array) -> Any:
        return network.init_with_output(
            jax.random.key(0), images, capture_intermediates=_is_convolution
        )

    _, variables = jax.eval_shape(run, images)
    kernels = flatten_dict(variables["params"])
    total = 0
    for path, (output,) in flatten_dict(variables["intermediates"]).items():
        height, width, channels, _ = kernels[(*path[:-1], "kernel")].shape
        total += 2 * height * width * channels * output.size
    return total / 1e9


def _is_convolution(module: nn.Module, method: str) -> bool:
    return method == "__call__" and hasattr(module, "conv")


def _inference(network: InceptionV3, variables: Any, images: jax.Array) -> Callable[[], Any]:
    apply = jax.jit(network.apply)
    return lambda: jax.block_until_ready(apply(variables, images))


def _training(network: InceptionV3, variables: Any, images: jax.Array) -> Callable[[], Any]:
    state = {name: variables[name] for name in ("params", "batch_stats")}

    @jax.jit
    def step(state: Any) -> Any:
        def loss(params: Any) -> Any:
            feature_map, moved = network.apply(
                {**state, "params": params}, images, train=True, mutable=["batch_stats"]
            )
            return jnp.mean(jnp.square(feature_map)), moved

        gradient, moved = jax.grad(loss, has_aux=True)(state["params"])
        params = jax.tree.map(lambda p, g: p - LEARNING_RATE * g, state["params"], gradient)
        return {"params": params, **moved}

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(step(state))

    return run


if __name__ == "__main__":
    tune_malloc()
    measure_one(NAME, measure)
